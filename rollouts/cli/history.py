"""Options and times of the commands that look at the past, and their connection to Prometheus.

Must not: print, or import the client before somebody asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

from rollouts.cli.patches import Refused
from rollouts.cli.session import Session, duration

if TYPE_CHECKING:
    from analysis.history.client import Address, History

CommandT = TypeVar("CommandT", bound=Callable[..., Any])
_DAYS = re.compile(r"([0-9]+)([dw])")
_MOST_DAYS = 36_500
_EXTENSION = "rollouts"
"""Of a cluster in a kubeconfig; `rollouts sandbox` writes one."""
_CLUSTER_NAME = re.compile(r"[a-z0-9-]+(\.[a-z][a-z0-9-]*(\.svc(\.cluster\.local)?)?)?")
_OPTIONS = (
    click.option(
        "--address", envvar="ARGO_ROLLOUTS_PROMETHEUS_ADDRESS", default="", help="URL of Prometheus; wins over the template's."
    ),
    click.option("--header", "headers", multiple=True, help="HTTP header for Prometheus, 'Name: value'; several times if needed."),
    click.option("--insecure", is_flag=True, help="Do not check the certificate of Prometheus."),
    click.option("--ca-file", envvar="SSL_CERT_FILE", default="", help="File of the authorities to trust for Prometheus."),
    click.option("--timeout", default="30s", show_default=True, help="How long to wait for one answer of Prometheus."),
)


def prometheus_options(command: CommandT) -> CommandT:
    """Give a command the options that say how to reach Prometheus."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_headers(texts: Iterable[str]) -> dict[str, str]:
    """Read `Name: value` texts.

    Raises:
        Refused: one of them is something else; its value is not repeated.
    """
    headers: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition(":")
        if not sign or not name.strip():
            raise Refused("a header must be of the form 'Name: value'")
        headers[name.strip()] = value.strip()
    return headers


def span(text: str, *, option: str) -> timedelta:
    """Read a positive length of time: a Go duration, or whole days or weeks as in `7d`.

    Raises:
        Refused: it is something else.
    """
    if days := _DAYS.fullmatch(text):
        found = timedelta(days=min(int(days[1]) * (7 if days[2] == "w" else 1), _MOST_DAYS))
    else:
        try:
            found = timedelta(seconds=duration(text))
        except click.BadParameter as error:
            raise Refused(f"--{option}: {error.message}") from error
    if found < timedelta(milliseconds=1):
        raise Refused(f"--{option} must be positive, not {text}")
    return found


def moment(text: str, *, now: datetime) -> datetime:
    """Read a time: RFC 3339, or seconds since 1970; nothing means now.

    Raises:
        Refused: it is something else.
    """
    from kube.objects import parse_time

    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        pass  # not a number: it may be written out
    try:
        return parse_time(text) or now
    except ValueError as error:
        raise Refused(f"{text!r} is no time; write it like 2026-08-01T12:00:00Z, or as seconds since 1970") from error


def address(url: str, given: Mapping[str, Any], **more: Any) -> Address:
    """Return where to ask: the options of a command, and what a metric adds.

    The kubeconfig of a sandbox says where its Prometheus is, and which proxy knows the names of the cluster.

    Raises:
        Refused: there is no address.
    """
    from analysis.history.client import Address

    known = _known_of_cluster()
    url = url or str(known.get("prometheus") or "")
    if not url:
        raise Refused("no Prometheus address; give it with --address or ARGO_ROLLOUTS_PROMETHEUS_ADDRESS")
    headers = {**more.pop("headers", {}), **read_headers(given["headers"])}
    insecure = bool(given["insecure"] or more.pop("insecure", False))
    timeout_seconds = span(given["timeout"], option="timeout").total_seconds()
    ca_file = given["ca_file"] or None
    proxy = str(known.get("name-proxy") or "") if _is_name_of_cluster(url) else ""
    return Address(
        url=url, headers=headers, insecure=insecure, ca_file=ca_file, timeout_seconds=timeout_seconds, proxy=proxy or None, **more
    )


def _known_of_cluster() -> Mapping[str, Any]:
    """Return what the kubeconfig says about its cluster beside the API's address; nothing when there is none."""
    from kube.errors import InvalidConfig

    session = click.get_current_context().find_object(Session) or Session({})
    try:
        return session.connection().extensions.get(_EXTENSION, {})
    except InvalidConfig:
        return {}


def _is_name_of_cluster(url: str) -> bool:
    """Tell whether only the cluster's own DNS knows a host: `NAME`, `NAME.NAMESPACE` or something under `.svc`."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return False  # refused where it is asked
    return bool(_CLUSTER_NAME.fullmatch(host)) and host != "localhost"


@contextmanager
def asking(where: Address) -> Iterator[History]:
    """Open Prometheus; what goes wrong with it ends the command with its one sentence."""
    from analysis.history.answers import HistoryError
    from analysis.history.client import History

    try:
        with History(where) as history:
            yield history
    except HistoryError as error:
        raise Refused(str(error)) from error
