"""Pods that go while users come: every request is answered, whatever made the pod go."""

from __future__ import annotations

import asyncio
import json

import pytest
from sandbox_shop import answers, host_of, users
from sandbox_terminal import Tool

from sandbox.cluster import Cluster

WAIT = "--timeout=60s"


def shop(namespace: str) -> str:
    """Return a Deployment with a Service and an Ingress."""
    labels = {"app": "shop"}
    containers = [{"name": "shop", "image": "shop:1", "ports": [{"containerPort": 8080}]}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    backend = {"service": {"name": "shop", "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    items = [
        ("apps/v1", "Deployment", {"replicas": 3, "selector": {"matchLabels": labels}, "template": template}),
        ("v1", "Service", {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]}),
        (
            "networking.k8s.io/v1",
            "Ingress",
            {"ingressClassName": "nginx", "rules": [{"host": host_of(namespace), "http": {"paths": paths}}]},
        ),
    ]
    objects = [{"apiVersion": version, "kind": kind, "metadata": {"name": "shop"}, "spec": spec} for version, kind, spec in items]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


@pytest.mark.parametrize(
    "commands",
    [
        pytest.param((("delete", "POD"),), id="a pod is deleted"),
        pytest.param((("scale", "deploy/shop", "--replicas=1"),), id="scale down"),
        pytest.param(
            (("set", "image", "deploy/shop", "shop=shop:2"), ("rollout", "status", "deploy/shop", WAIT)),
            id="a new version of a Deployment",
        ),
        pytest.param(
            (("rollout", "restart", "deploy/shop"), ("rollout", "status", "deploy/shop", WAIT)), id="a restart of a Deployment"
        ),
    ],
)
async def test_no_request_is_lost_while_pods_go(
    cluster: Cluster, kubectl: Tool, namespace: str, commands: tuple[tuple[str, ...], ...]
) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=shop(namespace))
    kubectl("rollout", "status", "-n", namespace, "deploy/shop", WAIT)
    pod = kubectl("get", "pods", "-n", namespace, "-o", "name").split()[0]
    async with users(cluster, namespace) as load:
        await answers(load, 50)
        for command in commands:
            words = [pod if word == "POD" else word for word in command]
            await asyncio.to_thread(kubectl, *words, "-n", namespace)
        await asyncio.to_thread(kubectl, "wait", "-n", namespace, "deploy/shop", "--for=condition=Available", WAIT)
        await answers(load, 150)

    assert load.snapshot().failures == {}
    assert load.snapshot().lost == 0
