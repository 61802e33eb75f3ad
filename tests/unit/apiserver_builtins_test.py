"""Built-in kinds: what the server fills in, what it refuses, and how it shows them."""

from __future__ import annotations

from typing import Any

import pytest
from apiserver_harness import CONFIG_MAPS, DEPLOYMENTS, PODS, SERVICES, STRATEGIC, Api, FrozenClock, config_map, deployment, pod

from sandbox.apiserver.printing import short_duration
from sandbox.apiserver.server import ApiServer

JOBS = "/apis/batch/v1/namespaces/default/jobs"
INGRESSES = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"
SECRETS = "/api/v1/namespaces/default/secrets"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@pytest.fixture
def api() -> Api:
    return Api(ApiServer(clock=FrozenClock()))


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


def job(**spec: Any) -> dict[str, Any]:
    pod_spec = {"containers": [{"name": "main", "image": "b:1"}], "restartPolicy": "Never"}
    return {"metadata": {"name": "j"}, "spec": {"template": {"spec": pod_spec}, **spec}}


def ingress(**path: Any) -> dict[str, Any]:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    return {"metadata": {"name": "i"}, "spec": {"rules": [{"http": {"paths": [{"path": "/", "backend": backend, **path}]}}]}}


async def test_a_deployment_is_completed_as_by_the_real_server(api: Api) -> None:
    made = await api.create(DEPLOYMENTS, deployment("web", image="shop"))

    spec = made["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    assert (spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (10, 600)
    assert spec["template"]["spec"] == {
        "containers": [
            {
                "name": "main",
                "image": "shop",
                "imagePullPolicy": "Always",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("shop", "Always"),
        ("shop:latest", "Always"),
        ("shop:1", "IfNotPresent"),
        ("host:5000/shop", "Always"),
        ("shop@sha256:ab", "IfNotPresent"),
    ],
)
async def test_the_pull_policy_follows_the_tag(api: Api, image: str, policy: str) -> None:
    made = await api.create(DEPLOYMENTS, deployment("web", image=image))

    assert made["spec.template.spec.containers.0.imagePullPolicy"] == policy


async def test_probes_and_volumes_are_completed(api: Api) -> None:
    body = pod("p", volumes=[{"name": "tmp"}, {"name": "s", "secret": {"secretName": "x"}}])
    body["spec"]["containers"][0]["readinessProbe"] = {"httpGet": {"port": 80}}

    made = await api.create(PODS, body)

    assert made["spec.containers.0.readinessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert made["spec.volumes"] == [
        {"name": "tmp", "emptyDir": {}},
        {"name": "s", "secret": {"secretName": "x", "defaultMode": 420}},
    ]
    assert made["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


async def test_quantities_given_as_numbers_become_text(api: Api) -> None:
    body = pod("p")
    body["spec"]["containers"][0]["resources"] = {"limits": {"cpu": 1, "memory": "1Gi"}}

    made = await api.create(PODS, body)

    assert made["spec.containers.0.resources"] == {
        "limits": {"cpu": "1", "memory": "1Gi"},
        "requests": {"cpu": "1", "memory": "1Gi"},
    }
    assert made["status.qosClass"] == "Guaranteed"


async def test_every_service_gets_a_loopback_address_of_its_own_and_keeps_it(api: Api) -> None:
    addresses = [(await api.create(SERVICES, service(name)))["spec.clusterIP"] for name in ("a", "b", "c")]

    assert len(set(addresses)) == 3
    assert all(address.startswith("127.96.") for address in addresses)
    kept = await api.replace(f"{SERVICES}/a", service("a"))
    assert kept["spec.clusterIP"] == addresses[0]
    await api.delete(f"{SERVICES}/a")
    assert (await api.create(SERVICES, service("d")))["spec.clusterIP"] == addresses[0], "a freed address is used again"


async def test_a_headless_service_and_an_external_name_get_no_address(api: Api) -> None:
    headless = await api.create(SERVICES, {"metadata": {"name": "h"}, "spec": {"clusterIP": "None"}})
    external = await api.create(
        SERVICES, {"metadata": {"name": "e"}, "spec": {"type": "ExternalName", "externalName": "a.example"}}
    )

    assert headless["spec.clusterIP"] == "None"
    assert "clusterIP" not in external["spec"]


async def test_node_ports_are_given_and_kept(api: Api) -> None:
    made = await api.create(SERVICES, service(type="NodePort"))
    port = made["spec.ports.0.nodePort"]
    assert 30000 <= port < 32768

    again = await api.replace(f"{SERVICES}/web", service(type="NodePort"))
    assert again["spec.ports.0.nodePort"] == port


async def test_a_job_gets_a_selector_for_its_pods(api: Api) -> None:
    made = await api.create(JOBS, job())

    uid = made["metadata.uid"]
    assert made["spec.selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    labels = made["spec.template.metadata.labels"]
    assert (labels["batch.kubernetes.io/controller-uid"], labels["job-name"]) == (uid, "j")
    assert (made["spec.completions"], made["spec.parallelism"], made["spec.backoffLimit"]) == (1, 1, 6)


async def test_plain_secret_data_is_encoded(api: Api) -> None:
    made = await api.create(SECRETS, {"metadata": {"name": "s"}, "stringData": {"a": "b"}})

    assert (made["data"], made["type"], "stringData" in made.body) == ({"a": "Yg=="}, "Opaque", False)


REFUSED: list[Any] = [
    pytest.param(DEPLOYMENTS, {"metadata": {"name": "d"}, "spec": {}}, "spec.selector: Required value", id="no selector"),
    pytest.param(
        DEPLOYMENTS,
        {
            "metadata": {"name": "d"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}}},
        },
        "spec.template.spec.containers: Required value",
        id="no containers",
    ),
    pytest.param(
        JOBS,
        job(template={"spec": {"containers": [{"name": "m", "image": "b"}]}}),
        'Unsupported value: "Always"',
        id="job that restarts",
    ),
    pytest.param(SERVICES, {"metadata": {"name": "s"}, "spec": {}}, "spec.ports: Required value", id="service without ports"),
    pytest.param(SERVICES, service(ports=[{"port": 0}]), "must be between 1 and 65535", id="port 0"),
    pytest.param(
        SERVICES, service(ports=[{"port": 1}, {"port": 2}]), "spec.ports[0].name: Required value", id="ports without names"
    ),
    pytest.param(SERVICES, service(type="Magic"), 'Unsupported value: "Magic"', id="service type"),
    pytest.param(SERVICES, service("1st"), "a DNS-1035 label", id="service name"),
    pytest.param(INGRESSES, ingress(), "pathType: Required value: pathType must be specified", id="no path type"),
    pytest.param(INGRESSES, ingress(pathType="Prefix", path="x"), "must be an absolute path", id="relative path"),
    pytest.param(INGRESSES, {"metadata": {"name": "i"}, "spec": {}}, "either `defaultBackend` or `rules`", id="empty ingress"),
    pytest.param(PODS, pod("p", restartPolicy="Sometimes"), 'Unsupported value: "Sometimes"', id="restart policy"),
    pytest.param(
        PODS, pod("p", containers=[{"name": "a", "image": "x"}] * 2), 'Duplicate value: "a"', id="two containers of one name"
    ),
]


@pytest.mark.parametrize(("path", "body", "text"), REFUSED)
async def test_a_builtin_object_that_cannot_work_is_refused(api: Api, path: str, body: Any, text: str) -> None:
    refused = await api.create(path, body)

    assert refused.status == 422
    assert text in refused.message


@pytest.mark.parametrize(
    ("path", "body", "patch", "text"),
    [
        pytest.param(
            DEPLOYMENTS, deployment("x"), {"spec": {"selector": {"matchLabels": {"app": "y"}}}}, "field is immutable", id="selector"
        ),
        pytest.param(
            SERVICES, service("x"), {"spec": {"clusterIP": "127.96.9.9"}}, "may not change once set", id="cluster address"
        ),
        pytest.param(PODS, pod("x"), {"spec": {"hostNetwork": True}}, "pod updates may not change fields", id="pod spec"),
        pytest.param(CONFIG_MAPS, {**config_map("x"), "immutable": True}, {"data": {"a": "b"}}, "immutable", id="immutable data"),
    ],
)
async def test_what_may_not_change_does_not(api: Api, path: str, body: Any, patch: Any, text: str) -> None:
    await api.create(path, body)

    refused = await api.patch(f"{path}/x", patch)

    assert refused.status == 422
    assert text in refused.message


async def test_a_pod_may_change_its_image(api: Api) -> None:
    await api.create(PODS, pod("p"))

    got = await api.patch(f"{PODS}/p", {"spec": {"containers": [{"name": "main", "image": "shop:2"}]}}, STRATEGIC)

    assert got["spec.containers.0.image"] == "shop:2"


async def test_events_of_both_groups_are_the_same_objects(api: Api) -> None:
    about = {"kind": "Pod", "name": "p", "namespace": "default"}
    await api.create(
        "/api/v1/namespaces/default/events",
        {"metadata": {"name": "e"}, "involvedObject": about, "reason": "Started", "message": "It began.", "type": "Normal"},
    )
    newer = await api.get("/apis/events.k8s.io/v1/namespaces/default/events/e")
    assert (newer["apiVersion"], newer["regarding"], newer["note"]) == ("events.k8s.io/v1", about, "It began.")

    await api.create(
        "/apis/events.k8s.io/v1/namespaces/default/events",
        {
            "metadata": {"name": "f"},
            "regarding": about,
            "reason": "Ended",
            "note": "It ended.",
            "type": "Normal",
            "reportingController": "c",
        },
    )
    older = await api.get("/api/v1/namespaces/default/events/f")
    assert (older["involvedObject"], older["message"], older["reportingComponent"]) == (about, "It ended.", "c")
    assert await api.names("/api/v1/namespaces/default/events", fieldSelector="involvedObject.name=p,reason=Ended") == ["f"]


async def test_pods_show_what_they_are_waiting_for(api: Api) -> None:
    await api.create(PODS, pod("p"))
    waiting = {"name": "main", "ready": False, "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    await api.patch(f"{PODS}/p/status", {"status": {"phase": "Running", "containerStatuses": [waiting]}})

    table = await api.ask("GET", PODS, accept=TABLE)

    names = [column["name"] for column in table["columnDefinitions"] if not column["priority"]]
    assert dict(zip(names, table["rows.0.cells"], strict=False)) == {
        "Name": "p",
        "Ready": "0/1",
        "Status": "CrashLoopBackOff",
        "Restarts": "2",
        "Age": "0s",
    }


@pytest.mark.parametrize(
    "kind", ["deployments", "nodes", "events", "jobs", "ingresses", "endpoints", "secrets", "horizontalpodautoscalers"]
)
async def test_every_table_row_has_a_cell_for_each_column(api: Api, kind: str) -> None:
    bodies: dict[str, tuple[str, Any]] = {
        "deployments": (DEPLOYMENTS, deployment("x")),
        "nodes": ("/api/v1/nodes", {"metadata": {"name": "n"}}),
        "events": ("/api/v1/namespaces/default/events", {"metadata": {"name": "e"}, "involvedObject": {"namespace": "default"}}),
        "jobs": (JOBS, job()),
        "ingresses": (INGRESSES, ingress(pathType="Prefix")),
        "endpoints": (
            "/api/v1/namespaces/default/endpoints",
            {"metadata": {"name": "e"}, "subsets": [{"addresses": [{"ip": "1.2.3.4"}]}]},
        ),
        "secrets": (SECRETS, {"metadata": {"name": "s"}}),
        "horizontalpodautoscalers": (
            "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
            {"metadata": {"name": "h"}, "spec": {"maxReplicas": 2, "scaleTargetRef": {"kind": "Deployment", "name": "x"}}},
        ),
    }
    path, body = bodies[kind]
    assert (await api.create(path, body)).status == 201

    table = await api.ask("GET", path, accept=TABLE)

    assert len(table["rows.0.cells"]) == len(table["columnDefinitions"])


async def test_metadata_alone_can_be_asked_for(api: Api) -> None:
    await api.create(CONFIG_MAPS, config_map("a", x="1"))

    got = await api.ask("GET", CONFIG_MAPS, accept="application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")

    assert got["kind"] == "PartialObjectMetadataList"
    assert set(got["items.0"]) == {"kind", "apiVersion", "metadata"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5, "5s"),
        (119, "119s"),
        (150, "2m30s"),
        (600, "10m"),
        (10_000, "166m"),
        (11_000, "3h3m"),
        (40_000, "11h"),
        (200_000, "2d7h"),
        (10**6, "11d"),
    ],
)
def test_ages_read_as_in_kubectl(seconds: int, text: str) -> None:
    assert short_duration(seconds) == text
