"""Which sandbox a command means: the folder that was named, the one of `KUBECONFIG`, or the one nobody named.

Owns that order. Must not: start, stop or write anything.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kube.errors import InvalidConfig
from sandbox.cluster.kubeconfig import EXTENSION, STATE
from sandbox.cluster.state import SandboxError, StateFolder, default_state

VARIABLE = "KUBECONFIG"


class OtherCluster(SandboxError):
    """`KUBECONFIG` leads to a cluster that is no sandbox."""


def find(state: Path | None, environment: Mapping[str, str] = os.environ) -> StateFolder:
    """Return the folder of the sandbox that is meant: `state` when given, else that of `KUBECONFIG`, else the usual one.

    Raises:
        OtherCluster: `KUBECONFIG` is of another cluster, or cannot be read; the text says what to do.
    """
    if state is not None:
        return StateFolder(state.absolute())
    given = environment.get(VARIABLE)
    if not given:
        return StateFolder(default_state(environment).absolute())
    left = _left_behind(given)
    return StateFolder(left if left else Path(_state_in(given, environment)))


def _left_behind(given: str) -> Path | None:
    """Return the folder of a sandbox that is down: its kubeconfig went with it, and only the name is left."""
    path = Path(given).expanduser()
    gone = os.pathsep not in given and path.name == "kubeconfig" and not path.exists()
    return path.parent.absolute() if gone else None


def _state_in(given: str, environment: Mapping[str, str]) -> str:
    from kube.config import load  # reads YAML, which `up` need not wait for

    advice = f"name the sandbox with --state (the usual one is {default_state(environment)}), or unset {VARIABLE}"
    try:
        connection = load(environment={VARIABLE: given})
    except InvalidConfig as error:
        raise OtherCluster(f"{VARIABLE} leads to no sandbox: {error}; {advice}") from None
    state = connection.extensions.get(EXTENSION, {}).get(STATE)
    if not isinstance(state, str) or not state:
        raise OtherCluster(f"the cluster of {VARIABLE}={given} (context {connection.context}) is no sandbox; {advice}")
    return state
