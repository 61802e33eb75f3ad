"""What built-in fields mean, in the words of the installed `kubernetes` package.

Owns reading its model files as text, without importing the package. Must not: be needed; without the package there are no texts.
"""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

_FIELD = re.compile(r"^    (\w+): .* = Field\((.*)\)$", re.MULTILINE)
_ALIAS = re.compile(r'serialization_alias="([^"]+)"')
_TEXT = re.compile(r'description="((?:[^"\\]|\\.)*)"')
_CLASS = re.compile(r'^class \w+\(BaseModel\):\n    """\n    (.*)\n    """', re.MULTILINE)


class Descriptions:
    """Texts by type and field; an empty field name stands for the type itself."""

    def __init__(self) -> None:
        spec = find_spec("kubernetes")
        places = list(spec.submodule_search_locations or ()) if spec else []
        self._models = Path(places[0], "client", "models") if places else None

    def of(self, type_name: str) -> dict[str, str]:
        """Return the texts of a type, empty when there are none."""
        if self._models is None:
            return {}
        path = self._models / f"{_snake(type_name)}.py"
        if not path.exists():
            return {}
        source = path.read_text()
        found = {}
        if about := _CLASS.search(source):
            found[""] = about[1]
        for field in _FIELD.finditer(source):
            alias, text = _ALIAS.search(field[2]), _TEXT.search(field[2])
            if text:
                found[alias[1] if alias else field[1]] = _unescaped(text[1])
        return found


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text


def _snake(name: str) -> str:
    parted = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", parted).lower()
