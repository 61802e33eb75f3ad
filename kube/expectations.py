"""What our own writes must have brought into the stores before they may be trusted again.

Owns the rule that nobody acts on data older than his own writes. Versions are opaque: an answer counts as seen when exactly
its version arrived, when the object is gone, or when a list that began later is in. Must not: poll, or write.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kube.clock import Clock
from kube.informer import Informer
from kube.kinds import Kind, ObjectRef
from kube.objects import Object, is_deleting, name_of, namespace_of, uid_of, version_of

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 5.0
"""After this a list is asked for: the watch is late, or the object is one that our selectors leave out."""


@dataclass(slots=True, eq=False)
class _Expected:
    """One write whose effect has not arrived yet."""

    root: ObjectRef
    ref: ObjectRef
    uid: str
    version: str
    """The version to arrive; empty when only a deletion, or a list, can tell."""
    deletion: bool
    since: float


@dataclass(slots=True, eq=False)
class Writing:
    """A write on its way: notes what arrives before its answer does."""

    ref: ObjectRef
    versions: set[tuple[str, str]] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)


class Expectations:
    """Remembers writes per root object until the informers show them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._informers: dict[Kind, Informer] = {}
        self._by_root: dict[ObjectRef, list[_Expected]] = {}
        self._by_ref: dict[ObjectRef, list[_Expected]] = {}
        self._writing: dict[ObjectRef, list[Writing]] = {}
        self._before_list: dict[tuple[Kind, str], list[_Expected]] = {}
        self._on_met: dict[Kind, Callable[[ObjectRef], None]] = {}

    def follow(self, informer: Informer) -> None:
        """Let this informer tell when writes to its kind arrive; kinds that nobody informs about are never waited for.

        Raises:
            ValueError: another informer of the kind is followed already; controllers that share expectations share informers.
        """
        if self._informers.setdefault(informer.kind, informer) is not informer:
            raise ValueError(f"two informers of {informer.kind.name}: only one could tell whether a write has arrived; share it")
        informer.add_witness(self)

    def on_met(self, kind: Kind, handler: Callable[[ObjectRef], None]) -> None:
        """Call `handler` with a root object of this kind once nothing it waits for is left."""
        self._on_met[kind] = handler

    def waits(self, root: ObjectRef) -> bool:
        """Tell whether the stores may be older than what was written for this root. Asks for a list when that lasts."""
        waiting = self._by_root.get(root)
        if not waiting:
            return False
        now = self._clock.monotonic()
        for expected in waiting:
            if now - expected.since > PATIENCE_SECONDS:
                expected.since = now
                logger.info("%s: version %s did not arrive; listing again", expected.ref, expected.version or "(unknown)")
                self._informers[expected.ref.kind].refresh()
        return True

    def forget(self, root: ObjectRef) -> None:
        """The root object is gone: nobody waits any more."""
        for expected in self._by_root.pop(root, ()):
            self._unlink(expected)

    def __len__(self) -> int:
        """How many writes have not been seen yet."""
        return sum(map(len, self._by_root.values()))

    @contextmanager
    def writing(self, ref: ObjectRef) -> Iterator[Writing]:
        """Note what arrives for an object from before its write is sent: the watch is often faster than the answer."""
        note = Writing(ref)
        current = self._current(ref)
        if current is not None:
            note.versions.add((uid_of(current), version_of(current)))
        self._writing.setdefault(ref, []).append(note)
        try:
            yield note
        finally:
            notes = self._writing[ref]
            notes.remove(note)
            if not notes:
                del self._writing[ref]

    def wrote(self, root: ObjectRef, note: Writing, answer: Object) -> None:
        """The server stored this; wait until it arrives, if it has not."""
        uid, version = uid_of(answer), version_of(answer)
        if (uid, version) not in note.versions and uid not in note.lost:
            self._expect(root, note.ref, uid=uid, version=version)

    def deleted(self, root: ObjectRef, note: Writing, uid: str) -> None:
        """The server deletes this; wait until the store shows it gone or going."""
        current = self._current(note.ref)
        if current is not None and uid_of(current) == uid and not is_deleting(current):
            self._expect(root, note.ref, uid=uid, deletion=True)

    def uncertain(self, root: ObjectRef, note: Writing) -> None:
        """No answer came: only a list that begins now can tell what became of the write."""
        if self._expect(root, note.ref, uid=""):
            self._informers[note.ref.kind].refresh()

    def saw(self, kind: Kind, obj: Object) -> None:
        """A version arrived."""
        if not self._by_ref and not self._writing:
            return
        ref = ObjectRef(kind, namespace_of(obj), name_of(obj))
        uid, version = uid_of(obj), version_of(obj)
        for note in self._writing.get(ref, ()):
            note.versions.add((uid, version))
        for expected in tuple(self._by_ref.get(ref, ())):
            if expected.deletion:
                if uid != expected.uid or is_deleting(obj):
                    self._met(expected)
            elif expected.version and (uid, version) == (expected.uid, expected.version):
                self._met(expected)

    def lost(self, kind: Kind, obj: Object) -> None:
        """An object is gone."""
        if not self._by_ref and not self._writing:
            return
        ref = ObjectRef(kind, namespace_of(obj), name_of(obj))
        for note in self._writing.get(ref, ()):
            note.lost.add(uid_of(obj))
        for expected in tuple(self._by_ref.get(ref, ())):
            if expected.uid == uid_of(obj):
                self._met(expected)

    def listing(self, kind: Kind, namespace: str) -> None:
        """A list begins: whatever was answered before now will be in it."""
        self._before_list[kind, namespace] = [
            expected
            for ref, waiting in self._by_ref.items()
            if ref.kind == kind and namespace in ("", ref.namespace)
            for expected in waiting
        ]

    def listed(self, kind: Kind, namespace: str) -> None:
        """The list is in."""
        for expected in self._before_list.pop((kind, namespace), ()):
            self._met(expected)

    def _current(self, ref: ObjectRef) -> Object | None:
        informer = self._informers.get(ref.kind)
        return informer.store.get(ref.namespace, ref.name) if informer else None

    def _expect(self, root: ObjectRef, ref: ObjectRef, *, uid: str, version: str = "", deletion: bool = False) -> bool:
        if ref.kind not in self._informers:
            return False
        expected = _Expected(root, ref, uid, version, deletion, self._clock.monotonic())
        self._by_root.setdefault(root, []).append(expected)
        self._by_ref.setdefault(ref, []).append(expected)
        return True

    def _met(self, expected: _Expected) -> None:
        waiting = self._by_root.get(expected.root)
        if waiting is None or expected not in waiting:
            return
        waiting.remove(expected)
        self._unlink(expected)
        if not waiting:
            del self._by_root[expected.root]
            handler = self._on_met.get(expected.root.kind)
            if handler:
                handler(expected.root)

    def _unlink(self, expected: _Expected) -> None:
        waiting = self._by_ref.get(expected.ref)
        if waiting and expected in waiting:
            waiting.remove(expected)
            if not waiting:
                del self._by_ref[expected.ref]
