"""The chart, rendered and installed by Helm itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

CHART = Path(__file__).parents[1] / "charts" / "rollouts"
NAMESPACE = "argo-rollouts"
RELEASE = "test"


class Helm:
    """Helm's own library, as the extra `chart` brings it; releases go to the cluster of a kubeconfig, or nowhere."""

    def __init__(self, library: ModuleType, kubeconfig: Path | None = None) -> None:
        self._library = library
        where = {"kubeconfig_path": kubeconfig} if kubeconfig else {"storage_driver": "memory"}
        self._actions = library.Config(**where, namespace=NAMESPACE)

    def at(self, kubeconfig: Path) -> Helm:
        """Return the same for a cluster."""
        return Helm(self._library, kubeconfig)

    def rendered(self, values: Mapping[str, Any]) -> str:
        """Return the manifests of an installation with these values.

        Raises:
            ValueError: the chart refuses them.
        """
        try:
            release = self._actions.install(CHART, RELEASE, dict(values), namespace=NAMESPACE, dry_run="client")
        except self._library.HelmReleaseError as error:
            raise ValueError(str(error)) from None
        return str(release["manifest"])

    def install(self, values: Mapping[str, Any]) -> None:
        """Install a release, its namespace included."""
        self._actions.install(CHART, RELEASE, dict(values), namespace=NAMESPACE, create_namespace=True)

    def upgrade(self, values: Mapping[str, Any]) -> None:
        """Bring the release to other values."""
        self._actions.upgrade(CHART, RELEASE, dict(values), namespace=NAMESPACE)

    def uninstall(self) -> None:
        """Take the release away."""
        self._actions.uninstall(RELEASE)
