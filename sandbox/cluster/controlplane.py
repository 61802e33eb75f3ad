"""The processes of a real control plane: etcd, API server, controller manager, and the files they read.

Pure: places in, descriptions and texts out. Must not: start or write anything.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.cluster.topology import Options, Part, Places, Ready, Stage
from sandbox.controlplane.programs import Programs

MANAGER = "controller-manager"
USERS: Mapping[str, tuple[str, str]] = {
    "admin": ("admin", "system:masters"),
    "gateway": ("gateway", ""),
    "node": ("node", ""),
    MANAGER: ("system:kube-controller-manager", ""),
}
"""Who each token is, and in which group: the administrator alone is above all rules. The controller has a ServiceAccount."""
UNUSED = (
    *("node-lifecycle-controller", "node-ipam-controller", "node-route-controller", "cloud-node-lifecycle-controller"),
    *("persistentvolume-attach-detach-controller", "persistentvolume-binder-controller", "persistentvolume-expander-controller"),
    *("service-lb-controller", "endpoints-controller", "endpointslice-controller", "endpointslice-mirroring-controller"),
)
"""Controllers that have nothing to look after here, and those of endpoints: the API refuses the loopback addresses of pods
there, and they would try for ever. The gateway finds the pods of a Service by its selector instead."""
AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/version"]
- level: Metadata
"""
GRACE_SECONDS = 2.0
RARE_COLLECTION = {"GOGC": "200"}
"""A control plane this small collects garbage all the time; with more room the API server needs less processor time."""


def real_parts(options: Options, places: Places, programs: Programs) -> tuple[Part, ...]:
    """Describe the control plane; without a controller manager among the programs it is left to the node agent."""
    found = [_etcd(places, programs), _api_server(options, places, programs)]
    if programs.controller_manager is not None:
        found.append(_manager(places, str(programs.controller_manager)))
    return tuple(found)


def token_file(tokens: Mapping[str, str]) -> str:
    """Return the API server's table of tokens: token, name, uid and, where there is one, group."""
    rows = []
    for user, token in tokens.items():
        name, group = USERS[user]
        rows.append(f'{token},{name},{user},"{group}"' if group else f"{token},{name},{user}")
    return "".join(f"{row}\n" for row in rows)


def _etcd(places: Places, programs: Programs) -> Part:
    clients, peers = (f"http://127.0.0.1:{port}" for port in (places.etcd_port, places.etcd_peer_port))
    return Part(
        name="etcd",
        stage=Stage.STORE,
        command=(
            *(str(programs.etcd), "--data-dir", str(places.control_plane / "etcd")),
            *("--unsafe-no-fsync", "--logger", "zap", "--log-level", "warn"),
            *("--listen-client-urls", clients, "--advertise-client-urls", clients),
            *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}"),
        ),
        ready=Ready(url=f"{clients}/health"),
        address=clients,
        environment=RARE_COLLECTION,
        grace_seconds=GRACE_SECONDS,
    )


def _api_server(options: Options, places: Places, programs: Programs) -> Part:
    folder = places.control_plane
    audit = ("--audit-policy-file", str(folder / "audit.yaml"), "--audit-log-path", str(places.audit_log))
    accounts = () if programs.controller_manager else ("--disable-admission-plugins", "ServiceAccount")
    return Part(
        name="apiserver",
        stage=Stage.API,
        command=(
            *(str(programs.api_server), "--etcd-servers", f"http://127.0.0.1:{places.etcd_port}"),
            *("--secure-port", str(places.api_port), "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1"),
            *("--endpoint-reconciler-type", "none", "--service-cluster-ip-range", places.networks.services),
            *("--tls-cert-file", str(folder / "server.pem"), "--tls-private-key-file", str(folder / "server.pem")),
            *("--authorization-mode", "RBAC", "--token-auth-file", str(folder / "tokens.csv"), "--anonymous-auth=false"),
            *("--service-account-issuer", "https://kubernetes.default.svc"),
            *("--service-account-key-file", str(folder / "accounts.key")),
            *("--service-account-signing-key-file", str(folder / "accounts.key")),
            *(() if options.bare else ("--kubelet-certificate-authority", str(folder / "ca.crt"))),  # bare: its nodes are of others
            *("--kubelet-preferred-address-types", "InternalIP"),
            *("--allow-privileged", "--profiling=false"),
            *(audit if options.audit_log else ()),
            *accounts,
        ),
        ready=Ready(url=f"{places.server}/readyz", token=places.tokens["admin"], authority=places.authority),
        address=places.server,
        environment=RARE_COLLECTION,
        grace_seconds=GRACE_SECONDS,
    )


def _manager(places: Places, program: str) -> Part:
    folder = places.control_plane
    account = f"{places.server}/api/v1/namespaces/default/serviceaccounts/default"
    return Part(
        name=MANAGER,
        stage=Stage.PRODUCT,
        command=(
            *(program, "--kubeconfig", str(places.kubeconfig(MANAGER)), "--leader-elect=false", "--secure-port", "0"),
            *("--service-account-private-key-file", str(folder / "accounts.key"), "--root-ca-file", str(folder / "ca.crt")),
            *("--use-service-account-credentials", "--kube-api-qps", "1000", "--kube-api-burst", "2000"),
            *("--controllers", ",".join(["*", *(f"-{name}" for name in UNUSED)])),
        ),
        ready=Ready(url=account, token=places.tokens["admin"], authority=places.authority),
        address="",
        environment=RARE_COLLECTION,
    )
