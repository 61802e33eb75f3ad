"""Cases in which the embedded API server differs from a real one, and stays so.

Owns the reasons; docs/sandbox.md repeats them. A case that no longer differs must leave this list: its test says so.
"""

from __future__ import annotations

from collections.abc import Mapping

KNOWN: Mapping[str, str] = {}
"""From the title of a case to the reason."""
