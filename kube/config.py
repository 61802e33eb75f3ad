"""Which cluster, and as whom: kubeconfig files and the service account of a pod.

Owns reading them; static credentials are read directly, programs and providers of credentials by `kubernetes`, imported only
then. Must not: write a kubeconfig, or put a secret into an error or a representation.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

import yaml

from kube.errors import InvalidConfig

if TYPE_CHECKING:
    from kube.http import HttpTransport

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_SECTIONS = {"clusters": "cluster", "users": "user", "contexts": "context"}
_FILES = {
    "clusters": ("certificate-authority",),
    "users": ("client-certificate", "client-key", "tokenFile"),
    "contexts": (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Everything needed to talk to one cluster as one user. PEM data is bytes; files are read when connecting."""

    server: str
    namespace: str = "default"
    """Where names without a namespace are looked for."""
    context: str = ""
    ca_data: bytes | None = None
    ca_file: str | None = None
    insecure: bool = False
    tls_server_name: str | None = None
    proxy_url: str | None = None
    token: str | None = field(default=None, repr=False)
    token_file: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    client_certificate: bytes | None = field(default=None, repr=False)
    client_key: bytes | None = field(default=None, repr=False)
    impersonate: str | None = None
    impersonate_groups: tuple[str, ...] = ()
    plugin: Mapping[str, Any] | None = field(default=None, repr=False)
    """A kubeconfig of this one context whose user needs a program or a provider to get credentials."""
    extensions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What others wrote beside the cluster's address, by the name of the extension."""


def load(
    kubeconfig: str | None = None,
    context: str | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    service_account: Path = SERVICE_ACCOUNT,
) -> Connection:
    """Find the cluster as kubectl does: the named file, `KUBECONFIG`, `~/.kube/config`; without any, the pod's own.

    Raises:
        InvalidConfig: nothing is there, or what is there is wrong.
    """
    environment = os.environ if environment is None else environment
    paths = _paths(kubeconfig, environment)
    found = [path for path in paths if path.is_file()]
    if kubeconfig and not found:
        raise InvalidConfig(f"there is no file {kubeconfig}")
    if found:
        merged = merge(found)
        if merged["contexts"] or context:
            return select(merged, context)
    if environment.get("KUBERNETES_SERVICE_HOST") and (service_account / "token").is_file():
        return in_cluster(environment, service_account)
    looked = ", ".join(map(str, paths))
    raise InvalidConfig(f"no cluster is configured: no context in {looked}, and not inside a pod; set --kubeconfig or KUBECONFIG")


def in_cluster(environment: Mapping[str, str], service_account: Path = SERVICE_ACCOUNT) -> Connection:
    """Return the connection of a pod's service account; its token is read again as it is rotated."""
    host, port = environment["KUBERNETES_SERVICE_HOST"], environment.get("KUBERNETES_SERVICE_PORT", "443")
    namespace = service_account / "namespace"
    return Connection(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        namespace=namespace.read_text().strip() if namespace.is_file() else "default",
        context="in-cluster",
        ca_file=str(service_account / "ca.crt"),
        token_file=str(service_account / "token"),
    )


def connect(connection: Connection, *, fence: Callable[[], bool] | None = None) -> HttpTransport:
    """Return a transport for a connection; nothing is sent yet. Where `fence` says no, nothing that writes will be.

    Raises:
        InvalidConfig: certificates or keys cannot be used, or the credential plugin failed.
    """
    from kube import identity, tls
    from kube.http import HttpTransport

    credentials, connection = identity.credentials_of(connection)
    return HttpTransport(
        connection.server,
        credentials=credentials,
        tls=tls.context_of(connection),
        tls_server_name=connection.tls_server_name,
        proxy=connection.proxy_url,
        fence=fence,
    )


def merge(paths: list[Path]) -> dict[str, Any]:
    """Merge kubeconfig files as kubectl does: the first to name an entry, or the current context, wins.

    Returns the sections by entry name, with the paths inside made absolute.
    """
    merged: dict[str, Any] = {"current-context": "", **{section: {} for section in _SECTIONS}}
    for path in paths:
        document = _read(path)
        merged["current-context"] = merged["current-context"] or str(document.get("current-context") or "")
        for section, field_name in _SECTIONS.items():
            for entry in document.get(section) or ():
                if not isinstance(entry, dict) or "name" not in entry:
                    raise InvalidConfig(f"{path}: an entry of {section} has no name")
                body = dict(entry.get(field_name) or {})
                for name in _FILES[section]:
                    if body.get(name):
                        body[name] = str(path.parent.absolute() / body[name])
                program = body.get("exec")
                if isinstance(program, dict) and os.sep in str(program.get("command", "")):
                    body["exec"] = {**program, "command": str(path.parent.absolute() / program["command"])}
                merged[section].setdefault(str(entry["name"]), body)
    return merged


def select(merged: Mapping[str, Any], name: str | None = None) -> Connection:
    """Return the connection of a context of a merged kubeconfig, the current one when none is named.

    Raises:
        InvalidConfig: the context, its cluster or its user is not there, or its data cannot be read.
    """
    name = name or merged["current-context"]
    if not name:
        raise InvalidConfig(f"no current-context is set; choose one of: {', '.join(sorted(merged['contexts']))}")
    context = _entry(merged, "contexts", name, "current-context")
    cluster_name, user_name = str(context.get("cluster") or ""), str(context.get("user") or "")
    cluster = _entry(merged, "clusters", cluster_name, f"context {name}")
    user = _entry(merged, "users", user_name, f"context {name}") if user_name else {}
    server = str(cluster.get("server") or "")
    if not server.startswith(("http://", "https://")):
        raise InvalidConfig(f"cluster {cluster_name}: the server {server!r} must start with https:// or http://")
    server, known = parted(server)
    user = user if user.keys() & {"exec", "auth-provider"} else {**known, **user}
    return Connection(
        server=server,
        namespace=str(context.get("namespace") or "default"),
        context=name,
        ca_data=_data(cluster, "certificate-authority-data", cluster_name),
        ca_file=cluster.get("certificate-authority"),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        tls_server_name=cluster.get("tls-server-name"),
        proxy_url=cluster.get("proxy-url"),
        token=user.get("token"),
        token_file=user.get("tokenFile"),
        username=user.get("username"),
        password=user.get("password"),
        client_certificate=_pem(user, "client-certificate", user_name),
        client_key=_pem(user, "client-key", user_name),
        impersonate=user.get("as"),
        impersonate_groups=tuple(user.get("as-groups") or ()),
        plugin=_plugin(name, context, cluster, user),
        extensions=_extensions(cluster),
    )


def parted(server: str) -> tuple[str, dict[str, str]]:
    """Return a server's address without user and password, and these: HTTP clients refuse them beside a token."""
    parts = urlsplit(server)
    if parts.username is None:
        return server, {}
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return bare, {"username": unquote(parts.username), "password": unquote(parts.password or "")}


def _paths(kubeconfig: str | None, environment: Mapping[str, str]) -> list[Path]:
    if kubeconfig:
        return [Path(kubeconfig).expanduser()]
    if environment.get("KUBECONFIG"):
        return [Path(part).expanduser() for part in environment["KUBECONFIG"].split(os.pathsep) if part]
    return [Path(environment.get("HOME") or "~").expanduser() / ".kube" / "config"]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        document = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise InvalidConfig(f"{path} cannot be read: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        place = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InvalidConfig(f"{path} is no YAML: {error.problem}{place}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise InvalidConfig(f"{path} is no YAML") from None
    if document is not None and not isinstance(document, dict):
        raise InvalidConfig(f"{path} is no kubeconfig: it must be a mapping with clusters, users and contexts")
    return document or {}


def _entry(merged: Mapping[str, Any], section: str, name: str, wanted_by: str) -> Mapping[str, Any]:
    entry: Mapping[str, Any] | None = merged[section].get(name)
    if entry is None:
        there = ", ".join(sorted(merged[section])) or "none"
        raise InvalidConfig(f"{wanted_by} names {_SECTIONS[section]} {name!r}, which is not in the kubeconfig; there are: {there}")
    return entry


def _extensions(cluster: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the extensions of a cluster by name; what is no mapping belongs to somebody else."""
    entries = [entry for entry in cluster.get("extensions") or () if isinstance(entry, dict)]
    return {str(entry.get("name")): entry["extension"] for entry in entries if isinstance(entry.get("extension"), dict)}


def _data(entry: Mapping[str, Any], name: str, owner: str) -> bytes | None:
    if not entry.get(name):
        return None
    try:
        return base64.b64decode(entry[name], validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise InvalidConfig(f"{owner}: {name} is not base64") from None


def _pem(user: Mapping[str, Any], name: str, owner: str) -> bytes | None:
    inline = _data(user, f"{name}-data", owner)
    if inline is not None or not user.get(name):
        return inline
    try:
        return Path(user[name]).read_bytes()
    except OSError as error:
        raise InvalidConfig(f"user {owner}: {name} {user[name]} cannot be read: {error.strerror}") from error


def _plugin(name: str, context: Mapping[str, Any], cluster: Mapping[str, Any], user: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if not (user.get("exec") or user.get("auth-provider")) or user.get("token") or user.get("tokenFile"):
        return None
    return {
        "current-context": name,
        "contexts": [{"name": name, "context": dict(context)}],
        "clusters": [{"name": context["cluster"], "cluster": dict(cluster)}],
        "users": [{"name": context["user"], "user": dict(user)}],
    }
