"""Cases of kinds: what the built-in ones that the product uses are completed with, and what is refused in them.

Owns the table. Must not: send anything.
"""

from __future__ import annotations

from typing import Any

from differential_objects import autoscaler, budget, container, ingress, job, lease, pod, service, template, workload
from differential_requests import STRATEGIC, Ask, Case, case, create, get, patch

PROBE = {"httpGet": {"port": 8080}}


def slice_of(**more: Any) -> dict[str, Any]:
    """Return an EndpointSlice."""
    endpoints = [{"addresses": ["10.1.2.3"], "conditions": {"ready": True}}]
    return {"metadata": {"name": "web-1"}, "addressType": "IPv4", "endpoints": endpoints, "ports": [{"port": 80}], **more}


def event(**more: Any) -> dict[str, Any]:
    """Return an Event of a pod."""
    involved = {"kind": "Pod", "name": "web", "namespace": "{ns}"}
    return {"metadata": {"name": "e"}, "involvedObject": involved, "reason": "Started", "type": "Normal", **more}


def with_pod(**spec: Any) -> Ask:
    """Create a Deployment whose pods have this spec."""
    return create("deployments", workload(template=template(**spec)))


def with_container(**more: Any) -> Ask:
    """Create a Deployment whose container has this."""
    return with_pod(containers=[container(**more)])


WORKLOADS: tuple[Case, ...] = (
    case("a deployment", create("deployments", workload())),
    case("a deployment that is recreated", create("deployments", workload(strategy={"type": "Recreate"}))),
    case("a deployment with limits of its update", create("deployments", workload(strategy={"rollingUpdate": {"maxSurge": 1}}))),
    case("a replica set", create("replicasets", workload("ReplicaSet"))),
    case("a stateful set", create("statefulsets", workload("StatefulSet", serviceName="web"))),
    case("a daemon set", create("daemonsets", workload("DaemonSet"))),
    case("a job", create("jobs", job())),
    case("a job with a deadline", create("jobs", job(activeDeadlineSeconds=60, backoffLimit=0, parallelism=2))),
    case(
        "a cron job",
        create(
            "cronjobs",
            {
                "metadata": {"name": "c"},
                "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template(restartPolicy="Never")}}},
            },
        ),
    ),
    case("a pod", create("pods", pod())),
    case(
        "a pod with everything in it",
        create(
            "pods",
            pod(
                volumes=[
                    {"name": "a", "emptyDir": {}},
                    {"name": "b", "configMap": {"name": "c"}},
                    {"name": "s", "secret": {"secretName": "s"}},
                ],
                initContainers=[container("init", command=["true"])],
                containers=[
                    container(
                        ports=[{"containerPort": 8080, "name": "http"}],
                        env=[{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                        readinessProbe=PROBE,
                        livenessProbe={"tcpSocket": {"port": 8080}},
                        startupProbe={"exec": {"command": ["true"]}},
                        lifecycle={"preStop": {"exec": {"command": ["sleep", "1"]}}},
                        volumeMounts=[{"name": "a", "mountPath": "/a"}],
                        resources={"limits": {"cpu": "1", "memory": "64Mi"}, "requests": {"cpu": "500m"}},
                    )
                ],
                readinessGates=[{"conditionType": "shop.io/open"}],
                terminationGracePeriodSeconds=5,
            ),
        ),
    ),
    case(
        "quality of service",
        create("pods", pod("a", containers=[container(resources={"limits": {"cpu": "1", "memory": "1Gi"}})])),
        create("pods", pod("b", containers=[container(resources={"requests": {"cpu": "1"}})])),
    ),
    case("quantities as numbers", create("pods", pod(containers=[container(resources={"limits": {"cpu": 1, "memory": 1024}})]))),
    case(
        "an image without a tag is always pulled",
        create(
            "pods",
            pod(
                containers=[
                    {"name": "a", "image": "shop"},
                    {"name": "b", "image": "shop:latest"},
                    {"name": "c", "image": "reg.io:5000/shop@sha256:" + "0" * 64},
                ]
            ),
        ),
    ),
    case("a deployment without a selector", create("deployments", {"metadata": {"name": "a"}, "spec": {"template": template()}})),
    case("a deployment without anything", create("deployments", {"metadata": {"name": "a"}, "spec": {}})),
    case("a deployment without a spec", create("deployments", {"metadata": {"name": "a"}})),
    case("a selector that does not fit", create("deployments", workload(selector={"matchLabels": {"app": "other"}}))),
    case("an empty selector", create("deployments", workload(selector={}))),
    case(
        "expressions that cannot be",
        *(
            create("deployments", workload(selector={"matchExpressions": [expression]}))
            for expression in (
                {"key": "app", "operator": "In"},
                {"key": "app", "operator": "Exists", "values": ["a"]},
                {"key": "app", "operator": "Like"},
                {"key": "", "operator": "Exists"},
            )
        ),
    ),
    case(
        "a selector that changes",
        create("deployments", workload()),
        patch(
            "deployments/web",
            {"spec": {"selector": {"matchLabels": {"app": "x"}}, "template": {"metadata": {"labels": {"app": "x"}}}}},
        ),
    ),
    case(
        "fewer than no replicas",
        create("deployments", workload(replicas=-1)),
        create("replicasets", workload("ReplicaSet", replicas=-1)),
    ),
    case("a deadline before the pods are ready", create("deployments", workload(minReadySeconds=60, progressDeadlineSeconds=30))),
    case(
        "neither surge nor unavailable",
        create("deployments", workload(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}})),
    ),
    case("a strategy that there is not", create("deployments", workload(strategy={"type": "Magic"}))),
    case(
        "a recreation with limits", create("deployments", workload(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}))
    ),
    case("a percentage that is none", create("deployments", workload(strategy={"rollingUpdate": {"maxSurge": "much"}}))),
    case("pods of a deployment always restart", with_pod(restartPolicy="Never")),
    case("no containers", with_pod(containers=[]), create("pods", pod(containers=[]))),
    case("a container without a name", with_pod(containers=[{"image": "shop:1"}])),
    case(
        "a container without an image", with_pod(containers=[{"name": "main"}]), create("pods", pod(containers=[{"name": "main"}]))
    ),
    case("a container with a bad name", with_pod(containers=[container("Main_1")])),
    case("two containers of one name", with_pod(containers=[container(), container()])),
    case(
        "a port that cannot be",
        with_container(ports=[{"containerPort": 0}]),
        with_container(ports=[{"containerPort": 70000}]),
        with_container(ports=[{"containerPort": 80, "name": "Not_A_Name"}]),
        with_container(ports=[{"containerPort": 80, "protocol": "ICMP"}]),
    ),
    case("two ports of one name", with_container(ports=[{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}])),
    case(
        "variables that cannot be",
        with_container(env=[{"name": ""}]),
        with_container(env=[{"name": "A=B", "value": "1"}]),
        with_container(env=[{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
    ),
    case("a mount of no volume", with_container(volumeMounts=[{"name": "a", "mountPath": "/a"}])),
    case(
        "a mount without a path",
        with_pod(volumes=[{"name": "a", "emptyDir": {}}], containers=[container(volumeMounts=[{"name": "a"}])]),
    ),
    case("two volumes of one name", with_pod(volumes=[{"name": "a", "emptyDir": {}}, {"name": "a", "emptyDir": {}}])),
    case("a volume of two kinds", with_pod(volumes=[{"name": "a", "emptyDir": {}, "secret": {"secretName": "s"}}])),
    case("a probe without a handler", with_container(readinessProbe={"periodSeconds": 1})),
    case("a probe with bad numbers", with_container(readinessProbe={**PROBE, "periodSeconds": -1, "failureThreshold": -2})),
    case("a pull policy that there is not", with_container(imagePullPolicy="Sometimes")),
    case("a quantity that is none", with_container(resources={"limits": {"cpu": "much"}})),
    case("more requested than allowed", with_container(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}})),
    case("a negative grace", with_pod(terminationGracePeriodSeconds=-1)),
    case("a DNS policy that there is not", with_pod(dnsPolicy="Magic")),
    case("a job of pods that restart", create("jobs", {"metadata": {"name": "once"}, "spec": {"template": template()}})),
    case("a job with bad numbers", create("jobs", job(parallelism=-1, completions=-1, backoffLimit=-1))),
    case(
        "a template of a job does not change",
        create("jobs", job()),
        patch("jobs/once", {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "shop:2"}]}}}}, STRATEGIC),
    ),
    case("a job is suspended", create("jobs", job()), patch("jobs/once", {"spec": {"suspend": True}})),
    case(
        "an image of a pod changes",
        create("pods", pod()),
        patch("pods/a", {"spec": {"containers": [{"name": "main", "image": "shop:2"}]}}, STRATEGIC),
    ),
    case(
        "a command of a pod does not change",
        create("pods", pod()),
        patch("pods/a", {"spec": {"containers": [{"name": "main", "command": ["true"]}]}}, STRATEGIC),
    ),
    case(
        "a template's labels must be labels", create("deployments", workload(template=template(labels={"app": "web", "a b": "c"})))
    ),
)

NETWORK: tuple[Case, ...] = (
    case("a service", create("services", service())),
    case("a service without addresses", create("services", service(clusterIP="None"))),
    case("a service with a target", create("services", service(ports=[{"name": "http", "port": 80, "targetPort": "http"}]))),
    case("a service on nodes", create("services", service(type="NodePort"))),
    case("a service with a load balancer", create("services", service(type="LoadBalancer"))),
    case(
        "a service elsewhere",
        create("services", {"metadata": {"name": "web"}, "spec": {"type": "ExternalName", "externalName": "shop.example.com"}}),
    ),
    case("a service elsewhere without a name", create("services", {"metadata": {"name": "web"}, "spec": {"type": "ExternalName"}})),
    case("a service with sticky sessions", create("services", service(sessionAffinity="ClientIP"))),
    case(
        "a service without ports",
        create("services", service(ports=[])),
        create("services", {"metadata": {"name": "web"}, "spec": {}}),
    ),
    case("ports without names", create("services", service(ports=[{"port": 80}, {"port": 81}]))),
    case("ports of one name", create("services", service(ports=[{"name": "a", "port": 80}, {"name": "a", "port": 81}]))),
    case("ports of one number", create("services", service(ports=[{"name": "a", "port": 80}, {"name": "b", "port": 80}]))),
    case(
        "ports that cannot be",
        create("services", service(ports=[{"port": 0}])),
        create("services", service(ports=[{"port": 70000}])),
        create("services", service(ports=[{"port": 80, "targetPort": 0}])),
        create("services", service(ports=[{"port": 80, "targetPort": "Not_A"}])),
        create("services", service(ports=[{"port": 80, "protocol": "ICMP"}])),
    ),
    case("a type that there is not", create("services", service(type="Magic"))),
    case("an affinity that there is not", create("services", service(sessionAffinity="Magic"))),
    case("an address that is none", create("services", service(clusterIP="here"))),
    case("an address does not change", create("services", service()), patch("services/web", {"spec": {"clusterIP": "10.96.0.77"}})),
    case("a selector that cannot be", create("services", service(selector={"a b": "c"}))),
    case("a selector is replaced", create("services", service()), patch("services/web", {"spec": {"selector": {"version": "2"}}})),
    case(
        "a service becomes one on nodes and back",
        create("services", service()),
        patch("services/web", {"spec": {"type": "NodePort"}}),
        patch("services/web", {"spec": {"type": "ClusterIP"}}),
    ),
    case("an ingress", create("ingresses", ingress())),
    case(
        "an ingress with a default",
        create("ingresses", ingress(rules=None, defaultBackend={"service": {"name": "web", "port": {"name": "http"}}})),
    ),
    case("an ingress with certificates", create("ingresses", ingress(tls=[{"hosts": ["shop.local"], "secretName": "s"}]))),
    case("an ingress of nothing", create("ingresses", {"metadata": {"name": "a"}, "spec": {}})),
    case(
        "hosts that cannot be",
        *(
            create("ingresses", ingress(rules=[{"host": host, "http": ingress()["spec"]["rules"][0]["http"]}]))
            for host in ("Shop", "a_b", "*", "*.shop.local", "10.0.0.1", "a.*.b")
        ),
    ),
    case(
        "paths that cannot be",
        *(
            create(
                "ingresses",
                ingress(rules=[{"http": {"paths": [{"backend": {"service": {"name": "web", "port": {"number": 80}}}, **path}]}}]),
            )
            for path in (
                {"path": "/"},
                {"path": "shop", "pathType": "Prefix"},
                {"path": "/", "pathType": "Magic"},
                {"path": "/a//b", "pathType": "Exact"},
                {"pathType": "Prefix"},
                {"path": "/", "pathType": "Prefix", "backend": {}},
                {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web"}}},
                {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "", "port": {"number": 80}}}},
                {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 0}}}},
                {
                    "path": "/",
                    "pathType": "Prefix",
                    "backend": {"service": {"name": "web", "port": {"number": 80, "name": "http"}}},
                },
            )
        ),
    ),
    case("a rule without paths", create("ingresses", ingress(rules=[{"host": "a.b", "http": {"paths": []}}]))),
    case("an endpoint slice", create("endpointslices", slice_of())),
    case("an endpoint slice of nothing", create("endpointslices", {"metadata": {"name": "a"}, "addressType": "IPv4"})),
    case(
        "endpoint slices that cannot be",
        create("endpointslices", {"metadata": {"name": "a"}}),
        create("endpointslices", slice_of(addressType="Magic")),
        create("endpointslices", slice_of(endpoints=[{"addresses": []}])),
        create("endpointslices", slice_of(endpoints=[{"addresses": ["here"]}])),
        create("endpointslices", slice_of(endpoints=[{"addresses": ["127.0.0.1"]}])),
    ),
    case(
        "the type of addresses does not change",
        create("endpointslices", slice_of()),
        patch("endpointslices/web-1", {"addressType": "FQDN"}),
    ),
    case(
        "a changed endpoint slice is another generation",
        create("endpointslices", slice_of()),
        patch("endpointslices/web-1", {"ports": [{"port": 81}]}),
    ),
)

OTHERS: tuple[Case, ...] = (
    case("a secret", create("secrets", {"metadata": {"name": "s"}, "data": {"a": "Yg=="}}), get("secrets/s")),
    case(
        "a secret in plain text",
        create("secrets", {"metadata": {"name": "s"}, "data": {"a": "Yg=="}, "stringData": {"a": "c", "d": "e"}}),
    ),
    case("a secret that is no base64", create("secrets", {"metadata": {"name": "s"}, "data": {"a": "?"}})),
    case("a secret with a number", create("secrets", {"metadata": {"name": "s"}, "stringData": {"a": 1}})),
    case(
        "keys that cannot be",
        create("secrets", {"metadata": {"name": "s"}, "data": {"a b": "Yg=="}}),
        create("configmaps", {"metadata": {"name": "c"}, "data": {"a/b": "c"}}),
        create("configmaps", {"metadata": {"name": "c"}, "data": {"..": "c"}}),
    ),
    case(
        "the type of a secret does not change",
        create("secrets", {"metadata": {"name": "s"}}),
        patch("secrets/s", {"type": "other"}),
    ),
    case(
        "an immutable config map",
        create("configmaps", {"metadata": {"name": "c"}, "data": {"a": "b"}, "immutable": True}),
        patch("configmaps/c", {"data": {"a": "c"}}),
        patch("configmaps/c", {"immutable": False}),
        patch("configmaps/c", {"metadata": {"labels": {"a": "b"}}}),
    ),
    case(
        "binary data",
        create("configmaps", {"metadata": {"name": "c"}, "binaryData": {"a": "Yg=="}}),
        create("configmaps", {"metadata": {"name": "d"}, "data": {"a": "b"}, "binaryData": {"a": "Yg=="}}),
    ),
    case(
        "a lease",
        create(
            "leases",
            lease(
                holderIdentity="a",
                leaseDurationSeconds=15,
                leaseTransitions=0,
                acquireTime="2026-01-01T00:00:00.000000Z",
                renewTime="2026-01-01T00:00:00.000000Z",
            ),
        ),
        get("leases/leader"),
    ),
    case("leases that cannot be", create("leases", lease(leaseDurationSeconds=0)), create("leases", lease(leaseTransitions=-1))),
    case("a time that is none", create("leases", lease(renewTime="now"))),
    case("an event", create("events", event())),
    case("an event of elsewhere", create("events", event(involvedObject={"kind": "Pod", "name": "web", "namespace": "other"}))),
    case("an event counted on", create("events", event(count=1)), patch("events/e", {"count": 2})),
    case("a budget", create("poddisruptionbudgets", budget())),
    case("a budget in percent", create("poddisruptionbudgets", budget(maxUnavailable="50%"))),
    case(
        "budgets that cannot be",
        create("poddisruptionbudgets", budget(minAvailable=1, maxUnavailable=1)),
        create("poddisruptionbudgets", budget(minAvailable=-1)),
        create("poddisruptionbudgets", budget(minAvailable="half")),
        create("poddisruptionbudgets", budget(minAvailable=1, unhealthyPodEvictionPolicy="Magic")),
    ),
    case(
        "a budget that changes",
        create("poddisruptionbudgets", budget()),
        patch("poddisruptionbudgets/web", {"spec": {"minAvailable": 2}}),
    ),
    case("an autoscaler", create("horizontalpodautoscalers", autoscaler())),
    case(
        "an autoscaler of processors",
        create(
            "horizontalpodautoscalers",
            autoscaler(
                minReplicas=2,
                metrics=[
                    {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
                ],
            ),
        ),
    ),
    case(
        "an autoscaler of the first version",
        create(
            "/apis/autoscaling/v1/namespaces/{ns}/horizontalpodautoscalers",
            {
                "metadata": {"name": "web"},
                "spec": {
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                    "maxReplicas": 3,
                    "targetCPUUtilizationPercentage": 60,
                },
            },
        ),
        get("horizontalpodautoscalers/web"),
    ),
    case(
        "autoscalers that cannot be",
        create("horizontalpodautoscalers", autoscaler(maxReplicas=0)),
        create("horizontalpodautoscalers", autoscaler(minReplicas=5)),
        create("horizontalpodautoscalers", autoscaler(minReplicas=0)),
        create("horizontalpodautoscalers", autoscaler(scaleTargetRef={})),
        create("horizontalpodautoscalers", autoscaler(metrics=[{"type": "Magic"}])),
    ),
    case(
        "a role",
        create("roles", {"metadata": {"name": "r"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
    ),
    case("a role without rules", create("roles", {"metadata": {"name": "r"}})),
    case(
        "a role binding",
        create(
            "rolebindings",
            {
                "metadata": {"name": "r"},
                "roleRef": {"kind": "Role", "name": "r", "apiGroup": "rbac.authorization.k8s.io"},
                "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "{ns}"}, {"kind": "User", "name": "u"}],
            },
        ),
    ),
    case(
        "a role of a binding does not change",
        create(
            "rolebindings",
            {"metadata": {"name": "r"}, "roleRef": {"kind": "Role", "name": "r", "apiGroup": "rbac.authorization.k8s.io"}},
        ),
        patch("rolebindings/r", {"roleRef": {"name": "s"}}),
    ),
    case("a service account", create("serviceaccounts", {"metadata": {"name": "robot"}})),
    case("a namespace", create("/api/v1/namespaces", {"metadata": {"name": "{ns}-more"}}), get("/api/v1/namespaces/{ns}-more")),
    case(
        "namespaces that cannot be",
        create("/api/v1/namespaces", {"metadata": {"name": "A"}}),
        create("/api/v1/namespaces", {"metadata": {"name": "a.b"}}),
    ),
)
