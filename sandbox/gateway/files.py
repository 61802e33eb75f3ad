"""The configuration as files that Envoy watches: bootstrap, listeners, clusters, one per route table.

Owns the folder. Must not: translate. A file is written beside and renamed into place, which is what Envoy notices;
one whose content has not changed is not touched.

Order matters: clusters come before the routes to them, routes before the listeners that use them, and a cluster that is
no longer wanted stays until the routes away from it are known to be in force (`tidy`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any

from sandbox.gateway.translate import Configuration
from sandbox.gateway.world import Json

TABLES = ("ingress", "mesh", "names")


class Folder:
    """The folder of one Envoy. Not for two writers."""

    def __init__(self, path: Path) -> None:
        """Use `path`, which is created when it is not there."""
        self.path = path.resolve()
        self.path.mkdir(parents=True, exist_ok=True)
        self.versions: dict[str, str] = {}
        """The version last written of each file, by its name without suffix."""
        self.has_service_listeners = False
        """Whether the configuration last written has listeners besides the two fixed ones."""
        self._clusters: Mapping[str, Json] = {}
        self._listeners: Mapping[str, Json] = {}

    def bootstrap(self) -> Path:
        """Write the file that Envoy starts from, and return its path."""
        admin = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}
        target = self.path / "bootstrap.json"
        content = {
            "node": {"id": "gateway", "cluster": "sandbox"},
            "admin": admin,
            "dynamic_resources": {"lds_config": self._source("listeners"), "cds_config": self._source("clusters")},
        }
        target.write_text(json.dumps(content))
        return target

    def restore(self, settings: str) -> Set[str]:
        """Take up the configuration that an earlier gateway with the same settings left here, and return its listeners by name.

        Returns nothing, and leaves the files alone, when there is none, or it was made for other settings.
        """
        marker = self.path / "settings"
        same = marker.is_file() and marker.read_text() == settings
        marker.write_text(settings)
        found = {name: self._left(name) for name in ("clusters", "listeners", *TABLES)} if same else {}
        if not found or not all(found.values()):
            return frozenset()
        self.versions = {name: str(one["version_info"]) for name, one in found.items()}
        self._clusters = {str(one["name"]): one for one in found["clusters"]["resources"]}
        names = [str(one["name"]) for one in found["listeners"]["resources"]]
        self.has_service_listeners = len(names) > 2
        return frozenset(names)

    def _left(self, name: str) -> Json:
        """Return a file of an earlier gateway; empty when it is not there or is no whole configuration."""
        try:
            found = json.loads((self.path / f"{name}.json").read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) and found.keys() >= {"version_info", "resources"} else {}

    def write(self, configuration: Configuration) -> list[str]:
        """Write what has changed, and return the names of the files written. Clusters no longer wanted stay for now."""
        kept = {**self._clusters, **configuration.clusters}
        self._clusters = configuration.clusters
        self.has_service_listeners = len(configuration.listeners) > 2
        written = [self._put("clusters", kept.values())]
        written += [self._put(name, [configuration.tables[name]]) for name in TABLES]
        if configuration.listeners != self._listeners:
            written.append(self._put("listeners", [self._located(one) for one in configuration.listeners.values()]))
            self._listeners = configuration.listeners
        return [name for name in written if name]

    def tidy(self) -> bool:
        """Take away clusters that the configuration last written does not have; tell whether there were any."""
        return bool(self._put("clusters", self._clusters.values()))

    def _put(self, name: str, resources: Iterable[Json]) -> str:
        text = json.dumps(list(resources), separators=(",", ":"))
        version = hashlib.sha256(text.encode()).hexdigest()[:16]
        if self.versions.get(name) == version:
            return ""
        beside = self.path / f"{name}.tmp"
        beside.write_text(f'{{"version_info":"{version}","resources":{text}}}')
        os.replace(beside, self.path / f"{name}.json")
        self.versions[name] = version
        return name

    def _source(self, name: str) -> Json:
        return {"resource_api_version": "V3", "path_config_source": {"path": str(self.path / f"{name}.json")}}

    def _located(self, part: Any) -> Any:
        """Put the path of its file beside each `route_config_name`."""
        if isinstance(part, list):
            return [self._located(one) for one in part]
        if not isinstance(part, dict):
            return part
        if "route_config_name" in part:
            return {**part, "config_source": self._source(part["route_config_name"])}
        return {key: self._located(value) for key, value in part.items()}
