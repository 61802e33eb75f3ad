"""From a container's spec to the order that starts its program.

Owns the variables that catalogue programs are configured by, and the choice between a catalogue program and a command.
Must not: start anything.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from kube.objects import Object, name_of, namespace_of
from sandbox.apps.behaviour import to_environment
from sandbox.apps.catalogue import Entry, Program
from sandbox.node.context import PodContext
from sandbox.node.environment import command_of, environment_of
from sandbox.node.errors import BadConfig
from sandbox.node.processes import Order

PATH = "/usr/local/bin:/usr/bin:/bin"
SHELL_WORDS = ("sh", "ash", "bash", "sleep", "env", "true", "false", "echo", "cat", "date", "test", "wget", "curl")
"""Commands that are run as they are even in an image whose program is a web server."""


def order_for(context: PodContext, container: Mapping[str, Any], entry: Entry, *, log: Path) -> Order:
    """Return how to start a container.

    Raises:
        BadConfig: its environment or ports cannot be served.
    """
    pod = context.pod()
    asked = environment_of(pod, container, address=context.address, host_address=context.host_address, find=context.find)
    environment = {**_base(context, pod, entry), **context.extra_environment, **asked}
    words = command_of(container, environment)
    if entry.program is Program.WEB and not _is_shell_command(container):
        ports = ports_of(container, entry)
        environment["SANDBOX_PORTS"] = ",".join(map(str, ports))
        return Order(program="web", environment=environment, directory=context.directory, log=log)
    argv = words or ["sh"]
    if PurePosixPath(argv[0]).name == "ash":
        argv[0] = "/bin/sh"
    return Order(program="exec", argv=argv, environment=environment, directory=context.directory, log=log)


def ports_of(container: Mapping[str, Any], entry: Entry) -> list[int]:
    """Return where a web program listens: its TCP containerPorts, or the image's usual one.

    Raises:
        BadConfig: this user may not bind one of them.
    """
    asked = [int(one["containerPort"]) for one in container.get("ports") or () if (one.get("protocol") or "TCP") == "TCP"]
    ports = list(dict.fromkeys(asked)) or [entry.port]
    lowest = lowest_port()
    for port in ports:
        if port < lowest:
            raise BadConfig(
                f"port {port} may be bound by root only; run the node agent as root, lower net.ipv4.ip_unprivileged_port_start, "
                f"or use a containerPort from {lowest} up"
            )
    return ports


def lowest_port() -> int:
    """Return the lowest port that this process may bind."""
    if os.geteuid() == 0:
        return 1
    return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())


def _base(context: PodContext, pod: Object, entry: Entry) -> dict[str, str]:
    color = {"SANDBOX_COLOR": entry.color} if entry.color else {}
    return {
        "PATH": PATH,
        "HOME": str(context.directory),
        "HOSTNAME": name_of(pod),
        "POD_IP": context.address,
        "SANDBOX_ADDRESS": context.address,
        "SANDBOX_NAMESPACE": namespace_of(pod),
        "SANDBOX_APP": entry.name,
        "SANDBOX_VERSION": entry.version,
        "SANDBOX_VOLUMES": str(context.directory / "volumes"),
        **color,
        **to_environment(entry.behaviour),
    }


def _is_shell_command(container: Mapping[str, Any]) -> bool:
    command: list[str] = list(container.get("command") or ())
    return bool(command) and PurePosixPath(command[0]).name in SHELL_WORDS
