"""How many pods each side gets: the arithmetic of spec/rollout.md 2.4, with and without a traffic router.

Pure whole-number functions. Must not: know a Kubernetes object, a clock or a status.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Counts:
    """Pods of each side."""

    canary: int
    stable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One ReplicaSet as the arithmetic sees it: what its spec asks for and how many of its pods are available."""

    spec: int
    available: int

    @property
    def sure(self) -> int:
        """Pods that can be counted on: asked for and available."""
        return min(self.spec, self.available)


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


def _percent(value: int | str) -> Fraction | None:
    """Read a share: strings are percent even without the sign, integers are not shares."""
    return Fraction(value.strip().removesuffix("%").strip() or "0") / 100 if isinstance(value, str) else None


def surge_and_unavailable(*, replicas: int, surge: int | str, unavailable: int | str) -> tuple[int, int]:
    """Resolve maxSurge (rounded up) and maxUnavailable (rounded down); both zero makes one pod unavailable.

    >>> surge_and_unavailable(replicas=5, surge="25", unavailable="25%")
    (2, 1)
    >>> surge_and_unavailable(replicas=1, surge=0, unavailable="25")     # something has to give
    (0, 1)
    """
    surge_share, unavailable_share = _percent(surge), _percent(unavailable)
    pods_over = _ceil(surge_share * replicas) if surge_share is not None else int(surge)
    pods_under = int(unavailable_share * replicas) if unavailable_share is not None else int(unavailable)
    if pods_over == 0 and pods_under == 0:
        pods_under = 1
    return pods_over, min(pods_under, replicas) if replicas else pods_under


def weighted(*, replicas: int, weight: int, total: int = 100) -> int:
    """Return the pods that carry `weight` of `total`, rounded up: what a router's share needs.

    >>> weighted(replicas=10, weight=5)
    1
    """
    return _ceil(Fraction(replicas * weight, total))


def canary_share(*, replicas: int, weight: int, total: int = 100, surge: bool) -> Counts:
    """Split `replicas` pods so that the canary's part comes closest to `weight` of `total` (spec/rollout.md 2.4).

    Without a router the ratio of pods is the ratio of traffic, so the nearest whole split wins; a tie goes to the larger
    canary. With `surge`, one pod more than `replicas` may be used if that comes closer.

    >>> canary_share(replicas=10, weight=25, surge=False)
    Counts(canary=3, stable=7)
    >>> canary_share(replicas=1, weight=5, surge=True)     # one pod cannot be split: a surge pod carries the canary
    Counts(canary=1, stable=1)
    """
    if replicas <= 0:
        return Counts(0, 0)

    def distance(candidate: Counts) -> Fraction:
        pods = candidate.canary + candidate.stable
        return abs(Fraction(candidate.canary * total, pods) - weight)

    return min(_candidates(replicas=replicas, weight=weight, total=total, surge=surge), key=distance)


def _candidates(*, replicas: int, weight: int, total: int, surge: bool) -> Iterator[Counts]:
    """Yield the splits to choose from, the preferred first.

    An exact half is decided at once for the larger canary, so that no surge pod is spent on a difference nobody sees.
    """
    exact = Fraction(replicas * weight, total)
    ceiling, floor = _ceil(exact), int(exact)
    whole = weight in (0, total) or (replicas == 1 and not surge)
    tied = exact - floor == Fraction(1, 2)
    if ceiling < replicas or whole:
        yield Counts(ceiling, replicas - ceiling)
        if tied:
            return
    use_floor = ceiling != floor and not tied and (floor > 0 or whole)
    if use_floor:
        yield Counts(floor, replicas - floor)
    if surge:
        yield Counts(ceiling, replicas + 1 - ceiling)
        if use_floor:
            yield Counts(floor, replicas + 1 - floor)
    elif ceiling >= replicas and not use_floor:
        yield Counts(ceiling, replicas - ceiling)


def basic_scale(
    *, replicas: int, target: Counts, new: Side, stable: Side, others: tuple[Side, ...] = (), surge: int, unavailable: int
) -> Counts:
    """Return how far both sides may go towards `target` now, without a router (spec/rollout.md 2.4, 3 to 6).

    Growth first, stable before canary, within `replicas + surge`; then shrinking as far as `replicas - unavailable` pods stay
    available. Older ReplicaSets drain before anything of these two does.

    >>> basic_scale(replicas=10, target=Counts(1, 9), new=Side(spec=0, available=0), stable=Side(spec=10, available=10),
    ...             surge=1, unavailable=1)
    Counts(canary=1, stable=9)
    """
    running = new.spec + stable.spec + sum(other.spec for other in others)
    room = max(0, replicas + surge - running)
    stable_now = stable.spec + min(room, max(0, target.stable - stable.spec))
    room -= stable_now - stable.spec
    canary_now = new.spec + min(room, max(0, target.canary - new.spec))
    if any(other.spec > 0 for other in others):
        return Counts(canary_now, stable_now)
    return _shrink(
        replicas=replicas,
        target=target,
        now=Counts(canary_now, stable_now),
        sides=(new, stable),
        surge=surge,
        unavailable=unavailable,
    )


def _shrink(*, replicas: int, target: Counts, now: Counts, sides: tuple[Side, Side], surge: int, unavailable: int) -> Counts:
    """Drain the side that has too many, as far as availability allows."""
    new, stable = sides
    spare = new.sure + stable.sure - (replicas - unavailable)
    canary_excess, stable_excess = now.canary - target.canary, now.stable - target.stable
    canary, stable_pods = now.canary, now.stable
    if stable_excess > 0:
        dead = max(0, stable.spec - stable.available)
        give = min(stable_excess, dead + max(0, spare))
        stable_pods -= give
        spare -= max(0, give - dead)
    if canary_excess > 0:
        dead = max(0, new.spec - new.available)
        canary -= min(canary_excess, dead + max(0, spare))
    return Counts(canary, stable_pods)


def drain_others(*, replicas: int, others: tuple[Side, ...], total: Side, unavailable: int) -> tuple[int, ...]:
    """Return how many pods each older ReplicaSet keeps now, unhealthy ones going first (spec/rollout.md 2.6).

    `total` sums every ReplicaSet of the workload, these included; at least `replicas - unavailable` pods stay available.

    >>> drain_others(replicas=4, others=(Side(spec=3, available=1),), total=Side(spec=7, available=5), unavailable=1)
    (0,)
    >>> drain_others(replicas=4, others=(Side(spec=3, available=3),), total=Side(spec=4, available=4), unavailable=1)
    (2,)
    """
    spare = total.available - (replicas - unavailable)
    kept = []
    for other in others:
        dead = max(0, other.spec - other.available)
        give = min(other.spec, dead + max(0, spare))
        spare -= max(0, give - dead)
        kept.append(other.spec - give)
    return tuple(kept)
