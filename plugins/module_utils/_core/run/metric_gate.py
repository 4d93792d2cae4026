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
    VALUE,
    Answer,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.prometheus import WARN as WARN_ONLY
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import other_colour
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.gates import GO, WARN, Gate, gate
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.gates import NO_GO as NO_GO_ROW

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
MIN_SCRAPES = 4
"""Samples that a window has to hold: an increase takes two, and a slope of three still leans on the one at the edge."""
MIN_STEPS = 6
"""Commits that a window has to hold: with fewer the size of one decides."""
BEFORE_WINDOW = 300.0
"""Seconds of ``$window`` before a run."""
_QUERIES = ("query", "samples", "steps", "rests_on")
_EMPTIED = ("samples", "steps", "rests_on")
"""Keys that an empty text takes away from a preset."""
_KEYS = ("preset", "name", "comparison", "threshold", "stage", "on_empty", "min_samples", *_QUERIES)


@dataclass(frozen=True)
class MetricGate:
    """query: gives one number, which passes when it is ``comparison`` ``threshold``. on_empty: what no series at all means.

    samples: a query for how many records the number is made of; with fewer than min_samples it is not judged. steps: a query for
    the steps in which the number grew, likewise with MIN_STEPS. rests_on: a plain selector of what the query reads, whose newest
    sample must not be old, and of which the window has to hold MIN_SCRAPES.
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
    steps: str = ""

    @property
    def looks_back(self) -> bool:
        """Whether the number is of ``$window``, and not of one moment."""
        return "window" in placeholders(self.query)

    @property
    def wanted(self) -> str:
        """For the table."""
        return f"{self.comparison} {self.threshold:g}"


@dataclass(frozen=True)
class MetricRequest:
    """What is asked of Prometheus in a run. url: without anything secret. timeout and max_age: seconds.

    matchers and on_no_answer: see ``Prometheus``.
    """

    gates: tuple[MetricGate, ...] = ()
    url: str = ""
    timeout: float = 10.0
    max_age: float = 150.0
    matchers: str = ""
    on_no_answer: str = NO_GO

    def of(self, stage: str) -> tuple[MetricGate, ...]:
        """The gates of one stage."""
        return tuple(one for one in self.gates if one.stage == stage)


@dataclass(frozen=True)
class Answers:
    """To the queries of one gate. All but the value are None where nobody asked.

    age: seconds of the newest sample. scrapes: samples in the window. steps: in which the number grew there.
    """

    value: Answer
    samples: Answer | None = None
    age: Answer | None = None
    scrapes: Answer | None = None
    steps: Answer | None = None

    @property
    def parts(self) -> dict[str, Answer]:
        """Those that were asked, by name."""
        named = {name: getattr(self, name) for name in ("value", "samples", "age", "scrapes", "steps")}
        return {name: answer for name, answer in named.items() if answer is not None}


# --- presets -----------------------------------------------------------------------------------------------------------------

_CONSUMER = '{namespace="$namespace",app="$app",consumergroup="$group",$matchers}'
_PROCESSED = f"sum(increase(bg_consumer_records_processed_total{_CONSUMER}[$window]))"
# The series of failures may begin with the first of them.
_FAILED = f"(sum(increase(bg_consumer_records_failed_total{_CONSUMER}[$window])) or {_PROCESSED} * 0)"
_CALLS = 'spring_kafka_listener_seconds_count{namespace="$namespace",pod=~"$pods",$matchers}'
_DONE_CALLS = _CALLS.replace("$matchers", 'result="success",$matchers')
_OFFSETS = 'kafka_consumergroup_current_offset{consumergroup="$group",topic=~"$topics",$matchers}'
_ENDS = 'kafka_topic_partition_current_offset{topic=~"$topics",$matchers}'
_LAG = 'kafka_consumergroup_lag{consumergroup="$group",topic=~"$topics",$matchers}'
_REPLICAS_OUT_OF_SYNC = 'kafka_topic_partition_under_replicated_partition{topic=~"$topics",$matchers}'
_KMINION_LAG = 'kminion_kafka_consumer_group_topic_lag{group_id="$group",topic_name=~"$topics",$matchers}'
_KMINION_OFFSETS = 'kminion_kafka_consumer_group_topic_offset_sum{group_id="$group",topic_name=~"$topics",$matchers}'
_KMINION_ENDS = 'kminion_kafka_topic_high_water_mark_sum{topic_name=~"$topics",$matchers}'
_WORKLOAD = 'namespace="$namespace",${workload_kind}="$workload",$matchers}'
_READY = f"kube_${{workload_kind}}_status_replicas_ready{{{_WORKLOAD}"
_SPEC = f'{{__name__=~"kube_(deployment_spec|statefulset)_replicas",{_WORKLOAD}'
# Two replicas of an exporter report the same partition: it counts once.
_BY_PARTITION = "sum(max by (topic, partition) ("
_BY_TOPIC = "sum(max by (topic_name) ("


def _throughput(name: str, once: str, offsets: str, ends: str) -> MetricGate:
    """Share of what is produced, or of what the source did where that is less. Slopes: a rewind is negative, not a jump."""
    produced = f"clamp_max({once}deriv({ends}[$window]))), $source_rate)"
    return MetricGate(
        name,
        f"{once}deriv({offsets}[$window]))) / {produced}",
        ">=",
        0.9,
        samples=f"{once}delta({ends}[$window])))",
        steps=f"max(changes({offsets}[$window]))",
        rests_on=offsets,
    )


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
        "failed calls of Spring's listeners",
        # The series of failures begins with the first of them. That of successes is there from the first record on, or the label is
        # not what it was: then there is no answer.
        f"1 - sum(increase({_DONE_CALLS}[$window])) / sum(increase({_CALLS}[$window]))",
        "<",
        0.01,
        samples=f"sum(increase({_CALLS}[$window]))",
        rests_on=_CALLS,
    ),
    "kafka_exporter_throughput": _throughput("throughput by kafka_exporter", _BY_PARTITION, _OFFSETS, _ENDS),
    "kminion_throughput": _throughput("throughput by kminion", _BY_TOPIC, _KMINION_OFFSETS, _KMINION_ENDS),
    # -1 is a partition without a commit, which is no lag.
    "kafka_exporter_lag": MetricGate(
        "lag by kafka_exporter", f"{_BY_PARTITION}{_LAG} >= 0))", "<=", 1000, stage=BEFORE, rests_on=_LAG
    ),
    "kminion_lag": MetricGate(
        "lag by kminion", f"{_BY_TOPIC}{_KMINION_LAG}))", "<=", 1000, stage=BEFORE, rests_on=_KMINION_LAG
    ),
    "kafka_exporter_brokers": MetricGate(
        "partitions with a replica out of sync",
        f"{_BY_PARTITION}{_REPLICAS_OUT_OF_SYNC}))",
        "==",
        0,
        stage=BEFORE,
        rests_on=_REPLICAS_OUT_OF_SYNC,
    ),
    "kube_state_pods": MetricGate("pods ready", f"max({_READY}) / max({_SPEC})", ">=", 1, rests_on=_READY),
}
DEFAULT = ("consumer_error_ratio",)
"""Asked where nobody chose. What an operator judges besides, lag, pods, throughput and brokers, is read from Kafka and Kubernetes."""


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
            steps=self._text("steps", start.steps),
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
        if read.rests_on and not _PLAIN.match(read.rests_on):
            self.faults.append(
                f'{self.where}: rests_on is {read.rests_on!r}; it must be a plain selector like up{{job="x"}}, without functions'
            )
        if not read.rests_on and "rests_on" not in self.raw and _PLAIN.match(read.query):
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
        if value == "" and key in _EMPTIED:
            return ""
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
    *("workload_kind", "window", "source_rate", "matchers"),
)
"""Placeholders, without their ``$``."""
_PLACEHOLDER = re.compile(r"\$(\$?)(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
"""``$1`` and a ``$`` at the end of a regular expression are none; ``$$name`` stands for ``$name``."""
_SAFE = re.compile(r"[A-Za-z0-9_.-]")
_NAME = r"(?:[A-Za-z0-9_:]|\$\{[A-Za-z_]+\})+"
_BRACES = r"""\{(?:\$\{[A-Za-z_]+\}|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|[^{}"'`])*\}"""
_PLAIN = re.compile(rf"(?![0-9])(?P<series>{_NAME}\s*(?:{_BRACES})?|{_BRACES})(?P<offset>\s+offset\s+-?[0-9a-z]+)?\Z")
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
    matchers: str = "",
) -> dict[str, str]:
    """Values of the placeholders. colour: whom the gate is about. window: seconds that it looks back, of which none is left out."""
    roles = {"": colour, "source_": other_colour(target), "target_": target}
    return {
        "app": literal(app.name),
        "namespace": literal(app.namespace),
        "topics": pattern(topics),
        "workload_kind": app.workload_kind.lower(),
        "matchers": matchers,
        "window": f"{max(1, math.ceil(window))}s",
        "source_rate": f"{source_rate:.3f}" if source_rate and source_rate >= 0.001 else "Inf",
        **{f"{role}colour": literal(one) for role, one in roles.items()},
        **{f"{role}group": literal(app.colours[one].group) for role, one in roles.items()},
        **{f"{role}workload": literal(app.colours[one].workload) for role, one in roles.items()},
        **{f"{role}pods": _pods(app, one) for role, one in roles.items()},
    }


_GENERATED = 58
"""Characters of a generated name before the five that Kubernetes makes up; what is longer is cut."""
_HASH = 10
"""Characters of a ReplicaSet's own part at most."""


def _pods(app: Application, colour: str) -> str:
    """Names that the pods of a colour have: of a Deployment the workload's with a ReplicaSet's and a pod's part."""
    name = app.colours[colour].workload
    if app.workload_kind == "StatefulSet":
        return f"{pattern([name])}-[0-9]+"
    whole = f"{pattern([name])}-[a-z0-9]+-[a-z0-9]{{5}}"
    left = _GENERATED - len(name) - 1
    if left > _HASH:
        return whole
    cut = f"{pattern([f'{name}-'[:_GENERATED]])}[a-z0-9]{{{max(0, left) + 5}}}"
    return f"(?:{whole}|{cut})"


def queries_of(one: MetricGate, values: t.Mapping[str, str]) -> dict[str, str]:
    """What to ask, by the field of ``Answers``."""
    asked = {"value": fill(one.query, values)}
    for part in ("samples", "steps"):
        if query := getattr(one, part):
            asked[part] = fill(query, values)
    if found := _PLAIN.match(one.rests_on):
        series, offset = fill(found["series"].strip(), values), found["offset"] or ""
        # On the server's clock: an instant query answers with the time of its evaluation, not with that of the sample.
        asked["age"] = f"min(time() - timestamp({series}{offset}))"
        if one.looks_back:
            asked["scrapes"] = f"max(count_over_time({series}[{values['window']}]{offset}))"
    return asked


# --- judging -----------------------------------------------------------------------------------------------------------------

_WORDS = {
    SEVERAL: "it gives several series, and one is wanted: aggregate, for example with sum(...)",
    ERROR: "Prometheus refused it",
    TIMEOUT: "no answer in time",
    GARBAGE: "what came is no answer of a Prometheus: does the URL lead to one?",
}
_FAILS, _STALE, _NOTHING, _FEW, _STEPS, _UNCOUNTED, _JUDGED = range(7)
"""What became of a gate, in the order in which it is looked for."""


def judge(
    one: MetricGate, answers: Answers, asked: t.Mapping[str, str], request: MetricRequest, window: float = math.inf
) -> Gate:
    """The gate. asked: as ``queries_of`` gave it. window: seconds of the bake."""
    return _judged(one, answers, asked, request, window)[1]


def worth_another_look(one: MetricGate, answers: Answers, request: MetricRequest, window: float) -> bool:
    """Whether the next scrape, or the server itself, may be back in a moment."""
    if any(answer.again for answer in answers.parts.values()):
        return True
    if answers.age is not None and not (answers.age.value or 0.0) <= (math.inf if one.looks_back else window):
        return True
    became, row = _judged(one, answers, {}, request, window)
    return became in (_STALE, _NOTHING, _UNCOUNTED) and row.verdict != GO


def _judged(
    one: MetricGate, answers: Answers, asked: t.Mapping[str, str], request: MetricRequest, window: float
) -> tuple[int, Gate]:
    parts = answers.parts
    warned = "; ".join(dict.fromkeys(answer.warned for answer in parts.values() if answer.warned))

    def row(value: str, passed: bool, why: str, part: str = "value", warn: bool = False) -> Gate:
        why += f"; Prometheus warns of its answer: {warned}" if warned else ""
        advice = f"{why} ({request.url}, {asked.get(part, '')})"
        return gate(f"Prometheus: {one.name}", value, one.wanted, passed and not warned, advice, warn or passed)

    bakes = one.stage == BAKE
    for part, answer in parts.items():
        if answer.kind in FAILED:
            away = bakes and answer.again and request.on_no_answer == WARN_ONLY
            why = f"{_WORDS[answer.kind]}: {answer.said}" + ("; not judged, see on_no_answer" if away else "")
            return _FAILS, row(answer.kind, False, why, part, away)
    age, nothing = answers.age, answers.value.kind == EMPTY
    if age is not None and age.kind == EMPTY and not nothing:
        return _STALE, row("stale, no sample now", False, "what it is made of is not scraped any more", "age")
    seconds = age.value if age is not None else None
    if seconds is not None and not seconds <= request.max_age:
        why = f"the newest sample is older than {request.max_age:g} s"
        return _STALE, row(f"stale, {seconds:.0f} s old", False, why, "age")
    if few := _too_few(one, answers, seconds, window):
        return few[0], row(few[1], False, few[2], few[3], few[4])
    if nothing:
        why = "there is no series: is it scraped, and are the labels right?"
        return _NOTHING, row("empty", one.on_empty == GO_ON and not warned, why)
    if answers.samples is not None and answers.samples.kind == EMPTY:
        return _UNCOUNTED, row("no count", False, "samples gives no series: not judged", "samples", bakes)
    return _JUDGED, _compared(one, answers, row)


def _too_few(
    one: MetricGate, answers: Answers, age: float | None, window: float
) -> tuple[int, str, str, str, bool] | None:
    """What there is too little of to judge by."""
    bakes = one.stage == BAKE
    if bakes and not one.looks_back and age is not None and age > window:
        why = f"the newest sample is {age:.0f} s old, and the bake began {window:.0f} s ago: not judged"
        return _FEW, f"{age:.0f} s old", why, "age", True
    if answers.scrapes is not None and age is not None:
        held = answers.scrapes.value or 0.0
        if not held >= MIN_SCRAPES:
            where = f"the window of {window:.0f} s" if math.isfinite(window) else "the window"
            why = f"{where} holds {held:g} samples, and {MIN_SCRAPES} are wanted: " + (
                "not judged" if bakes else "write a longer range into the query than $window"
            )
            return _FEW, f"too few, {held:g} scrapes", why, "scrapes", bakes
    if answers.steps is not None and answers.value.kind == VALUE:
        made = answers.steps.value or 0.0
        if not made >= MIN_STEPS:
            why = f"it grew in {made:g} steps, and {MIN_STEPS} are wanted: not judged"
            return _STEPS, f"too few, {made:g} steps", why, "steps", True
    return None


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
    return row(seen, passed, f"{value:g} is seen and {one.wanted} wanted")


def judge_answerable(
    one: MetricGate,
    answers: Answers,
    asked: t.Mapping[str, str],
    request: MetricRequest,
    colour: str,
    window: float,
) -> Gate:
    """Before a run: whether a gate of the bake can be judged at its end. It was asked about ``colour``, which is at work.

    window: seconds of the bake.
    """
    became, found = _judged(one, answers, asked, request, math.inf)
    found = replace(found, threshold=f"an answer; in the bake {one.wanted}")
    warned = any(answer.warned for answer in answers.parts.values())
    if became == _JUDGED:
        return replace(found, verdict=WARN) if warned else replace(found, verdict=GO, advice="")
    if became == _NOTHING and found.verdict == GO:
        return found
    of = f"that is of {colour}, which is at work"
    if became == _FAILS:
        return replace(found, verdict=NO_GO_ROW)
    if became == _STEPS:
        return replace(
            found, verdict=WARN, advice=f"{found.advice}; {of}, in {window:g} s: a longer bg_bake holds more"
        )
    if became == _FEW:
        held = (answers.scrapes.value if answers.scrapes else 0.0) or 0.0
        longer = math.ceil((MIN_SCRAPES + 1) * window / max(held, 1.0))
        shorter = max(1, int(window / (MIN_SCRAPES + 1)))
        advice = (
            f"set bg_bake to {longer} or more, or scrape every {shorter} s: {window:g} s hold {held:g} samples, and {MIN_SCRAPES} are "
            f"wanted; {of}. As it is, this gate will not be judged ({request.url}, {asked.get('scrapes', '')})"
        )
        # As at the end of the bake: to refuse the run would protect nobody.
        return replace(found, verdict=WARN, advice=advice)
    advice = (
        f"{found.advice}; {of}, and the bake could not be judged. on_empty: go lets an answer without a series pass"
    )
    return replace(found, verdict=NO_GO_ROW, advice=advice)


def not_asked(request: MetricRequest) -> list[Gate]:
    """Before a run without a bake: its gates."""
    count = len(request.of(BAKE))
    advice = f"{count} gates of the bake are not asked: bake is 0. Set bg_bake, or leave them out"
    return (
        [gate("Prometheus: gates of the bake", f"{count} not asked", "a bake", False, advice, warn=True)]
        if count
        else []
    )
