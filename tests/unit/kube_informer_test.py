"""The informer: whatever the wire does, the store ends up as the cluster is, and each change is told once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from kube_fakes import (
    WIDGET,
    LoopClock,
    ScriptedStream,
    ScriptedTransport,
    Steady,
    bookmark,
    line,
    listing,
    refusal,
    widget,
)

from kube.client import Client
from kube.errors import Unreachable
from kube.informer import Informer
from kube.kinds import NODE
from kube.lines import lines
from kube.objects import Object
from kube.transport import Response

pytestmark = pytest.mark.looptime


@dataclass
class Scene:
    informer: Informer
    transport: ScriptedTransport
    told: list[str] = field(default_factory=list)

    def tell(self, old: Object | None, new: Object | None) -> None:
        def text(obj: Object | None) -> str:
            return f"{obj['metadata']['name']}@{obj['metadata']['resourceVersion']}" if obj else ""

        self.told.append(f"{text(old)}>{text(new)}")

    @property
    def names(self) -> list[str]:
        return [obj["metadata"]["name"] for obj in self.informer.store.all()]

    @property
    def resumed_from(self) -> list[str]:
        return [sent.query["resourceVersion"] for sent in self.transport.watched]


@asynccontextmanager
async def informed(
    answers: Iterable[Any] = (), streams: Iterable[Any] = (), *, seconds: float = 30.0, **options: Any
) -> AsyncIterator[Scene]:
    """Run an informer against a script for some (virtual) time."""
    transport = ScriptedTransport(answers, streams)
    clock = LoopClock()
    client = Client(transport, clock=clock, random=Steady())  # type: ignore[arg-type]
    kind = options.pop("kind", WIDGET)
    informer = Informer(client, kind, clock=clock, random=Steady(), **options)  # type: ignore[arg-type]
    scene = Scene(informer, transport)
    informer.on_change(scene.tell)
    task = asyncio.create_task(informer.run())
    try:
        await asyncio.sleep(seconds)
        yield scene
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def stream(*script: bytes | Exception, open_: bool = True) -> ScriptedStream:
    return ScriptedStream(script=script, stays_open=open_)


ADDED_B = line("ADDED", widget("b", "11"))


async def test_it_lists_then_follows_changes() -> None:
    script = stream(ADDED_B, line("MODIFIED", widget("a", "12")), line("DELETED", widget("b", "13")))
    async with informed([listing(widget("a"))], [script]) as scene:
        assert scene.informer.has_synced
        assert scene.names == ["a"]
        assert scene.told == [">a@1", ">b@11", "a@1>a@12", "b@11>"]
        assert scene.transport.watched[0].query["allowWatchBookmarks"] == "true"
        assert scene.resumed_from == ["10"]


async def test_what_only_servers_read_is_not_kept() -> None:
    full = widget("a")
    full["metadata"] |= {
        "managedFields": [{}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "1"},
    }
    async with informed([listing(full)]) as scene:
        kept = scene.informer.store.all()[0]["metadata"]
        assert "managedFields" not in kept
        assert kept["annotations"] == {"mine": "1"}


async def test_a_transform_decides_what_else_is_kept() -> None:
    def small(obj: dict[str, Any]) -> Object:
        return {"metadata": obj["metadata"]}

    async with informed([listing(widget("a", spec={"big": 1}))], [stream(ADDED_B)], transform=small) as scene:
        assert all(set(obj) == {"metadata"} for obj in scene.informer.store.all())
        assert scene.names == ["a", "b"]


END_OF_STREAM = stream(ADDED_B, open_=False)
BROKEN = stream(ADDED_B, Unreachable("reset by peer"))
SERVER_RESTARTED = stream(ADDED_B, line("ERROR", {"kind": "Status", "code": 500, "message": "etcd leader changed"}))
TIMED_OUT = stream(ADDED_B, line("ERROR", {"kind": "Status", "code": 504, "reason": "Timeout"}))
CUT_LINE = stream(ADDED_B, line("ADDED", widget("c", "12"))[:20], open_=False)


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(END_OF_STREAM, id="the server ends the stream"),
        pytest.param(BROKEN, id="the connection is reset"),
        pytest.param(SERVER_RESTARTED, id="an error 500 in the stream"),
        pytest.param(TIMED_OUT, id="an error 504 in the stream"),
        pytest.param(CUT_LINE, id="the connection ends in the midst of a line"),
    ],
)
async def test_a_broken_watch_resumes_from_the_last_version(first: ScriptedStream) -> None:
    async with informed([listing(widget("a"))], [first, stream(line("ADDED", widget("c", "12")))]) as scene:
        assert scene.resumed_from == ["10", "11"]
        assert scene.names == ["a", "b", "c"]
        assert scene.informer.lists == 1


async def test_it_resumes_from_a_bookmark() -> None:
    async with informed([listing()], [stream(bookmark("99"), open_=False)]) as scene:
        assert scene.resumed_from == ["10", "99"]
        assert scene.told == []


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param(ScriptedStream(status=410, script=[refusal(410, "Expired").body]), id="as the status of the watch"),
        pytest.param(stream(line("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})), id="as an event in the stream"),
        pytest.param(stream(line("ERROR", {"kind": "Status", "code": 410, "reason": "Gone"})), id="as an event, old style"),
    ],
)
async def test_after_410_it_lists_again_and_tells_of_every_deletion_it_missed(gone: ScriptedStream) -> None:
    answers = [
        listing(widget("a"), widget("b"), widget("c")),
        listing(widget("a"), widget("c", "15"), widget("d", "16"), version="20"),
    ]
    async with informed(answers, [gone]) as scene:
        assert scene.names == ["a", "c", "d"]
        assert scene.told[3:] == ["b@1>", "c@1>c@15", ">d@16"]
        assert scene.resumed_from == ["10", "20"]


async def test_an_object_that_was_replaced_during_a_gap_is_told_as_gone_and_new() -> None:
    other = widget("a", "15")
    other["metadata"]["uid"] = "another"
    gone = stream(line("ERROR", {"code": 410}))
    async with informed([listing(widget("a")), listing(other, version="20")], [gone]) as scene:
        assert scene.told == [">a@1", "a@1>", ">a@15"]


async def test_an_event_that_comes_twice_is_told_once_and_a_late_deletion_spares_the_successor() -> None:
    successor = widget("b", "13")
    successor["metadata"]["uid"] = "another"
    deleted = line("DELETED", widget("b", "12"))
    script = stream(ADDED_B, ADDED_B, deleted, deleted, line("ADDED", successor), deleted)
    async with informed([listing()], [script]) as scene:
        assert scene.told == [">b@11", "b@11>", ">b@13"]
        assert scene.names == ["b"]


async def test_lines_cut_anywhere_and_lines_of_megabytes_are_read() -> None:
    huge = line("ADDED", widget("huge", "12", data="x" * 3_000_000))
    data = ADDED_B + huge + line("DELETED", widget("b", "13"))
    cuts = [data[start : start + 50_001] for start in range(0, len(data), 50_001)]
    async with informed([listing()], [stream(ADDED_B[:7], ADDED_B[7:], *cuts)]) as scene:
        assert scene.names == ["huge"]


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"not json\n", id="no JSON"),
        pytest.param(b'{"type":"ADDED"}\n', id="no object"),
        pytest.param(b'{"type":"SHOUTED","object":{}}\n', id="an unknown type"),
        pytest.param(b'{"type":"ADDED","object":{"kind":"Widget"}}\n', id="an object without metadata"),
        pytest.param(b"[1]\n", id="an array"),
    ],
)
async def test_garbage_in_the_stream_leads_to_a_fresh_list(garbage: bytes) -> None:
    async with informed([listing(), listing(widget("a"), version="20")], [stream(garbage)]) as scene:
        assert scene.names == ["a"]
        assert scene.resumed_from == ["10", "20"]


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(Unreachable("refused", maybe_applied=False), id="connection refused"),
        pytest.param(refusal(500, "InternalError"), id="internal error"),
        pytest.param(refusal(403, "Forbidden"), id="no permission yet"),
        pytest.param(Response(200, {}, b"<html>"), id="a proxy's page"),
        pytest.param(refusal(401, "Unauthorized"), id="credentials expired"),
    ],
)
async def test_a_list_that_fails_is_tried_again_and_nothing_counts_as_synced_before(failure: Any) -> None:
    refused = [failure] * 4 if isinstance(failure, Unreachable) else [failure]
    async with informed([*refused, listing(widget("a"))], seconds=0.1) as scene:
        early = scene.informer.has_synced
        await asyncio.sleep(30)
        assert (early, scene.informer.has_synced) == (False, True)
        assert scene.names == ["a"]


async def test_a_kind_that_is_not_served_counts_as_empty_and_is_found_when_it_appears() -> None:
    async with informed([Response(404, {}, b"404 page not found"), listing(widget("a"))]) as scene:
        assert (scene.informer.has_synced, scene.informer.served, scene.names) == (True, False, [])
        await asyncio.sleep(60)
        assert (scene.informer.served, scene.names) == (True, ["a"])


@pytest.mark.parametrize(
    ("namespaces", "synced"),
    [
        pytest.param(("shop", "bank"), True, id="with permissions in some namespaces only"),
        pytest.param(("",), False, id="with permissions in all, one of them missing"),
    ],
)
async def test_a_kind_without_namespaces_that_may_not_be_listed_holds_up_nobody_who_looks_after_some_namespaces(
    namespaces: tuple[str, ...], synced: bool
) -> None:
    denied = [refusal(403, "Forbidden") for _ in range(200)]
    async with informed([*denied, listing()], kind=NODE, namespaces=namespaces, seconds=60) as scene:
        assert (scene.informer.has_synced, scene.names) == (synced, [])


async def test_when_a_kind_is_uninstalled_its_objects_are_told_as_gone() -> None:
    gone = ScriptedStream(status=404, script=[b"404 page not found"])
    async with informed([listing(widget("a")), *[Response(404, {}, b"")] * 2], [gone]) as scene:
        assert scene.told == [">a@1", "a@1>"]


async def test_a_server_that_denies_a_kind_for_a_moment_makes_nothing_disappear() -> None:
    gone = ScriptedStream(status=404, script=[b"404 page not found"])
    answers = [listing(widget("a")), Response(404, {}, b""), listing(widget("a"), version="20")]
    async with informed(answers, [gone]) as scene:
        assert scene.told == [">a@1"]
        assert scene.resumed_from == ["10", "20"]


async def test_a_server_that_ends_each_stream_at_once_is_not_hammered() -> None:
    ends = [stream(open_=False) for _ in range(1000)]
    async with informed([listing() for _ in range(20)], ends, seconds=60) as scene:
        assert 3 < len(scene.transport.watched) < 15


async def test_attempts_to_connect_slow_down_to_one_in_half_a_minute() -> None:
    refused = [Unreachable("refused", maybe_applied=False) for _ in range(500)]
    async with informed([listing(), *[listing() for _ in range(100)]], refused, seconds=600) as scene:
        assert 15 < len(scene.transport.watched) < 40


async def test_several_namespaces_feed_one_store_and_a_relist_of_one_leaves_the_others() -> None:
    def of(namespace: str, name: str) -> dict[str, Any]:
        obj = widget(name)
        obj["metadata"]["namespace"] = namespace
        return obj

    answers = [listing(of("one", "a")), listing(of("two", "b")), listing(version="20")]
    gone = stream(line("ERROR", {"code": 410}))
    async with informed(answers, [gone, stream()], namespaces=("one", "two")) as scene:
        assert [obj["metadata"]["namespace"] for obj in scene.informer.store.all()] == ["two"]
        assert {sent.path.split("/")[5] for sent in scene.transport.sent} == {"one", "two"}


async def test_a_kind_without_namespaces_is_listed_once_whatever_namespaces_are_wanted() -> None:
    async with informed([listing()], kind=NODE, namespaces=("one", "two")) as scene:
        assert [sent.path for sent in scene.transport.sent] == ["/api/v1/nodes"]


async def test_a_refresh_lists_again_at_once_even_while_the_watch_is_silent() -> None:
    async with informed([listing(widget("a")), listing(version="20")], seconds=5) as scene:
        scene.informer.refresh()
        await asyncio.sleep(0.01)
        assert scene.names == []
        assert scene.resumed_from == ["10", "20"]


async def test_a_handler_that_fails_does_not_stop_the_others() -> None:
    async with informed([listing()], [stream()], seconds=1) as scene:
        scene.informer.on_change(lambda old, new: 1 / 0)  # type: ignore[arg-type]
        later: list[Object | None] = []
        scene.informer.on_change(lambda old, new: later.append(new))
        scene.informer.put(widget("a"))
        assert len(later) == 1


async def test_the_age_tells_for_how_long_nothing_was_heard() -> None:
    async with informed([listing()], [stream()], seconds=50) as scene:
        assert scene.informer.age_seconds() == pytest.approx(50, abs=1)


async def test_a_wave_of_events_lets_others_run_in_between() -> None:
    wave = b"".join(line("ADDED", widget(f"w{number}", str(100 + number))) for number in range(1000))
    seen: list[int] = []

    async with informed([listing()], [ScriptedStream(script=[], stays_open=True)], seconds=0.5) as scene:
        scene.transport.streams.append(stream(wave))
        scene.transport.answers.append(listing(version="50"))

        async def worker() -> None:
            while len(scene.names) < 1000:
                seen.append(len(scene.informer.store))
                await asyncio.sleep(0)

        scene.informer.refresh()
        await worker()
    assert len(set(seen)) > 50


async def chunks_of(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param([b"a\nb\n"], [[b"a", b"b"]], id="two lines in a chunk"),
        pytest.param([b"a", b"b", b"\nc", b"\n"], [[b"ab"], [b"c"]], id="a line over chunks"),
        pytest.param([b"a\n", b"rest"], [[b"a"]], id="a line without end is dropped"),
        pytest.param([], [], id="nothing"),
    ],
)
async def test_lines_are_found_wherever_chunks_are_cut(chunks: list[bytes], expected: list[list[bytes]]) -> None:
    found: Callable[[AsyncIterator[bytes]], AsyncIterator[list[bytes]]] = lines
    assert [batch async for batch in found(chunks_of(*chunks))] == expected
