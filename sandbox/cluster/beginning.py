"""How a cluster begins on each kind of control plane: its files, its parts, and what is brought in before the product starts.

Owns that difference; what runs beside the API server is the same. Must not: start processes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from crds.manifests import custom_resource_definitions
from kube.clock import SystemClock
from kube.kinds import CUSTOM_RESOURCE_DEFINITION, LEASE, NAMESPACE, NODE, SERVICE
from kube.objects import Object
from sandbox.cluster.controlplane import AUDIT_POLICY, real_parts, token_file
from sandbox.cluster.installing import establish, install
from sandbox.cluster.permissions import permissions
from sandbox.cluster.setup import write_controller_kubeconfig, write_kubeconfigs
from sandbox.cluster.state import SandboxError, StateFolder, replace
from sandbox.cluster.topology import ControlPlane, Options, Part, Places, parts_around, parts_of
from sandbox.controlplane.programs import NoControlPlane, find

if TYPE_CHECKING:
    from sandbox.cluster.brought import Journal


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a supervisor starts, and what it calls between the API and the product."""

    parts: tuple[Part, ...]
    prepare: Callable[[], None]
    take_out: Callable[[], None] = lambda: None
    """Called when everything has stopped."""


def begin(state: StateFolder, options: Options, places: Places, *, prometheus: Path | None) -> Beginning:
    """Begin on the control plane that was chosen.

    Raises:
        SandboxError: it cannot be had, or does not have what an option asks for; the text says what to do.
        ApiError: an existing cluster does not answer, or refuses.
    """
    if options.audit_log and options.control_plane is not ControlPlane.REAL:
        raise SandboxError("--audit-log needs --control-plane real; the embedded one counts requests at /debug/requests")
    if options.bare and (options.control_plane is not ControlPlane.REAL or options.with_controller):
        raise SandboxError(
            "--bare starts a control plane and nothing else: it needs --control-plane real, and no --with-controller"
        )
    if options.context and options.control_plane is not ControlPlane.EXISTING:
        raise SandboxError("--context is that of an existing cluster: it needs --control-plane existing")
    match options.control_plane:
        case ControlPlane.EMBEDDED:
            return begin_embedded(state, options, places, prometheus=prometheus)
        case ControlPlane.REAL:
            return begin_real(state, options, places, prometheus=prometheus)
        case ControlPlane.EXISTING:
            return begin_existing(state, options, places, prometheus=prometheus)


def begin_embedded(state: StateFolder, options: Options, places: Places, *, prometheus: Path | None) -> Beginning:
    """Begin with our own API server, which has the definitions of other projects already."""
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
    parts = real_parts(options, places, programs)
    if options.bare:
        return Beginning(parts, lambda: None)
    around = parts_around(options, places, prometheus=prometheus, workloads=workloads)
    return Beginning((*parts, *around), partial(_prepare_real, places, workloads=workloads))


def begin_existing(state: StateFolder, options: Options, places: Places, *, prometheus: Path | None) -> Beginning:
    """Begin with a cluster that is there already; what is brought in is written down, and taken out at the end.

    Raises:
        SandboxError: somebody else runs pods or Rollouts there, or an earlier sandbox of this folder was not taken out.
        ApiError: the cluster does not answer, or refuses.
    """
    from sandbox.cluster.authority import make_authority
    from sandbox.cluster.brought import Journal, take_out
    from sandbox.cluster.existing import client_of, has_manager, refuse_what_would_be_in_the_way

    assert places.given is not None
    journal = Journal(state.path)
    if journal.exists:
        raise SandboxError(
            f"what an earlier sandbox brought into a cluster is still there; first run `rollouts sandbox down --state {state.path}`"
        )
    write_kubeconfigs(places, with_prometheus=prometheus is not None)
    with client_of(places.kubeconfig("admin")) as client:
        refuse_what_would_be_in_the_way(client, places.server)
        workloads = not has_manager(client)
    make_authority(places.control_plane, addresses=("127.0.0.1",))  # for the logs of pods, where the API server checks nothing
    parts = parts_around(options, places, prometheus=prometheus, workloads=workloads)
    prepare = partial(_prepare_existing, places, journal, with_prometheus=prometheus is not None)
    return Beginning(parts, prepare, partial(take_out, state.path))


def _prepare_real(places: Places, *, workloads: bool) -> None:
    """Bring in all kinds and permissions: the controller manager must know the kinds when it starts. The controller has what is
    shipped for it, and nothing else."""
    from sandbox.cluster.account import account_token, shipped_rights

    kubeconfig, definitions = places.kubeconfig("admin"), _definitions()
    kinds = [(CUSTOM_RESOURCE_DEFINITION, one) for one in definitions]
    install(kubeconfig, [*kinds, *permissions(workloads=workloads), *shipped_rights()])
    write_controller_kubeconfig(places, account_token(kubeconfig))
    establish(kubeconfig, definitions)


def _prepare_existing(places: Places, journal: Journal, *, with_prometheus: bool) -> None:
    """Bring in what is not there, and write down what was: also what the parts would create themselves."""
    from sandbox.cluster.account import account_token, shipped_rights
    from sandbox.metrics.prometheus import cluster_objects
    from sandbox.node.binding import NODE_NAME, node_lease, node_object

    kubeconfig, definitions = places.kubeconfig("admin"), _definitions()
    metrics = [one for one in cluster_objects("127.0.0.1", places.prometheus_port) if one[0] in (NAMESPACE, SERVICE)]
    journal.begin(kubeconfig.read_text())
    objects = [
        *((CUSTOM_RESOURCE_DEFINITION, one) for one in definitions),
        *shipped_rights(),
        *(metrics if with_prometheus else ()),
        (NODE, node_object(NODE_NAME)),
        (LEASE, node_lease(NODE_NAME, now=SystemClock().now())),
    ]
    install(kubeconfig, objects, created=journal.note)
    write_controller_kubeconfig(places, account_token(kubeconfig))
    establish(kubeconfig, definitions)


def _definitions() -> list[Object]:
    from sandbox.apiserver.assets.third_party import third_party_definitions

    return [*custom_resource_definitions(), *third_party_definitions()]
