"""What Prometheus says of a version decides before a switch and at the end of its bake; where it says nothing, that is No-Go."""

import math
from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import NoGoError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.prometheus import (
    EMPTY,
    ERROR,
    GARBAGE,
    SEVERAL,
    VALUE,
    Answer,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.bake import STOP, BakeRequest, Limits
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.metric_gate import (
    BEFORE,
    MetricGate,
    MetricRequest,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.preflight import preflight
from tests.simulation.world.example import virtual_time
from tests.simulation.world.faults import Kill
from tests.simulation.world.playbook import play
from tests.simulation.world.pods import Illness
from tests.simulation.world.ports import AFTER, SimPrometheus
from tests.simulation.world.ports import BEFORE as BEFORE_IT
from tests.simulation.world.scenario import SCENARIOS, attempt, judge, sample, untouched

SWITCHES = [scenario for scenario in SCENARIOS if scenario.direction == "switch" and scenario.fused]
WATCH = BakeRequest(30.0, limits=Limits(min_records=50))
LAG = MetricGate("lag", 'lag{g="$group"}', "<=", 1000, stage=BEFORE)
RATIO = MetricGate(
    "failed records",
    'failed{g="$group"}[$window]/$source_rate',
    "<",
    0.01,
    samples='all{g="$group",t=~"$topics"}',
    rests_on="counter",
)
ASKED = MetricRequest((LAG, RATIO), "https://prometheus.example", timeout=10.0)
FINE = {
    "timestamp(counter)": Answer(VALUE, 5.0),
    "count_over_time(counter": Answer(VALUE, 8.0),
    "all{": Answer(VALUE, 400.0),
    "failed{": Answer(VALUE, 0.001),
    "lag{": Answer(VALUE, 12.0),
}
NAME = "Prometheus: failed records"


@pytest.fixture(autouse=True)
def _in_virtual_time(monkeypatch):
    virtual_time(monkeypatch)


def with_prometheus(scenario, **answers):
    world = scenario.world()
    world.prometheus = SimPrometheus(answers=dict(FINE) | answers)
    return world


def switch(scenario, bake=WATCH, target="green", metrics=ASKED):
    return lambda operator: play(operator, "switch", scenario.mode, target, bake=bake, metrics=metrics)


def queries(operator):
    return [call.arguments[0] for call in operator.calls if call.service == "metrics"]


def row(error, name=NAME):
    (found,) = [gate for gate in error.result["baked"]["gates"] if gate["name"] == name]
    return found


def at_the_end_of_the_bake(world, task):
    """Until all looks but the last few are done."""
    assert world.scheduler.run_until(lambda: world.record.phase == "verifying", world.scheduler.now + 120)
    world.pass_time(24.0)
    assert not task.done


def ended_well(world, colour):
    world.pass_time(5.0)
    return judge(world, colour)


@pytest.mark.parametrize("scenario", SWITCHES, ids=str)
def test_a_version_that_prometheus_finds_good_is_closed(scenario):
    world = with_prometheus(scenario)
    operator = world.operator("run")
    outcome = attempt(world, operator, switch(scenario))
    assert outcome.result, str(outcome)
    assert world.record.phase == "stable"
    blue, green = (world.app.colours[colour].group for colour in ("blue", "green"))
    before, after = queries(operator)[:5], queries(operator)[5:]
    assert all(f'"{blue}"' in query for query in before if "counter" not in query), before
    assert len(after) == 4, after
    assert all(f'"{green}"' in query for query in after if "counter" not in query), after
    assert 'all{g="cc_order_sim_green",t=~"order-events"}' in after
    assert ended_well(world, "green") == []


def test_what_it_looks_back_at_is_what_was_measured():
    scenario = SWITCHES[0]
    world = with_prometheus(scenario)
    operator = world.operator("run")
    attempt(world, operator, switch(scenario, replace(WATCH, slice=7.0)))
    [tried, asked] = [query for query in queries(operator) if "failed{" in query]
    assert tried == 'failed{g="cc_order_sim_blue"}[30s]/Inf'
    window = int(asked.partition("[")[2].partition("s]")[0])
    assert window in range(15, 32), "of all slices"
    rate = asked.partition("/")[2]
    assert rate == "Inf" or float(rate) > 1.0


BAD = {
    "too high": (Answer(VALUE, 0.05), "0.05 of 400 samples"),
    "NaN": (Answer(VALUE, math.nan), "NaN"),
    "empty": (Answer(EMPTY), "empty"),
    "several": (Answer(SEVERAL, said="2 series"), "several"),
    "error": (Answer(ERROR, said="HTTP 422"), "error"),
    "garbage": (Answer(GARBAGE, said="<html>", again=True), "garbage"),
}


@pytest.mark.parametrize("kind", BAD)
def test_any_other_answer_at_the_end_rolls_it_back(kind):
    scenario = SWITCHES[0]
    world = with_prometheus(scenario)
    operator = world.operator("run")
    task = world.start(operator, lambda: switch(scenario)(operator))
    at_the_end_of_the_bake(world, task)
    answer, seen = BAD[kind]
    world.prometheus.answers["failed{"] = answer
    world.finish(task)
    error = task.error
    assert isinstance(error, NoGoError), repr(error)
    assert (row(error)["value"], row(error)["verdict"]) == (seen, "NO-GO")
    assert f"{NAME}: {seen}, wanted < 0.01" in error.message
    assert 'https://prometheus.example, failed{g="cc_order_sim_green"}' in row(error)["advice"]
    assert "Rolled back: blue is active" in error.message
    assert NAME in world.journal.current.note
    assert (world.record.active, world.record.phase) == ("blue", "stable")
    assert ended_well(world, "blue") == []


def test_in_slices_it_is_the_same():
    scenario = SWITCHES[0]
    for ratio, wanted in ((0.001, "green"), (0.05, "blue")):
        world = with_prometheus(scenario, **{"failed{": Answer(VALUE, ratio)})
        outcome = attempt(world, world.operator("run"), switch(scenario, replace(WATCH, slice=7.0)))
        assert (outcome.result is not None) is (wanted == "green"), str(outcome)
        assert world.record.active == wanted
        assert ended_well(world, wanted) == []


def test_stop_leaves_it_to_people():
    scenario = SWITCHES[0]
    world = with_prometheus(scenario, **{"failed{": Answer(VALUE, 0.05)})
    outcome = attempt(world, world.operator("run"), switch(scenario, replace(WATCH, on_no_go=STOP)))
    assert isinstance(outcome.error, NoGoError), str(outcome)
    assert (world.record.active, world.record.phase) == ("green", "verifying")
    world.prometheus.answers["failed{"] = Answer(VALUE, 0.0)
    again = world.operator("again")
    assert attempt(world, again, switch(scenario)).result
    assert {query for query in queries(again) if "lag{" in query} == set(), "nothing moves any more"
    assert all("green" in query for query in queries(again) if "counter" not in query), "who is at work"
    assert ended_well(world, "green") == []


@pytest.mark.parametrize(("seconds", "active"), [(5.0, "green"), (60.0, "blue")])
def test_down_at_the_end_of_the_bake_it_is_asked_again_until_its_timeout_is_over(seconds, active):
    scenario = SWITCHES[0]
    world = with_prometheus(scenario)
    operator = world.operator("run")
    task = world.start(operator, lambda: switch(scenario)(operator))
    at_the_end_of_the_bake(world, task)
    first = len(queries(operator))
    assert world.scheduler.run_until(lambda: len(queries(operator)) > first - 1, world.scheduler.now + 20)
    world.prometheus.away = math.inf
    assert world.scheduler.run_until(lambda: len(queries(operator)) > first, world.scheduler.now + 20)
    world.prometheus.away = (began := world.scheduler.now) + seconds
    world.finish(task)
    asked = [call.when for call in operator.calls if call.service == "metrics" and call.when >= began - 1]
    assert len(asked) > 2 * 4, "again and again"
    assert max(asked) - min(asked) <= ASKED.timeout
    assert world.record.active == active
    if active == "blue":
        assert row(task.error)["value"] == "error"
        assert "no connection: refused" in row(task.error)["advice"]
    assert ended_well(world, active) == []


def test_slow_at_the_end_of_the_bake_it_is_waited_for_once():
    scenario = SWITCHES[0]
    world = with_prometheus(scenario)
    operator = world.operator("run")
    task = world.start(operator, lambda: switch(scenario)(operator))
    at_the_end_of_the_bake(world, task)
    first = len(queries(operator))
    world.prometheus.slow = 60.0
    world.finish(task)
    assert row(task.error)["value"] == "timeout"
    assert len(queries(operator)) == first + 4
    assert world.record.active == "blue"
    assert ended_well(world, "blue") == []


def test_a_version_that_is_no_good_anyway_does_not_wait_for_prometheus():
    scenario = SWITCHES[0]
    world = with_prometheus(scenario)
    world.illness["green"] = Illness(fails_each=20)
    operator = world.operator("run")
    task = world.start(operator, lambda: switch(scenario)(operator))
    at_the_end_of_the_bake(world, task)
    first = len(queries(operator))
    world.prometheus.slow = 60.0
    world.finish(task)
    assert isinstance(task.error, NoGoError)
    assert [gate for gate in task.error.result["baked"]["gates"] if gate["name"] == NAME] == []
    assert len(queries(operator)) == first
    assert ended_well(world, "blue") == []


# --- before a run ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "name", "told"),
    [
        ({"lag{": Answer(VALUE, 1001.0)}, "Prometheus: lag", "1001 is seen and <= 1000 wanted"),
        ({"lag{": Answer(EMPTY)}, "Prometheus: lag", "no series"),
        ({"failed{": Answer(ERROR, said="HTTP 400, bad_data: parse error")}, NAME, "bad_data: parse error"),
        ({"all{": Answer(ERROR, said="HTTP 401")}, NAME, "HTTP 401"),
        ({"timestamp(": Answer(SEVERAL, said="2 series")}, NAME, "2 series"),
    ],
)
@pytest.mark.parametrize("scenario", SWITCHES[:2], ids=str)
def test_a_switch_that_prometheus_is_against_or_can_not_judge_does_not_begin(scenario, change, name, told):
    world = with_prometheus(scenario)
    world.prometheus.answers = change | {word: one for word, one in FINE.items() if word not in change}
    world.remember()
    outcome = attempt(world, world.operator("run"), switch(scenario))
    assert isinstance(outcome.error, NoGoError), str(outcome)
    assert name in outcome.error.message
    assert told in outcome.error.message
    assert untouched(world, scenario.source) == []


@pytest.mark.parametrize("fault", [{"away": math.inf}, {"slow": 60.0}])
def test_nor_does_it_while_prometheus_does_not_answer(fault):
    scenario = SWITCHES[0]
    world = with_prometheus(scenario)
    for name, value in fault.items():
        setattr(world.prometheus, name, value)
    operator = world.operator("run")
    outcome = attempt(world, operator, switch(scenario))
    assert isinstance(outcome.error, NoGoError), str(outcome)
    assert len(queries(operator)) == 5, "each once"
    assert untouched(world, scenario.source) == []


def plan_of(world, scenario, asked=ASKED, bake=30.0):
    operator = world.operator("look")
    return world.run(operator, lambda: preflight(operator.ports, world.app, scenario.mode, "switch", "", asked, bake))


def test_an_empty_answer_to_a_gate_of_the_bake_is_no_go_unless_it_may_be_empty():
    scenario = SWITCHES[0]
    for on_empty, wanted in (("no-go", "NO-GO"), ("go", "GO")):
        world = with_prometheus(scenario, **{"failed{": Answer(EMPTY)})
        plan = plan_of(world, scenario, replace(ASKED, gates=(LAG, replace(RATIO, on_empty=on_empty))))
        (found,) = [gate for gate in plan.gates if gate.name == NAME]
        assert (found.verdict, found.value, plan.verdict) == (wanted, "empty", wanted)
        assert ("blue, which is at work" in found.advice) is (wanted == "NO-GO")


def test_a_bake_that_holds_too_few_scrapes_judges_nothing():
    """At its end an increase of one sample is no series, which would roll a good version back. The preflight says what to set."""
    scenario = SWITCHES[0]
    world = with_prometheus(scenario, **{"count_over_time(": Answer(VALUE, 1.0), "failed{": Answer(EMPTY)})
    world.prometheus.answers.pop("count_over_time(counter")
    operator = world.operator("run")
    look = world.run(
        operator, lambda: preflight(operator.ports, world.app, scenario.mode, "switch", "green", ASKED, WATCH.seconds)
    )
    (found,) = [one for one in look.gates if "set bg_bake to 150 or more, or scrape every 6 s" in one.advice]
    assert (found.verdict, look.verdict) == ("WARN", "GO")
    assert "max(count_over_time(counter[30s]))" in queries(operator)
    assert attempt(world, world.operator("run"), switch(scenario)).result is not None


def test_a_window_that_holds_too_few_scrapes_at_the_end_rolls_nothing_back():
    scenario = SWITCHES[0]
    world = with_prometheus(scenario)
    operator = world.operator("run")
    task = world.start(operator, lambda: switch(scenario)(operator))
    at_the_end_of_the_bake(world, task)
    world.prometheus.answers.update({"count_over_time(counter": Answer(VALUE, 1.0), "failed{": Answer(EMPTY)})
    world.finish(task)
    assert task.error is None
    (found,) = [gate for gate in task.result["baked"]["gates"] if gate["name"] == NAME]
    assert (found["verdict"], found["value"]) == ("WARN", "too few, 1 scrapes")
    assert "holds 1 samples, and 4 are wanted: not judged" in found["advice"]
    assert ended_well(world, "green") == []


@pytest.mark.parametrize(
    "change",
    [{"failed{": Answer(EMPTY)}, {"timestamp(counter)": Answer(VALUE, 999.0)}, {"timestamp(counter)": Answer(EMPTY)}],
)
@pytest.mark.parametrize("active", ["green", "blue"])
def test_an_empty_or_an_old_answer_at_the_end_is_asked_for_again(change, active):
    scenario = SWITCHES[0]
    world = with_prometheus(scenario)
    operator = world.operator("run")
    task = world.start(operator, lambda: switch(scenario)(operator))
    at_the_end_of_the_bake(world, task)
    first = len(queries(operator))
    world.prometheus.answers |= change
    assert world.scheduler.run_until(lambda: len(queries(operator)) > first, world.scheduler.now + 20)
    began = world.scheduler.now
    if active == "green":
        world.pass_time(5.0)
        world.prometheus.answers |= FINE
    world.finish(task)
    asked = [call.when for call in operator.calls if call.service == "metrics" and call.when >= began - 1]
    assert max(asked) - min(asked) <= ASKED.timeout
    assert world.record.active == active
    assert ended_well(world, active) == []


def test_away_at_the_end_it_rolls_nothing_back_where_that_was_said():
    scenario = SWITCHES[0]
    world = with_prometheus(scenario)
    operator = world.operator("run")
    task = world.start(operator, lambda: switch(scenario, metrics=replace(ASKED, on_no_answer="warn"))(operator))
    at_the_end_of_the_bake(world, task)
    world.prometheus.away = math.inf
    world.finish(task)
    assert task.error is None
    (found,) = [gate for gate in task.result["baked"]["gates"] if gate["name"] == NAME]
    assert (found["verdict"], found["value"]) == ("WARN", "error")
    assert ended_well(world, "green") == []


def test_without_a_bake_its_gates_are_not_asked_and_that_is_told():
    scenario = SWITCHES[0]
    world = with_prometheus(scenario)
    operator = world.operator("run")
    assert attempt(world, operator, switch(scenario, BakeRequest())).result
    assert queries(operator) == ['lag{g="cc_order_sim_blue"}']
    for bake, rows in ((0.0, [("1 not asked", "WARN")]), (None, []), (30.0, [])):
        gates = plan_of(with_prometheus(scenario), scenario, bake=bake).gates
        assert [(row.value, row.verdict) for row in gates if row.name == "Prometheus: gates of the bake"] == rows


@pytest.mark.parametrize("scenario", [one for one in SCENARIOS if one.direction == "rollback" and one.fused], ids=str)
def test_a_rollback_never_asks(scenario):
    world = scenario.world()
    world.prometheus = SimPrometheus(away=math.inf)
    operator = world.operator("run")
    outcome = attempt(world, operator, lambda who: play(who, "rollback", scenario.mode, metrics=ASKED, bake=WATCH))
    assert outcome.result, str(outcome)
    assert queries(operator) == []


def test_where_no_prometheus_is_known_nothing_of_it_is_needed():
    scenario = SWITCHES[0]
    world = scenario.world()
    operator = world.operator("run")
    assert operator.ports.metrics is None
    assert attempt(world, operator, switch(scenario, metrics=MetricRequest())).result
    assert ended_well(world, "green") == []


def test_killed_while_it_asks():
    """Whoever runs the switch again asks again."""
    scenario = SWITCHES[0]
    undisturbed = with_prometheus(scenario).operator("run")
    attempt(undisturbed.world, undisturbed, switch(scenario))
    asked = [call.number for call in undisturbed.calls if call.service == "metrics"]
    for number in sample(asked, 4):
        for moment in (BEFORE_IT, AFTER):
            world = with_prometheus(scenario)
            operator = world.operator("run")
            operator.faults[number] = Kill(moment)
            attempt(world, operator, switch(scenario))
            world.excuse(0.0, world.scheduler.now + 60, "nobody came")
            world.pass_time(20.0)
            again = world.operator("again")
            assert attempt(world, again, switch(scenario)).result
            assert len([query for query in queries(again) if "failed{" in query]) == 2
            assert ended_well(world, "green") == []
