"""Cases in which the embedded API server differs from a real one, and stays so.

Owns the reasons; docs/sandbox.md repeats them. A case that no longer differs must leave this list: its test says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """Why the cases of an area that have these titles differ."""

    area: str
    reason: str
    titles: Sequence[str]


DIFFERENCES: Sequence[Difference] = (
    Difference(
        "workloads",
        "what keeps pods from being made is checked; a real server has more rules, and shows Go's structures in some texts",
        (
            "a daemon set",
            "a deployment without a selector",
            "a deployment without anything",
            "a deployment without a spec",
            "an empty selector",
            "expressions that cannot be",
            "a deadline before the pods are ready",
            "neither surge nor unavailable",
            "a strategy that there is not",
            "a recreation with limits",
            "a percentage that is none",
            "a port that cannot be",
            "two ports of one name",
            "variables that cannot be",
            "a mount without a path",
            "two volumes of one name",
            "a volume of two kinds",
            "a probe without a handler",
            "a probe with bad numbers",
            "a pull policy that there is not",
            "a quantity that is none",
            "more requested than allowed",
            "a negative grace",
            "a DNS policy that there is not",
            "a job of pods that restart",
            "a template of a job does not change",
            "a command of a pod does not change",
            "a template's labels must be labels",
        ),
    ),
    Difference(
        "network",
        "what the gateway needs is checked; a real server looks closer at hosts, paths and ports",
        (
            "ports of one number",
            "ports that cannot be",
            "an address that is none",
            "an ingress of nothing",
            "hosts that cannot be",
            "paths that cannot be",
            "endpoint slices that cannot be",
            "the type of addresses does not change",
        ),
    ),
    Difference(
        "other kinds",
        "what the product writes is checked; a real server has more rules for values that it never writes",
        (
            "a secret that is no base64",
            "a secret with a number",
            "keys that cannot be",
            "binary data",
            "a time that is none",
            "budgets that cannot be",
            "an autoscaler of the first version",
            "autoscalers that cannot be",
            "a role of a binding does not change",
            "namespaces that cannot be",
        ),
    ),
    Difference(
        "definitions",
        "what is needed to serve a definition is checked; its status has no owner, and its finalizer is there from the start",
        (
            "a definition is served",
            "a definition goes with its objects",
            "no version that is stored",
            "a schema that is no object",
            "a schema without types",
            "a list without items",
            "a type of values that there is not",
            "a default that does not fit",
            "a rule that cannot be read",
            "forms of texts",
            "objects",
            "one of, any of, all of, not",
            "rules",
            "a required spec is missing",
            "what is invalid already may stay so",
            "a rollout that cannot be",
        ),
    ),
)
KNOWN: Mapping[str, str] = {title: found.reason for found in DIFFERENCES for title in found.titles}
"""From the title of a case to the reason."""
