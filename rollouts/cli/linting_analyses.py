"""What `lint` says of an AnalysisTemplate or AnalysisRun by itself.

Must not: judge; rollouts/admission/analyses.py does.
"""

from __future__ import annotations

from collections.abc import Sequence

from crds.analysis import AnalysisRunSpec, AnalysisTemplateSpec
from crds.reading import read
from kube.kinds import ANALYSIS_RUN, ANALYSIS_TEMPLATE
from kube.objects import Object
from rollouts.admission.analyses import run_troubles, template_troubles
from rollouts.engine.mending import Trouble


def analysis_troubles(obj: Object, title: str) -> list[Trouble]:
    """Return everything that is wrong with a template or a run; sentences that do not name it begin with its title."""
    found = run_troubles(obj, shape=_shape) if _is_run(obj) else template_troubles(obj, shape=_shape)
    named = f"{ANALYSIS_TEMPLATE.name} "
    return [one if one.text.startswith(named) else Trouble(one.path, f"{title}: {one.text}") for one in found]


def _is_run(obj: Object) -> bool:
    return bool(obj["kind"] == ANALYSIS_RUN.name)


def _shape(obj: Object) -> Sequence[Trouble]:
    """Return which fields are of another type than their definition says, which no API server has seen yet."""
    found = read(AnalysisRunSpec if _is_run(obj) else AnalysisTemplateSpec, obj["spec"], at="spec")
    return [Trouble(one.path, str(one)) for one in found] if isinstance(found, tuple) else []
