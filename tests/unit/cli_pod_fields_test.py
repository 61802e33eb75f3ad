"""The table of fields that `lint` knows of pod templates, and the misspelt ones it finds with it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rollouts.cli.pod_fields import object_meta, pod_template, table
from rollouts.cli.spelling import unknown_fields


def fields_of_models(*roots: str) -> dict[str, set[str]]:
    """Return the fields of types and of those they lead to, as the models of the `kubernetes` package have them."""
    from kubernetes.client import models

    found: dict[str, set[str]] = {}
    pending = list(roots)
    while pending:
        name = pending.pop()
        if name.removeprefix("V1") in found:
            continue
        model = getattr(models, name)
        found[name.removeprefix("V1")] = fields = set()
        for attribute, kind in model.openapi_types.items():
            inner = re.sub(r"^List\[(.*)\]$", r"\1", kind)
            known = hasattr(getattr(models, inner, None), "openapi_types")
            pending += [inner] if known else []
            below = inner.removeprefix("V1")
            reference = "" if not known else f"={below}" if inner == kind else f"=[{below}]"
            fields.add(model.attribute_map[attribute] + reference)
    return found


def test_the_table_is_that_of_the_package() -> None:
    assert {name: set(words) for name, words in table().items()} == fields_of_models("V1PodTemplateSpec")


CONTAINER: dict[str, Any] = {
    "name": "web",
    "image": "web:1",
    "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}],
    "ports": [{"containerPort": 8080}],
    "resources": {"limits": {"cpu": "1", "example.com/gpu": "1"}, "requests": {"anything": "1"}},
    "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
}
TEMPLATE = {
    "metadata": {"labels": {"any.thing/at": "all"}, "annotations": {"a": "b"}},
    "spec": {
        "containers": [CONTAINER],
        "nodeSelector": {"any": "thing"},
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "a"}]}},
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}, {"name": "c", "configMap": {"name": "c"}}],
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "a", "labelSelector": {"matchLabels": {"a": "b"}}}],
    },
}


def test_the_fields_that_there_are_are_known() -> None:
    assert list(unknown_fields(TEMPLATE, pod_template())) == []
    assert list(unknown_fields({"name": "shop", "labels": {"a": "b"}, "finalizers": []}, object_meta())) == []


@pytest.mark.parametrize(
    ("field", "inside", "said"),
    [
        pytest.param("imge", {}, 'spec.containers[0].imge"; did you mean image?', id="of a container"),
        pytest.param("port", [], 'spec.containers[0].port"; did you mean ports?', id="a singular"),
        pytest.param(
            "readinessProbe", {"httpget": {}}, 'spec.containers[0].readinessProbe.httpget"; did you mean httpGet?', id="the case"
        ),
        pytest.param("ports", [{"containrPort": 1}], 'ports[0].containrPort"; did you mean containerPort?', id="in a list"),
        pytest.param("flavour", 1, 'unknown field "spec.containers[0].flavour"', id="with nothing near"),
    ],
)
def test_a_misspelt_field_of_a_pod_template_is_named(field: str, inside: object, said: str) -> None:
    template = {"spec": {"containers": [{"name": "web", field: inside}]}}
    [found] = unknown_fields(template, pod_template())
    assert str(found).endswith(said)
