"""What must hold after every single write that the API server accepts, whoever made it.

Owns the invariants of the law of convergence. Must not: wait, or change anything.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from kube.kinds import ANALYSIS_RUN, DESTINATION_RULE, INGRESS, POD, REPLICA_SET, ROLLOUT, SERVICE, VIRTUAL_SERVICE, Kind
from kube.objects import Object, annotations_of, labels_of, name_of
from rollouts.rollout.analyses import is_finished
from sandbox.apiserver.server import ApiServer
from sandbox.apiserver.storage import Change
from tests.convergence.machinery import image_of, is_ready, objects, store_of
from tests.shops import HASH, destinations

WATCHED = (ROLLOUT, REPLICA_SET, POD, SERVICE, INGRESS, VIRTUAL_SERVICE, DESTINATION_RULE, ANALYSIS_RUN)
RECENT_SECONDS = 45.0
"""For so long after somebody changed the number of replicas either number may be what the controller has seen."""


@dataclass
class Rules:
    """Checks every commit of one server and keeps what was broken, with the moment."""

    server: ApiServer
    routed: bool
    dynamic: bool
    broken: list[str] = field(default_factory=list)
    lax_until: float = 0.0
    """Until then what users and pods meet is not the controller's doing: a person turned it by hand."""
    counts_pods: bool = True
    """Whether a side must have as many ready pods as its share needs when it gets it; else one is enough."""
    _got: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    _sizes: list[tuple[float, int]] = field(default_factory=list)
    _kinds: dict[str, Kind] = field(default_factory=dict)

    def follow(self) -> None:
        """Check every commit from now on."""
        self._kinds = {store_of(self.server, kind): kind for kind in WATCHED}
        for rollout in objects(self.server, ROLLOUT):
            self._note_size(rollout)
        self.server.storage.on_commit(self._check)

    def _note_size(self, rollout: Object) -> None:
        self._sizes.append((self.server.core.clock.monotonic(), int(rollout["spec"].get("replicas", 1))))

    def _check(self, store: str, change: Change) -> None:
        kind = self._kinds.get(store)
        if kind is None:
            return
        now = self.server.core.clock.monotonic()
        old, new = (one.body if one is not None else None for one in (change.old, change.new))
        if kind == ROLLOUT and new is not None:
            self._note_size(new)
        for text in self._broken_by(kind, old, new, now):
            self.broken.append(f"at {now:.2f} s, {kind.name} {change.key[1]}: {text}")

    def _broken_by(self, kind: Kind, old: Object | None, new: Object | None, now: float) -> Iterator[str]:
        if kind == REPLICA_SET and new is not None:
            yield from self._twins(new) if old is None else self._shrunk(old, new, now)
        if kind == ANALYSIS_RUN and new is not None and old is None:
            yield from self._second_run(new)
        if self.routed and now >= self.lax_until:
            yield from self._weights()
            yield from self._nobody_there(now)

    def _twins(self, new: Object) -> Iterator[str]:
        alike = [
            one for one in objects(self.server, REPLICA_SET) if one["spec"]["template"]["spec"] == new["spec"]["template"]["spec"]
        ]
        if len(alike) > 1:
            yield f"a second ReplicaSet of {image_of(new)}: {sorted(map(name_of, alike))}"

    def _second_run(self, new: Object) -> Iterator[str]:
        def meaning(run: Object) -> tuple[str | None, ...]:
            return tuple(labels_of(run).get(label) for label in ("rollout-type", "step-index", HASH))

        alike = [one for one in objects(self.server, ANALYSIS_RUN) if meaning(one) == meaning(new) and not is_finished(one)]
        if len(alike) > 1:
            yield f"a second AnalysisRun for {meaning(new)}: {sorted(map(name_of, alike))}"

    def _weights(self) -> Iterator[str]:
        for service in objects(self.server, VIRTUAL_SERVICE):
            weights = [route.get("weight", 0) for route in service["spec"]["http"][0]["route"]]
            if sum(weights) != 100 or min(weights) < 0:
                yield f"the weights {weights} are not 100 together"
        for ingress in objects(self.server, INGRESS):
            weight = annotations_of(ingress).get("nginx.ingress.kubernetes.io/canary-weight", "0")
            if not 0 <= int(weight) <= 100:
                yield f"the weight {weight} is no share of 100"

    def _nobody_there(self, now: float) -> Iterator[str]:
        """Weight is sent only to ready pods (once there was a first stable version)."""
        rollouts = objects(self.server, ROLLOUT)
        if not rollouts or not (rollouts[0].get("status") or {}).get("stableRS"):
            return
        ready = Counter(labels_of(pod).get(HASH) for pod in objects(self.server, POD) if is_ready(pod))
        least = min(self._recent_sizes(now))
        for side, (share, version) in destinations(lambda kind: objects(self.server, kind)).items():
            there = ready[version] if version else ready.total()
            if share and not there:
                yield f"{share} of 100 are sent to {side} ({version}), which has no ready pod"
            before, self._got[side] = self._got.get(side), (share, version)
            more = before is not None and share > (before[0] if version == before[1] else 0)
            if self.counts_pods and more and there < math.ceil(least * share / 100):
                yield f"{side} ({version}) gets {share} of 100 with {there} ready pods of {least} replicas"

    def _shrunk(self, old: Object, new: Object, now: float) -> Iterator[str]:
        """Whoever takes pods away leaves what the traffic needs."""
        size = int(new["spec"]["replicas"])
        if size >= int(old["spec"]["replicas"]) or now < self.lax_until:
            return
        rollout = objects(self.server, ROLLOUT)[0]
        least = min(self._recent_sizes(now))
        version = labels_of(new)[HASH]
        if not self.routed:
            ready = sum(int((one.get("status") or {}).get("readyReplicas", 0)) for one in objects(self.server, REPLICA_SET))
            mine = int((new.get("status") or {}).get("readyReplicas", 0))
            left = ready - mine + min(mine, size)
            if left < least - math.floor(least / 4) and left < ready:
                yield f"{left} of {least} replicas are left ready"
            return
        if version == (rollout.get("status") or {}).get("stableRS"):
            share, selected = destinations(lambda kind: objects(self.server, kind))["stable"]
            if selected not in (None, version):
                return  # promoted but for the status: users of the stable side are with the new version already
            needed = math.ceil(least * share / 100) if self.dynamic else least
            if size < needed:
                yield f"{size} stable pods for {share} of 100 of the traffic, {needed} are needed"

    def _recent_sizes(self, now: float) -> list[int]:
        older = [size for at, size in self._sizes if at <= now - RECENT_SECONDS]
        return [size for at, size in self._sizes if at > now - RECENT_SECONDS] + older[-1:]
