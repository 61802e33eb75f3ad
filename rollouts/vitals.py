"""How a controller process is, for probes and for Prometheus: gathered from what its parts count, when somebody asks.

Must not: count anything itself, or serve it (kube/health.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kube.health import WEDGED_SECONDS, Health, Pulse
from kube.leases import Elector
from rollouts.manager import Manager
from rollouts.metrics import exposition

UNHEARD_SECONDS = 180.0
"""A feed that is well is heard at least every two minutes (kube/informer.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """One process: its manager, its event loop, and its part in the election, where there is one."""

    manager: Manager
    pulse: Pulse
    elector: Elector | None

    def health(self) -> Health:
        """Return how the process is. Quick, and safe to ask from another thread.

        A standby is ready: it has warm stores and waits. A server that cannot be reached is no reason to be started anew.
        """
        late, unheard, synced = self.pulse.late_seconds(), self.manager.sync_age_seconds(), self.manager.has_synced()
        wedged = [f"the event loop is {late:.0f} s late"] if late > WEDGED_SECONDS else []
        unready = [] if synced else ["not everything is listed yet"]
        if synced and unheard > UNHEARD_SECONDS:
            unready.append(f"the API server was not heard for {unheard:.0f} s")
        facts = {
            **self._role(),
            "synced": synced,
            "secondsSinceHeard": round(unheard, 1),
            "loop": {"lateSeconds": round(late, 3), "worstSecondsOfLastMinute": round(self.pulse.worst_seconds(), 3)},
        }
        return Health(wedged=tuple(wedged), unready=tuple(unready), facts=facts)

    def metrics(self) -> str:
        """Return everything that is counted, as Prometheus reads it."""
        return exposition(self.manager, pulse=self.pulse, elector=self.elector)

    def _role(self) -> dict[str, Any]:
        if self.elector is None:
            return {"role": "alone"}
        return {"role": "leader" if self.elector.leading else "standby", "leader": self.elector.leader}
