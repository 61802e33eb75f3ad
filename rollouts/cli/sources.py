"""Where commands find AnalysisTemplates, and the arguments people give for them (spec/analysis.md 1.1).

Owns KEY=VALUE and the look-up: first the file that was given, then the cluster. Must not: fill arguments in, or create anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from kube.kinds import ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE
from kube.objects import Object
from rollouts.cli.files import documents
from rollouts.cli.patches import Refused
from rollouts.cli.session import Cluster

if TYPE_CHECKING:
    from analysis.templates import TemplateRef


def read_arguments(texts: Iterable[str]) -> list[dict[str, str]]:
    """Read `KEY=VALUE` texts as entries of `args`; a value may hold further equals signs, or be empty.

    Raises:
        Refused: one of them is something else; its value, which may be a secret, is not repeated.
    """
    arguments = []
    for text in texts:
        key, sign, value = text.partition("=")
        if not key or not sign:
            raise Refused(f"arguments must be of the form KEY=VALUE, not {key!r}")
        arguments.append({"name": key, "value": value})
    return arguments


def unknown_arguments(given: Iterable[Mapping[str, Any]], templates: Iterable[Object]) -> str:
    """Say which of the given arguments no template declares, and which ones there are; empty when all are known.

    >>> unknown_arguments([{"name": "app"}], [{"spec": {"args": [{"name": "service"}]}}])
    'no argument app; it declares service'
    """
    declared = [str(one["name"]) for template in templates for one in (template.get("spec") or {}).get("args") or ()]
    unknown = sorted({str(one["name"]) for one in given} - set(declared))
    known = f"it declares {', '.join(sorted(set(declared)))}" if declared else "it declares none"
    return f"no argument {', '.join(unknown)}; {known}" if unknown else ""


class Templates:
    """The templates of a file and, behind them, those of a cluster, which is asked only for what the file does not hold."""

    def __init__(self, cluster: Callable[[], Cluster], *, filename: str = "", cluster_scope: bool = False) -> None:
        """Read the file, if one is given.

        Args:
            cluster: opens the cluster, when it is needed.
            filename: a file with templates, `-` for standard input.
            cluster_scope: whether templates named without a kind are ClusterAnalysisTemplates.

        Raises:
            Refused: the file cannot be read.
        """
        self.kind = CLUSTER_ANALYSIS_TEMPLATE if cluster_scope else ANALYSIS_TEMPLATE
        self._cluster = cluster
        self._filename = filename
        self._local = [one for one in documents(filename) if isinstance(one, dict)] if filename else []

    def only(self) -> str:
        """Return the name of the one template in the file.

        Raises:
            Refused: there is none, or a choice.
        """
        found = [one for one in self._local if one.get("kind") == self.kind.name]
        if len(found) != 1:
            raise Refused(f"{self._filename} must hold one {self.kind.name}, or be given the name of one; it has {len(found)}")
        name = _name(found[0])
        if not name:
            raise Refused(f"{self._filename} holds an {self.kind.name} without metadata.name; give it one")
        return name

    def collect(self, name: str) -> tuple[Object, ...]:
        """Return a template with those it refers to.

        Raises:
            InvalidAnalysis: one of them is missing or malformed.
            Refused: one is not in the file, and there is no cluster to look in.
        """
        from analysis.templates import TemplateRef, collect

        wanted = TemplateRef(name, cluster_scope=not self.kind.namespaced)
        return collect([wanted], lambda ref: self._found(ref, wanted))

    def _found(self, ref: TemplateRef, wanted: TemplateRef) -> Object | None:
        for one in self._local:
            if one.get("kind") == ref.kind and _name(one) == ref.name:
                if not isinstance(one.get("spec"), dict):
                    raise Refused(f"{ref} has no spec")
                return one
        return None if self._local and ref == wanted else self._in_cluster(ref)

    def _in_cluster(self, ref: TemplateRef) -> Object | None:
        from kube.errors import InvalidConfig, NotFound

        try:
            cluster = self._cluster()
            kind = CLUSTER_ANALYSIS_TEMPLATE if ref.cluster_scope else ANALYSIS_TEMPLATE
            return cluster.client.get(kind, cluster.namespace if kind.namespaced else "", ref.name)
        except NotFound:
            return None
        except InvalidConfig as error:
            if not self._filename:
                raise
            raise Refused(f"{ref} is not in the file, and there is no cluster to look in: {error}") from error


def _name(template: Mapping[str, Any]) -> str:
    metadata = template.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""
