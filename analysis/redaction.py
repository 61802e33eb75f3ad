"""Keeping secret values out of texts: messages, values, metadata, events and logs show `*****` instead.

Pure. Must not: store a secret beyond the measurement that needed it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

REDACTED = "*****"
_LONGEST_IN_ANY_SPELLING = 512
"""Longer secrets are looked for as they are and in base64 only; the pattern would become too large."""


@dataclass(frozen=True, slots=True)
class Redactor:
    """Replaces secret values in texts, however they were quoted, percent-encoded or escaped on the way."""

    _pattern: re.Pattern[str] | None = field(default=None, repr=False)

    @staticmethod
    def of(secrets: Iterable[str]) -> Redactor:
        """Make a redactor for these values; blank ones are ignored."""
        forms = {form for secret in secrets for form in (secret, secret.strip(), " ".join(secret.split())) if form.strip()}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        encoded = [re.escape(base64.b64encode(form.encode()).decode().rstrip("=")) for form in longest_first]
        patterns = [*map(_any_spelling, longest_first), *encoded]
        return Redactor(re.compile("|".join(patterns), re.IGNORECASE)) if patterns else Redactor()

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to hide."""
        return self._pattern is None

    def text(self, text: str) -> str:
        """Return the text with every secret replaced."""
        return self._pattern.sub(REDACTED, text) if self._pattern else text

    def entries(self, entries: Mapping[str, str]) -> dict[str, str]:
        """Return the mapping with every secret in its keys and values replaced."""
        return {self.text(key): self.text(value) for key, value in entries.items()}

    def value(self, value: Any) -> Any:
        """Return a JSON value with every secret in its strings and keys replaced."""
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {self.text(str(key)): self.value(item) for key, item in value.items()}
            case list() | tuple():
                return [self.value(item) for item in value]
        return value


def _any_spelling(secret: str) -> str:
    """Return a pattern of the secret in which every character may stand as it is, percent-encoded or escaped."""
    if len(secret) > _LONGEST_IN_ANY_SPELLING:
        return re.escape(secret)
    return "".join(map(_character, secret))


def _character(character: str) -> str:
    spellings = [re.escape(character), "".join(f"%{byte:02x}" for byte in character.encode(errors="surrogatepass"))]
    units = character.encode("utf-16-be", errors="surrogatepass")
    spellings.append("".join(rf"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2)))
    if character == " ":
        spellings.append(r"\+")
    if character in "\"'\\/":
        spellings.append(r"\\" + re.escape(character))
    if escaped := {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}.get(character):
        spellings.append(rf"\\{escaped}")
    if not character.isprintable() or not character.isascii():
        spellings.append(re.escape(ascii(character)[1:-1]))
    return f"(?:{'|'.join(sorted(set(spellings), key=lambda one: (-len(one), one)))})"
