"""Text to tokens.

Owns the lexical rules of expr-lang v1.17 (spec/analysis.md 1.8). Must not: know precedence or types.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from .errors import ExpressionError
from .limits import MAX_TEXT


class TokenKind(Enum):
    """The value is the name used in error texts."""

    NAME = "Identifier"
    NUMBER = "Number"
    STRING = "String"
    OPERATOR = "Operator"
    BRACKET = "Bracket"
    END = "EOF"


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `value` is the meaning of a literal, `text` what stood there."""

    kind: TokenKind
    text: str
    position: int
    value: int | float | str | None = None

    def __str__(self) -> str:
        return "EOF" if self.kind is TokenKind.END else f'{self.kind.value}("{self.text}")'


WORD_OPERATORS = frozenset({"in", "or", "and", "not", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"})

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|//[^\n]*|/\*.*?\*/)
    | (?P<number>0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+
        |(?:[0-9][0-9_]*(?:\.(?!\.)[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]+)?)
    | (?P<name>[^\W\d][\w$]*|\$[\w$]*)
    | (?P<raw>`(?:[^`]|``)*`)
    | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    | (?P<bracket>[()\[\]{}])
    | (?P<operator>&&|\|\||==|!=|<=|>=|\*\*|\.\.|\?\.|\?\?|::|[-+*/%^<>!?:.,|\#;=])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(
    r"\\(?:x(?P<x>[0-9a-fA-F]{2})|u\{(?P<brace>[0-9a-fA-F]{1,6})\}|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})"
    r"|(?P<octal>[0-3][0-7]{2})|(?P<simple>.))",
    re.DOTALL,
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"} | {"\\": "\\"}


def tokens(text: str) -> list[Token]:
    """Return the tokens of `text`, the last of which is END.

    Raises:
        ExpressionError: a character, number or string that the language does not have, or a text above the limit.
    """
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"the expression is longer than {MAX_TEXT} characters")
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ExpressionError(_complaint(text, position), position=position, text=text)
        token = _token(match, text)
        if token is not None:
            found.append(token)
        position = match.end()
    found.append(Token(TokenKind.END, "", len(text)))
    return found


def _complaint(text: str, position: int) -> str:
    if text[position] in "\"'`":
        return "literal not terminated"
    if text.startswith("/*", position):
        return "unclosed comment"
    return f"unrecognized character: {text[position]!r}"


def _token(match: re.Match[str], text: str) -> Token | None:
    position, source = match.start(), match.group()
    match match.lastgroup:
        case "space":
            return None
        case "number":
            if match.end() < len(text) and (text[match.end()].isalnum() or text[match.end()] in "_$"):
                raise ExpressionError(f'bad number syntax: "{source}{text[match.end()]}"', position=position, text=text)
            return Token(TokenKind.NUMBER, source, position, _number(source, position, text))
        case "name":
            kind = TokenKind.OPERATOR if source in WORD_OPERATORS else TokenKind.NAME
            return Token(kind, source, position)
        case "raw":
            return Token(TokenKind.STRING, source, position, source[1:-1].replace("``", "`"))
        case "string":
            return Token(TokenKind.STRING, source, position, _unescape(source, position, text))
        case "bracket":
            return Token(TokenKind.BRACKET, source, position)
        case _:
            if source == "/" and text.startswith("/*", position):
                raise ExpressionError("unclosed comment", position=position, text=text)
            return Token(TokenKind.OPERATOR, source, position)


def _number(source: str, position: int, text: str) -> int | float:
    digits = source.replace("_", "")
    prefixed = digits[:2].lower() in ("0x", "0b", "0o")
    try:
        if not prefixed and any(mark in digits for mark in ".eE"):
            value: int | float = float(digits)
        else:
            if len(digits) > 80:
                raise ValueError(digits)
            value = int(digits, 0) if prefixed else int(digits)
    except ValueError:
        raise ExpressionError(f'bad number syntax: "{source}"', position=position, text=text) from None
    if isinstance(value, int) and value >= 2**63:
        raise ExpressionError("integer literal is too large", position=position, text=text)
    if value == float("inf"):
        raise ExpressionError("float literal is too large", position=position, text=text)
    return value


def _unescape(source: str, position: int, text: str) -> str:
    """Return what a quoted string means; a quote may be escaped only inside quotes of its own kind."""
    quote, body = source[0], source[1:-1]
    if "\\" not in body:
        return body

    def meaning(match: re.Match[str]) -> str:
        groups = match.groupdict()
        if groups["simple"] is not None:
            if groups["simple"] == quote:
                return quote
            if groups["simple"] not in _SIMPLE:
                raise ExpressionError(f"unknown escape \\{groups['simple']} in a string", position=position, text=text)
            return _SIMPLE[groups["simple"]]
        hexadecimal = groups["x"] or groups["brace"] or groups["u"] or groups["U"]
        code = int(hexadecimal, 16) if hexadecimal else int(groups["octal"], 8)
        if 0xD800 <= code <= 0xDFFF:
            return "\ufffd"
        if code > 0x10FFFF:
            raise ExpressionError(f"no character has the code {code:x}", position=position, text=text)
        return chr(code)

    return _ESCAPE.sub(meaning, body)
