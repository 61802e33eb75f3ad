"""Traffic as text: one line per second, and a summary.

Owns the look. Must not: count.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sandbox.load.result import Second, Snapshot

BAR = 30


def second_line(second: Second) -> str:
    """Return `12:00:01  50/s  v1 ██████ 80%  v2 ██ 20%  max 4 ms`, with failures where there are any."""
    at = datetime.fromtimestamp(second.epoch).strftime("%H:%M:%S")
    parts = [at, f"{second.answered:4d}/s", *_shares(second.versions)]
    bad = {str(status): count for status, count in sorted(second.statuses.items()) if status >= 400} | dict(second.failures)
    parts += [f"{name}×{count}" for name, count in bad.items()]
    return "  ".join([*parts, f"max {second.latency_max * 1000:.0f} ms"])


def summary(snapshot: Snapshot) -> str:
    """Return what came of all requests, in a few lines."""
    lines = [f"{snapshot.sent} requests, {snapshot.answered} answered, {snapshot.lost} lost"]
    lines += [f"  {name or '(no version told)'}: {count}" for name, count in sorted(snapshot.versions.items())]
    lines.append("  status " + ", ".join(f"{status}: {count}" for status, count in sorted(snapshot.statuses.items())))
    if snapshot.failures:
        lines.append("  failed " + ", ".join(f"{name}: {count}" for name, count in sorted(snapshot.failures.items())))
    times = (snapshot.latency_p50, snapshot.latency_p95, snapshot.latency_p99)
    lines.append("  latency p50 {:.1f} ms, p95 {:.1f} ms, p99 {:.1f} ms".format(*(one * 1000 for one in times)))
    return "\n".join(lines)


def _shares(versions: Mapping[str, int]) -> list[str]:
    total = sum(versions.values())
    return [
        f"{name or '?'} {'█' * max(1, round(BAR * count / total))} {100 * count / total:.0f}%"
        for name, count in sorted(versions.items())
    ]
