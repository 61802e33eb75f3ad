"""A whole cluster on loopback: which processes it has, how they are started, watched over and stopped.

`sandbox_cluster()` is the way in for Python; `rollouts sandbox up` for people.
"""

from sandbox.cluster.running import Cluster, sandbox_cluster
from sandbox.cluster.state import AlreadyRunning, NotRunning, SandboxError, StateFolder, default_state
from sandbox.cluster.topology import ControlPlane, Options

__all__ = [
    "AlreadyRunning",
    "Cluster",
    "ControlPlane",
    "NotRunning",
    "Options",
    "SandboxError",
    "StateFolder",
    "default_state",
    "sandbox_cluster",
]
