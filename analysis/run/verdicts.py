"""What the measurements of an AnalysisRun say, in words for people: why it did not succeed, what it never measured.

Pure, and quick to load: the command line and the demo use it as well as the controllers. Must not: decide anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.arguments import filled_metrics
from analysis.errors import InvalidAnalysis
from analysis.no_data import ADVICE
from analysis.run.phases import Phase
from kube.objects import Object, name_of

LINE_CHARACTERS = 160
"""What is shown of a longer text."""
NOTE_CHARACTERS = 100
SHOWN_VALUES = 5
SKIPPED = "rollouts/no-data-skipped"
"""In the metadata of a metric's result: how many measurements without data were not counted, and when the last one ended."""
NEVER_MEASURED = "AnalysisRunNeverMeasured"
"""The event's reason, on the run and on its Rollout, when a Successful run has no verdict."""
NO_DATA_HINT = f"no data for that time: {ADVICE}"
_NUMBER = re.compile(r"-?\d+\.\d+(?:[eE][-+]?\d+)?")
_VALUE_CHARACTERS = 60
_BAD = tuple(phase for phase in Phase if phase.is_bad)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One measurement of one metric."""

    run: str
    metric: str
    number: int
    """Counted from 1 among those that are kept."""
    phase: str
    value: str
    message: str
    condition: str
    """What the value is judged by."""

    @property
    def text(self) -> str:
        """One line about it."""
        verdict = f"{self.phase}: {self.message}" if self.message else self.phase
        return f"{self.metric} = {self.value or '-'} (wanted: {self.condition or 'any value'}): {verdict}"

    @property
    def has_no_data(self) -> bool:
        """Whether there was nothing to judge: an empty result, or nothing but NaN."""
        return is_empty_value(self.value) or "nil or empty" in self.message or self.message.startswith("no data")


def is_empty_value(text: str) -> bool:
    """Tell whether a stored value is an empty list or nothing but NaN.

    >>> [is_empty_value(text) for text in ("[]", "NaN", "[NaN,NaN]", "[0.5,NaN]", "0", "")]
    [True, True, True, False, False, False]
    """
    parts = [part.strip() for part in text.strip().removeprefix("[").removesuffix("]").split(",")]
    return bool(text.strip()) and all(part in ("", "NaN", "nan") for part in parts)


def measurements_of(run: Object) -> Iterator[Measurement]:
    """Yield the finished measurements of an AnalysisRun that its status keeps."""
    conditions = {name: _wanted(metric) for name, metric in _metrics(run).items()}
    for result in _results(run):
        metric = str(result["name"])
        for number, one in enumerate(result.get("measurements") or (), 1):
            if one.get("phase") not in (None, "", "Pending", "Running"):
                yield Measurement(
                    run=name_of(run),
                    metric=metric,
                    number=number,
                    phase=str(one["phase"]),
                    value=rounded(str(one.get("value") or "")),
                    message=str(one.get("message") or ""),
                    condition=conditions.get(metric, ""),
                )


def why(run: Object) -> str:
    """Say in one sentence why an AnalysisRun did not succeed: metric, values, condition; empty when it did."""
    dry = {str(result["name"]) for result in _results(run) if result.get("dryRun")}
    for result in _results(run):
        if result.get("phase") in _BAD and result["name"] not in dry and (text := _why(run, result)):
            return text
    return one_line(str((run.get("status") or {}).get("message") or ""))


def _why(run: Object, result: Mapping[str, Any]) -> str:
    metric, phase = str(result["name"]), str(result["phase"])
    found = [one for one in measurements_of(run) if one.metric == metric and one.phase == phase]
    if not found:
        return ""
    last, spec = found[-1], _metrics(run).get(metric) or {}
    if last.has_no_data and phase != "Failed":
        return f"{metric} had no data{_in_a_row(result)}; {ADVICE}"
    if phase == "Error" or (last.message and not last.value):
        said = f"could not be judged{_in_a_row(result)}: {one_line(last.message or phase)}"
    elif phase == "Inconclusive":
        said = f"was {values_text(found)}, which is neither good nor bad ({_says_conditions(spec)})"
    else:
        failed, allowed = result.get("failed") or len(found), spec.get("failureLimit") or 0
        said = f"was {values_text(found)}, but {_says_conditions(spec)} (failed {times(int(failed))}, allowed: {allowed})"
    return f"{metric} {said}" + (f"; no data: {ADVICE}" if last.has_no_data else "")


def _in_a_row(result: Mapping[str, Any]) -> str:
    count = int(result.get("consecutiveError") or 0)
    return f" ({count} errors in a row)" if count > 1 else ""


def values_text(found: Sequence[Measurement]) -> str:
    """Return the last values, oldest first: `[0.9], then [0.8]`."""
    shown = [cut(one.value or "-", _VALUE_CHARACTERS) for one in found[-SHOWN_VALUES:]]
    return ("..., " if len(found) > SHOWN_VALUES else "") + ", then ".join(shown)


def never_measured(run: Object) -> str:
    """Say what a Successful run never measured: metrics that had only errors, or no data; empty when it measured them all.

    Such a run ended well because it was told to stop, as upstream's rules want it; that must not be taken for a good verdict.
    """
    status = run.get("status") or {}
    if status.get("phase") != "Successful":
        return ""
    blind = [one for one in _results(run) if not one.get("dryRun") and not one.get("count") and (one.get("error") or skipped(one))]
    return "; ".join(_never_measured(one) for one in blind)


def _never_measured(result: Mapping[str, Any]) -> str:
    if not result.get("error"):
        return f"{result['name']} was never measured: {NO_DATA_HINT}"
    errors = [one for one in result.get("measurements") or () if one.get("phase") == "Error"]
    message = one_line(str((errors[-1] if errors else result).get("message") or "no text"))
    tried = "the only attempt was an error" if result["error"] == 1 else f"all {result['error']} attempts were errors, the last one"
    return f"{result['name']} was never measured: {tried}: {message}"


def short_note(run: Object) -> str:
    """Say in a few words what is wrong with a run: why it failed, what it never measured, what keeps it from measuring."""
    status = run.get("status") or {}
    if status.get("phase") in _BAD:
        return cut(why(run), NOTE_CHARACTERS)
    if blind := never_measured(run):
        return cut(blind, NOTE_CHARACTERS)
    for result in _results(run):
        if result.get("phase") == "Running" and result.get("consecutiveError"):
            last = (result.get("measurements") or [result])[-1]
            return cut(one_line(f"{result['name']}: {last.get('message') or 'no text'}"), NOTE_CHARACTERS)
    return ""


def skipped(result: Mapping[str, Any]) -> int:
    """Return how many measurements of a metric had no data and were not counted."""
    text = str((result.get("metadata") or {}).get(SKIPPED) or "0").partition(",")[0]
    return int(text) if text.isdecimal() else 0


def times(count: int) -> str:
    """Return how often, in words: `once`, `3 times`."""
    return "once" if count == 1 else f"{count} times"


def one_line(text: str) -> str:
    """Return the text on one line, shortened to what fits beside other things.

    >>> one_line("a\\n   b")
    'a b'
    """
    return cut(" ".join(text.split()), LINE_CHARACTERS)


def cut(text: str, characters: int) -> str:
    """Return no more than so many characters, with dots where something is missing."""
    return text if len(text) <= characters else f"{text[: characters - 3].rstrip()}..."


def rounded(text: str) -> str:
    """Shorten the numbers in a text to three places.

    >>> rounded("[0.6666666666666666]")
    '[0.667]'
    """
    return _NUMBER.sub(lambda found: f"{float(found.group()):.3f}", text)


def _results(run: Object) -> Iterable[Mapping[str, Any]]:
    return (run.get("status") or {}).get("metricResults") or ()


def _metrics(run: Object) -> dict[str, Mapping[str, Any]]:
    """Return the metrics by name, arguments filled in where they can be; secrets are shown as `*****`."""
    spec = run.get("spec") or {}
    try:
        metrics = filled_metrics(spec)
    except InvalidAnalysis:
        metrics = list(spec.get("metrics") or ())  # what cannot be filled in is shown as it is written
    return {str(metric["name"]): metric for metric in metrics}


def _wanted(metric: Mapping[str, Any]) -> str:
    """Return what a value is to be like, as people write it: the success condition, or that the failure condition is false."""
    success, failure = str(metric.get("successCondition") or ""), str(metric.get("failureCondition") or "")
    return success or (f"not {failure}" if failure else "")


def _says_conditions(metric: Mapping[str, Any]) -> str:
    success, failure = str(metric.get("successCondition") or ""), str(metric.get("failureCondition") or "")
    parts = [f"must be {success}" if success else "", f"must not be {failure}" if failure else ""]
    return " and ".join(filter(None, parts)) or "may be anything"
