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
    profile: str | None = None
    role_arn: str | None = None


class OAuth2(Model):
    """Client credentials."""

    token_url: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    scopes: list[str] | None = None


class BasicAuth(Model):
    """User and password."""

    username: str | None = None
    password: str | None = None


class Authentication(Model):
    """How a request proves who asks."""

    sigv4: SigV4 | None = None
    oauth2: OAuth2 | None = None
    basic_auth: BasicAuth | None = None


class Header(Model):
    """A header to send."""

    key: str
    value: str


class RangeQuery(Model):
    """Measure over a range: start and end are expressions over times, step is a duration."""

    start: str | None = None
    end: str | None = None
    step: str | None = None


class PrometheusMetric(Model):
    """A PromQL query."""

    address: str | None = None
    query: str | None = None
    authentication: Authentication | None = None
    timeout: Int64 | None = None
    insecure: bool | None = None
    headers: list[Header] | None = None
    range_query: RangeQuery | None = None


class WebMetric(Model):
    """An HTTP request whose JSON answer is the measurement."""

    url: str
    method: str | None = None
    headers: list[Header] | None = None
    body: str | None = None
    json_body: AnyObject | None = None
    timeout_seconds: Int64 | None = None
    json_path: str | None = None
    insecure: bool | None = None
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
