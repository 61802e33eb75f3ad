"""`python -m sandbox.gateway`: gateway, metrics and Prometheus of a cluster as a process.

Owns the command line and the signals. Must not: hold behaviour of the parts.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
import tempfile
from pathlib import Path

from kube.client import Client
from kube.config import connect, load
from kube.errors import ApiError, InvalidConfig
from sandbox.gateway.gateway import NotServed
from sandbox.gateway.serving import Options, serving
from sandbox.metrics.prometheus import NoPrometheus


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.gateway",
        description="Serves a cluster's Ingresses, Istio routes, Services and cluster names on loopback, and measures them.",
    )
    parser.add_argument("--kubeconfig", help="the cluster; as kubectl finds it when not given")
    parser.add_argument("--context", help="which context of the kubeconfig")
    parser.add_argument("--state", type=Path, help="folder for files, data and ready.json; a temporary one when not given")
    parser.add_argument("--address", default="127.0.0.1", help="loopback address of gateway and proxy (default 127.0.0.1)")
    for name, text in (
        ("ingress-port", "where Ingresses and Istio Gateways are served"),
        ("proxy-port", "HTTP proxy that knows the names of the cluster"),
        ("prometheus-port", "Prometheus; in the cluster it is prometheus.monitoring:9090 and prometheus.istio-system:9090"),
    ):
        parser.add_argument(f"--{name}", type=int, default=0, help=f"{text}; 0 lets the kernel choose (default)")
    parser.add_argument("--prometheus", help="the Prometheus binary (default: ROLLOUTS_PROMETHEUS, or prometheus on PATH)")
    parser.add_argument("--no-prometheus", action="store_true", help="run without Prometheus")
    parser.add_argument("--scrape-seconds", type=float, default=1.0, help="how often Prometheus scrapes (default 1)")
    parser.add_argument("--annotation-prefix", default="nginx.ingress.kubernetes.io", help="prefix of canary annotations")
    parser.add_argument("--ingress-class", action="append", help="a class to serve; may be repeated (default: nginx)")
    return parser.parse_args()


async def _run(arguments: argparse.Namespace, state: Path) -> None:
    options = Options(
        state=state,
        address=arguments.address,
        ingress_port=arguments.ingress_port,
        proxy_port=arguments.proxy_port,
        prometheus_port=arguments.prometheus_port,
        prometheus_binary=arguments.prometheus,
        with_prometheus=not arguments.no_prometheus,
        scrape_seconds=arguments.scrape_seconds,
        annotation_prefix=arguments.annotation_prefix,
        ingress_classes=tuple(arguments.ingress_class or ("nginx",)),
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    client = Client(connect(load(arguments.kubeconfig, arguments.context)), field_manager="sandbox-gateway")
    try:
        async with serving(client, options) as running:
            print((state / "ready.json").read_text(), end="", flush=True)
            await running.until(stop)
    finally:
        await client.close()


def main() -> None:
    """Serve until SIGTERM or SIGINT; what is printed when all is ready says where."""
    arguments = _arguments()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    try:
        if arguments.state:
            arguments.state.mkdir(parents=True, exist_ok=True)
            asyncio.run(_run(arguments, arguments.state.resolve()))
        else:
            with tempfile.TemporaryDirectory(prefix="rollouts-gateway-") as folder:
                asyncio.run(_run(arguments, Path(folder)))
    except (ApiError, InvalidConfig, NotServed, NoPrometheus) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
