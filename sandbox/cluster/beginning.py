"""How a cluster begins on each kind of control plane: its files, its parts, and what is brought in before the product starts.

Owns that difference; what runs beside the API server is the same. Must not: start processes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from crds.manifests import custom_resource_definitions
from kube.kinds import CUSTOM_RESOURCE_DEFINITION
from sandbox.cluster.controlplane import AUDIT_POLICY, real_parts, token_file
from sandbox.cluster.installing import establish, install
from sandbox.cluster.permissions import permissions
from sandbox.cluster.setup import write_controller_kubeconfig
from sandbox.cluster.state import SandboxError, StateFolder, replace
from sandbox.cluster.topology import Options, Part, Places, parts_around, parts_of
from sandbox.controlplane.programs import NoControlPlane, find


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a supervisor starts, and what it calls between the API and the product."""

    parts: tuple[Part, ...]
    prepare: Callable[[], None]


def begin_embedded(state: StateFolder, options: Options, places: Places, *, prometheus: Path | None) -> Beginning:
    """Begin with our own API server, which has the definitions of other projects already.

    Raises:
        SandboxError: an option needs a real control plane.
    """
    if options.audit_log:
        raise SandboxError("--audit-log needs --control-plane real; the embedded one counts requests at /debug/requests")
    definitions = [(CUSTOM_RESOURCE_DEFINITION, one) for one in custom_resource_definitions()]
    parts = parts_of(options, places, prometheus=prometheus)
    return Beginning(parts, partial(install, state.kubeconfig, definitions))


def begin_real(state: StateFolder, options: Options, places: Places, *, prometheus: Path | None) -> Beginning:
    """Begin with etcd and kube-apiserver, and kube-controller-manager where there is one; writes the files they read.

    Raises:
        SandboxError: there are no such programs on this machine.
    """
    from sandbox.cluster.authority import make_authority  # a fifth of a second, for a real one alone

    try:
        programs = find()
    except NoControlPlane as error:
        raise SandboxError(str(error)) from None
    workloads = programs.controller_manager is None
    make_authority(places.control_plane, addresses=("127.0.0.1", places.networks.services.replace(".0.0/16", ".0.1")))
    replace(places.control_plane / "tokens.csv", token_file(places.tokens))
    replace(places.control_plane / "audit.yaml", AUDIT_POLICY)
    parts = (
        *real_parts(options, places, programs),
        *parts_around(options, places, prometheus=prometheus, workloads=workloads),
    )
    return Beginning(parts, partial(_prepare_real, places, workloads=workloads))


def _prepare_real(places: Places, *, workloads: bool) -> None:
    """Bring in all kinds and permissions: the controller manager must know the kinds when it starts. The controller has what is
    shipped for it, and nothing else."""
    from sandbox.apiserver.assets.third_party import third_party_definitions
    from sandbox.cluster.account import account_token, shipped_rights

    kubeconfig = places.kubeconfig("admin")
    definitions = [*custom_resource_definitions(), *third_party_definitions()]
    kinds = [(CUSTOM_RESOURCE_DEFINITION, one) for one in definitions]
    install(kubeconfig, [*kinds, *permissions(workloads=workloads), *shipped_rights()])
    write_controller_kubeconfig(places, account_token(kubeconfig))
    establish(kubeconfig, definitions)
