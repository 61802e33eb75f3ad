"""Bodies in the Kubernetes protobuf form, which `kubectl create namespace` and its siblings send.

Owns the wire format; assets/messages.txt has the field numbers of what those commands send, anything else is refused by name.
Must not: encode; answers are JSON, which every client takes.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.apiserver import failures

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"

_MESSAGES_FILE = Path(__file__).parent / "assets" / "messages.txt"


@cache
def _tables() -> Mapping[str, Mapping[int, tuple[str, str]]]:
    """Return names and types of fields, by message and number."""
    lines = [line for line in _MESSAGES_FILE.read_text().splitlines() if not line.startswith("#")]
    found: dict[str, dict[int, tuple[str, str]]] = {}
    for message, *rows in map(str.split, lines):
        for row in rows:
            number, _, field = row.partition(":")
            name, _, kind = field.partition("=")
            found.setdefault(message, {})[int(number)] = (name, kind)
    return found


def decode_protobuf(data: bytes) -> dict[str, Any]:
    """Return the object that a protobuf body holds.

    Raises:
        Refusal: 415 when it holds a kind or a field outside the tables, 400 when it is damaged.
    """
    if not data.startswith(_MAGIC):
        raise failures.bad_request("the object provided is unrecognized: the protobuf body has no k8s prefix")
    try:
        envelope = dict(_wire(data[len(_MAGIC) :]))
        about = dict(_wire(envelope[1]))
        version, kind = about[1].decode(), about[2].decode()
        table = next((name for name in (f"{kind}/{version}", kind) if name in _tables()), None)
        if table is None:
            raise _unknown(kind)
        return {"apiVersion": version, "kind": kind, **_message(table, envelope.get(2, b""))}
    except (IndexError, KeyError, ValueError, AttributeError) as error:
        raise failures.bad_request(f"the object provided is unrecognized: damaged protobuf ({error})") from None


def _unknown(what: str) -> failures.Refusal:
    return failures.Refusal(
        415, "UnsupportedMediaType", f"{what} is not read from protobuf by this API server; send JSON, as `kubectl apply -f` does"
    )


def _wire(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield field numbers with integers or bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:
                value, at = _varint(data, at)
                yield tag >> 3, value
            case 2:
                size, at = _varint(data, at)
                if at + size > len(data):
                    raise ValueError("a field ends after the body")
                yield tag >> 3, data[at : at + size]
                at += size
            case other:
                raise ValueError(f"wire type {other}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return (value - (1 << 64) if value >> 63 else value), at


def _message(table: str, data: bytes) -> dict[str, Any]:
    fields, found = _tables()[table], dict[str, Any]()
    for number, raw in _wire(data):
        if number not in fields:
            if raw in (b"", 0):
                continue
            raise _unknown(f"field {number} of {table}")
        name, kind = fields[number]
        if kind == "-":
            continue
        if kind.startswith("~"):
            found |= _message(kind[1:], raw)
        elif kind.startswith("{"):
            entry = dict(_wire(raw))
            found.setdefault(name, {})[entry.get(1, b"").decode()] = _value(kind[1:-1], entry.get(2, b""))
        elif kind.startswith("*"):
            found.setdefault(name, []).append(_value(kind[1:], raw))
        else:
            value = _value(kind.lstrip("?"), raw)
            if kind.startswith("?") or value not in ("", 0, False, {}):
                found[name] = value
    return found


def _value(kind: str, raw: Any) -> Any:
    match kind:
        case "str":
            return raw.decode()
        case "int" if isinstance(raw, int):
            return raw
        case "int":
            raise ValueError("bytes where a number belongs")
        case "qty":
            return dict(_wire(raw)).get(1, b"").decode()
        case "bool":
            return bool(raw)
        case "bytes":
            return base64.b64encode(raw).decode()
        case "intstr":
            parts = dict(_wire(raw))
            return parts.get(3, b"").decode() if parts.get(1) else parts.get(2, 0)
    return _message(kind, raw)
