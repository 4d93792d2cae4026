# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gates from Prometheus, asked of a real one. It has to scrape something, whatever that is."""

from __future__ import annotations

import os
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.prometheus import PrometheusAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.system import SystemClock, ThreadParallel
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.prometheus import (
    EMPTY,
    ERROR,
    SEVERAL,
    VALUE,
    Prometheus,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application, Colour
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.gates import Gate
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.metric_gate import (
    PRESETS,
    MetricGate,
    MetricRequest,
    literal,
    parse_metric_gates,
    pattern,
    queries_of,
    values_for,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run import metric_gates
from tests.unit.fakes.ports import World
from tests.unit.waiting import HANG, until

pytestmark = [pytest.mark.bed, pytest.mark.monitoring]

APP = Application(
    "orders", "shop", {"blue": Colour("cc_blue", "orders-blue"), "green": Colour("cc_green", "orders-green")}
)
NASTY = ['x"} or vector(1) or {a="', "a\\", "'} or vector(1) or {a='", "`} or vector(1)", "a\nb", "a,b}#", "é\t😀"]


@pytest.fixture(scope="module")
def url() -> str:
    return os.environ["PROMETHEUS_URL"]


@pytest.fixture(scope="module")
def server(url: str) -> PrometheusAdapter:
    adapter = PrometheusAdapter(Prometheus(url, timeout=HANG))
    until("something was scraped", lambda: adapter.instant("count(up)").kind, lambda kind: kind == VALUE)
    return adapter


def judged(server: PrometheusAdapter, url: str, max_age: float = 60.0, **gate: t.Any) -> Gate:
    """What becomes of a gate of the bake."""
    given = {"name": "n", "comparison": "<", "threshold": 1, "stage": "bake", **gate}
    gates, faults = parse_metric_gates([given])
    assert faults == []
    ports = replace(World().ports, clock=SystemClock(), parallel=ThreadParallel(), metrics=server)
    request = MetricRequest(gates, url, max_age=max_age)
    [row] = metric_gates.at_the_end(ports, APP, request, "green", ["order.events"], 30.0, None)
    return row


@pytest.mark.parametrize(
    ("query", "seen", "verdict", "told"),
    [
        ("vector(0.5)", "0.5", "GO", ""),
        ("0.25 + 0.25", "0.5", "GO", ""),
        ("vector(1)", "1", "NO-GO", "1 is seen and < 1 wanted"),
        ("vector(0) / 0", "NaN", "NO-GO", "not a number"),
        ("1 / 0", "+inf", "NO-GO", "infinite"),
        ("vector(0) == 1", "empty", "NO-GO", "no series"),
        ('vector(0) or label_replace(vector(0), "a", "b", "", "")', "several", "NO-GO", "2 series"),
        ("sum(up[5m])", "error", "NO-GO", "bad_data"),
        ("up[5m]", "error", "NO-GO", "gives a matrix"),
        ('"text"', "error", "NO-GO", "gives a string"),
        ("sum(", "error", "NO-GO", "parse error"),
        ("vector(0.5) # ; vector(2)", "0.5", "GO", ""),
        ("clamp_max(vector(0.5), $source_rate)", "0.5", "GO", ""),
    ],
)
def test_each_kind_of_answer(
    server: PrometheusAdapter, url: str, query: str, seen: str, verdict: str, told: str
) -> None:
    row = judged(server, url, query=query)
    assert (row.value, row.verdict) == (seen, verdict), row
    assert told in row.advice
    assert not told or url in row.advice


def test_an_old_sample_is_told_from_a_new_one(server: PrometheusAdapter, url: str) -> None:
    fresh = judged(server, url, query="sum(up) * 0", rests_on="up")
    assert (fresh.value, fresh.verdict) == ("0", "GO")
    old = "up offset 5s"
    until("there is an older sample", lambda: server.instant(f"count({old})").kind, lambda kind: kind == VALUE)
    stale = judged(server, url, max_age=2.0, query="sum(up) * 0", rests_on=old)
    assert stale.verdict == "NO-GO"
    assert stale.value.startswith("stale, ")
    gone = judged(server, url, query="sum(up) * 0", rests_on='up{job="nobody"}')
    assert (gone.value, gone.verdict) == ("stale, no sample now", "NO-GO")


def test_the_time_of_an_answer_is_no_age(server: PrometheusAdapter) -> None:
    """Why the age is a question of its own: of an old sample, too, an answer has the time at which it was asked."""
    until("an older sample", lambda: server.instant("count(up offset 5s)").kind, lambda kind: kind == VALUE)
    of_answer = server.instant("min(time() - timestamp(up offset 5s + 0))").value
    of_sample = server.instant("min(time() - timestamp(up offset 5s))").value
    assert of_answer == 0.0
    assert of_sample is not None
    assert of_sample >= 5.0


@pytest.mark.parametrize("value", NASTY)
@pytest.mark.parametrize("quote", ['"', "'", "`"])
def test_a_value_is_a_label_and_nothing_else(server: PrometheusAdapter, value: str, quote: str) -> None:
    """It finds nothing, and adds no series of its own. Within backticks nothing can be escaped, which is told as an error."""
    assert server.instant(f"up{{job={quote}{literal(value)}{quote}}}").kind == EMPTY
    kinds = (EMPTY, ERROR) if quote == "`" else (EMPTY,)
    assert server.instant(f"up{{job=~{quote}{pattern([value, 'a.b'])}{quote}}}").kind in kinds
    assert server.instant(f"sum({literal(value)})").kind == ERROR, "without quotes"


def matches(server: PrometheusAdapter, value: str, names: list[str]) -> bool:
    """Whether a label of this value matches the expression for these names, by Prometheus' own regular expressions."""
    labelled = f'label_replace(vector(1), "label", "{literal(value)}", "", "")'
    hit = f'label_replace({labelled}, "hit", "yes", "label", "{pattern(names)}")'
    answer = server.instant(f'{hit} and on (hit) label_replace(vector(1), "hit", "yes", "", "")')
    assert answer.kind in (VALUE, EMPTY), answer
    return answer.kind == VALUE


@pytest.mark.parametrize("value", [*NASTY, "a+b", "order.events", "[a]", "^a", "(a|b)*"])
def test_what_is_written_is_what_is_read(server: PrometheusAdapter, value: str) -> None:
    assert matches(server, value, ["x", value])
    assert not matches(server, value, ["x", f"{value}y"])


def test_a_topic_is_no_pattern(server: PrometheusAdapter) -> None:
    assert not matches(server, "orderXevents", ["order.events"])
    assert not matches(server, "orders", ["order"])


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_right_promql(server: PrometheusAdapter, name: str) -> None:
    app = replace(APP, colours={**APP.colours, "green": Colour(NASTY[0], "orders-green")})
    queries = queries_of(PRESETS[name], values_for(app, "green", "green", ["order.events", "t"], 30, 12.5))
    answers = {part: server.instant(query) for part, query in queries.items()}
    assert [(part, one.said) for part, one in answers.items() if one.kind not in (VALUE, EMPTY)] == []


def test_several_series_are_told(server: PrometheusAdapter, url: str) -> None:
    both = MetricGate("n", 'vector(1) or label_replace(vector(1), "pod", "p", "", "")', "<", 1)
    answer = server.instant(both.query)
    assert answer.kind == SEVERAL
    assert answer.said == '2 series, among them {}, {"pod": "p"}'
