"""The CustomResourceDefinitions of our kinds: names, scopes, subresources, columns, and schemas from the models.

Owns what spec/rollout.md 1 says about the kinds. Must not: read or write files; see manifests.py and generate.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crds.analysis import AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate
from crds.common import JsonSchema, Resource
from crds.experiment import Experiment
from crds.rollout import Rollout
from crds.schema import find, structural_schema

GROUP = "argoproj.io"
VERSION = "v1alpha1"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`."""

    name: str
    type: str
    path: str


AGE = Column("Age", "date", ".metadata.creationTimestamp")
PHASE = Column("Status", "string", ".status.phase")


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One kind as the API serves it."""

    model: type[Resource]
    plural: str
    short: str
    columns: tuple[Column, ...]
    namespaced: bool = True
    subresources: dict[str, Any] | None = None
    """None where clients write the status with a plain patch of the object."""
    adjust: Callable[[JsonSchema], None] = lambda schema: None
    """Adds to the schema what the model cannot express."""

    @property
    def kind(self) -> str:
        """The kind's name."""
        return self.model.__name__


def _selector_is_immutable(schema: JsonSchema) -> None:
    find(schema, "spec", "selector")["x-kubernetes-validations"] = [{"rule": "self == oldSelf", "message": "selector is immutable"}]


DEFINITIONS: tuple[Definition, ...] = (
    Definition(
        model=Rollout,
        plural="rollouts",
        short="ro",
        columns=(
            Column("Desired", "integer", ".spec.replicas"),
            Column("Current", "integer", ".status.replicas"),
            Column("Up-to-date", "integer", ".status.updatedReplicas"),
            Column("Available", "integer", ".status.availableReplicas"),
            AGE,
        ),
        subresources={
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.HPAReplicas",
                "labelSelectorPath": ".status.selector",
            },
            "status": {},
        },
        adjust=_selector_is_immutable,
    ),
    Definition(model=AnalysisTemplate, plural="analysistemplates", short="at", columns=(AGE,)),
    Definition(model=ClusterAnalysisTemplate, plural="clusteranalysistemplates", short="cat", columns=(AGE,), namespaced=False),
    Definition(model=AnalysisRun, plural="analysisruns", short="ar", columns=(PHASE, AGE)),
    Definition(model=Experiment, plural="experiments", short="exp", columns=(PHASE, AGE)),
)


def build(definition: Definition) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind, ready to be applied."""
    schema = structural_schema(definition.model)
    schema["properties"]["metadata"] = {"type": "object"}
    definition.adjust(schema)
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [{"name": one.name, "type": one.type, "jsonPath": one.path} for one in definition.columns],
        "schema": {"openAPIV3Schema": schema},
    }
    if definition.subresources is not None:
        version["subresources"] = definition.subresources
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{definition.plural}.{GROUP}", "labels": {"app.kubernetes.io/part-of": "rollouts"}},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": definition.kind,
                "listKind": f"{definition.kind}List",
                "plural": definition.plural,
                "singular": definition.kind.lower(),
                "shortNames": [definition.short],
            },
            "scope": "Namespaced" if definition.namespaced else "Cluster",
            "versions": [version],
        },
    }
