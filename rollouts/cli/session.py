"""Which cluster and namespace a command talks to, and the few calls that several commands make.

Owns the options every command takes (kubectl's names) and the sending of a `Change`. Must not: print.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kube.kinds import ROLLOUT, Kind, ObjectRef
from kube.objects import Object
from rollouts.cli.patches import Change

if TYPE_CHECKING:
    from kube.config import Connection
    from kube.quick import QuickClient

ResultT = TypeVar("ResultT")
CONFLICT_RETRIES = 5

KUBE_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "namespace": {"flags": ("-n", "--namespace"), "help": "Namespace to look in."},
    "kubeconfig": {"flags": ("--kubeconfig",), "help": "Path to the kubeconfig file."},
    "context": {"flags": ("--context",), "help": "Context of the kubeconfig to use."},
    "server": {"flags": ("-s", "--server"), "help": "Address of the API server."},
    "token": {"flags": ("--token",), "help": "Bearer token for the API server."},
    "impersonate": {"flags": ("--as",), "help": "User to impersonate."},
    "impersonate_groups": {"flags": ("--as-group",), "help": "Group to impersonate; may be given several times.", "multiple": True},
    "ca_file": {"flags": ("--certificate-authority",), "help": "Certificate file of the API server's authority."},
    "insecure": {"flags": ("--insecure-skip-tls-verify",), "help": "Do not check the API server's certificate.", "is_flag": True},
    "tls_server_name": {"flags": ("--tls-server-name",), "help": "Name to expect in the API server's certificate."},
    "request_timeout": {"flags": ("--request-timeout",), "help": "How long to wait for one answer, as in 1s, 2m; 0 for ever."},
    "loglevel": {"flags": ("--loglevel",), "help": "Accepted for compatibility."},
    "verbosity": {"flags": ("-v", "--kloglevel"), "help": "Accepted for compatibility."},
}


def kube_options() -> list[click.Option]:
    """Return the options that every command takes."""
    return [
        click.Option([*details["flags"], f"kube_{name}"], **{key: value for key, value in details.items() if key != "flags"})
        for name, details in KUBE_OPTIONS.items()
    ]


@dataclass(frozen=True, slots=True)
class Session:
    """What the options say. Nothing is read or sent before it is needed."""

    options: Mapping[str, Any]
    prog: str = "rollouts"

    def command(self, *words: str) -> str:
        """Return a command for people to type that reaches the same cluster and namespace."""
        options = {"context": "--context", "namespace": "-n"}
        given = [part for name, flag in options.items() if (value := self.options.get(name)) for part in (flag, str(value))]
        return shlex.join([*self.prog.split(), *words, *given])

    def connection(self) -> Connection:
        """Return where to connect to.

        Raises:
            InvalidConfig: no cluster is configured, or wrongly.
        """
        from kube.config import Connection, load, parted
        from kube.errors import InvalidConfig

        server, login = parted(self.options.get("server") or "")
        try:
            found = load(self.options.get("kubeconfig"), self.options.get("context"))
        except InvalidConfig:
            if not server or self.options.get("kubeconfig") or self.options.get("context"):
                raise
            found = Connection(server=server)
        names = ("namespace", "server", "token", "impersonate", "impersonate_groups", "ca_file", "insecure", "tls_server_name")
        given = {name: value for name in names if (value := self.options.get(name))}
        return replace(found, **{**given, **({"server": server, **login} if server else {})})

    def open(self) -> Cluster:
        """Return the cluster to talk to; use it as a context manager."""
        from kube.quick import QuickClient

        connection = self.connection()
        return Cluster(QuickClient(connection, timeout_seconds=self._timeout_seconds()), connection.namespace)

    def _timeout_seconds(self) -> float:
        text = str(self.options.get("request_timeout") or "30s")
        seconds = float(text) if text.isdecimal() else duration(text)
        return seconds or 86_400.0


def duration(text: str) -> float:
    """Read a Go duration as seconds.

    Raises:
        BadParameter: it is none.
    """
    from crds.durations import BadDuration, parse_duration

    try:
        return parse_duration(text).total_seconds()
    except BadDuration as error:
        raise click.BadParameter(str(error)) from error


class Cluster:
    """One cluster, as seen from one namespace."""

    def __init__(self, client: QuickClient, namespace: str) -> None:
        self.client = client
        self.namespace = namespace

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def ref(self, kind: Kind, name: str) -> ObjectRef:
        """Return the address of an object of the namespace."""
        return ObjectRef(kind, self.namespace, name)

    def rollout(self, name: str) -> Object:
        """Return a Rollout."""
        return self.client.get(ROLLOUT, self.namespace, name)

    def change(self, ref: ObjectRef, change: Change) -> None:
        """Send a change; where the server knows no status subresource, send all of it to the object.

        Raises:
            ApiError: it was refused, or the object takes no status and the subresource is not found either.
        """
        from kube.differences import is_applied
        from kube.errors import NotFound

        spec = change.spec
        if change.status is not None:
            try:
                self.client.patch(ref, change.status, subresource="status")
            except NotFound:
                if change.unified is None or is_applied(self.client.patch(ref, change.unified), change.unified):
                    return
                self.client.patch(ref, change.status, subresource="status")  # it is there: the answer before was wrong
        if spec is not None:
            self.client.patch(ref, spec)


def retrying_conflicts(attempt: Callable[[], ResultT]) -> ResultT:
    """Run something that reads and writes; run it again when the object changed in between, five times at most."""
    from kube.errors import Conflict

    for _ in range(CONFLICT_RETRIES - 1):
        try:
            return attempt()
        except Conflict:
            continue
    return attempt()
