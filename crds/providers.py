"""Where metrics come from: one block for each metric provider of an AnalysisTemplate.

Numbers are as the API has them (`timeout` and `timeoutSeconds` in seconds); intervals and the rest are texts, because they may
be template arguments. Must not: know how a provider is asked.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from crds.common import AnyObject, Embedded, Int64, IntOrString, Metadata, Model, StringMap


class SigV4(Model):
    """Sign requests for AWS."""

    region: str | None = None
    """Of the service; by default that of the environment."""
    profile: str | None = None
    """Of the credentials."""
    role_arn: str | None = None
    """A role to assume."""


class OAuth2(Model):
    """Client credentials."""

    token_url: str | None = None
    """Where a token is asked for."""
    client_id: str | None = None
    """Who asks."""
    client_secret: str | None = None
    """The password; take it from a Secret, by an argument."""
    scopes: list[str] | None = None
    """What is asked for."""


class BasicAuth(Model):
    """User and password."""

    username: str | None = None
    """Who asks."""
    password: str | None = None
    """Take it from a Secret, by an argument."""


class Authentication(Model):
    """How a request proves who asks."""

    sigv4: SigV4 | None = None
    oauth2: OAuth2 | None = None
    basic_auth: BasicAuth | None = None


class Header(Model):
    """A header to send."""

    key: str
    """Of the header."""
    value: str
    """Of the header; a secret belongs in an argument."""


class RangeQuery(Model):
    """Measure over a range: start and end are expressions over times, step is a duration."""

    start: str | None = None
    """An expression such as `now() - duration('5m')`."""
    end: str | None = None
    """An expression such as `now()`."""
    step: str | None = None
    """Between two values, such as `30s`."""


class PrometheusMetric(Model):
    """A PromQL query."""

    address: str | None = None
    """Of Prometheus, such as http://prometheus.monitoring:9090."""
    query: str | None = None
    """In PromQL."""
    authentication: Authentication | None = None
    timeout: Int64 | None = None
    """Seconds. By default 30."""
    insecure: bool | None = None
    """Do not check the server's certificate."""
    headers: list[Header] | None = None
    """Sent with each query."""
    range_query: RangeQuery | None = None
    """Measure over a range, not at a moment."""


class WebMetric(Model):
    """An HTTP request whose JSON answer is the measurement."""

    url: str
    """Where to ask."""
    method: str | None = None
    """GET, POST or PUT. By default GET."""
    headers: list[Header] | None = None
    """Sent with each request."""
    body: str | None = None
    """Sent as it is."""
    json_body: AnyObject | None = None
    """Sent as JSON."""
    timeout_seconds: Int64 | None = None
    """By default 10."""
    json_path: str | None = None
    """Where the value is in the answer, such as `{$.data.rate}`. By default all of it."""
    insecure: bool | None = None
    """Do not check the server's certificate."""
    authentication: Authentication | None = None


class JobMetric(Model):
    """A Job whose success is the measurement."""

    metadata: Metadata | None = None
    spec: Embedded | None = None


class DatadogSecret(Model):
    """The Secret with address and keys."""

    name: str | None = None
    namespaced: bool | None = None


_AGGREGATORS = ["avg", "min", "max", "sum", "last", "percentile", "mean", "l2norm", "area"]


class DatadogMetric(Model):
    """A Datadog query, or with API v2 several and a formula."""

    api_version: Annotated[str, WithJsonSchema({"type": "string", "enum": ["v1", "v2"], "default": "v1"})] | None = None
    interval: Annotated[str, WithJsonSchema({"type": "string", "default": "5m"})] | None = None
    query: str | None = None
    queries: StringMap | None = None
    formula: str | None = None
    aggregator: Annotated[str, WithJsonSchema({"type": "string", "enum": _AGGREGATORS})] | None = None
    secret_ref: DatadogSecret | None = None
    request_timeout: Annotated[str, WithJsonSchema({"type": "string", "default": "10s"})] | None = None


class NewRelicMetric(Model):
    """An NRQL query; timeout in seconds."""

    profile: str | None = None
    query: str
    timeout: Int64 | None = None


class WavefrontMetric(Model):
    """A Wavefront query."""

    address: str | None = None
    query: str | None = None


class CloudWatchDimension(Model):
    """One dimension of a CloudWatch metric."""

    name: str | None = None
    value: str | None = None


class CloudWatchMetricName(Model):
    """A CloudWatch metric."""

    dimensions: list[CloudWatchDimension] | None = None
    metric_name: str | None = None
    namespace: str | None = None


class CloudWatchStat(Model):
    """A statistic of a CloudWatch metric."""

    metric: CloudWatchMetricName | None = None
    period: IntOrString | None = None
    stat: str | None = None
    unit: str | None = None


class CloudWatchQuery(Model):
    """One of the queries of a CloudWatch request."""

    id: str | None = None
    expression: str | None = None
    label: str | None = None
    metric_stat: CloudWatchStat | None = None
    period: IntOrString | None = None
    return_data: bool | None = None


class CloudWatchMetric(Model):
    """CloudWatch metric data."""

    interval: str | None = None
    metric_data_queries: list[CloudWatchQuery]


class GraphiteMetric(Model):
    """A Graphite target."""

    address: str | None = None
    query: str | None = None


class InfluxdbMetric(Model):
    """A Flux query."""

    profile: str | None = None
    query: str | None = None


class SkywalkingMetric(Model):
    """A SkyWalking GraphQL query."""

    address: str | None = None
    query: str | None = None
    interval: str | None = None


class KayentaScopeRange(Model):
    """One side of a Kayenta comparison."""

    scope: str
    region: str
    step: Int64
    start: str | None = None
    end: str | None = None


class KayentaScope(Model):
    """A named pair of sides that Kayenta compares."""

    name: str
    control_scope: KayentaScopeRange
    experiment_scope: KayentaScopeRange


class KayentaThreshold(Model):
    """Scores that pass, or are at least not a failure."""

    passing: Int64 = Field(alias="pass")
    marginal: Int64


class KayentaMetric(Model):
    """A Kayenta judgement."""

    address: str
    application: str
    canary_config_name: str
    configuration_account_name: str
    metrics_account_name: str
    storage_account_name: str
    threshold: KayentaThreshold
    scopes: list[KayentaScope]
    lookback: bool | None = None


class MetricProvider(Model):
    """Where a metric comes from: exactly one of these."""

    cloud_watch: CloudWatchMetric | None = None
    datadog: DatadogMetric | None = None
    graphite: GraphiteMetric | None = None
    influxdb: InfluxdbMetric | None = None
    job: JobMetric | None = None
    kayenta: KayentaMetric | None = None
    new_relic: NewRelicMetric | None = None
    plugin: AnyObject | None = None
    prometheus: PrometheusMetric | None = None
    skywalking: SkywalkingMetric | None = None
    wavefront: WavefrontMetric | None = None
    web: WebMetric | None = None
