# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gates from Prometheus: how they are read, how values come into a query, and what becomes of each kind of answer."""

from __future__ import annotations

import math
import re
import typing as t
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.prometheus import (
    EMPTY,
    ERROR,
    GARBAGE,
    SEVERAL,
    TIMEOUT,
    VALUE,
    Answer,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import metric_gate
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application, Colour
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.metric_gate import (
    DEFAULT,
    PRESETS,
    Answers,
    MetricGate,
    MetricRequest,
    fill,
    judge,
    judge_answerable,
    literal,
    parse_metric_gates,
    pattern,
    placeholders,
    queries_of,
    values_for,
    worth_another_look,
)

APP = Application(
    "orders", "shop", {"blue": Colour("cc_blue", "orders-blue"), "green": Colour("cc_green", "orders-green")}
)
URL = "https://prometheus.example:9090"
REQUEST = MetricRequest(url=URL)
GATE = MetricGate("failed", "a", "<", 0.01)
ROW = {"name": "n", "query": "sum(a)", "comparison": "<", "threshold": 1, "stage": "bake"}
NASTY = [
    'x"} or vector(1) or {a="',
    "a\\",
    "'} or vector(1) or {a='",
    "`} or vector(1)",
    "a\nb",
    "a,b}",
    "${group}",
    "é",
]


def number(value: float, warned: str = "") -> Answer:
    return Answer(VALUE, value, warned=warned)


def row(answers: Answers, gate: MetricGate = GATE) -> tuple[str, str]:
    """Seen and verdict, of a gate whose advice names URL and query where something is wrong."""
    asked = {"value": "THE QUERY", "samples": "THE SAMPLES", "age": "THE AGE", "steps": "THE STEPS"}
    found = judge(gate, answers, asked, REQUEST)
    assert found.name == "Prometheus: failed"
    assert found.threshold == gate.wanted
    assert (URL in found.advice and "THE " in found.advice) is (found.verdict != "GO")
    return found.value, found.verdict


# --- answers -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comparison", "below", "equal", "above"),
    [
        ("<", "GO", "NO-GO", "NO-GO"),
        ("<=", "GO", "GO", "NO-GO"),
        (">", "NO-GO", "NO-GO", "GO"),
        (">=", "NO-GO", "GO", "GO"),
        ("==", "NO-GO", "GO", "NO-GO"),
        ("!=", "GO", "NO-GO", "GO"),
    ],
)
def test_every_comparison(comparison: str, below: str, equal: str, above: str) -> None:
    gate = MetricGate("failed", "a", comparison, 0.5)
    assert [row(Answers(number(value)), gate)[1] for value in (0.25, 0.5, 0.75)] == [below, equal, above]


WORDS = {
    "nan": (Answers(number(math.nan)), "NaN", "not a number"),
    "infinite": (Answers(number(math.inf)), "+inf", "infinite"),
    "empty": (Answers(Answer(EMPTY)), "empty", "no series"),
    "several": (Answers(Answer(SEVERAL, said="3 series")), "several", "aggregate"),
    "error": (
        Answers(Answer(ERROR, said="HTTP 400, bad_data: parse error")),
        "error",
        "HTTP 400, bad_data: parse error",
    ),
    "timeout": (Answers(Answer(TIMEOUT, said="nothing within 10 s")), "timeout", "nothing within 10 s"),
    "garbage": (Answers(Answer(GARBAGE, said="<html>")), "garbage", "<html>"),
    "stale": (Answers(number(0.0), age=number(151.0)), "stale, 151 s old", "older than 150 s"),
    "of no age": (Answers(number(0.0), age=number(math.nan)), "stale, nan s old", "older than 150 s"),
    "gone": (Answers(number(0.0), age=Answer(EMPTY)), "stale, no sample now", "not scraped any more"),
}


@pytest.mark.parametrize("kind", WORDS)
def test_each_bad_answer_is_no_go_in_words_of_its_own(kind: str) -> None:
    answers, seen, told = WORDS[kind]
    assert row(answers) == (seen, "NO-GO")
    advice = {other: judge(GATE, WORDS[other][0], {}, REQUEST).advice for other in WORDS}
    assert told in advice[kind]
    assert len(set(advice.values())) == len(WORDS) - 1, "of no age is a way to be stale"


def test_a_fresh_sample_counts() -> None:
    assert row(Answers(number(0.0), age=number(150.0))) == ("0", "GO")


def test_an_empty_answer_is_go_where_that_was_said() -> None:
    gate = MetricGate("failed", "a", "<", 0.01, on_empty="go")
    assert row(Answers(Answer(EMPTY), age=Answer(EMPTY)), gate) == ("empty", "GO")
    assert row(Answers(Answer(ERROR)), gate)[1] == "NO-GO"
    assert row(Answers(number(0.0), age=Answer(EMPTY)), gate)[1] == "NO-GO", "it is not the answer that is empty"


@pytest.mark.parametrize(("samples", "seen"), [(99.4, "too few, 99 samples"), (math.nan, "too few, nan samples")])
def test_too_small_a_sample_is_not_judged(samples: float, seen: str) -> None:
    assert row(Answers(number(0.5), number(samples))) == (seen, "WARN")
    assert row(Answers(number(math.nan), number(samples))) == (seen, "WARN"), "0 of 0"


def test_enough_of_them_are_told() -> None:
    assert row(Answers(number(0.5), number(1234.0))) == ("0.5 of 1,234 samples", "NO-GO")
    assert row(Answers(number(0.0), number(100.0))) == ("0 of 100 samples", "GO")


@pytest.mark.parametrize("part", ["samples", "age"])
def test_an_answer_beside_the_value_that_is_none_is_no_go(part: str) -> None:
    answers = Answers(number(0.0), **{part: Answer(ERROR, said="HTTP 503")})
    assert row(answers) == ("error", "NO-GO")
    found = judge(GATE, answers, {"value": "v", "samples": "s", "age": "a"}, REQUEST)
    assert f"({URL}, {part[0]})" in found.advice


@pytest.mark.parametrize(("held", "verdict"), [(3.0, "WARN"), (4.0, "GO"), (None, "WARN")])
def test_a_window_with_fewer_than_four_scrapes_is_not_judged(held: float | None, verdict: str) -> None:
    scrapes = Answer(EMPTY) if held is None else number(held)
    for value in (number(0.0), Answer(EMPTY)) if verdict == "WARN" else (number(0.0),):
        found = judge(GATE, Answers(value, age=number(20.0), scrapes=scrapes), {}, REQUEST, 30.0)
        assert found.verdict == verdict
        if verdict == "WARN":
            assert f"the window of 30 s holds {held or 0:g} samples, and 4 are wanted: not judged" in found.advice
    before = judge(
        MetricGate("n", "a", "<", 1, "before"), Answers(number(0.0), age=number(2.0), scrapes=scrapes), {}, REQUEST
    )
    assert before.verdict == ("NO-GO" if verdict == "WARN" else "GO")
    gone = Answers(Answer(EMPTY), age=Answer(EMPTY), scrapes=Answer(EMPTY))
    assert row(gone) == ("empty", "NO-GO"), "nothing was ever scraped"


@pytest.mark.parametrize(("made", "seen"), [(5.0, ("too few, 5 steps", "WARN")), (6.0, ("0.5", "NO-GO"))])
def test_few_commits_are_no_rate(made: float, seen: tuple[str, str]) -> None:
    assert row(Answers(number(0.5), steps=number(made))) == seen
    assert row(Answers(number(0.5), steps=Answer(EMPTY)))[1] == "WARN"
    assert row(Answers(Answer(EMPTY), steps=Answer(EMPTY))) == ("empty", "NO-GO")


def test_a_look_from_before_the_bake_is_not_judged() -> None:
    old = Answers(number(1.0), age=number(40.0))
    assert judge(GATE, old, {}, REQUEST, 30.0).verdict == "WARN"
    assert judge(GATE, old, {}, REQUEST, 41.0).verdict == "NO-GO"
    back = MetricGate("n", "a[$window]", "<", 0.01)
    assert judge(back, old, {}, REQUEST, 30.0).verdict == "NO-GO", "its scrapes are counted"


def test_no_count_is_none() -> None:
    assert row(Answers(number(0.5), Answer(EMPTY))) == ("no count", "WARN")
    go = MetricGate("failed", "a", "<", 0.01, on_empty="go")
    assert row(Answers(number(0.5), Answer(EMPTY)), go) == ("no count", "WARN"), "on_empty is of the value"
    assert (
        judge(MetricGate("n", "a", "<", 1, "before"), Answers(number(0.5), Answer(EMPTY)), {}, REQUEST).verdict
        == "NO-GO"
    )


@pytest.mark.parametrize(
    ("answers", "again"),
    [
        (Answers(number(0.5)), False),
        (Answers(number(0.5), number(1.0)), False),
        (Answers(Answer(EMPTY)), True),
        (Answers(number(0.5), Answer(EMPTY)), True),
        (Answers(number(0.5), age=Answer(EMPTY)), True),
        (Answers(number(0.5), age=number(999.0)), True),
        (Answers(number(0.5), age=number(31.0)), True),
        (Answers(number(0.5), age=number(30.0)), False),
        (Answers(Answer(ERROR, again=True)), True),
        (Answers(Answer(ERROR)), False),
    ],
)
def test_what_another_look_may_help(answers: Answers, again: bool) -> None:
    assert worth_another_look(GATE, answers, REQUEST, 30.0) is again
    if answers.value.kind == EMPTY:
        assert not worth_another_look(MetricGate("n", "a", "<", 1, on_empty="go"), answers, REQUEST, 30.0)


def test_a_server_that_is_away_at_the_end_may_be_a_warning() -> None:
    asked = replace(REQUEST, on_no_answer="warn")
    for answer, verdict in (
        (Answer(TIMEOUT, again=True), "WARN"),
        (Answer(ERROR, said="HTTP 503", again=True), "WARN"),
        (Answer(ERROR, said="HTTP 401"), "NO-GO"),
    ):
        assert judge(GATE, Answers(answer), {}, asked).verdict == verdict
        assert judge(replace(GATE, stage="before"), Answers(answer), {}, asked).verdict == "NO-GO"
        assert judge_answerable(GATE, Answers(answer), {}, asked, "blue", 30.0).verdict == "NO-GO"


def test_a_part_of_an_answer_is_never_a_go() -> None:
    gate = MetricGate("failed", "a", "<", 0.01, on_empty="go")
    partial = Answers(Answer(EMPTY, warned="a store is away"))
    assert row(partial, gate) == ("empty", "NO-GO")
    assert "a store is away" in judge(gate, partial, {}, REQUEST).advice
    assert judge_answerable(gate, partial, {}, REQUEST, "blue", 30.0).verdict == "NO-GO"
    beside = Answers(number(0.0), age=Answer(VALUE, 3.0, warned="a store is away"))
    assert row(beside, gate) == ("0", "WARN")
    assert judge_answerable(gate, beside, {}, REQUEST, "blue", 30.0).verdict == "WARN"


def test_what_the_server_warns_of_is_no_clean_go() -> None:
    assert row(Answers(number(0.0, "a store is away"))) == ("0", "WARN")
    assert row(Answers(number(0.5, "a store is away"))) == ("0.5", "NO-GO")


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        (Answers(number(0.5)), "GO"),
        (Answers(number(math.nan)), "GO"),
        (Answers(number(0.5), number(0.0)), "GO"),
        (Answers(Answer(EMPTY)), "NO-GO"),
        (Answers(number(0.5), Answer(EMPTY)), "NO-GO"),
        (Answers(number(0.5), age=number(999.0)), "NO-GO"),
        (Answers(number(0.5), age=number(40.0)), "GO"),
        (Answers(number(0.5), age=number(4.0), scrapes=number(3.0)), "WARN"),
        (Answers(number(0.5), steps=number(3.0)), "WARN"),
        (Answers(Answer(ERROR, said="HTTP 401")), "NO-GO"),
        (Answers(Answer(TIMEOUT)), "NO-GO"),
        (Answers(Answer(GARBAGE)), "NO-GO"),
        (Answers(Answer(SEVERAL)), "NO-GO"),
        (Answers(number(0.5), Answer(ERROR)), "NO-GO"),
    ],
)
def test_before_a_run_a_gate_of_the_bake_only_has_to_be_answered(answers: Answers, verdict: str) -> None:
    found = judge_answerable(GATE, answers, {"value": "q"}, REQUEST, "blue", 30.0)
    assert (found.verdict, found.threshold) == (verdict, "an answer; in the bake < 0.01")
    assert bool(found.advice) is (verdict != "GO")
    wrong = any(answer.kind not in (VALUE, EMPTY) for answer in answers.parts.values())
    assert ("blue, which is at work" in found.advice) is (verdict != "GO" and not wrong)


@pytest.mark.parametrize(("held", "longer"), [(number(2.0), 75), (Answer(EMPTY), 150)])
def test_before_a_run_a_bake_that_is_too_short_is_told_with_what_to_set(held: Answer, longer: int) -> None:
    answers = Answers(Answer(EMPTY), age=number(9.0), scrapes=held)
    found = judge_answerable(GATE, answers, {}, REQUEST, "blue", 30.0)
    assert found.verdict == "WARN"
    assert f"set bg_bake to {longer} or more, or scrape every 6 s" in found.advice


def test_an_empty_answer_that_may_be_is_no_doubt_before_a_run() -> None:
    gate = MetricGate("failed", "a", "<", 0.01, on_empty="go")
    found = judge_answerable(gate, Answers(Answer(EMPTY)), {}, REQUEST, "blue", 30.0)
    assert (found.verdict, found.value, found.advice) == ("GO", "empty", "")


# --- values in a query -------------------------------------------------------------------------------------------------------


def unescaped(text: str) -> str:
    """What a string of PromQL holds: the escapes that we write are those of Python, too."""
    return re.sub(r"\\u([0-9a-f]{4})|\\U([0-9a-f]{8})", lambda found: chr(int(found[1] or found[2], 16)), text)


@pytest.mark.parametrize("value", NASTY)
def test_a_value_never_ends_the_string_that_it_is_in(value: str) -> None:
    written = literal(value)
    assert re.fullmatch(r"([A-Za-z0-9_.-]|\\u[0-9a-f]{4}|\\U[0-9a-f]{8})*", written)
    assert unescaped(written) == value
    assert fill('up{a="$group"}', {"group": written}) == f'up{{a="{written}"}}'


@given(st.text(), st.text())
def test_whatever_is_in_it(value: str, other: str) -> None:
    assert not set(literal(value)) & set("\"'`\n{}(),$ ")
    assert unescaped(literal(value)) == value
    expression = unescaped(pattern([value, other]))
    matched = [one for one in (value, other) if re.fullmatch(expression, one)]
    assert matched == [value, other]
    assert set(re.findall(r"\\(.)", pattern([value]))) <= {"u", "U"}


def test_names_of_topics_are_alternatives_and_no_patterns() -> None:
    assert pattern(["order.events", "pay-ments_2"]) == "order[.]events|pay-ments_2"
    assert not re.fullmatch(pattern(["order.events"]), "orderXevents")
    assert not re.fullmatch(unescaped(pattern([".*"])), "orders")


def test_placeholders_are_told_from_other_dollars() -> None:
    query = 'label_replace(a{b=~"x$|y$",c="$app",d="${group}"}, "e", "$1", "f", "(.*)$") + $$app $'
    assert placeholders(query) == ["app", "group"]
    filled = fill(query, {"app": "A", "group": "G"})
    assert filled == 'label_replace(a{b=~"x$|y$",c="A",d="G"}, "e", "$1", "f", "(.*)$") + $app $'


def test_a_value_is_no_place_for_another() -> None:
    assert fill("$app $group", {"app": "$group", "group": "G"}) == "$group G"


def test_whose_group_it_is() -> None:
    before = values_for(APP, "blue", "green", ["t"], 60)
    bake = values_for(APP, "green", "green", ["t"], 30.9, 512.34)
    assert (before["group"], bake["group"]) == ("cc_blue", "cc_green")
    assert (before["colour"], bake["workload"]) == ("blue", "orders-green")
    for values in (before, bake):
        assert (values["source_group"], values["target_group"]) == ("cc_blue", "cc_green")
        assert (values["source_workload"], values["target_colour"]) == ("orders-blue", "green")
    assert (before["window"], bake["window"]) == ("60s", "31s"), "nothing is left out"
    assert set(before) == set(metric_gate.NAMES)


@pytest.mark.parametrize(("rate", "written"), [(512.34, "512.340"), (None, "Inf"), (0.0, "Inf")])
def test_a_rate_that_was_not_measured_limits_nothing(rate: float | None, written: str) -> None:
    assert values_for(APP, "green", "green", [], 30, rate)["source_rate"] == written


@pytest.mark.parametrize(
    ("kind", "pod", "others"),
    [
        (
            "Deployment",
            "orders-green-7c9fd5b6d-x2x9z",
            ["orders-green-v2-7c9fd5b6d-x2x9z", "orders-blue-7c9fd5b6d-x2x9z", "orders-green"],
        ),
        ("StatefulSet", "orders-green-11", ["orders-green-v2-11", "orders-green-x", "orders-green"]),
    ],
)
def test_pods_of_a_colour(kind: str, pod: str, others: list[str]) -> None:
    app = Application(APP.name, APP.namespace, APP.colours, workload_kind=kind)
    expression = values_for(app, "green", "green", [], 30)["pods"]
    assert re.fullmatch(expression, pod)
    assert [other for other in others if re.fullmatch(expression, other)] == []


@pytest.mark.parametrize("length", range(40, 64))
def test_kubernetes_cuts_a_long_name(length: int) -> None:
    """As names.SimpleNameGenerator does: 58 characters of the base, and five of its own."""
    name = ("orders-green-" + "x" * 60)[:length]
    app = Application(APP.name, APP.namespace, {**APP.colours, "green": Colour("g", name)})
    expression = values_for(app, "green", "green", [], 30)["pods"]
    for its_hash in ("7c9fd5b6d", "7c9fd5b6dx", "7c9fd5"):
        assert re.fullmatch(expression, f"{name}-{its_hash}-"[:58] + "x2x9z")
    assert not re.fullmatch(expression, f"{'y' + name[1:]}-7c9fd5b6d-"[:58] + "x2x9z")
    assert length == 63 or not re.fullmatch(expression, name)


def test_the_age_is_asked_on_the_servers_clock() -> None:
    gate = MetricGate("n", "rate(a{g='$group'}[$window])", "<", 1, samples="count(a)", rests_on='a{g="$group"}')
    assert queries_of(gate, values_for(APP, "green", "green", [], 30)) == {
        "value": "rate(a{g='cc_green'}[30s])",
        "samples": "count(a)",
        "age": 'min(time() - timestamp(a{g="cc_green"}))',
        "scrapes": 'max(count_over_time(a{g="cc_green"}[30s]))',
    }
    moved = replace(gate, rests_on='a{g="$group"} offset 5m', steps="changes(a[$window])")
    assert queries_of(moved, values_for(APP, "green", "green", [], 30)) == {
        "value": "rate(a{g='cc_green'}[30s])",
        "samples": "count(a)",
        "steps": "changes(a[30s])",
        "age": 'min(time() - timestamp(a{g="cc_green"} offset 5m))',
        "scrapes": 'max(count_over_time(a{g="cc_green"}[30s] offset 5m))',
    }
    assert set(queries_of(replace(gate, query="a"), values_for(APP, "green", "green", [], 30))) == {
        "value",
        "samples",
        "age",
    }


def test_matchers_of_labels_are_in_every_selector_of_a_preset() -> None:
    for preset in PRESETS.values():
        queries = queries_of(preset, values_for(APP, "green", "green", ["t"], 30, matchers='cluster="prod"'))
        assert "$" not in "".join(queries.values())
        for query in queries.values():
            selectors = re.findall(r"\{[a-z_]+=[^{}]*(?:\{\d\}[^{}]*)*\}", query)
            assert selectors
            assert all(',cluster="prod"}' in selector for selector in selectors), selectors
    assert values_for(APP, "green", "green", [], 30)["matchers"] == ""


# --- reading the option ------------------------------------------------------------------------------------------------------


def test_without_a_choice_the_default_set_is_asked() -> None:
    gates, faults = parse_metric_gates(None)
    assert faults == []
    assert list(gates) == [PRESETS[name] for name in DEFAULT]
    assert parse_metric_gates([]) == ((), [])


def test_a_row_of_ones_own() -> None:
    [gate], faults = parse_metric_gates([{**ROW, "threshold": "0.5", "on_empty": "go", "min_samples": 5}])
    assert faults == []
    assert gate == MetricGate("n", "sum(a)", "<", 0.5, "bake", "go", min_samples=5.0)


@pytest.mark.parametrize(
    ("selector", "plain"),
    [
        ('a:b{c="x}y",d=~"z{2}",e="${group}"}', True),
        ('{__name__=~"a|b",$matchers}', True),
        ("kube_${workload_kind}_x{${workload_kind}='y'}", True),
        ("up offset 5m", True),
        ("sum(up)", False),
        ("up[5m]", False),
        ("up == 1", False),
        ("a or b", False),
        ("1", False),
        ("up offset 5m + 1", False),
    ],
)
def test_what_a_gate_rests_on_is_a_selector(selector: str, plain: bool) -> None:
    [gate], faults = parse_metric_gates([{**ROW, "rests_on": selector}])
    assert bool(faults) is (not plain)
    assert plain or "rests_on is" in faults[0]
    assert not plain or "age" in queries_of(gate, values_for(APP, "green", "green", [], 30))


def test_an_empty_text_takes_a_part_of_a_preset_away() -> None:
    given = {"preset": "kafka_exporter_throughput", "samples": "", "steps": "", "rests_on": "", "query": "up"}
    [gate], faults = parse_metric_gates([given])
    assert (gate.samples, gate.steps, gate.rests_on, gate.query, faults) == ("", "", "", "up", [])


def test_a_row_that_begins_with_a_preset() -> None:
    [gate], faults = parse_metric_gates([{"preset": "kafka_exporter_lag", "threshold": 5, "name": "mine"}])
    assert faults == []
    known = PRESETS["kafka_exporter_lag"]
    assert (gate.name, gate.threshold, gate.query, gate.stage) == ("mine", 5.0, known.query, "before")


@pytest.mark.parametrize(
    ("query", "rests_on"),
    [("up", "up"), ('up{a="$app"}', 'up{a="$app"}'), ("sum(up)", ""), ("up > 1", ""), ("vector(1)", "")],
)
def test_a_query_that_is_a_selector_has_an_age(query: str, rests_on: str) -> None:
    [gate], faults = parse_metric_gates([{**ROW, "query": query}])
    assert (gate.rests_on, faults) == (rests_on, [])


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ("consumer_error_ratio", "metric_gates is 'consumer_error_ratio'; it must be a list"),
        (["no_such"], "metric_gates[1]: preset 'no_such' is unknown; known are consumer_error_ratio,"),
        ([7], "metric_gates[1] is 7; it must be the name of a preset or a dictionary"),
        ([{"preset": ["x"]}], "preset ['x'] is unknown"),
        ([{**ROW, "query": ""}], "metric_gates[1] (n): query is missing"),
        ([{**ROW, "query": 5}], "query is 5; it must be a text"),
        ([{**ROW, "comparison": "=<"}], "comparison is '=<'; it must be one of <, <=, >, >=, ==, !="),
        ([{**ROW, "stage": "after"}], "stage is 'after'; it must be one of before, bake"),
        ([{**ROW, "on_empty": True}], "on_empty is True; it must be one of no-go, go"),
        ([{**ROW, "threshold": "much"}], "threshold is 'much'; it must be a number"),
        ([{**ROW, "threshold": float("nan")}], "threshold is nan; it must be a number"),
        ([{**ROW, "threshold": True}], "threshold is True; it must be a number"),
        ([{**ROW, "sample": "a"}], "sample is unknown; known are preset, name,"),
        (
            [{**ROW, "query": "a{b='$grupp'}"}],
            "query holds $grupp, which is unknown; known are $app, $namespace, $colour,",
        ),
        ([{**ROW, "rests_on": "a{b='${x}'}"}], "rests_on holds $x, which is unknown"),
        ([ROW, dict(ROW)], "metric_gates: 'n' is there 2 times"),
        (["kminion_lag", "kminion_lag"], "'lag by kminion' is there 2 times"),
    ],
)
def test_a_row_with_a_fault(raw: t.Any, told: str) -> None:
    _gates, faults = parse_metric_gates(raw)
    assert len(faults) == 1, faults
    assert told in faults[0]


def test_every_fault_of_every_row_is_told() -> None:
    _gates, faults = parse_metric_gates([{}, {**ROW, "stage": "x", "threshold": "x"}, "nope"])
    assert len(faults) == 5 + 2 + 1


# --- presets -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_whole(name: str) -> None:
    gates, faults = parse_metric_gates([name])
    assert faults == []
    [gate] = gates
    assert gate.rests_on, "an old sample is known"
    filled = queries_of(gate, values_for(APP, "green", "green", ["t"], 30))
    assert set(filled) >= {"value", "age"}
    assert "$" not in "".join(filled.values())
    assert ("scrapes" in filled) is ("$window" in gate.query)
    assert bool(gate.steps) is name.endswith("_throughput")
    ratio = "/" in gate.query and name != "kube_state_pods"
    assert bool(gate.samples) is ratio, "a share has a smallest sample"


def test_the_default_set_is_of_the_bake() -> None:
    """What is judged before a run needs no Prometheus, and what is judged from Kafka is not judged twice."""
    assert DEFAULT == ("consumer_error_ratio",)
    assert {PRESETS[name].stage for name in DEFAULT} == {"bake"}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from([*ROW, "preset", "rests_on", "samples", "x", ""]), inner)
    ),
)


@given(ANYTHING)
def test_whatever_is_given_is_read_or_told(raw: t.Any) -> None:
    gates, faults = parse_metric_gates(raw)
    if not faults:
        for gate in gates:
            assert gate.name
            queries_of(gate, values_for(APP, "green", "green", [], 30))
