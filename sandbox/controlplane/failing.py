"""Why a download or a build failed, from what the tool printed.

Pure. Must not: run tools.
"""

from __future__ import annotations

SHOWN_LINES = 4
_CAUSES = (
    (("no space left on device", "disk quota exceeded"), "the disk is full; about 5 GB are needed, most of them in Go's caches"),
    (
        (
            "no such host",
            "dial tcp",
            "i/o timeout",
            "name resolution",
            "connection refused",
            "network is unreachable",
            "max retries",
        ),
        "the network cannot be reached (behind a proxy set HTTPS_PROXY; for Go modules GOPROXY)",
    ),
    (("signal: killed", "cannot allocate memory"), "there is not enough memory; about 2.5 GB are needed"),
    (("no module named pip",), "this Python has no pip"),
    (("checksum mismatch", "security error"), "a download is not what it should be: its checksum differs"),
    (("no matching distribution",), "there is no package for this machine, or no network"),
)


def reason_of(output: str) -> str:
    """Return the cause in one phrase where it is a usual one, with the last line of the output; else the last few lines.

    >>> reason_of("go: golang.org/x/sys: Get ...: dial tcp: lookup proxy.golang.org: no such host")[:31]
    'the network cannot be reached ('
    """
    lowered = output.lower()
    known = next((text for words, text in _CAUSES if any(word in lowered for word in words)), "")
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f"{known}: {lines[-1]}" if known else " | ".join(lines[-SHOWN_LINES:]) or "without a word"
