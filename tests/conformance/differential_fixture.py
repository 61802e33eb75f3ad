"""The two servers that the differential tests compare, started once for all of them.

Owns when the tests are skipped: without the programs of a real control plane, except where CI=true says that they must be there.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from differential_normal import Compare, Normal, differences
from differential_requests import Case, Session, create, served, session
from differential_servers import embedded_server, real_server

from sandbox.apiserver.assets.third_party import third_party_definitions
from sandbox.apiserver.installing import project_definitions
from sandbox.controlplane.programs import NoControlPlane, Programs, find

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
INSTALLED_GROUPS = ("argoproj.io", "networking.istio.io")


def _programs() -> Programs:
    try:
        return find()
    except NoControlPlane as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI compares with a real control plane: {reason}", pytrace=False)
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def compare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compare]:
    """Send a case to both servers; what comes back says what differs, and is empty when they agree."""
    programs, folder = _programs(), tmp_path_factory.mktemp("differential")
    with ExitStack() as stack:
        servers = [stack.enter_context(embedded_server(folder)), stack.enter_context(real_server(programs, folder))]
        for server in servers:
            with session(server, "definitions") as one:
                install(one)
        numbers = itertools.count(1)

        def compared(case: Case) -> str:
            namespace = f"case{next(numbers)}"
            told = []
            for server in servers:
                with session(server, namespace) as one:
                    normal = Normal()
                    told.append([normal.of(one.send(ask)) for ask in case.asks])
            return differences(case, *told)

        yield compared


def install(one: Session) -> None:
    """Create the definitions that cases use, and wait until their kinds are served."""
    for definition in _definitions():
        made = one.send(create(DEFINITIONS, definition))
        if made.status != 201:
            raise RuntimeError(f"{definition['metadata']['name']} cannot be installed: {made.body}")
    for definition in _definitions():
        spec = definition["spec"]
        for version in spec["versions"]:
            one.send(served(f"/apis/{spec['group']}/{version['name']}/{spec['names']['plural']}"))


def _definitions() -> list[dict[str, Any]]:
    return [item for item in (*project_definitions(), *third_party_definitions()) if item["spec"]["group"] in INSTALLED_GROUPS]
