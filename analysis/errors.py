"""What can be wrong with an analysis before anything is measured.

The texts are what users see in a Rollout's `InvalidSpec` condition and in an AnalysisRun's message.
"""

from __future__ import annotations


class InvalidAnalysis(Exception):
    """Templates, arguments or metrics that cannot be run as written; the text says what to mend."""


class TemplateNotFound(InvalidAnalysis):
    """A reference to an AnalysisTemplate or ClusterAnalysisTemplate that is not in the cluster."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} '{name}' not found")
        self.kind = kind
        self.name = name


class UnresolvedArgument(InvalidAnalysis):
    """An argument that the templates declare and nobody supplied."""

    def __init__(self, name: str) -> None:
        super().__init__(f"args.{name} was not resolved")
        self.name = name
