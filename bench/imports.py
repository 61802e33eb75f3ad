"""What each library adds to the controller: seconds to import it, and memory, on top of those before it.

Run `python -m bench.imports` from the root of the project.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

ROUNDS = 5
LIBRARIES = ("asyncio", "yaml", "click", "pydantic", "rollouts.app", "aiohttp", "kopf-without-kubernetes")
RARE = ("httpx", "kubernetes.client", "numpy", "prometheus_api_client.prometheus_connect", "rich.console", "cryptography.x509")
"""Loaded only by who uses them; here each on top of all that the controller has loaded."""
CODE = """
import resource, sys, time
def used():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * resource.getpagesize() / 2**20
for name in sys.argv[1:]:
    before, began = used(), time.perf_counter()
    __import__("kube.shell").shell._kopf_alone() if "-" in name else __import__(name)
    print(name, time.perf_counter() - began, used() - before, used())
"""


def measured(names: tuple[str, ...]) -> list[list[tuple[str, float, float, float]]]:
    """Import libraries one after the other in a fresh process, several times; return name, seconds, MiB added, MiB in all."""
    rounds = []
    for _ in range(ROUNDS):
        done = subprocess.run([sys.executable, "-c", CODE, *names], capture_output=True, text=True, check=True)
        rows = [line.split() for line in done.stdout.splitlines()]
        rounds.append([(name, float(seconds), float(added), float(total)) for name, seconds, added, total in rows])
    return rounds


def main() -> None:
    """Print a row for each."""
    print(f"{'library':40} {'ms':>7} {'MiB':>7} {'MiB in all':>11}")
    for column in zip(*measured(LIBRARIES), strict=True):
        _row(column)
    print("on top of the controller, by who uses them:")
    for name in RARE:
        *_, last = zip(*measured((*LIBRARIES, name)), strict=True)
        _row(last)


def _row(rounds: tuple[tuple[str, float, float, float], ...]) -> None:
    seconds, added, total = (statistics.median(one[at] for one in rounds) for at in (1, 2, 3))  # type: ignore[type-var]
    print(f"{rounds[0][0]:40} {1000 * float(seconds):7.0f} {float(added):7.1f} {float(total):11.1f}")


if __name__ == "__main__":
    main()
