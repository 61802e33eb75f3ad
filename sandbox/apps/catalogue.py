"""Which program stands for which image.

Owns the list. Must not: start programs, or guess at images that nobody allowed.
"""

from __future__ import annotations

import enum
import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.apps.behaviour import NORMAL, Behaviour


class Program(enum.Enum):
    """What is run."""

    WEB = "web"
    """The demo application, and whatever else answers HTTP (sandbox/apps/web.py)."""
    SHELL = "shell"
    """The container's own command, as a local process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A program with what the image says about it."""

    program: Program
    name: str
    version: str
    behaviour: Behaviour = NORMAL
    port: int = 8080
    """Where it listens when no containerPort says otherwise."""
    color: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no such image; the message says what to do."""

    message: str


COLORS = ("red", "orange", "yellow", "green", "blue", "purple")
SHOP = {
    "bad": Behaviour(error_every=3),
    "slow": Behaviour(latency_ms=800),
    "crash": Behaviour(crash_after_s=0.2),
    "unready": Behaviour(ready=False),
}
SHELLS = ("busybox", "alpine", "debian", "ubuntu", "bash")
WEB_ON_80 = ("nginx", "httpd", "caddy", "traefik/whoami", "ikubernetes/spring-boot-helloworld", "kennethreitz/httpbin")
ALLOW_ANNOTATION = "sandbox/any-image"
"""A pod annotated with `"true"` runs the echo program for any image name."""


def look_up(image: str, *, allowed: Sequence[str] = ()) -> Entry | Missing:
    """Return what runs for an image.

    Args:
        image: as in the container: registry, name, tag and digest, all but the name optional.
        allowed: patterns (`*`, `ghcr.io/acme/*`) of further names that run the HTTP echo program.

    >>> look_up("shop:bad").behaviour.error_every
    3
    """
    name, tag = split(image)
    if name == "shop":
        return _shop(tag)
    if name == "argoproj/rollouts-demo":
        return _demo(tag)
    if name in WEB_ON_80:
        return Entry(program=Program.WEB, name=name.rpartition("/")[2], version=tag, port=80)
    if name in SHELLS:
        return Entry(program=Program.SHELL, name=name, version=tag)
    if any(fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(image, pattern) for pattern in allowed):
        return Entry(program=Program.WEB, name=name.rpartition("/")[2], version=tag)
    known = ", ".join(("shop:<version>", "argoproj/rollouts-demo:<color>", *WEB_ON_80, *SHELLS))
    return Missing(
        f"the sandbox has no program for image \"{image}\"; it knows {known}. Start the node agent with --allow-image '{name}' "
        f'or annotate the pod with {ALLOW_ANNOTATION}: "true" to run an HTTP echo under this name'
    )


def split(image: str) -> tuple[str, str]:
    """Return the name, without Docker Hub's prefixes, and the tag (`latest` when there is none).

    >>> split("docker.io/library/nginx:1.27@sha256:abc")
    ('nginx', '1.27')
    """
    rest = image.partition("@")[0]
    head, colon, tag = rest.rpartition(":")
    name, tag = (head, tag) if colon and "/" not in tag else (rest, "latest")
    for prefix in ("docker.io/", "index.docker.io/", "library/"):
        name = name.removeprefix(prefix)
    return name, tag


def _shop(tag: str) -> Entry | Missing:
    behaviour = next((one for word, one in SHOP.items() if tag == word or tag.endswith(f"-{word}")), NORMAL)
    if tag == "missing":
        return Missing('image "shop:missing" is there to show what a wrong tag looks like; use another tag')
    return Entry(program=Program.WEB, name="shop", version=tag, behaviour=behaviour)


def _demo(tag: str) -> Entry | Missing:
    color, behaviour = tag, NORMAL
    for prefix, said in (("bad-", Behaviour(error_every=2)), ("slow-", Behaviour(latency_ms=2000))):
        if tag.startswith(prefix):
            color, behaviour = tag.removeprefix(prefix), said
    if color not in COLORS:
        colors = ", ".join(COLORS)
        return Missing(
            f'argoproj/rollouts-demo has no tag "{tag}"; its tags are {colors}, each also as bad-<color> and slow-<color>'
        )
    return Entry(program=Program.WEB, name="rollouts-demo", version=tag, behaviour=behaviour, color=color)
