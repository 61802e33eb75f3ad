"""Finding what belongs to a Rollout: by the labels of its selector, never by listing everything (spec/rollout.md 6, row 24).

Must not: print.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kube.kinds import ANALYSIS_RUN, POD, REPLICA_SET, ROLLOUT
from kube.objects import Object, name_of, namespace_of
from rollouts.cli.info import rollout_info
from rollouts.cli.model import RolloutInfo

if TYPE_CHECKING:
    from rollouts.cli.live import Live, Source
    from rollouts.cli.session import Cluster


def now() -> datetime:
    """Return the time, for ages."""
    return datetime.now(UTC)


def selector_of(rollout: Object) -> str:
    """Return the label selector of a Rollout's pods as a query takes it."""
    written = (rollout.get("status") or {}).get("selector")
    if written:
        return str(written)
    from rollouts.rollout.status import selector_text

    return selector_text(rollout["spec"].get("selector") or {})


def replica_sets(cluster: Cluster, rollout: Object) -> list[Object]:
    """Return the ReplicaSets that may be a Rollout's."""
    return list(cluster.client.list(REPLICA_SET, namespace_of(rollout), label_selector=selector_of(rollout)).items)


def fetch(cluster: Cluster, name: str) -> tuple[Object, RolloutInfo]:
    """Return a Rollout and everything the tree shows of it, in four requests."""
    rollout = cluster.rollout(name)
    namespace, selector = namespace_of(rollout), selector_of(rollout)
    sets, pods, runs = (
        cluster.client.list(kind, namespace, label_selector=selector).items for kind in (REPLICA_SET, POD, ANALYSIS_RUN)
    )
    return rollout, rollout_info(rollout, now=now(), replica_sets=sets, pods=pods, analysis_runs=runs)


def sources(rollout: Object, *, alone: bool = False) -> list[Source]:
    """Return what to follow to keep the tree of a Rollout up to date, or `alone` just its status."""
    from rollouts.cli.live import Source

    namespace, selector = namespace_of(rollout), selector_of(rollout)
    itself = Source(kind=ROLLOUT, namespace=namespace, field_selector=f"metadata.name={name_of(rollout)}")
    parts = [Source(kind=kind, namespace=namespace, label_selector=selector) for kind in (REPLICA_SET, POD, ANALYSIS_RUN)]
    return [itself] if alone else [itself, *parts]


def info_now(live: Live) -> RolloutInfo | None:
    """Return the tree from what is followed; None when the Rollout is gone."""
    found = live.of(ROLLOUT)
    if not found:
        return None
    parts = {kind: live.of(kind) for kind in (REPLICA_SET, POD, ANALYSIS_RUN)}
    return rollout_info(found[0], now=now(), replica_sets=parts[REPLICA_SET], pods=parts[POD], analysis_runs=parts[ANALYSIS_RUN])
