"""What `kubectl apply -k` installs: complete, consistent, and with no more rights than are said."""

from __future__ import annotations

import pytest
import yaml
from install_checks import loose_ends
from install_manifests import OVERLAYS, ROOT, container, kubectl, of_kind, overlay, parsed, rendered, the

import rollouts.app
from crds.manifests import custom_resource_definitions
from kube.leases import LEASE_NAME
from kube.shell import MANAGER_STOPS_SECONDS, WEBHOOK_PATH
from rollouts.admission.checks import KINDS


@pytest.fixture(autouse=True)
def with_kubectl() -> None:
    """Skip where nothing renders."""
    kubectl()


@pytest.mark.parametrize("name", OVERLAYS)
def test_everything_that_an_overlay_refers_to_is_in_it(name: str) -> None:
    assert list(loose_ends(overlay(name))) == []


@pytest.mark.parametrize(
    ("kind", "change", "told"),
    [
        pytest.param("Service", "component: controller", "selects no pod", id="a selector that matches nothing"),
        pytest.param("Deployment", "name: health", "does not name", id="a port that nobody opens"),
        pytest.param("ServiceAccount", "name: rollouts-controller", "account", id="an account of another name"),
        pytest.param("Role", "name: rollouts-leader-election", "binds a role", id="a role of another name"),
    ],
)
def test_a_loose_end_is_seen(kind: str, change: str, told: str) -> None:
    def broken(text: str) -> str:
        return text.replace(change, f"{change}-else") if f"\nkind: {kind}\n" in text else text

    texts = rendered("overlays/cluster").split("---\n")
    assert any(told in one for one in loose_ends(parsed("---\n".join(broken(one) for one in texts))))


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_image_is_pinned_to_this_version(name: str) -> None:
    version = next(line.split('"')[1] for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith("version"))
    assert container(overlay(name))["image"].rpartition(":")[2] == version


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_controller_knows_every_flag_it_is_started_with(name: str) -> None:
    known = {option for parameter in rollouts.app.command.params for option in parameter.opts}
    assert {argument.partition("=")[0] for argument in container(overlay(name))["args"]} <= known


def test_the_process_can_do_nothing_that_it_need_not() -> None:
    pod = the(overlay("cluster"), "Deployment")["spec"]["template"]["spec"]
    [process] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert process["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_one_replica_works_and_one_waits_also_while_nodes_are_drained() -> None:
    manifests = overlay("cluster")
    assert the(manifests, "Deployment")["spec"]["replicas"] == 2
    assert the(manifests, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_a_pod_has_the_time_to_finish_its_writes_and_give_back_the_lease() -> None:
    pod = the(overlay("cluster"), "Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > MANAGER_STOPS_SECONDS


def test_the_definitions_are_those_of_the_package() -> None:
    def by_name(one: object) -> str:
        return str(one)

    found = of_kind(overlay("cluster"), "CustomResourceDefinition")
    assert sorted(found, key=by_name) == sorted(custom_resource_definitions(), key=by_name)


@pytest.mark.parametrize("name", ["namespace", "namespaces"])
def test_in_some_namespaces_nothing_is_asked_of_the_whole_cluster(name: str) -> None:
    kinds = {one["kind"] for one in overlay(name)}
    assert not kinds & {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace"}


def test_each_namespace_that_is_looked_after_has_a_role_there() -> None:
    manifests = overlay("namespaces")
    asked = [argument.partition("=")[2] for argument in container(manifests)["args"]]
    roles = [one for one in of_kind(manifests, "Role") if one["metadata"]["name"] == "rollouts-controller"]
    assert sorted(one["metadata"]["namespace"] for one in roles) == sorted(asked)


def test_a_role_allows_what_the_cluster_role_does_but_for_cluster_templates_and_foreign_leases() -> None:
    *whole, leases = the(overlay("cluster"), "ClusterRole", "rollouts-controller")["rules"]
    *part, lease = the(overlay("namespace"), "Role", "rollouts-controller")["rules"]
    without = [{**rule, "resources": [one for one in rule["resources"] if one != "clusteranalysistemplates"]} for rule in whole]
    assert part == without
    assert lease == {**leases, "verbs": ["get"]}


def test_the_ports_of_metrics_and_webhook_are_those_the_controller_opens_by_default() -> None:
    defaults = {parameter.name: parameter.default for parameter in rollouts.app.command.params}
    ports = {port["name"]: port["containerPort"] for port in container(overlay("cluster-webhook"))["ports"]}
    assert ports == {"health": defaults["health_port"], "metrics": defaults["metrics_port"], "webhook": defaults["admission_port"]}


def test_the_webhook_is_asked_under_the_name_and_path_that_the_controller_serves() -> None:
    configuration = the(overlay("cluster-webhook"), "ValidatingWebhookConfiguration")
    defaults = {parameter.name: parameter.default for parameter in rollouts.app.command.params}
    [hook] = configuration["webhooks"]
    assert configuration["metadata"]["name"] == hook["clientConfig"]["service"]["name"] == defaults["admission_name"]
    assert hook["clientConfig"]["service"]["path"] == f"/{WEBHOOK_PATH}"
    assert sorted(hook["rules"][0]["resources"]) == sorted(kind.plural for kind in KINDS)


def test_the_lease_that_may_be_written_is_the_one_that_is() -> None:
    rules = the(overlay("cluster"), "Role", "rollouts-leader-election")["rules"]
    named = [rule for rule in rules if "resourceNames" in rule]
    assert [rule["resourceNames"] for rule in named] == [[LEASE_NAME]]
    assert [rule["verbs"] for rule in rules if rule not in named] == [["create"]]


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_rule_allows_everything_or_reads_all_secrets(name: str) -> None:
    for role in of_kind(overlay(name), "Role", "ClusterRole"):
        for rule in role["rules"]:
            assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"]), role["metadata"]["name"]
            if "secrets" in rule["resources"] and "resourceNames" not in rule:
                assert rule["verbs"] in (["get"], ["create"])


def test_with_roles_only_the_webhook_serves_a_certificate_that_the_account_may_read_and_nothing_else() -> None:
    manifests = overlay("namespaces-webhook")
    certificate, configuration = the(manifests, "Certificate"), the(manifests, "ValidatingWebhookConfiguration")
    [hook], home = configuration["webhooks"], certificate["metadata"]["namespace"]
    secret = certificate["spec"]["secretName"]
    assert not of_kind(manifests, "ClusterRole", "ClusterRoleBinding")
    assert {"--admission", f"--admission-secret={secret}"} <= set(container(manifests)["args"])
    rules = the(manifests, "Role", "rollouts-webhook")["rules"]
    assert rules == [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": [secret], "verbs": ["get"]}]
    assert certificate["spec"]["dnsNames"] == ["{name}.{namespace}.svc".format(**hook["clientConfig"]["service"])]
    trusted = configuration["metadata"]["annotations"]["cert-manager.io/inject-ca-from"]
    assert trusted == f"{home}/{certificate['metadata']['name']}"
    asked = [argument.partition("=")[2] for argument in container(manifests)["args"] if argument.startswith("--namespace=")]
    assert hook["namespaceSelector"]["matchExpressions"][0]["values"] == asked


def test_with_a_service_monitor_the_metrics_are_scraped() -> None:
    monitor = yaml.safe_load((ROOT / "config/servicemonitor/servicemonitor.yaml").read_text())
    home = the(overlay("cluster"), "Deployment")["metadata"]["namespace"]
    placed = {**monitor, "metadata": {**monitor["metadata"], "namespace": home}}
    assert list(loose_ends([*overlay("cluster"), placed])) == []


def test_the_webhook_never_stands_in_the_way() -> None:
    [hook] = the(overlay("cluster-webhook"), "ValidatingWebhookConfiguration")["webhooks"]
    assert (hook["failurePolicy"], hook["sideEffects"]) == ("Ignore", "None")
    assert not of_kind(overlay("cluster"), "ValidatingWebhookConfiguration")
