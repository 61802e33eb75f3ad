"""Whatever people write, Envoy takes the rest: an odd object never blocks the others' changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from gateway_harness import App, ask, running_apps, running_gateway

from kube.objects import Object
from sandbox.gateway.gateway import Gateway
from sandbox.gateway.world import World
from tests.gateway_objects import OWN, canary_ingress, destination, endpoints, ingress, path, service, virtual_service

ADDRESS = f"{OWN}.85.1"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """One for all of them: each object in turn is put into it."""
    async with running_apps(App("web", ADDRESS)), running_gateway(tmp_path_factory.mktemp("odd")) as found:
        yield found


def istio(**http: Any) -> Object:
    """A VirtualService with one odd route."""
    return virtual_service("odd", {"route": [destination("web")], **http}, hosts=["api"])


def istio_match(**match: Any) -> Object:
    """A VirtualService with one odd match."""
    return istio(match=[match])


ODD_ISTIO = {
    "weights beyond 32 bits": istio(route=[destination("web", 2**31), destination("api", 2**32)]),
    "a negative weight": istio(route=[destination("web", -5), destination("api", 105)]),
    "weights that are all zero": istio(route=[destination("web", 0), destination("api", 0)]),
    "a weight that is text": istio(route=[destination("web", "many"), destination("api", 1)]),  # type: ignore[arg-type]
    "no route at all": istio(route=[]),
    "a destination without host": istio(route=[{"destination": {}}]),
    "a port beyond all ports": istio(route=[{"destination": {"host": "web", "port": {"number": 99999}}}]),
    "a header value with a line break": istio(headers={"request": {"set": {"x-a": "a\r\nb: c"}}}),
    "a header value with format signs": istio(headers={"response": {"set": {"x-a": "100%", "x-b": "%REQ(x)%"}}}),
    "a header name with a space": istio(headers={"request": {"set": {"x a": "b"}}}),
    "a pseudo header to set": istio(headers={"request": {"set": {":path": "/"}}}),
    "the Host to set": istio(headers={"request": {"set": {"Host": "x"}}}),
    "the Host to remove": istio(headers={"request": {"remove": ["host", ":path", "a b"]}}),
    "a timeout that is no duration": istio(timeout="soon"),
    "a timeout of centuries": istio(timeout="999999999999h"),
    "a negative timeout": istio(timeout="-5s"),
    "a thousand retries": istio(retries={"attempts": 100000, "perTryTimeout": "1s", "retryOn": "whatever,5xx"}),
    "negative retries": istio(retries={"attempts": -1}),
    "a rewrite without slash": istio(rewrite={"uri": "x", "authority": "a b"}),
    "a rewrite by a broken expression": istio(rewrite={"uriRegexRewrite": {"match": "(", "rewrite": "x"}}),
    "a rewrite with an unknown group": istio(rewrite={"uriRegexRewrite": {"match": "a", "rewrite": "\\9"}}),
    "a redirect with an odd code": istio(redirect={"uri": "/x", "redirectCode": 999, "port": 99999}),
    "a direct answer with an odd status": istio(directResponse={"status": 9999, "body": {"string": "x" * 5000}}),
    "a direct answer of status zero": istio(directResponse={"status": 0}),
    "a mirror to nobody, of 1000 %": istio(mirror={"host": "nobody"}, mirrorPercentage={"value": 1000}),
    "a mirror of not-a-number": istio(mirror={"host": "web"}, mirrorPercentage={"value": float("nan")}),
    "a broken expression": istio_match(uri={"regex": "("}),
    "an expression that is huge": istio_match(uri={"regex": "(a{1,900}){1,900}"}),
    "an empty exact path": istio_match(uri={"exact": ""}),
    "an empty expression": istio_match(uri={"regex": ""}),
    "a path of no slash": istio_match(uri={"prefix": "abc"}),
    "an empty header name": istio_match(headers={"": {"exact": "a"}}),
    "a header with an empty value": istio_match(headers={"x-a": {"exact": ""}}),
    "a header with a line break": istio_match(headers={"x-a": {"exact": "a\nb"}, "x-b": {"regex": "a\nb"}}),
    "an empty query name": istio_match(queryParams={"": {"exact": "a"}}),
    "a match that is text": istio(match=["x"]),
    "a route that is text": virtual_service("odd", "x", hosts=["api"]),  # type: ignore[arg-type]
    "hosts that clash": virtual_service(
        "odd", {"route": [destination("web")]}, hosts=["x.test", "X.test", "web.shop", "*", "*.test", "a b"]
    ),
    "hosts with a port": virtual_service("odd", {"route": [destination("web")]}, hosts=["x.test:80", "x.test"]),
    "a subset of line breaks": istio(route=[destination("web", subset="a\n|b")]),
}


@pytest.mark.parametrize("odd", [pytest.param(obj, id=name) for name, obj in ODD_ISTIO.items()])
async def test_an_odd_virtual_service_blocks_nothing(gateway: Gateway, odd: Object) -> None:
    services = (service("web", f"{OWN}.185.1"), service("api", f"{OWN}.185.2"))
    gateway.apply(
        World(
            services=services,
            slices=(endpoints("web", [ADDRESS]),),
            ingresses=(ingress("web", path("web")),),
            virtual_services=(odd,),
        )
    )
    await gateway.confirmed()
    assert await ask(f"http://{gateway.ingress}/") == {(200, "web"): 1}
    assert await ask("http://web.shop/", proxy=f"http://{gateway.proxy}") == {(200, "web"): 1}


ODD_INGRESS = {
    "paths that clash": ingress("odd", path("web"), path("api"), path("web", "/", kind="Exact")),
    "a path with slashes at its end": ingress("odd", path("web", "/a//"), path("web", "/a/"), path("web", "//")),
    "a path of signs": ingress(
        "odd", path("web", "/a b"), path("web", "/a?b"), path("web", "/%00"), path("web", "/\x00"), path("web", "/é")
    ),
    "an unknown path type": ingress("odd", path("web", kind="Regex")),
    "hosts of signs": ingress(
        "odd", rules=[{"host": host, "http": {"paths": [path("web")]}} for host in ("a..b", "-a", "*", "*.*", "é.test")]
    ),
    "the same host in other letters": ingress("odd", path("web"), host="SHOP.test"),
    "a resource backend": ingress("odd", {"path": "/x", "pathType": "Prefix", "backend": {"resource": {"kind": "Bucket"}}}),
    "no http": ingress("odd", rules=[{"host": "shop.test"}]),
    "a null in every place": ingress("odd", rules=[None], defaultBackend=None, tls=None),
    "a canary of odd annotations": canary_ingress(
        "odd", path("api"), weight="-1", weight_total="x", by_header="a b", by_header_pattern="(?=x)", by_cookie="a;b"
    ),
    "a canary header value with a line break": canary_ingress("odd", path("api"), by_header="x-a", by_header_value="a\nb"),
    "a canary pattern that is huge": canary_ingress("odd", path("api"), by_header="x-a", by_header_pattern="(a{1,900}){1,900}"),
    "a canary weight beyond all": canary_ingress("odd", path("api"), weight=2**40, weight_total=2**40),
}


@pytest.mark.parametrize("odd", [pytest.param(obj, id=name) for name, obj in ODD_INGRESS.items()])
async def test_an_odd_ingress_blocks_nothing(gateway: Gateway, odd: Object) -> None:
    services = (service("web", f"{OWN}.185.1"), service("api", f"{OWN}.185.2"), service("good"))
    slices = (endpoints("web", [ADDRESS]), endpoints("api", [ADDRESS]), endpoints("good", [ADDRESS]))
    good = ingress("good", path("good"), host="good.test", age=5)
    gateway.apply(World(services=services, slices=slices, ingresses=(odd, ingress("web", path("web"), age=6), good)))
    await gateway.confirmed()
    assert await ask(f"http://{gateway.ingress}/", host="good.test") == {(200, "web"): 1}


ODD_SERVICES = {
    "ports that clash": service("odd", f"{OWN}.185.9", ports=[{"name": "a", "port": 80}, {"name": "b", "port": 80}]),
    "a port that is text": service("odd", f"{OWN}.185.9", ports=[{"port": "http"}]),
    "a port beyond all ports": service("odd", f"{OWN}.185.9", ports=[{"port": 99999}]),
    "a port of zero": service("odd", f"{OWN}.185.9", ports=[{"port": 0}]),
    "an address that is none": service("odd", "not-an-address"),
    "an address elsewhere": service("odd", "10.0.0.1"),
    "an address that somebody has": service("odd", f"{OWN}.185.1"),
    "UDP": service("odd", f"{OWN}.185.9", ports=[{"port": 53, "protocol": "UDP"}]),
    "an IPv6 address": service("odd", "::1"),
    "a name outside": service("odd", type="ExternalName", externalName="example.com"),
    "no spec": {"kind": "Service", "metadata": {"namespace": "shop", "name": "odd"}},
}


@pytest.mark.parametrize("odd", [pytest.param(obj, id=name) for name, obj in ODD_SERVICES.items()])
async def test_an_odd_service_blocks_nothing(gateway: Gateway, odd: Object) -> None:
    slices = (endpoints("web", [ADDRESS]), endpoints("odd", ["not-an-address", "::1", "10.0.0.1"], port=99999))
    gateway.apply(World(services=(service("web", f"{OWN}.185.1"), odd), slices=slices))
    await gateway.confirmed()
    assert await ask(f"http://{OWN}.185.1/") == {(200, "web"): 1}
