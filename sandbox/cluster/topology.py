"""Which processes make a cluster: their commands, environments, order, and how each says that it is ready.

Pure: options and places in, descriptions out. Must not: start anything or look at the machine.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from sandbox.cluster.claims import Networks
from sandbox.cluster.kubeconfig import Given

NODE = "sandbox"
SHORT_LEASE = (
    "--leader-election-lease-duration=4",
    "--leader-election-renew-deadline=3",
    "--leader-election-retry-period=0.5",
)
"""So that a controller that was killed is soon followed by the next one."""
NO_PROXY = "127.0.0.1,localhost"
NO_AUTHORITIES = {"SSL_CERT_FILE": "/dev/null", "SSL_CERT_DIR": "/dev/null"}
"""For parts that speak plain HTTP on loopback only: their HTTP library reads all authorities of the system when imported."""


class ControlPlane(Enum):
    """Which API server a sandbox has: our own; etcd, kube-apiserver and kube-controller-manager; or one that is there already."""

    EMBEDDED = "embedded"
    REAL = "real"
    EXISTING = "existing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person may choose. A port of 0 is any free one."""

    control_plane: ControlPlane = ControlPlane.EMBEDDED
    audit_log: bool = False
    """Write down every request to a real API server."""
    context: str | None = None
    """Of the kubeconfig that leads to an existing cluster; None for the current one."""
    bare: bool = False
    """Start a real control plane alone, with nothing in it."""
    api_port: int = 0
    ingress_port: int = 0
    proxy_port: int = 0
    prometheus_port: int = 0
    prometheus: str | None = None
    """The binary: a path, None to look for one, or `none` to run without."""
    allow_images: tuple[str, ...] = ()
    """Patterns of image names, beside those the sandbox knows, that run an HTTP echo."""
    played_pods: float | None = None
    """Seconds after which pods are said to be ready; with this no pod is a process, and thousands of them are cheap.
    There is no gateway then, since nothing answers."""
    with_controller: bool = False
    controller_arguments: tuple[str, ...] = ()

    @property
    def answers(self) -> bool:
        """Whether there are pods that answer, and so a gateway and Prometheus."""
        return self.played_pods is None and not self.bare


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where everything of one cluster is; every port is known."""

    folder: Path
    networks: Networks
    api_port: int
    ingress_port: int
    proxy_port: int
    prometheus_port: int
    health_port: int
    """Of the controller."""
    tokens: Mapping[str, str]
    """User name to bearer token."""
    real: bool = False
    """Whether the API server is a real one, which speaks TLS."""
    etcd_port: int = 0
    etcd_peer_port: int = 0
    given: Given | None = None
    """The cluster that is served, when it is there already."""

    @property
    def server(self) -> str:
        """URL of the API server."""
        if self.given:
            return self.given.server
        return f"{'https' if self.real else 'http'}://127.0.0.1:{self.api_port}"

    @property
    def control_plane(self) -> Path:
        """Folder of a real control plane: data, certificates, keys, tokens."""
        return self.folder / "controlplane"

    @property
    def authority(self) -> Path | None:
        """The certificate that the API server's is signed with; None where it speaks plain HTTP."""
        return self.control_plane / "ca.crt" if self.real else None

    @property
    def audit_log(self) -> Path:
        """Where a real API server writes requests down, when asked to."""
        return self.folder / "logs" / "audit.log"

    @property
    def ingress(self) -> str:
        """Host and port that serve Ingresses and Istio Gateways."""
        return f"127.0.0.1:{self.ingress_port}"

    @property
    def name_proxy(self) -> str:
        """URL of the HTTP proxy that knows the names of the cluster."""
        return f"http://127.0.0.1:{self.proxy_port}"

    @property
    def prometheus(self) -> str:
        """URL of Prometheus."""
        return f"http://127.0.0.1:{self.prometheus_port}"

    def kubeconfig(self, user: str) -> Path:
        """Return the kubeconfig of a user; that of `admin` is for people."""
        return self.folder / ("kubeconfig" if user == "admin" else f"{user}.kubeconfig")


class Stage(Enum):
    """When a part starts: the store first, the API and the cluster together, the product once its definitions are there.

    They stop in the opposite order.
    """

    STORE = 0
    API = 1
    CLUSTER = 2
    PRODUCT = 3


@dataclass(frozen=True, slots=True)
class Ready:
    """How to see that a part is up: a URL answers 200, and the object it returns has a true condition; a file appears; or the
    part logs a line."""

    url: str = ""
    line: str = ""
    token: str = field(default="", repr=False)
    condition: str = ""
    file: Path | None = None
    authority: Path | None = None
    """Who signed the certificate of an `https` URL."""
    kubeconfig: Path | None = None
    """Whose API server and credentials to use; the URL is then only a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process of the cluster."""

    name: str
    stage: Stage
    command: tuple[str, ...] = field(repr=False)
    ready: Ready
    address: str
    """Where it can be talked to, for people; empty when nobody does."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What it gets beside the environment of the supervisor."""
    grace_seconds: float = 1.0
    """How long it may take to stop before it is killed."""
    listen_port: int = 0
    """The port of a socket on 127.0.0.1 that the supervisor keeps open for it and hands over as `--listen-fd`: its clients may
    start beside it, and wait through a restart of it, without ever being refused."""


def parts_of(options: Options, places: Places, *, prometheus: Path | None) -> tuple[Part, ...]:
    """Describe the processes of a cluster on the embedded API server; without a path of its binary there is no Prometheus."""
    return (_api_server(places), *parts_around(options, places, prometheus=prometheus, workloads=True))


def parts_around(options: Options, places: Places, *, prometheus: Path | None, workloads: bool) -> tuple[Part, ...]:
    """Describe what is a client of an API server.

    With `workloads` the node agent looks after ReplicaSets, Jobs and the like, too. Whoever is a client of a real API server
    starts only when its permissions are there.
    """
    stage = Stage.PRODUCT if places.real or places.given else Stage.CLUSTER
    node, gateway = _node(options, places, workloads=workloads), _gateway(places, prometheus)
    found = [replace(node, stage=stage), *([replace(gateway, stage=stage)] if options.answers else [])]
    if options.with_controller:
        found.append(controller(places, arguments=options.controller_arguments))
    return tuple(found)


def controller(places: Places, *, arguments: tuple[str, ...] = ()) -> Part:
    """Describe the product's controller: a client of the API like any other, with a token of its own."""
    command = ("rollouts.app", "--kubeconfig", str(places.kubeconfig("controller")))
    health = [word for name in ("healthz", "metrics") for word in _listening(name, places.health_port)]
    return Part(
        name="controller",
        stage=Stage.PRODUCT,
        command=_python(*command, *health, *SHORT_LEASE, *arguments),
        ready=Ready(line="everything is listed"),
        address=f"http://127.0.0.1:{places.health_port}/healthz",
        environment=cluster_names(places),
        grace_seconds=1.2,
    )


def _listening(pages: str, port: int) -> tuple[str, ...]:
    return (f"--{pages}Port", str(port), f"--{pages}-address", "127.0.0.1")


def cluster_names(places: Places) -> Mapping[str, str]:
    """Return the environment in which HTTP clients reach `http://NAME.NAMESPACE.svc.cluster.local`."""
    return {
        **dict.fromkeys(("http_proxy", "HTTP_PROXY"), places.name_proxy),
        **dict.fromkeys(("no_proxy", "NO_PROXY"), NO_PROXY),
    }


def _api_server(places: Places) -> Part:
    tokens = [word for user, token in places.tokens.items() for word in ("--token", f"{token}={user}")]
    journal = ("--data", str(places.folder / "objects.journal"))
    network = ("--service-network", places.networks.services)
    return Part(
        name="apiserver",
        stage=Stage.API,
        command=_python("sandbox.apiserver", *network, *journal, *tokens),
        ready=Ready(url=f"{places.server}/readyz"),
        address=places.server,
        environment=NO_AUTHORITIES,
        listen_port=places.api_port,
    )


def _node(options: Options, places: Places, *, workloads: bool) -> Part:
    certificate = ("--log-certificate", str(places.control_plane / "server.pem")) if places.server.startswith("https") else ()
    played = ("--played", str(options.played_pods)) if options.played_pods is not None else ()
    images = [word for pattern in options.allow_images for word in ("--allow-image", pattern)]
    return Part(
        name="node",
        stage=Stage.CLUSTER,
        command=_python(
            *("sandbox.node", "--kubeconfig", str(places.kubeconfig("node")), *(("--workloads",) if workloads else ())),
            *("--directory", str(places.folder / "node"), "--network", places.networks.pods),
            *("--name-proxy", places.name_proxy, *certificate, *played, *images),
        ),
        ready=_node_ready(places),
        address=places.networks.pods,
        environment=NO_AUTHORITIES,
    )


def _node_ready(places: Places) -> Ready:
    path = f"/api/v1/nodes/{NODE}"
    if places.given:
        return Ready(url=path, condition="Ready", kubeconfig=places.kubeconfig("node"))
    url = f"{places.server}{path}"
    return Ready(url=url, condition="Ready", token=places.tokens["node"], authority=places.authority)


def _gateway(places: Places, prometheus: Path | None) -> Part:
    command = [
        *("sandbox.gateway", "--kubeconfig", str(places.kubeconfig("gateway"))),
        *("--state", str(places.folder / "gateway")),
        *("--ingress-port", str(places.ingress_port), "--proxy-port", str(places.proxy_port)),
        *("--prometheus-port", str(places.prometheus_port)),
        *(("--prometheus", str(prometheus)) if prometheus else ("--no-prometheus",)),
    ]
    return Part(
        name="gateway",
        stage=Stage.CLUSTER,
        command=_python(*command),
        ready=Ready(file=places.folder / "gateway" / "ready.json"),
        address=f"http://{places.ingress}",
        environment=NO_AUTHORITIES,
    )


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)
