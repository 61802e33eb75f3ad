"""Keeping secret values out of texts: messages, values, metadata, events and logs show `*****` instead.

Pure. Must not: store a secret beyond the measurement that needed it.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from urllib.parse import quote, quote_plus

REDACTED = "*****"
_LONGEST_IN_ANY_SPELLING = 512
"""Longer secrets are looked for in the spellings of whole texts only; the pattern would become too large."""
_LONGEST_ACROSS_LINES = 128
"""Longer secrets are not found in base64 that is broken into lines."""
_SHORTEST_WITHIN_BASE64 = 3
"""Fewer bytes say too little to be told from chance in the midst of base64; they are found as the whole of it."""
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BASE64_SPELLINGS = {"+": (r"\+", "-", "%2b", " "), "/": ("/", "_", "%2f", r"\\/")}
_LONGEST_SPELLING = 40
"""Characters that one character of a secret may become."""
_ESCAPE = r"\\{1,4}"
"""More than one where JSON is quoted in JSON."""
_LINE_END = r"(?:\s|\\[rn])*"


@dataclass(frozen=True, slots=True)
class Redactor:
    """Replaces secret values in texts, however they were quoted, percent-encoded, escaped or put into base64 on the way."""

    _pattern: re.Pattern[str] | None = field(default=None, repr=False)
    _secrets: tuple[str, ...] = field(default=(), repr=False)
    _reach: int = 0
    """No spelling of a secret is longer than this."""

    @staticmethod
    def of(secrets: Iterable[str]) -> Redactor:
        """Make a redactor for these values; blank ones are ignored."""
        known = tuple(dict.fromkeys(secrets))
        forms = {form for secret in known for form in (secret, secret.strip(), " ".join(secret.split())) if form.strip()}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        patterns = [*map(_any_spelling, longest_first)]
        for form in longest_first:
            patterns += dict.fromkeys(pattern for whole in _whole_spellings(form) for pattern in _within_base64(whole.encode()))
        if not patterns:
            return Redactor()
        return Redactor(re.compile("|".join(patterns), re.IGNORECASE), known, _LONGEST_SPELLING * len(longest_first[0]))

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to hide."""
        return self._pattern is None

    def text(self, text: str) -> str:
        """Return the text with every secret replaced."""
        return self._pattern.sub(REDACTED, text) if self._pattern else text

    def beginning(self, text: str, characters: int) -> str:
        """Return that many characters of what `text` would return, without looking at more of it than that takes.

        Cutting first would leave a part of a secret at the cut, which moves to the front as what comes before it is replaced.
        """
        if self._pattern is None:
            return text[:characters]
        shown: list[str] = []
        left, at = characters, 0
        while left > 0 and (match := self._pattern.search(text, at, at + left + self._reach)):
            shown.append((text[at : match.start()] + REDACTED)[:left])
            left, at = left - len(shown[-1]), match.end()
        return "".join(shown) + text[at : at + left]

    def knowing(self, secrets: Iterable[str]) -> Redactor:
        """Return a redactor that hides these values too."""
        added = tuple(secrets)
        return Redactor.of((*self._secrets, *added)) if added else self

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


def _whole_spellings(secret: str) -> tuple[str, ...]:
    """Return how a text is written into JSON, a query and a form, each once."""
    encodable = secret.encode(errors="replace").decode()
    spelled = (encodable, json.dumps(encodable)[1:-1], quote(encodable, safe=""), quote_plus(encodable))
    return tuple(dict.fromkeys(spelled))


def _within_base64(secret: bytes) -> Iterator[str]:
    """Yield patterns of the bytes as base64 shows them, whatever comes before and after: `user:secret` hides no secret.

    Three bytes become four characters, so there are three ways to begin. A character that holds bits of a neighbour too may be any
    that holds ours.
    """
    if len(secret) < _SHORTEST_WITHIN_BASE64:
        yield re.escape(base64.b64encode(secret).decode().rstrip("="))
        return
    gap = _LINE_END if len(secret) <= _LONGEST_ACROSS_LINES else ""
    for before in range(3):
        after = -(before + len(secret)) % 3
        low, high = (base64.b64encode(fill * before + secret + fill * after).decode() for fill in (b"\x00", b"\xff"))
        first, end = before * 8 // 6, -(-(before + len(secret)) * 8 // 6)
        yield gap.join(_base64_character(low[at], high[at]) for at in range(first, end))


def _base64_character(low: str, high: str) -> str:
    """Return a pattern of the characters between these two, which differ in the bits that are not known."""
    known, free = _BASE64.index(low), _BASE64.index(low) ^ _BASE64.index(high)
    spellings = [
        one for at, symbol in enumerate(_BASE64) if at & ~free == known for one in _BASE64_SPELLINGS.get(symbol, (symbol,))
    ]
    return spellings[0] if len(spellings) == 1 else f"(?:{'|'.join(spellings)})"


def _any_spelling(secret: str) -> str:
    """Return a pattern of the secret in which every character may stand as it is, percent-encoded or escaped, even repeatedly."""
    if len(secret) > _LONGEST_IN_ANY_SPELLING:
        return "|".join(map(re.escape, sorted({secret, *_whole_spellings(secret)}, key=lambda form: (-len(form), form))))
    runs = ((character, len(list(run))) for character, run in groupby(secret))
    return "".join(_backslashes(count) if character == "\\" else _character(character) * count for character, count in runs)


def _backslashes(count: int) -> str:
    """Return a pattern of so many of them, each perhaps escaped; one quantifier, for each its own would try for ever."""
    return rf"(?:\\{{{count},{count + min(3 * count, 24)}}}|(?:%(?:25)*5c|{_ESCAPE}u005c){{{count}}})"


def _character(character: str) -> str:
    spellings = [re.escape(character), "".join(f"%(?:25)*{byte:02x}" for byte in character.encode(errors="surrogatepass"))]
    units = character.encode("utf-16-be", errors="surrogatepass")
    spellings.append("".join(rf"{_ESCAPE}u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2)))
    if character == " ":
        spellings += [r"\+", "%(?:25)*2b"]
    if character in "\"'/":
        spellings.append(_ESCAPE + character)
    if character in "&<>\"'":
        number = ord(character)
        spellings += [html.escape(character), f"&#0*{number};", f"&#x0*{number:x};"]
    if escaped := {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}.get(character):
        spellings.append(rf"{_ESCAPE}{escaped}")
    if not character.isprintable() or not character.isascii():
        spellings.append(re.escape(ascii(character)[1:-1]))
    return f"(?:{'|'.join(sorted(set(spellings), key=lambda one: (-len(one), one)))})"
