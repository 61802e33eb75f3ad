"""Stock kubectl against the sandbox's API server: everyday commands work as on any cluster."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from apiserver_process import KUBECTLS, Process, lines

from sandbox.apiserver.discovery import SERVED

pytestmark = pytest.mark.skipif(not KUBECTLS, reason="kubectl is not installed")

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "shop:1", ports: [{containerPort: 80}], env: [{name: A, value: "1"}, {name: B, value: "2"}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
ROLLOUT = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "shop:1"}]}
  strategy: {canary: {steps: [{setWeight: 20}]}}
"""


@pytest.fixture(scope="module", params=list(KUBECTLS.values()), ids=list(KUBECTLS))
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Process]:
    """The API server, and a kubectl: each that is there in turn."""
    process = Process(tmp_path_factory.mktemp("apiserver"), kubectl=request.param)
    yield process
    code, complaints = process.stop()
    assert (code, complaints) == (0, "")


@pytest.fixture
def ns(server: Process, request: pytest.FixtureRequest) -> str:
    """Return a namespace of the test's own."""
    name = f"t{abs(hash(request.node.name))}"
    server.kubectl("create", "namespace", name)
    return name


def test_apply_creates_then_changes_then_leaves_alone(server: Process, ns: str) -> None:
    assert server.kubectl("apply", "-n", ns, "-f", "-", stdin=WEB) == "deployment.apps/web created\nservice/web created\n"
    assert server.kubectl("apply", "-n", ns, "-f", "-", stdin=WEB) == "deployment.apps/web unchanged\nservice/web unchanged\n"

    changed = WEB.replace("shop:1", "shop:2").replace('{name: A, value: "1"}, ', "")
    assert "deployment.apps/web configured" in server.kubectl("apply", "-n", ns, "-f", "-", stdin=changed)
    container = json.loads(server.kubectl("get", "deploy", "web", "-n", ns, "-o", "json"))["spec"]["template"]["spec"][
        "containers"
    ][0]
    assert (container["image"], container["env"]) == ("shop:2", [{"name": "B", "value": "2"}])


def test_server_side_apply_reports_conflicts_and_can_be_forced(server: Process, ns: str) -> None:
    apply = ("apply", "--server-side", "-n", ns, "-f", "-")
    assert "serverside-applied" in server.kubectl(*apply, stdin=WEB)
    server.kubectl("scale", "deploy/web", "--replicas=5", "-n", ns)

    refused = server.kubectl(*apply, stdin=WEB, fails=True)
    assert 'conflict with "kubectl" with subresource "scale"' in refused
    assert ".spec.replicas" in refused
    assert "serverside-applied" in server.kubectl(*apply, "--force-conflicts", stdin=WEB)


def test_an_object_applied_by_the_client_moves_to_server_side_apply_without_conflict(server: Process, ns: str) -> None:
    server.kubectl("apply", "-n", ns, "-f", "-", stdin=WEB)

    moved = server.start_kubectl("apply", "--server-side", "-n", ns, "-f", "-")
    out, complaints = moved.communicate(WEB.replace("shop:1", "shop:2"), timeout=60)

    assert (out, complaints) == ("deployment.apps/web serverside-applied\nservice/web serverside-applied\n", "")
    without_env = WEB.replace('{name: A, value: "1"}, ', "").replace("shop:1", "shop:2")
    server.kubectl("apply", "--server-side", "-n", ns, "-f", "-", stdin=without_env)
    env = "jsonpath={.spec.template.spec.containers[0].env[*].name}"
    assert server.kubectl("get", "deploy", "web", "-n", ns, "-o", env) == "B"


@pytest.mark.parametrize("verb", ["create", "apply"])
def test_a_list_of_objects_is_taken_as_kubectl_get_prints_it(server: Process, ns: str, verb: str) -> None:
    items = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} for name in ("a", "b")]
    listing = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})

    printed = server.kubectl(verb, "-n", ns, "-f", "-", stdin=listing)

    assert printed == "configmap/a created\nconfigmap/b created\n"


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("exec", "p", "--", "ls"), id="exec"),
        pytest.param(("attach", "p"), id="attach"),
        pytest.param(("port-forward", "p", ":80"), id="portforward"),
        pytest.param(("cp", "p:/tmp/x", "x"), id="cp"),
        pytest.param(("run", "q", "-it", "--rm", "--image=busybox", "--", "sh"), id="run with a terminal"),
        pytest.param(("run", "q", "-i", "--image=busybox", "--", "cat"), id="run with input"),
    ],
)
def test_what_needs_a_container_is_refused_with_a_reason(server: Process, ns: str, command: tuple[str, ...]) -> None:
    server.kubectl("run", "p", "--image=i:1", "--port=80", "-n", ns)
    server.kubectl("patch", "pod", "p", "-n", ns, "--subresource=status", "--type=merge", "-p", '{"status": {"phase": "Running"}}')

    assert "the sandbox's pods are local processes" in server.kubectl("-n", ns, *command, fails=True)


def test_a_raw_path_is_read_with_the_kubeconfig(server: Process) -> None:
    assert '"gitVersion"' in server.kubectl("get", "--raw", "/version")
    assert json.loads(server.kubectl("get", "--raw", "/api/v1/namespaces/default"))["metadata"]["name"] == "default"


@pytest.mark.parametrize("kind", ["deployment", "rollout"])
def test_a_workload_is_given_an_autoscaler_in_one_command(server: Process, ns: str, kind: str) -> None:
    server.kubectl("apply", "-n", ns, "-f", "-", stdin=WEB if kind == "deployment" else ROLLOUT)

    made = server.kubectl("autoscale", kind, "web", "-n", ns, "--min=2", "--max=5", "--cpu-percent=70")

    assert made == "horizontalpodautoscaler.autoscaling/web autoscaled\n"
    row = lines(server.kubectl("get", "hpa", "-n", ns))[1]
    assert row[:6] == ["web", f"{kind.capitalize()}/web", "cpu:", "<unknown>/70%", "2", "5"]


def test_an_autoscaler_is_made_for_amounts_too_where_kubectl_can(server: Process, ns: str) -> None:
    server.kubectl("apply", "-n", ns, "-f", "-", stdin=WEB)
    if "--memory" not in server.kubectl("autoscale", "--help"):
        pytest.skip("this kubectl knows shares of the CPU only")
    server.kubectl("autoscale", "deployment", "web", "-n", ns, "--max=5", "--cpu=500m", "--memory=200Mi")
    made = json.loads(server.kubectl("get", "hpa", "web", "-n", ns, "-o", "json"))
    targets = {one["resource"]["name"]: one["resource"]["target"] for one in made["spec"]["metrics"]}
    assert targets == {
        "cpu": {"type": "AverageValue", "averageValue": "500m"},
        "memory": {"type": "AverageValue", "averageValue": "200Mi"},
    }


def test_a_token_of_a_service_account_is_refused_with_what_to_use_instead(server: Process, ns: str) -> None:
    assert "no service account tokens; use one" in server.kubectl("create", "token", "default", "-n", ns, fails=True)


def test_a_misspelt_field_is_refused_without_asking_for_validation(server: Process, ns: str) -> None:
    refused = server.kubectl("apply", "-n", ns, "-f", "-", stdin=WEB.replace("replicas:", "replica:"), fails=True)

    assert 'unknown field "spec.replica"' in refused


def test_get_prints_the_usual_columns(server: Process, ns: str) -> None:
    server.kubectl("apply", "-n", ns, "-f", "-", stdin=WEB)

    deployments = lines(server.kubectl("get", "deploy", "-n", ns, "-o", "wide"))
    assert deployments[0] == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]
    assert [deployments[1][index] for index in (0, 1, 2, 3, 5, 6, 7)] == ["web", "0/2", "0", "0", "web", "shop:1", "app=web"]
    services = lines(server.kubectl("get", "svc", "-n", ns))
    assert services[0] == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    assert services[1][1].startswith("ClusterIP")


def test_our_own_kinds_are_served_with_their_columns_and_explained(server: Process, ns: str) -> None:
    assert server.kubectl("apply", "-n", ns, "-f", "-", stdin=ROLLOUT) == "rollout.argoproj.io/web created\n"

    assert lines(server.kubectl("get", "ro", "-n", ns))[1][0] == "web"
    assert "canary\t<Object>" in server.kubectl("explain", "rollout.spec.strategy")
    told = server.kubectl("explain", "rollout.spec.strategy.canary.steps.setWeight")
    assert "Send so many percent of the traffic to the new version" in " ".join(told.split())
    assert "rollout.argoproj.io/web scaled" in server.kubectl("scale", "rollout/web", "--replicas=3", "-n", ns)
    assert server.kubectl("get", "ro", "web", "-n", ns, "-o", "jsonpath={.spec.replicas}") == "3"


def test_patches_of_every_type(server: Process, ns: str) -> None:
    server.kubectl("apply", "-n", ns, "-f", "-", stdin=WEB)
    patch = ("patch", "deploy", "web", "-n", ns)
    server.kubectl(*patch, "-p", '{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"shop:9"}]}}}}')
    server.kubectl(*patch, "--type=merge", "-p", '{"metadata":{"labels":{"a":"b"}}}')
    server.kubectl(*patch, "--type=json", "-p", '[{"op":"replace","path":"/spec/replicas","value":7}]')
    server.kubectl(*patch, "--subresource=status", "--type=merge", "-p", '{"status":{"readyReplicas":1,"replicas":7}}')

    path = "jsonpath={.spec.template.spec.containers[0].image} {.metadata.labels.a} {.spec.replicas} {.status.readyReplicas}"
    assert server.kubectl("get", "deploy", "web", "-n", ns, "-o", path) == "shop:9 b 7 1"


def test_wait_ends_when_the_condition_comes_and_when_the_object_goes(server: Process, ns: str) -> None:
    server.kubectl("apply", "-n", ns, "-f", "-", stdin=WEB)
    available = server.start_kubectl("wait", "deploy/web", "-n", ns, "--for=condition=Available", "--timeout=30s")
    status = '{"status":{"conditions":[{"type":"Available","status":"True"}]}}'
    server.kubectl("patch", "deploy", "web", "-n", ns, "--subresource=status", "--type=merge", "-p", status)
    assert available.communicate(timeout=40)[0] == "deployment.apps/web condition met\n"

    gone = server.start_kubectl("wait", "svc/web", "-n", ns, "--for=delete", "--timeout=30s")
    server.kubectl("delete", "svc", "web", "-n", ns)
    assert gone.wait(timeout=40) == 0
    gone.communicate()


def test_get_with_watch_follows_changes(server: Process, ns: str) -> None:
    server.kubectl("create", "configmap", "a", "-n", ns)
    following = server.start_kubectl("get", "configmap", "-n", ns, "-w", "--no-headers")
    assert following.stdout is not None
    assert following.stdout.readline().split()[:2] == ["a", "0"]

    server.kubectl("patch", "configmap", "a", "-n", ns, "-p", '{"data":{"x":"1"}}')
    assert following.stdout.readline().split()[:2] == ["a", "1"]
    following.terminate()
    following.communicate()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param("describe deployment web", "Replicas:               2 desired", id="describe"),
        pytest.param("explain deployment.spec.replicas", "FIELD: replicas <integer>", id="explain"),
        pytest.param("explain pods --recursive", "containers\t<[]V1Container> -required-", id="explain all"),
        pytest.param("api-resources", "rollouts                          ro", id="api-resources"),
        pytest.param("api-versions", "networking.k8s.io/v1", id="api-versions"),
        pytest.param("version", f"Server Version: v{SERVED}.", id="version"),
        pytest.param("auth can-i delete pods", "yes", id="can-i"),
        pytest.param("get all", "deployment.apps/web", id="get all"),
        pytest.param("get deploy,svc -o name", "service/web", id="two kinds"),
        pytest.param("get deploy -l app!=web -o name", "deployment.apps/web", id="selector"),
        pytest.param("rollout history deploy/web", "deployment.apps/web", id="rollout history"),
        pytest.param("diff -f {web}", "", id="no difference"),
        pytest.param("delete deploy web --cascade=background", 'deployment.apps "web" deleted', id="delete"),
        pytest.param("create deployment x --image=i:1 --replicas=2", "deployment.apps/x created", id="create deployment"),
        pytest.param("create job j --image=i:1 -- run it", "job.batch/j created", id="create job"),
        pytest.param("create ingress i --rule=a.b/*=web:80", "ingress.networking.k8s.io/i created", id="create ingress"),
        pytest.param("create cronjob c --image=i:1 --schedule=@hourly", "cronjob.batch/c created", id="create cronjob"),
        pytest.param("run p --image=i:1 --port=80 --env=A=b", "pod/p created", id="run"),
        pytest.param("expose deploy web --port=81 --name=w2", "service/w2 exposed", id="expose"),
        pytest.param("set image deploy/web web=shop:7", "deployment.apps/web image updated", id="set image"),
        pytest.param("annotate deploy web a=b", "deployment.apps/web annotated", id="annotate"),
    ],
)
def test_a_command_prints_what_it_prints_everywhere(server: Process, ns: str, tmp_path: Path, command: str, expected: str) -> None:
    web = tmp_path / "web.yaml"
    web.write_text(WEB)
    server.kubectl("apply", "-n", ns, "-f", str(web))

    printed = server.kubectl(*command.format(web=web).split()[:1], "-n", ns, *command.format(web=web).split()[1:])

    assert expected in printed


class _Agent(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        text = f"asked for {self.path}\n".encode()
        self.send_response(400 if "timestamps" in self.path else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def test_logs_come_from_the_agent_of_the_pods_node(server: Process, ns: str) -> None:
    agent = ThreadingHTTPServer(("127.0.0.1", 0), _Agent)
    serving = threading.Thread(target=agent.serve_forever, daemon=True)
    serving.start()
    try:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": ns}}
        server.kubectl("apply", "-f", "-", stdin=json.dumps(node))
        endpoint = {"kubeletEndpoint": {"Port": agent.server_port}}
        status = {"status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}], "daemonEndpoints": endpoint}}
        server.kubectl("patch", "node", ns, "--subresource=status", "--type=merge", "-p", json.dumps(status))
        spec = {"nodeName": ns, "containers": [{"name": "main", "image": "i:1"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
        server.kubectl("apply", "-n", ns, "-f", "-", stdin=json.dumps(pod))

        assert server.kubectl("logs", "p", "-n", ns, "--tail=5") == f"asked for /containerLogs/{ns}/p/main?tailLines=5\n"
        refused = server.kubectl("logs", "p", "-n", ns, "--timestamps", fails=True)
        assert refused.startswith("Error from server (BadRequest): asked for")
        assert "container nope is not valid for pod p" in server.kubectl("logs", "p", "-c", "nope", "-n", ns, fails=True)
    finally:
        agent.shutdown()
        agent.server_close()
        serving.join()


def test_errors_read_as_on_any_cluster(server: Process, ns: str) -> None:
    missing = server.kubectl("get", "pod", "ghost", "-n", ns, fails=True)
    assert missing == 'Error from server (NotFound): pods "ghost" not found\n'
    bad = server.kubectl(
        "create", "-n", ns, "-f", "-", stdin=WEB.replace("matchLabels: {app: web}", "matchLabels: {app: other}"), fails=True
    )
    assert 'The Deployment "web" is invalid: spec.template.metadata.labels: Invalid value' in bad
