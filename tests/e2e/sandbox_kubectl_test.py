"""Stock kubectl on a whole sandbox: workloads really run, and traffic reaches them."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request

import pytest
from sandbox_terminal import Tool, eventually

from sandbox.cluster import Cluster

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
      terminationGracePeriodSeconds: 3
      containers:
      - name: web
        image: shop:1
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /readyz, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
"""


class Kubectl:
    """kubectl in a namespace."""

    def __init__(self, tool: Tool, namespace: str) -> None:
        self.tool, self.namespace = tool, namespace

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        return self.tool("-n", self.namespace, *arguments, stdin=stdin)


@pytest.fixture
def web(kubectl: Tool, namespace: str) -> Kubectl:
    """A namespace with a Deployment of two pods and its Service, ready."""
    found = Kubectl(kubectl, namespace)
    found("apply", "-f", "-", stdin=WEB)
    found("rollout", "status", "deployment/web", "--timeout=30s")
    return found


def test_apply_again_changes_nothing(web: Kubectl) -> None:
    assert web("apply", "-f", "-", stdin=WEB).split() == ["deployment.apps/web", "unchanged", "service/web", "unchanged"]


def test_server_side_apply_takes_over_what_client_side_apply_made(web: Kubectl) -> None:
    assert "serverside-applied" in web("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=WEB)


def test_get_shows_pods_running_on_loopback(web: Kubectl) -> None:
    rows = [line.split() for line in web("get", "pods", "-o", "wide", "--no-headers").splitlines()]
    assert [row[1:3] for row in rows] == [["1/1", "Running"]] * 2
    assert all(row[5].startswith("127.") for row in rows)


def test_describe_tells_what_happened_to_a_pod(web: Kubectl) -> None:
    text = web("describe", "pods", "-l", "app=web")
    for word in ("Image:", "shop:1", "Ready:", "Scheduled", "Started"):
        assert word in text


def test_logs_are_what_the_program_printed(web: Kubectl) -> None:
    assert re.search(r"shop:1 listens on 127\.\d+\.\d+\.\d+:8080", web("logs", "deployment/web"))


def test_scale_and_wait(web: Kubectl) -> None:
    web("scale", "deployment/web", "--replicas=3")
    web("wait", "deployment/web", "--for=jsonpath={.status.readyReplicas}=3", "--timeout=20s")
    assert len(web("get", "pods", "-o", "name").split()) == 3


def test_patch_rolls_out_a_new_image(web: Kubectl) -> None:
    web("patch", "deployment/web", "-p", '{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"shop:2"}]}}}}')
    web("rollout", "status", "deployment/web", "--timeout=30s")
    assert set(web("get", "pods", "-o", "jsonpath={.items[?(@.status.phase=='Running')].spec.containers[0].image}").split()) >= {
        "shop:2"
    }


def test_an_unknown_image_is_explained(web: Kubectl) -> None:
    web("run", "odd", "--image=example.org/nobody/knows:1")

    def explained() -> bool:
        text = web("describe", "pod", "odd")  # the event and the status come one after the other
        return "no program for image" in text and ("ErrImagePull" in text or "ImagePullBackOff" in text)

    eventually(explained, what="event and status say why")


def test_deleting_a_deployment_takes_its_pods_along(web: Kubectl) -> None:
    web("delete", "deployment", "web", "--wait=true")
    eventually(lambda: not web("get", "replicasets,pods", "-o", "name"), what="ReplicaSets and pods are gone")


def test_get_watch_shows_changes_as_they_come(web: Kubectl) -> None:
    with web.tool.start("-n", web.namespace, "get", "pods", "-w", "--no-headers") as watch:
        assert watch.stdout is not None
        first = {watch.stdout.readline().split()[0] for _ in range(2)}
        web("scale", "deployment/web", "--replicas=3")
        added = watch.stdout.readline().split()
        watch.terminate()
        watch.communicate()
    assert added[0] not in first


def test_a_service_is_reached_by_its_name(web: Kubectl, rollouts: Tool, cluster: Cluster) -> None:
    state = ("--state", str(cluster.state.path), "-n", web.namespace)
    text = rollouts("sandbox", "load", "web", "--rps", "40", "--duration", "1.5", *state)
    assert re.search(r"requests, (\d+) answered, 0 lost", text)
    assert "status 200" in text


def test_traffic_shows_who_answers_a_running_load(web: Kubectl, rollouts: Tool, cluster: Cluster) -> None:
    state = ("--state", str(cluster.state.path))
    with rollouts.start("sandbox", "load", "web", "-n", web.namespace, "--rps", "40", *state) as load:
        shown = eventually(
            lambda: done.stdout if "by pod" in (done := rollouts.run("sandbox", "traffic", *state)).stdout else "", what="figures"
        )
        pods = {found.split("/")[1] for found in web("get", "pods", "-o", "name").split()}
        load.terminate()
        load.communicate()
    assert load.returncode == 0
    assert "0 answered with 5xx, 0 lost" in shown
    assert pods & set(shown.split())
    assert "no load runs" in rollouts.run("sandbox", "traffic", *state).stderr


def test_load_for_something_that_is_not_there_says_so(cluster: Cluster, rollouts: Tool, namespace: str) -> None:
    done = rollouts.run("sandbox", "load", "nobody", "-n", namespace, "--state", str(cluster.state.path))
    assert done.returncode == 1
    assert f"neither an Ingress nor a Service 'nobody' in namespace {namespace}" in done.stderr


@pytest.mark.parametrize("kind", ["rollouts", "analysisruns", "virtualservices", "ingresses", "pods"])
def test_api_resources_and_explain_know_the_kinds(kubectl: Tool, kind: str) -> None:
    assert kind in kubectl("api-resources", "-o", "name")
    assert "KIND:" in kubectl("explain", kind)


def test_explain_describes_the_fields_of_a_rollout(kubectl: Tool) -> None:
    assert "setWeight" in kubectl("explain", "rollout.spec.strategy.canary.steps")


def test_every_pod_of_the_cluster_is_known_to_prometheus(web: Kubectl, cluster: Cluster, with_prometheus: None) -> None:
    query = urllib.parse.quote(f'up{{namespace="{web.namespace}",service="web"}}')

    def seen() -> bool:
        with urllib.request.urlopen(f"{cluster.prometheus_url}/api/v1/query?query={query}") as answer:
            found = json.load(answer)["data"]["result"]
        return [one["value"][1] for one in found] == ["1", "1"]

    eventually(seen, what="both pods are scraped")
