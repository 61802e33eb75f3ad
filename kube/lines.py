"""Lines out of a stream of bytes.

Must not: limit the length of a line (objects of megabytes are ordinary), or copy a line more than once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Yield the lines that each chunk completes, without their ends; what follows the last end is dropped.

    A line that the end of the stream cuts off is no line: the connection broke while it was sent.
    """
    parts: list[bytes] = []
    async for chunk in chunks:
        if b"\n" not in chunk:
            parts.append(chunk)
            continue
        parts.append(chunk)
        complete = b"".join(parts).split(b"\n")
        last = complete.pop()
        parts = [last] if last else []
        yield complete
