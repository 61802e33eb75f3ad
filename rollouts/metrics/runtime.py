"""What the controllers, their queues, feeds and requests count (spec/rollout.md 5.1).

No label holds the name of an object or a namespace, so there are as many series however large the cluster is. Upstream's
histograms and request counter are told without those labels for that reason.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from kube.controller import Controller
from kube.counting import RequestCounts
from kube.events import EventRecorder
from kube.executor import Executor
from kube.informer import Informer
from kube.kinds import ANALYSIS_RUN, EXPERIMENT, ROLLOUT, Kind
from kube.leases import LEASE_NAME, Elector
from kube.metrics import Family, Labels, counter, counters, gauge, gauges, histograms

_UPSTREAM_NAMES: dict[Kind, str] = {ROLLOUT: "rollout", ANALYSIS_RUN: "analysis_run", EXPERIMENT: "experiment"}


def reconcile_families(controllers: Sequence[Controller]) -> Iterable[Family]:
    """How often each controller looked at an object, how long that took, and how it ended."""
    for controller in controllers:
        if name := _UPSTREAM_NAMES.get(controller.root):
            what = controller.root.name
            yield histograms(f"{name}_reconcile", f"Seconds that a look at one {what} took.", [({}, controller.durations)])
            yield counter(f"{name}_reconcile_error", f"Looks at a {what} that failed.", controller.errors)
    yield counters("rollouts_reconciles_total", "Looks at an object.", _each(controllers, lambda one: one.reconciles))
    yield counters("rollouts_reconcile_errors_total", "Looks that failed.", _each(controllers, lambda one: one.errors))
    yield counters(
        "rollouts_reconcile_conflicts_total",
        "Plans that were outdated before they were carried out.",
        _each(controllers, lambda one: one.conflicts),
    )
    yield histograms(
        "rollouts_first_write_seconds",
        "From a reason to look at an object until the first write that came of it was sent.",
        [
            ({"controller": one.name, "urgent": str(urgent).lower()}, histogram)
            for one in controllers
            for urgent, histogram in one.first_writes.items()
        ],
    )
    yield gauges("rollouts_effects_running", "Measurements under way.", _each(controllers, lambda one: one.effects_running))


def queue_families(controllers: Sequence[Controller]) -> Iterable[Family]:
    """What waits for a worker, under the names of client-go."""
    rows = [({"name": one.name}, one.queue) for one in controllers]
    yield gauges("workqueue_depth", "Objects that wait for a worker.", [(labels, len(queue)) for labels, queue in rows])
    yield gauges("rollouts_queue_delayed", "Objects that wait for their time.", [(labels, queue.delayed) for labels, queue in rows])
    yield gauges(
        "rollouts_queue_oldest_seconds",
        "How long the object has waited that waits longest.",
        [(labels, queue.age_seconds()) for labels, queue in rows],
    )
    yield counters(
        "workqueue_adds_total", "Times that work on an object was asked for.", [(labels, queue.added) for labels, queue in rows]
    )
    yield counters(
        "workqueue_retries_total", "Times that work on an object failed.", [(labels, queue.retries) for labels, queue in rows]
    )
    waits = [(labels, queue.waits) for labels, queue in rows]
    yield histograms("workqueue_queue_duration_seconds", "How long objects waited for a worker.", waits)
    works = [({"name": one.name}, one.durations) for one in controllers]
    yield histograms("workqueue_work_duration_seconds", "How long the work on an object took.", works)


def watch_families(informers: Collection[Informer]) -> Iterable[Family]:
    """How the feeds are, by kind."""
    rows = [({"kind": one.kind.plural}, one) for one in informers]
    served = [(labels, one) for labels, one in rows if one.served]
    ages = [(labels, one.age_seconds()) for labels, one in served]
    yield gauges("rollouts_watch_age_seconds", "How long the server was not heard; under two minutes while all is well.", ages)
    yield counters("rollouts_watch_events_total", "Changes that were heard.", [(labels, one.events) for labels, one in served])
    yield counters("rollouts_watch_lists_total", "Lists that were fetched.", [(labels, one.lists) for labels, one in served])
    yield gauges("rollouts_objects", "Objects in memory.", [(labels, len(one.store)) for labels, one in served])
    yield gauges("rollouts_kind_served", "Whether the cluster has the kind.", [(labels, float(one.served)) for labels, one in rows])


def request_families(requests: RequestCounts) -> Iterable[Family]:
    """What was asked of the API server; status 0 is no answer."""
    rows: list[tuple[Labels, float]] = [
        ({"kind": resource, "verb": verb, "status_code": str(status)}, count)
        for (verb, resource, status), count in sorted(requests.by_answer.items())
    ]
    yield counters("controller_clientset_k8s_request_total", "Requests to the API server; status 0 is no answer.", rows)
    seconds = [({"verb": verb}, histogram) for verb, histogram in sorted(requests.seconds.items())]
    yield counter("rollouts_api_read_bytes_total", "Bytes read of the API server's answers.", requests.bytes_read)
    yield histograms("rollouts_api_request_duration_seconds", "How long requests to the API server took.", seconds)


def writing_families(executor: Executor, recorder: EventRecorder) -> Iterable[Family]:
    """What was written."""
    yield counter("rollouts_writes_total", "Writes that plans asked for.", executor.writes)
    yield counter("rollouts_events_sent_total", "Events that the cluster has.", recorder.sent)
    yield counter("rollouts_events_dropped_total", "Events that were too many, or refused.", recorder.dropped)


def leader_families(elector: Elector | None) -> Iterable[Family]:
    """Who works, under the name of client-go; a controller without an election always does."""
    leads = elector is None or elector.leading
    yield gauges(
        "leader_election_master_status",
        "Whether this replica leads.",
        [({"name": elector.ref.name if elector else LEASE_NAME}, float(leads))],
    )
    if elector is not None:
        held = max(elector.left_seconds(), 0.0)
        yield gauge("rollouts_lease_left_seconds", "For how long this replica may write unless it renews its lease.", held)


def _each(controllers: Sequence[Controller], number: Callable[[Controller], float]) -> list[tuple[Labels, float]]:
    return [({"controller": one.name}, number(one)) for one in controllers]
