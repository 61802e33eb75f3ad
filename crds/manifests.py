"""The CustomResourceDefinitions that come with the package, as generated and checked in.

Must not: build them; that is generate.py's, at development time.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

import yaml

NAMES = ("rollouts", "analysistemplates", "clusteranalysistemplates", "analysisruns", "experiments")


def custom_resource_definitions() -> list[dict[str, Any]]:
    """Return fresh copies of the CRDs of all our kinds, ready to be applied."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    folder = resources.files("crds") / "manifests"
    return [yaml.load((folder / f"{name}.yaml").read_text("utf-8"), Loader=loader) for name in NAMES]
