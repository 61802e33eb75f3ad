"""Traces are sent where they were asked for, as OpenTelemetry specifies it; what cannot be is refused at the start."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from kube.errors import InvalidConfig
from rollouts.tracing import is_asked_for, tracer_of

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    ("environment", "flag", "sent"),
    [
        pytest.param({}, None, False, id="nobody asked"),
        pytest.param(
            {"OTEL_SERVICE_NAME": "shop", "OTEL_TRACES_SAMPLER": "always_on"}, None, False, id="only what they would be like"
        ),
        pytest.param(ENDPOINT, None, True, id="a collector"),
        pytest.param({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector/v1/traces"}, None, True, id="a collector of traces"),
        pytest.param({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, None, False, id="a collector that is empty"),
        pytest.param({}, True, True, id="--traces"),
        pytest.param(ENDPOINT, False, False, id="--no-traces goes before a collector"),
        pytest.param({"OTEL_TRACES_EXPORTER": "otlp"}, None, True, id="an exporter by name"),
        pytest.param({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, True, False, id="an exporter that is none"),
        pytest.param({**ENDPOINT, "OTEL_SDK_DISABLED": "true"}, True, False, id="OpenTelemetry is off"),
        pytest.param({**ENDPOINT, "OTEL_SDK_DISABLED": "false"}, None, True, id="OpenTelemetry is not off"),
    ],
)
def test_traces_are_sent_where_they_were_asked_for(environment: Mapping[str, str], flag: bool | None, sent: bool) -> None:
    assert is_asked_for(environment, asked=flag) is sent
    if not sent:
        assert not tracer_of(environment, asked=flag).on


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        pytest.param({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "PROTOCOL=http/protobuf", id="another protocol"),
        pytest.param({"OTEL_TRACES_EXPORTER": "zipkin"}, "set it to otlp, or to none", id="another exporter"),
        pytest.param({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "no URL of a collector", id="no scheme"),
        pytest.param({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://:4318"}, "no URL of a collector", id="no host"),
        pytest.param({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:port"}, "no URL of a collector", id="no port"),
    ],
)
def test_what_cannot_be_served_is_refused_with_what_to_do(environment: Mapping[str, str], told: str) -> None:
    with pytest.raises(InvalidConfig, match=told):
        tracer_of(environment, asked=True)


def test_a_refusal_does_not_quote_an_address() -> None:
    with pytest.raises(InvalidConfig) as refused:
        tracer_of({"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://user:sesame@collector"}, asked=None)
    assert "sesame" not in str(refused.value)


KUBECONFIG = """
current-context: one
contexts: [{name: one, context: {cluster: one, user: one}}]
clusters: [{name: one, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: one, user: {}}]
"""


def test_without_the_extra_the_controller_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(KUBECONFIG)
    code = "import sys; sys.modules['opentelemetry'] = None; from rollouts.app import main; main(['--traces'])"
    done = _python(code, {"KUBECONFIG": str(tmp_path / "config")})
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "Error: traces were asked for, and OpenTelemetry is not installed:"
        " pip install 'rollouts[traces]', or start with --no-traces"
    )


def test_variables_that_contradict_each_other_are_refused() -> None:
    code = "import os; from rollouts.tracing import tracer_of; tracer_of(os.environ, asked=True)"
    done = _python(code, {"OTEL_BSP_MAX_QUEUE_SIZE": "8", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "9"})
    assert "InvalidConfig: OpenTelemetry cannot do what the variables OTEL_BSP_* ask for" in done.stderr


def test_who_asks_for_no_traces_loads_nothing_of_them() -> None:
    code = (
        "import sys, rollouts.app, rollouts.manager; from rollouts.tracing import tracer_of; tracer_of({}, asked=None);"
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'google.protobuf', 'rollouts.otlp'))])"
    )
    assert _python(code, {}).stdout == "[]\n"


def _python(code: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False, timeout=60)
