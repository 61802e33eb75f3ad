"""Asking Prometheus about the past, through prometheus-api-client; the only module that imports it.

The library returns no result type and no warnings, has no time limit of its own, takes any 200 for a success and rounds times to
whole seconds (spec/analysis.md 3). Each is mended here, in the session it sends with. Must not: be imported before somebody asks,
follow redirects, or put a credential, a query of an address or user information into an error text.
"""

from __future__ import annotations

import io
import json
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

import requests
from prometheus_api_client import PrometheusConnect
from urllib3.exceptions import InsecureRequestWarning
from urllib3.util.retry import Retry

from analysis.history.answers import Answer, HistoryError, chunks, merged
from analysis.providers.base import HttpResponse
from analysis.providers.http import first_bytes
from analysis.redaction import Redactor

_MAXIMUM_BODY_BYTES = 128 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_ADVICE = {
    401: "it wants credentials; give them with --header 'Authorization: Bearer TOKEN'",
    403: "the credentials are not enough; give others with --header 'Authorization: Bearer TOKEN'",
    404: "there is no Prometheus API under this address; a path such as /prometheus may be missing",
    414: "the query is too long for one address line; shorten it, or make it a recording rule",
    429: "it is asked too much; try again later, or ask for less with --since and --step",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where Prometheus is, and how to talk to it. Holds secrets: it is never shown."""

    url: str = field(repr=False)
    """User information in it becomes basic auth, a query such as `?tenant=a` goes along with every request."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)
    insecure: bool = False
    """Do not check the server's certificate."""
    ca_file: str | None = None
    proxy: str | None = None
    """URL of the HTTP proxy to use instead of the environment's."""
    timeout_seconds: float = 30.0
    """For one request, its whole answer included; the server is told too."""


class History:
    """One Prometheus; use it as a context manager. Synchronous: run it in a thread where others wait."""

    def __init__(self, address: Address, *, clock: Callable[[], float] = time.monotonic) -> None:
        parts, self._origin = _parts(address.url)
        basic = address.basic or _basic_in(parts.username, parts.password)
        self._redactor = Redactor.of((*(basic or ())[1:], *_secret_headers(address.headers)))
        self._timeout_seconds = address.timeout_seconds
        self._clock = clock
        self._deadline = 0.0
        self._envelope: Mapping[str, Any] = {}
        self._session = _session(address, dict(parse_qsl(parts.query)))
        self._session.hooks["response"].append(self._receive)
        place = parts._replace(netloc=parts.netloc.rpartition("@")[2], path=parts.path.rstrip("/"), query="", fragment="")
        self._prometheus = PrometheusConnect(
            url=urlunsplit(place),
            headers=dict(address.headers),
            auth=basic,
            session=self._session,
            timeout=address.timeout_seconds,
            retry=_retries(),
        )

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()

    def instant(self, query: str, *, at_ms: int) -> Answer:
        """Ask for the value at one moment, in milliseconds since 1970.

        Raises:
            HistoryError: no answer, or not one of Prometheus; one sentence.
        """
        return self._ask(self._prometheus.custom_query, query, params={"time": _seconds(at_ms)})

    def range(self, query: str, *, start_ms: int, end_ms: int, step_ms: int) -> Answer:
        """Ask for the values from `start_ms` on every `step_ms` until `end_ms`; the result is one matrix, however many requests.

        Raises:
            HistoryError: no answer, or not one of Prometheus; one sentence.
        """
        answers = []
        for start, end in chunks(start_ms, end_ms, step_ms):
            # the times of the signature are rounded to whole seconds; those in `params` win over them
            exact = {"start": _seconds(start), "end": _seconds(end)}
            times = {"start_time": _moment(start), "end_time": _moment(end), "step": _seconds(step_ms)}
            answers.append(self._ask(self._prometheus.custom_query_range, query, params=exact, **times))
        return merged(answers)

    def _ask(self, call: Callable[..., Any], query: str, *, params: Mapping[str, str], **more: Any) -> Answer:
        self._deadline = self._clock() + self._timeout_seconds
        self._envelope = {}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", InsecureRequestWarning)  # who says --insecure knows
                call(query, params={**params, "timeout": f"{self._timeout_seconds:g}s"}, **more)
            data = self._envelope["data"]
            told = tuple(self._redactor.text(str(one)) for one in self._envelope.get("warnings") or ())
            return Answer(str(data["resultType"]), data["result"], told)
        except HistoryError:
            raise
        except requests.exceptions.Timeout:
            raise self._too_slow() from None
        except requests.exceptions.SSLError:
            raise self._error("has a certificate that is not trusted; give its authority with --ca-file, or --insecure") from None
        except requests.exceptions.InvalidHeader:
            raise HistoryError("a header has characters that HTTP does not allow; mend the --header") from None
        except requests.exceptions.RequestException as error:
            raise self._error(f"cannot be reached ({_cause(error)}); check --address and that something listens there") from None
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._error("answered in an unknown form; is this a Prometheus?") from None

    def _receive(self, response: requests.Response, **_: Any) -> requests.Response:
        """Read the answer under our limits, refuse what is none, and keep what the library drops."""
        with response:
            if response.is_redirect:
                raise self._error(f"redirects to {self._target(response)}; give that as --address if it is meant")
            body = self._read(response)
        self._envelope = self._read_envelope(
            HttpResponse(response.status_code, {key.lower(): value for key, value in response.headers.items()}, body)
        )
        read = requests.Response()
        read.status_code, read.headers, read.url = response.status_code, response.headers, response.url
        read.request, read.raw = response.request, io.BytesIO(body)
        return read

    def _read(self, response: requests.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_content(_CHUNK_BYTES):
            body += chunk
            if len(body) > _MAXIMUM_BODY_BYTES:
                raise self._error(
                    f"answers with more than {_MAXIMUM_BODY_BYTES >> 20} MiB; ask for fewer series, or a shorter time"
                )
            if self._clock() > self._deadline:
                raise self._too_slow()
        return bytes(body)

    def _read_envelope(self, response: HttpResponse) -> Mapping[str, Any]:
        try:
            envelope = json.loads(response.body)
        except (ValueError, RecursionError):
            envelope = None
        if isinstance(envelope, dict) and envelope.get("status") == "error":
            raise self._error(f"refuses the query: {envelope.get('errorType') or 'error'}: {envelope.get('error') or 'no text'}")
        if response.status in _ADVICE:
            raise self._error(f"answered {response.status}: {_ADVICE[response.status]}")
        if response.status != 200:
            raise self._error(f"answered {response.status}: {first_bytes(response)}")
        if not isinstance(envelope, dict) or envelope.get("status") != "success":
            raise self._error(f"does not answer like Prometheus but with {first_bytes(response)}; is the address right?")
        return envelope

    def _target(self, response: requests.Response) -> str:
        try:
            parts = urlsplit(response.headers.get("location", ""))
        except ValueError:
            return "something that is not a URL"
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else "another path"

    def _too_slow(self) -> HistoryError:
        return self._error(f"gave no complete answer within {self._timeout_seconds:g} s; ask for less, or give a longer --timeout")

    def _error(self, what: str) -> HistoryError:
        return HistoryError(f"Prometheus at {self._origin} {self._redactor.text(what)}")


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _parts(url: str) -> tuple[Any, str]:
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts, port = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise HistoryError("the Prometheus address is not a URL; it must read like http://prometheus.monitoring:9090")
    return parts, f"{parts.scheme}://{parts.hostname}{port}"


def _basic_in(user: str | None, password: str | None) -> tuple[str, str] | None:
    return (unquote(user or ""), unquote(password or "")) if user or password else None


def _secret_headers(headers: Mapping[str, str]) -> list[str]:
    """Return header values that are secret as a whole, and the token of `Bearer TOKEN` by itself."""
    values = [value for name, value in headers.items() if name.lower() != "x-scope-orgid"]
    return [*values, *(value.rpartition(" ")[2] for value in values)]


def _session(address: Address, params: Mapping[str, str]) -> requests.Session:
    session = requests.Session()
    session.verify = False if address.insecure else address.ca_file or True
    session.params = dict(params)
    session.auth = _no_netrc
    if address.proxy:
        session.trust_env = False  # the environment's proxies would win
        session.proxies = {"http": address.proxy, "https": address.proxy}
    return session


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Proxies come from the environment, credentials do not."""
    return request


def _retries() -> Retry:
    """Ask a busy server again, not one that is not there or too slow: somebody is waiting."""
    return Retry(
        total=2,
        connect=0,
        read=False,
        backoff_factor=0.2,
        status_forcelist=(503,),
        allowed_methods=("GET",),
        respect_retry_after_header=False,
        raise_on_status=False,
    )


def _seconds(milliseconds: int) -> str:
    whole, rest = divmod(milliseconds, 1000)
    return f"{whole}.{rest:03d}" if rest else str(whole)


def _cause(error: Exception) -> str:
    """Return the innermost reason: the library wraps it in the whole address, query included."""
    reason: Any = error
    while isinstance(reason, Exception) and (inner := getattr(reason, "reason", None) or next(iter(reason.args), None)):
        if not isinstance(inner, Exception):
            break
        reason = inner
    text = str(reason).rpartition(": ")[2]
    return type(reason).__name__ if "/api/v1/" in text else text
