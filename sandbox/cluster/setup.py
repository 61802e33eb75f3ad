"""What a cluster needs before its processes start: ports, tokens, kubeconfigs, binaries.

Owns looking at the machine. Must not: start processes.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from sandbox.cluster.claims import Networks
from sandbox.cluster.controlplane import USERS as REAL_USERS
from sandbox.cluster.kubeconfig import NAME_PROXY, PROMETHEUS, STATE, kubeconfig
from sandbox.cluster.state import SandboxError, replace
from sandbox.cluster.topology import ControlPlane, Options, Places

PARTS = ("gateway", "node")
USERS = ("admin", "controller", *PARTS)
UNPACKED = Path(".tools/prometheus/usr/bin/prometheus")


def places_of(options: Options, folder: Path, networks: Networks) -> Places:
    """Choose ports and tokens.

    Raises:
        SandboxError: a port that was asked for is in use, or `KUBECONFIG` leads to no cluster when an existing one is wanted.
    """
    wanted = (options.api_port, options.ingress_port, options.proxy_port, options.prometheus_port, 0, 0, 0)
    api, ingress, proxy, prometheus, health, etcd, etcd_peer = choose_ports(wanted)
    real, given = options.control_plane is ControlPlane.REAL, None
    if options.control_plane is ControlPlane.EXISTING:
        from sandbox.cluster.existing import given_cluster

        given = given_cluster(options.context)
    return Places(
        folder=folder,
        networks=networks,
        api_port=api,
        ingress_port=ingress,
        proxy_port=proxy,
        prometheus_port=prometheus,
        health_port=health,
        tokens={user: secrets.token_hex(16) for user in (() if given else REAL_USERS if real else USERS)},
        real=real,
        etcd_port=etcd,
        etcd_peer_port=etcd_peer,
        given=given,
    )


def choose_ports(wanted: Sequence[int]) -> list[int]:
    """Return the ports, with a free one for every 0; all differ.

    Raises:
        SandboxError: one that was asked for is in use.
    """
    with ExitStack() as stack:
        chosen = []
        for port in wanted:
            probe = stack.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise SandboxError(f"port {port} of 127.0.0.1 cannot be used: {error.strerror}") from None
            chosen.append(int(probe.getsockname()[1]))
        return chosen


def write_kubeconfigs(places: Places, *, with_prometheus: bool) -> None:
    """Write a kubeconfig for every user, readable for this user alone; it says also whose sandbox it is, and where names lead."""
    known = {STATE: str(places.folder), NAME_PROXY: places.name_proxy}
    extension = {**known, PROMETHEUS: places.prometheus} if with_prometheus else known
    if places.given:
        for user in ("admin", *PARTS):
            replace(places.kubeconfig(user), places.given.kubeconfig(extension=extension))
    authority = places.authority.read_bytes() if places.authority else None
    for user, token in places.tokens.items():
        text = kubeconfig(server=places.server, user=user, token=token, extension=extension, authority=authority)
        replace(places.kubeconfig(user), text)


def write_controller_kubeconfig(places: Places, token: str) -> None:
    """Write that of the controller on a real API server, which alone gives its account tokens; the lease is in its namespace."""
    from sandbox.cluster.account import ACCOUNT, HOME  # reads YAML, which the embedded API server need not wait for

    authority = places.authority.read_bytes() if places.authority else None
    if places.given:
        text = places.given.kubeconfig_of(ACCOUNT, token, namespace=HOME)
    else:
        text = kubeconfig(server=places.server, user=ACCOUNT, token=token, namespace=HOME, authority=authority)
    replace(places.kubeconfig("controller"), text)


def find_prometheus(wanted: str | None) -> Path | None:
    """Return the binary: the one asked for, the one on PATH, or the one unpacked into `.tools`; None without one.

    Raises:
        SandboxError: the one asked for is not there.
    """
    if wanted == "none":
        return None
    if wanted:
        found = shutil.which(wanted)
        if found is None:
            raise SandboxError(f"--prometheus {wanted}: there is no such program; give the path of the binary, or `none`")
        return Path(found).absolute()
    found = shutil.which("prometheus")
    unpacked = [base / UNPACKED for base in (Path.cwd(), Path(__file__).parents[2])]
    return Path(found) if found else next((path for path in unpacked if os.access(path, os.X_OK)), None)


def require_linux() -> None:
    """Refuse other systems.

    Raises:
        SandboxError: this is not Linux.
    """
    if sys.platform != "linux":
        raise SandboxError("the sandbox needs Linux (every address of 127.0.0.0/8, and processes that end with their parent)")
