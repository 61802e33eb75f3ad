"""Keeping secret values out of texts: messages, values, metadata, events and logs show `*****` instead.

Pure. Must not: store a secret beyond the measurement that needed it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

REDACTED = "*****"


@dataclass(frozen=True, slots=True)
class Redactor:
    """Replaces secret values in texts, also where they were quoted, URL-encoded or put into base64."""

    _pattern: re.Pattern[str] | None = field(default=None, repr=False)

    @staticmethod
    def of(secrets: Iterable[str]) -> Redactor:
        """Make a redactor for these values; empty ones are ignored."""
        forms = {form for secret in secrets if secret.strip() for form in _forms(secret)}
        if not forms:
            return Redactor()
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        return Redactor(re.compile("|".join(map(re.escape, longest_first))))

    def text(self, text: str) -> str:
        """Return the text with every secret replaced."""
        return self._pattern.sub(REDACTED, text) if self._pattern else text

    def entries(self, entries: Mapping[str, str]) -> dict[str, str]:
        """Return the mapping with every secret in its keys and values replaced."""
        return {self.text(key): self.text(value) for key, value in entries.items()}


def _forms(secret: str) -> set[str]:
    """Return the ways a value may be written down by clients, servers and error texts."""
    quoted = {json.dumps(form, ensure_ascii=ascii_only)[1:-1] for form in (secret, secret.strip()) for ascii_only in (True, False)}
    python = {repr(form)[1:-1] for form in (secret, secret.strip())}
    encoded = {encode(secret, safe=safe) for encode in (quote, quote_plus) for safe in ("", "/")}
    return {secret, secret.strip(), *quoted, *python, *encoded, base64.b64encode(secret.encode()).decode()}
