"""All families of one process as the text that Prometheus scrapes.

Must not: count anything, or know how it is served.
"""

from __future__ import annotations

from kube.health import Pulse
from kube.kinds import ANALYSIS_RUN, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, EXPERIMENT, ROLLOUT, Kind
from kube.leases import Elector
from kube.metrics import render
from kube.objects import Object
from rollouts.manager import Manager
from rollouts.metrics import analyses, process, rollouts, runtime


def exposition(manager: Manager, *, pulse: Pulse, elector: Elector | None) -> str:
    """Return what the process counts and what its stores hold; call it on the event loop."""

    def objects(kind: Kind) -> list[Object]:
        informer = manager.informers.get(kind)
        return informer.store.all() if informer else []

    return render(
        (
            *rollouts.families(objects(ROLLOUT)),
            *rollouts.event_families(manager.recorder.recorded),
            *analyses.run_families(objects(ANALYSIS_RUN)),
            *analyses.template_families((*objects(ANALYSIS_TEMPLATE), *objects(CLUSTER_ANALYSIS_TEMPLATE))),
            *analyses.experiment_families(objects(EXPERIMENT)),
            *runtime.reconcile_families(manager.controllers),
            *runtime.queue_families(manager.controllers),
            *runtime.watch_families(manager.informers.values()),
            *runtime.request_families(manager.client.requests),
            *runtime.writing_families(manager.executor, manager.recorder),
            *runtime.leader_families(elector),
            *process.families(pulse),
        )
    )
