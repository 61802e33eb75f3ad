"""Counters of a demo program in Prometheus' text format.

Owns metric names and buckets. Must not: serve them.
"""

from __future__ import annotations

import resource
import time
from bisect import bisect_left
from dataclasses import dataclass, field
from pathlib import Path

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(slots=True)
class _Series:
    count: int = 0
    sum: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))


@dataclass(slots=True)
class Metrics:
    """Requests by code, method and path; durations; the process."""

    started: float = field(default_factory=time.time)
    requests: dict[tuple[int, str, str], int] = field(default_factory=dict)
    durations: dict[tuple[str, str], _Series] = field(default_factory=dict)

    def observe(self, code: int, method: str, path: str, *, seconds: float) -> None:
        """Count an answer."""
        key = (code, method, path)
        self.requests[key] = self.requests.get(key, 0) + 1
        series = self.durations.get((method, path))
        if series is None:
            series = self.durations[method, path] = _Series()
        series.count += 1
        series.sum += seconds
        series.buckets[bisect_left(BUCKETS, seconds)] += 1

    def text(self) -> str:
        """Return everything as a scrape sees it."""
        lines = ["# TYPE http_requests_total counter"]
        for (code, method, path), count in sorted(self.requests.items()):
            lines.append(f'http_requests_total{{code="{code}",method="{method}",path="{_escaped(path)}"}} {count}')
        lines.append("# TYPE http_request_duration_seconds histogram")
        for (method, path), series in sorted(self.durations.items()):
            lines += _histogram(f'method="{method}",path="{_escaped(path)}"', series)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        lines += [
            "# TYPE process_cpu_seconds_total counter",
            f"process_cpu_seconds_total {usage.ru_utime + usage.ru_stime:.3f}",
            "# TYPE process_resident_memory_bytes gauge",
            f"process_resident_memory_bytes {_resident_bytes()}",
            "# TYPE process_start_time_seconds gauge",
            f"process_start_time_seconds {self.started:.3f}",
        ]
        return "\n".join(lines) + "\n"


def _histogram(labels: str, series: _Series) -> list[str]:
    lines, total = [], 0
    for limit, count in zip((*map(str, BUCKETS), "+Inf"), series.buckets, strict=True):
        total += count
        lines.append(f'http_request_duration_seconds_bucket{{{labels},le="{limit}"}} {total}')
    lines.append(f"http_request_duration_seconds_sum{{{labels}}} {series.sum:.6f}")
    lines.append(f"http_request_duration_seconds_count{{{labels}}} {series.count}")
    return lines


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
