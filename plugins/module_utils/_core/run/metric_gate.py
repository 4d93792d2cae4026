# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Gates from Prometheus. A gate is data: a query, and what its one number is compared with. No I/O.

Values of the inventory come into a query by placeholders like ``$group``. Whatever they hold, they can't end the string that
they stand in: every character beside letters, digits and ``_ . -`` is written as an escape of PromQL.
"""

from __future__ import annotations

import math
import operator
import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.prometheus import (
    EMPTY,
    ERROR,
    FAILED,
    GARBAGE,
    SEVERAL,
    TIMEOUT,
    Answer,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import other_colour
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.gates import GO, WARN, Gate, gate

BEFORE, BAKE = STAGES = ("before", "bake")
NO_GO, GO_ON = ON_EMPTY = ("no-go", "go")
COMPARISONS: dict[str, t.Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
MIN_SAMPLES = 100.0
BEFORE_WINDOW = 60.0
"""Seconds of ``$window`` before a run."""
_QUERIES = ("query", "samples", "rests_on")
_KEYS = ("preset", "name", "comparison", "threshold", "stage", "on_empty", "min_samples", *_QUERIES)


@dataclass(frozen=True)
class MetricGate:
    """query: gives one number, which passes when it is ``comparison`` ``threshold``. on_empty: what no series at all means.

    samples: a query for how many records the number is made of; with fewer than min_samples it is not judged. rests_on: a plain
    selector of what the query reads, whose newest sample must not be old.
    """

    name: str
    query: str
    comparison: str
    threshold: float
    stage: str = BAKE
    on_empty: str = NO_GO
    samples: str = ""
    min_samples: float = MIN_SAMPLES
    rests_on: str = ""

    @property
    def wanted(self) -> str:
        """For the table."""
        return f"{self.comparison} {self.threshold:g}"


@dataclass(frozen=True)
class MetricRequest:
    """What is asked of Prometheus in a run. url: without anything secret. timeout and max_age: seconds."""

    gates: tuple[MetricGate, ...] = ()
    url: str = ""
    timeout: float = 10.0
    max_age: float = 60.0

    def of(self, stage: str) -> tuple[MetricGate, ...]:
        """The gates of one stage."""
        return tuple(one for one in self.gates if one.stage == stage)


@dataclass(frozen=True)
class Answers:
    """To the queries of one gate. samples and age (seconds of the newest sample) are None where nobody asked."""

    value: Answer
    samples: Answer | None = None
    age: Answer | None = None

    @property
    def again(self) -> bool:
        """Whether asking once more may help."""
        return any(one is not None and one.again for one in (self.value, self.samples, self.age))


# --- presets -----------------------------------------------------------------------------------------------------------------

_CONSUMER = '{app="$app",consumergroup="$group"}'
_PROCESSED = f"sum(increase(bg_consumer_records_processed_total{_CONSUMER}[$window]))"
_FAILED = f"sum(increase(bg_consumer_records_failed_total{_CONSUMER}[$window]))"
_CALLS = 'spring_kafka_listener_seconds_count{namespace="$namespace",pod=~"$pods"}'
_FAILED_CALLS = _CALLS.replace("}", ',result="failure"}')
_OFFSETS = 'kafka_consumergroup_current_offset{consumergroup="$group",topic=~"$topics"}'
_ENDS = 'kafka_topic_partition_current_offset{topic=~"$topics"}'
_LAG = 'kafka_consumergroup_lag{consumergroup="$group",topic=~"$topics"}'
_REPLICAS_OUT_OF_SYNC = 'kafka_topic_partition_under_replicated_partition{topic=~"$topics"}'
_KMINION_LAG = 'kminion_kafka_consumer_group_topic_lag{group_id="$group",topic_name=~"$topics"}'
_KMINION_OFFSETS = 'kminion_kafka_consumer_group_topic_offset_sum{group_id="$group",topic_name=~"$topics"}'
_KMINION_ENDS = 'kminion_kafka_topic_high_water_mark_sum{topic_name=~"$topics"}'
_DEPLOYMENT = '{namespace="$namespace",deployment="$workload"}'
_STATEFULSET = '{namespace="$namespace",statefulset="$workload"}'


def _throughput(name: str, offsets: str, ends: str) -> MetricGate:
    """Share of what is produced, or of what the source did where that is less. Slopes: a rewind is negative, not a jump."""
    produced = f"clamp_max(sum(deriv({ends}[$window])), $source_rate)"
    query = f"sum(deriv({offsets}[$window])) / {produced}"
    return MetricGate(name, query, ">=", 0.9, samples=f"sum(delta({ends}[$window]))", rests_on=offsets)


PRESETS: dict[str, MetricGate] = {
    "consumer_error_ratio": MetricGate(
        "failed records",
        f"{_FAILED} / ({_PROCESSED} + {_FAILED})",
        "<",
        0.01,
        samples=f"{_PROCESSED} + {_FAILED}",
        rests_on=f"bg_consumer_records_processed_total{_CONSUMER}",
    ),
    "spring_error_ratio": MetricGate(
        "failed records of Spring's listeners",
        # The series of failures begins with the first of them; that of all says whether anything is measured.
        f"(sum(increase({_FAILED_CALLS}[$window])) or vector(0)) / sum(increase({_CALLS}[$window]))",
        "<",
        0.01,
        samples=f"sum(increase({_CALLS}[$window]))",
        rests_on=_CALLS,
    ),
    "kafka_exporter_throughput": _throughput("throughput by kafka_exporter", _OFFSETS, _ENDS),
    "kminion_throughput": _throughput("throughput by kminion", _KMINION_OFFSETS, _KMINION_ENDS),
    # -1 is a partition without a commit, which is no lag.
    "kafka_exporter_lag": MetricGate(
        "lag by kafka_exporter", f"sum({_LAG} >= 0)", "<=", 1000, stage=BEFORE, rests_on=_LAG
    ),
    "kminion_lag": MetricGate(
        "lag by kminion", f"sum({_KMINION_LAG})", "<=", 1000, stage=BEFORE, rests_on=_KMINION_LAG
    ),
    "kafka_exporter_brokers": MetricGate(
        "partitions with a replica out of sync",
        f"sum({_REPLICAS_OUT_OF_SYNC})",
        "==",
        0,
        stage=BEFORE,
        rests_on=_REPLICAS_OUT_OF_SYNC,
    ),
    "kube_state_pods": MetricGate(
        "pods ready",
        f"(sum(kube_deployment_status_replicas_ready{_DEPLOYMENT}) or sum(kube_statefulset_status_replicas_ready{_STATEFULSET}))"
        f" / (sum(kube_deployment_spec_replicas{_DEPLOYMENT}) or sum(kube_statefulset_replicas{_STATEFULSET}))",
        ">=",
        1,
        rests_on='{__name__=~"kube_(deployment|statefulset)_status_replicas_ready",namespace="$namespace"}',
    ),
}
DEFAULT = ("consumer_error_ratio", "kafka_exporter_throughput")
"""Asked where nobody chose. What an operator judges besides, lag, pods and brokers, is read from Kafka and Kubernetes themselves."""


# --- reading the option ------------------------------------------------------------------------------------------------------


def parse_metric_gates(raw: t.Any) -> tuple[tuple[MetricGate, ...], list[str]]:
    """The option ``metric_gates``, and all that is wrong with it. None: the default set."""
    faults: list[str] = []
    rows = DEFAULT if raw is None else raw
    if not isinstance(rows, (list, tuple)):
        return (), [f"metric_gates is {rows!r}; it must be a list of presets and dictionaries"]
    found = []
    for number, row in enumerate(rows, start=1):
        reader = _Reader(number, {"preset": row} if isinstance(row, str) else row)
        found.append(reader.gate())
        faults += reader.faults
    names = [one.name for one in found if one.name]
    faults += [
        f"metric_gates: {name!r} is there {names.count(name)} times; give each a name of its own"
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    return tuple(found), faults


class _Reader:
    """Reads one row and remembers every fault."""

    def __init__(self, number: int, raw: t.Any) -> None:
        self.faults: list[str] = []
        self.where = f"metric_gates[{number}]"
        self.raw: t.Mapping[str, t.Any] = {}
        if not isinstance(raw, dict):
            self.faults.append(f"{self.where} is {raw!r}; it must be the name of a preset or a dictionary")
            return
        self.raw = raw
        if raw.get("name"):
            self.where += f" ({str(raw['name'])[:60]})"

    def gate(self) -> MetricGate:
        """The row, with defaults where it has a fault."""
        if self.faults:
            return MetricGate("", "", "==", 0.0)
        start = self._start()
        read = replace(
            start,
            name=self._text("name", start.name),
            query=self._text("query", start.query),
            samples=self._text("samples", start.samples),
            rests_on=self._text("rests_on", start.rests_on),
            comparison=self._choice("comparison", start.comparison, tuple(COMPARISONS)),
            stage=self._choice("stage", start.stage, STAGES),
            on_empty=self._choice("on_empty", start.on_empty, ON_EMPTY),
            threshold=self._number("threshold", start.threshold),
            min_samples=self._number("min_samples", start.min_samples),
        )
        for key in sorted(set(map(str, self.raw)) - set(_KEYS)):
            self.faults.append(f"{self.where}: {key} is unknown; known are {', '.join(_KEYS)}")
        for key in _QUERIES:
            unknown = sorted(set(placeholders(getattr(read, key))) - set(NAMES))
            if unknown:
                self.faults.append(
                    f"{self.where}: {key} holds {', '.join(f'${name}' for name in unknown)}, which is unknown; known are "
                    f"{', '.join(f'${name}' for name in NAMES)}. Write $$ for a $ that is not meant so"
                )
        if not read.rests_on and _PLAIN.match(read.query):
            return replace(read, rests_on=read.query)
        return read

    def _start(self) -> MetricGate:
        """The preset that the row begins with, or an empty row of which all has to be given."""
        name = self.raw.get("preset")
        if name is not None and not (isinstance(name, str) and name in PRESETS):
            self.faults.append(f"{self.where}: preset {name!r} is unknown; known are {', '.join(sorted(PRESETS))}")
        elif name is not None:
            return PRESETS[name]
        else:
            for key in ("name", "query", "comparison", "threshold", "stage"):
                if self.raw.get(key) in (None, ""):
                    self.faults.append(f"{self.where}: {key} is missing; give it, or a preset to begin with")
        return MetricGate("", "", "==", 0.0)

    def _text(self, key: str, default: str) -> str:
        value = self.raw.get(key)
        if value in (None, ""):
            return default
        if not isinstance(value, str) or not value.strip() or "\x00" in value:
            self.faults.append(f"{self.where}: {key} is {value!r}; it must be a text")
            return default
        return value.strip()

    def _choice(self, key: str, default: str, choices: t.Sequence[str]) -> str:
        value = self.raw.get(key)
        if value in (None, ""):
            return default
        if not isinstance(value, str) or value not in choices:
            self.faults.append(f"{self.where}: {key} is {value!r}; it must be one of {', '.join(choices)}")
            return default
        return value

    def _number(self, key: str, default: float) -> float:
        value = self.raw.get(key)
        if value in (None, ""):
            return default
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            self.faults.append(f"{self.where}: {key} is {value!r}; it must be a number")
            return default
        return number


# --- placeholders ------------------------------------------------------------------------------------------------------------

_OF_A_COLOUR = ("colour", "group", "workload", "pods")
NAMES = (
    *("app", "namespace", *_OF_A_COLOUR, "topics"),
    *(f"{role}_{name}" for role in ("source", "target") for name in _OF_A_COLOUR),
    *("window", "source_rate"),
)
"""Placeholders, without their ``$``."""
_PLACEHOLDER = re.compile(r"\$(\$?)(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
"""``$1`` and a ``$`` at the end of a regular expression are none; ``$$name`` stands for ``$name``."""
_SAFE = re.compile(r"[A-Za-z0-9_.-]")
_PLAIN = re.compile(r"^[A-Za-z_:][A-Za-z0-9_:]*\s*(\{[^{}]*\})?\Z")
"""A query that is a selector, whose samples have an age."""


def placeholders(query: str) -> list[str]:
    """Names of those in a query."""
    return [found[2] or found[3] for found in _PLACEHOLDER.finditer(query) if not found[1]]


def fill(query: str, values: t.Mapping[str, str]) -> str:
    """The query with the values in it. It was checked that every name is known."""

    def value(found: re.Match[str]) -> str:
        return found[0][1:] if found[1] else values[found[2] or found[3]]

    return _PLACEHOLDER.sub(value, query)


def literal(value: str) -> str:
    """A text as it stands in a string of PromQL, whatever quotes that has. It is never more than a part of that string."""
    return "".join(char if _SAFE.match(char) else _escape(ord(char)) for char in value)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def pattern(values: t.Iterable[str]) -> str:
    """A regular expression that matches just these texts, as it stands in a string of PromQL."""
    return "|".join("".join(map(_matching, value)) for value in values)


def _matching(char: str) -> str:
    if char == ".":
        return "[.]"
    # A character with a meaning gets a backslash, which a string of PromQL has to escape.
    return literal(char) if _SAFE.match(char) or char.isalnum() else literal(f"\\{char}" if char.isascii() else char)


def values_for(
    app: Application,
    colour: str,
    target: str,
    topics: t.Iterable[str],
    window: float,
    source_rate: float | None = None,
) -> dict[str, str]:
    """Values of the placeholders. colour: whom the gate is about. window: seconds that it looks back."""
    roles = {"": colour, "source_": other_colour(target), "target_": target}
    return {
        "app": literal(app.name),
        "namespace": literal(app.namespace),
        "topics": pattern(topics),
        "window": f"{max(1, int(window))}s",
        "source_rate": f"{source_rate:.3f}" if source_rate and source_rate >= 0.001 else "Inf",
        **{f"{role}colour": literal(one) for role, one in roles.items()},
        **{f"{role}group": literal(app.colours[one].group) for role, one in roles.items()},
        **{f"{role}workload": literal(app.colours[one].workload) for role, one in roles.items()},
        **{f"{role}pods": _pods(app, one) for role, one in roles.items()},
    }


def _pods(app: Application, colour: str) -> str:
    """Names that the pods of a colour have: of a Deployment the workload's with a ReplicaSet's and a pod's part."""
    ending = "-[0-9]+" if app.workload_kind == "StatefulSet" else "-[a-z0-9]+-[a-z0-9]{5}"
    return pattern([app.colours[colour].workload]) + ending


def queries_of(one: MetricGate, values: t.Mapping[str, str]) -> dict[str, str]:
    """What to ask, by the field of ``Answers``."""
    asked = {"value": fill(one.query, values)}
    if one.samples:
        asked["samples"] = fill(one.samples, values)
    if one.rests_on:
        # On the server's clock: an instant query answers with the time of its evaluation, not with that of the sample.
        asked["age"] = f"min(time() - timestamp({fill(one.rests_on, values)}))"
    return asked


# --- judging -----------------------------------------------------------------------------------------------------------------

_WORDS = {
    SEVERAL: "it gives several series, and one is wanted: aggregate, for example with sum(...)",
    ERROR: "Prometheus refused it",
    TIMEOUT: "no answer in time",
    GARBAGE: "what came is no answer of a Prometheus: does the URL lead to one?",
}


def judge(one: MetricGate, answers: Answers, asked: t.Mapping[str, str], request: MetricRequest) -> Gate:
    """The gate. asked: as ``queries_of`` gave it."""
    name = f"Prometheus: {one.name}"

    def row(value: str, passed: bool, why: str, part: str = "value", warn: bool = False) -> Gate:
        return gate(name, value, one.wanted, passed, f"{why} ({request.url}, {asked.get(part, '')})", warn)

    parts = [(part, answer) for part in ("value", "samples", "age") if (answer := getattr(answers, part)) is not None]
    for part, answer in parts:
        if answer.kind in FAILED:
            return row(answer.kind, False, f"{_WORDS[answer.kind]}: {answer.said}", part)
    age = answers.age.value if answers.age is not None else None
    if age is not None and not age <= request.max_age:
        return row(f"stale, {age:.0f} s old", False, f"the newest sample is older than {request.max_age:g} s", "age")
    nothing = [part for part, answer in parts if answer.kind == EMPTY]
    if nothing and nothing[0] != "age":
        why = "there is no series: is it scraped, and are the labels right?"
        return row("empty", one.on_empty == GO_ON, why, nothing[0])
    if nothing:
        return row("stale, no sample now", False, "what it is made of is not scraped any more", "age")
    return _compared(one, answers, row)


def _compared(one: MetricGate, answers: Answers, row: t.Callable[..., Gate]) -> Gate:
    """The number itself, which is there."""
    value, samples = answers.value.value or 0.0, answers.samples.value if answers.samples else None
    if samples is not None and not samples >= one.min_samples:
        seen = f"too few, {samples:,.0f} samples"
        return row(seen, False, f"{seen} where {one.min_samples:g} are wanted: not judged", "samples", warn=True)
    if not math.isfinite(value):
        seen, why = ("NaN", "it is not a number") if math.isnan(value) else (f"{value:+}", "it is infinite")
        return row(seen, False, f"{why}: a division by 0?")
    seen = f"{value:g}" + ("" if samples is None else f" of {samples:,.0f} samples")
    passed = COMPARISONS[one.comparison](value, one.threshold)
    said = answers.value.said
    if passed and said:
        return row(seen, False, f"Prometheus warns of its answer: {said}", warn=True)
    return row(seen, passed, f"{value:g} is seen and {one.wanted} wanted")


def judge_answerable(
    one: MetricGate, answers: Answers, asked: t.Mapping[str, str], request: MetricRequest, colour: str
) -> Gate:
    """Before a run: whether a gate of the bake can be asked at all. It was asked about ``colour``, which is at work."""
    found = judge(one, answers, asked, request)
    wanted = f"an answer; in the bake {one.wanted}"
    kinds = [answer.kind for answer in (answers.value, answers.samples, answers.age) if answer is not None]
    if any(kind in FAILED for kind in kinds):
        return replace(found, threshold=wanted)
    if found.value == "empty" or found.value.startswith("stale"):
        doubt = f"{found.advice}; that is of {colour}, which is at work, and in the bake it would be No-Go"
        return replace(
            found, threshold=wanted, verdict=WARN if found.advice else GO, advice=doubt if found.advice else ""
        )
    return replace(found, threshold=wanted, verdict=GO, advice="")
