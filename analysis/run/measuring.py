"""One measurement, without its I/O: from a metric to a request, and from what came back to a finished measurement.

Pure. Must not: read a Secret, send anything, or let a secret into what it returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from analysis.arguments import substitute, tags
from analysis.conditions import Verdict, judge
from analysis.errors import InvalidAnalysis
from analysis.no_data import NoData, is_no_data, no_data_text
from analysis.providers.base import BadMetric, BadResponse, HttpRequest, HttpResponse, Provider, Sample, Window
from analysis.redaction import Redactor
from analysis.run.phases import Phase
from analysis.run.snapshot import Measure, Measured, Skipped, Unmeasurable

_READ_CHARACTERS = 1024 * 1024
_SHOWN_CHARACTERS = 64 * 1024
"""So much is left when secrets were replaced; what is stored is much shorter."""
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key"})

NO_DATA_PHASES = {
    NoData.ERROR: Phase.ERROR,
    NoData.FAILED: Phase.FAILED,
    NoData.INCONCLUSIVE: Phase.INCONCLUSIVE,
    NoData.SUCCESSFUL: Phase.SUCCESSFUL,
}
"""What a measurement without data counts as; `skip` has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A measurement that is ready to be sent. Holds secrets: it lives as long as the measurement and is never shown."""

    metric: Mapping[str, Any] = field(repr=False)
    provider: Provider
    request: HttpRequest = field(repr=False)
    redactor: Redactor = field(repr=False)
    started_at: datetime
    no_data: NoData | None = None
    has_secret_condition: bool = False
    """Whether a secret is part of a condition, whose error texts could then show pieces of it."""

    @property
    def provider_spec(self) -> Mapping[str, Any]:
        """The provider's own block, arguments filled in."""
        return self.metric["provider"][self.provider.name]  # type: ignore[no-any-return]


def prepare(
    measure: Measure, *, secrets: Mapping[str, str], providers: Mapping[str, Provider], now: datetime
) -> Prepared | Measured | Unmeasurable:
    """Fill in arguments and secrets and ask the provider for its request.

    Returns a measurement in Error at once when the provider cannot make a request of the metric.
    """
    redactor = Redactor.of(secrets.values())
    try:
        metric = substitute(measure.metric, tags(measure.arguments, secrets=secrets))
    except InvalidAnalysis as error:
        return Unmeasurable(redactor.text(f"Unable to resolve metric arguments: {error}"))
    name = next((key for key, block in metric["provider"].items() if block is not None), "")
    if name not in providers:
        return Unmeasurable(f"Analysis spec invalid: provider {name} is not served yet")
    spec = metric["provider"][name]
    redactor = Redactor.of((*secrets.values(), *_written_secrets(spec)))
    try:
        request = providers[name].request(spec, Window(now))
    except BadMetric as error:
        return _erred(str(error), redactor, started_at=now, finished_at=now)
    except (TypeError, ValueError, KeyError, AttributeError):
        return _erred(
            f"the {name} provider of the metric cannot be read; check the types of its fields",
            redactor,
            started_at=now,
            finished_at=now,
        )
    return Prepared(
        metric=metric,
        provider=providers[name],
        request=request,
        redactor=redactor,
        started_at=now,
        no_data=measure.no_data,
        has_secret_condition=_has_secret_condition(measure, secrets),
    )


def _has_secret_condition(measure: Measure, secrets: Mapping[str, str]) -> bool:
    written = f"{measure.metric.get('successCondition')} {measure.metric.get('failureCondition')}"
    return any(f"args.{name}" in written for name in secrets)


def _written_secrets(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the credentials that a manifest carries in clear text: they are not repeated in texts either."""
    authentication = spec.get("authentication") or {}
    basic, oauth2 = authentication.get("basicAuth") or {}, authentication.get("oauth2") or {}
    headers = (header for header in spec.get("headers") or () if str(header.get("key") or "").lower() in _SECRET_HEADERS)
    values = (basic.get("password"), oauth2.get("clientSecret"), *(header.get("value") for header in headers))
    return tuple(str(value) for value in values if value)


def conclude(prepared: Prepared, response: HttpResponse, *, now: datetime) -> Measured | Skipped:
    """Read the answer and judge it by the metric's conditions (spec/analysis.md 1.3), or by the policy when there is no data."""
    try:
        sample = prepared.provider.parse(prepared.provider_spec, response)
    except BadResponse as error:
        return failed(prepared, _reading_error(prepared, response, error), now=now)
    if prepared.no_data is not None and is_no_data(sample.value):
        phase, message = NO_DATA_PHASES.get(prepared.no_data), no_data_text(sample.value, prepared.no_data)
        if phase is None:
            return Skipped(finished_at=now, message=message)
    else:
        verdict = _judge(prepared, sample, sample.value, now)
        phase, message = Phase(verdict.phase.value), _judging_error(prepared, sample, now) if verdict.message else ""
    return Measured(
        phase=phase,
        value=prepared.redactor.beginning(str(sample.value) if sample.text is None else sample.text, _SHOWN_CHARACTERS),
        message=prepared.redactor.text(message),
        metadata=prepared.redactor.entries(sample.metadata),
        started_at=prepared.started_at,
        finished_at=now,
    )


def _judge(prepared: Prepared, sample: Sample, value: Any, now: datetime) -> Verdict:
    return judge(
        value,
        sample.static_type,
        success_condition=str(prepared.metric.get("successCondition") or ""),
        failure_condition=str(prepared.metric.get("failureCondition") or ""),
        now=now,
    )


def _reading_error(prepared: Prepared, response: HttpResponse, error: BadResponse) -> str:
    """Return what could not be read, from an answer in which secrets were replaced before anything was cut off."""
    if prepared.redactor.is_idle:
        return str(error)
    body = prepared.redactor.beginning(response.body.decode(errors="replace"), _READ_CHARACTERS).encode()
    headers = prepared.redactor.entries(response.headers)
    try:
        prepared.provider.parse(prepared.provider_spec, replace(response, body=body, headers=headers))
    except BadResponse as shown:
        return str(shown)
    return "the answer cannot be read; its text is not shown because it repeats a secret"


def _judging_error(prepared: Prepared, sample: Sample, now: datetime) -> str:
    """Return what went wrong with a condition, from a value in which secrets were replaced before anything was cut off."""
    if prepared.has_secret_condition:
        return "could not evaluate a condition; its text is not shown because it holds a secret"
    verdict = _judge(prepared, sample, prepared.redactor.value(sample.value), now)
    return verdict.message or "could not evaluate a condition; its text is not shown because the result holds a secret"


def failed(prepared: Prepared, message: str, *, now: datetime) -> Measured:
    """Return the measurement in Error with this text, secrets redacted."""
    return _erred(message, prepared.redactor, started_at=prepared.started_at, finished_at=now)


def _erred(message: str, redactor: Redactor, *, started_at: datetime, finished_at: datetime) -> Measured:
    return Measured(phase=Phase.ERROR, message=redactor.text(message), started_at=started_at, finished_at=finished_at)
