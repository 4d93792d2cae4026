"""A version is watched after the hand-over: a good one is closed, a bad one is on its way back before anybody looks."""

from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    ConflictError,
    InterruptedRunError,
    InvalidSettingsError,
    NoGoError,
    NotReadyError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.bake import STOP, BakeRequest, Limits
from tests.simulation.world import invariants
from tests.simulation.world.example import ExamplePod, virtual_time
from tests.simulation.world.faults import Kill, Raise, api_away, interrupted, kafka_away
from tests.simulation.world.playbook import play
from tests.simulation.world.pods import Illness, ModelPod
from tests.simulation.world.ports import AFTER, BEFORE
from tests.simulation.world.scenario import SCENARIOS, attempt, judge, sample

SWITCHES = [scenario for scenario in SCENARIOS if scenario.direction == "switch" and scenario.fused]
BAKE = BakeRequest(30.0, limits=Limits(min_records=50))
SOURCE_AT_WORK = 8.0
"""Seconds after the end of the bake."""


@pytest.fixture(autouse=True)
def _in_virtual_time(monkeypatch):
    virtual_time(monkeypatch)


def ids(scenario):
    return str(scenario)


def switch(scenario, bake=BAKE, target="green"):
    return lambda operator: play(operator, "switch", scenario.mode, target, bake=bake)


def watched(world, seconds=6.0):
    """Until the record is flipped and the run is seen to watch."""
    assert world.scheduler.run_until(lambda: world.record.phase == "verifying", world.scheduler.now + 120)
    world.pass_time(seconds)


def ended_well(world, colour):
    world.pass_time(5.0)
    return judge(world, colour)


@pytest.mark.parametrize("pod", [ModelPod, ExamplePod])
@pytest.mark.parametrize("scenario", SWITCHES, ids=ids)
def test_a_good_version_is_closed(scenario, pod):
    world = scenario.world(pod=pod) if scenario.contract else scenario.world()
    outcome = attempt(world, world.operator("run"), switch(scenario))
    assert outcome.result, str(outcome)
    assert world.record.phase == "stable"
    assert ended_well(world, "green") == []


@pytest.mark.parametrize("scenario", [s for s in SWITCHES if s.contract], ids=ids)
@pytest.mark.parametrize(
    ("illness", "gate"),
    [
        (Illness(fails_each=20), "failed records"),
        (Illness(seconds=0.12), "throughput"),
        (Illness(stuck=1), "every partition moves"),
    ],
)
def test_a_bad_version_is_rolled_back(scenario, illness, gate):
    world = scenario.world()
    world.illness["green"] = illness
    operator = world.operator("run")
    outcome = attempt(world, operator, switch(scenario))
    assert isinstance(outcome.error, NoGoError), str(outcome)
    assert gate in outcome.error.message
    assert "Rolled back: blue is active" in outcome.error.message
    assert outcome.error.result["baked"]["rolled_back"]
    assert world.record.active == "blue"
    assert world.record.phase == "stable"
    journal = world.journal.current
    assert (journal.direction, journal.status) == ("rollback", "done")
    assert gate in journal.note
    assert ended_well(world, "blue") == []


def test_seconds_until_the_source_is_at_work_again():
    world = SWITCHES[0].world()
    world.illness["green"] = Illness(fails_each=20)
    attempt(world, world.operator("run"), switch(SWITCHES[0]))
    green = [entry.when for entry in world.ledger.entries if entry.colour == "green"]
    first = min(entry.when for entry in world.ledger.entries if entry.colour == "blue" and entry.when > max(green))
    assert first - min(green) < BAKE.seconds + SOURCE_AT_WORK


def test_stop_leaves_it_to_people():
    scenario = SWITCHES[0]
    world = scenario.world()
    world.illness["green"] = Illness(fails_each=20)
    outcome = attempt(world, world.operator("run"), switch(scenario, replace(BAKE, on_no_go=STOP)))
    assert isinstance(outcome.error, NoGoError), str(outcome)
    assert (world.record.active, world.record.phase) == ("green", "verifying")
    again = attempt(world, world.operator("again"), switch(scenario, BakeRequest()))
    assert again.result, str(again)
    assert ended_well(world, "green") == []


@pytest.mark.parametrize("scenario", SWITCHES, ids=ids)
def test_a_rollback_that_somebody_starts_takes_over_at_once(scenario):
    world = scenario.world()
    first = world.start(world.operator("first"), lambda: switch(scenario)(world.operators[0]))
    watched(world)
    second = world.operator("second")
    began = world.scheduler.now
    task = world.start(second, lambda: play(second, "rollback", scenario.mode))
    world.finish(first, task)
    assert task.error is None
    assert world.record.active == "blue"
    assert isinstance(first.error, ConflictError), repr(first.error)
    assert "second" in first.error.message
    waited = next(call.when for call in second.calls if call.name == "put_lease") - began
    assert waited < 3.0, "the lock was free"
    assert ended_well(world, "blue") == []


def test_a_switch_that_somebody_starts_closes_it():
    scenario = SWITCHES[0]
    world = scenario.world()
    first = world.start(world.operator("first"), lambda: switch(scenario)(world.operators[0]))
    watched(world)
    second = world.operator("second")
    task = world.start(second, lambda: play(second, "switch", scenario.mode, "green"))
    world.finish(first, task)
    assert task.error is None
    assert first.error is None, repr(first.error)
    assert ended_well(world, "green") == []


@pytest.mark.parametrize("scenario", SWITCHES, ids=ids)
def test_in_slices_it_is_the_same(scenario):
    for illness, wanted in ((Illness(), "green"), (Illness(stuck=0), "blue")):
        world = scenario.world()
        if scenario.contract:
            world.illness["green"] = illness
        elif wanted == "blue":
            continue
        outcome = attempt(world, world.operator("run"), switch(scenario, replace(BAKE, slice=7.0)))
        assert (outcome.result is not None) is (wanted == "green"), str(outcome)
        assert world.record.active == wanted
        assert ended_well(world, wanted) == []


@pytest.mark.parametrize("away", [kafka_away, api_away])
def test_who_does_not_answer_for_a_while_is_asked_again(away):
    scenario = SWITCHES[0]
    world = scenario.world()
    operator = world.operator("run")
    task = world.start(operator, lambda: switch(scenario)(operator))
    watched(world)
    away(world, 8.0)
    world.excuse(world.scheduler.now - 1, world.scheduler.now + 40, "away")
    world.finish(task)
    assert task.error is None, repr(task.error)
    assert ended_well(world, "green") == []


def test_what_can_not_be_seen_to_the_end_is_not_judged():
    scenario = SWITCHES[0]
    world = scenario.world()
    operator = world.operator("run")
    task = world.start(operator, lambda: switch(scenario)(operator))
    watched(world)
    kafka_away(world, 120.0)
    world.excuse(world.scheduler.now - 1, world.scheduler.now + 200, "away")
    world.finish(task)
    assert isinstance(task.error, NotReadyError), repr(task.error)
    assert "run the switch again" in task.error.message
    assert (world.record.active, world.record.phase) == ("green", "verifying")
    world.pass_time(120.0)
    assert attempt(world, world.operator("again"), switch(scenario)).result
    assert ended_well(world, "green") == []


def test_what_was_hardly_seen_is_not_judged():
    """Kafka answers at the very end of the doubled time only: a look or two say nothing of a version that may be no good."""
    scenario = SWITCHES[0]
    world = scenario.world()
    operator = world.operator("run")
    task = world.start(operator, lambda: switch(scenario)(operator))
    watched(world, 2.5)
    away = BAKE.seconds * 2 - 4.0
    kafka_away(world, away)
    world.excuse(world.scheduler.now - 1, world.scheduler.now + away + 60, "away")
    world.finish(task)
    assert isinstance(task.error, NotReadyError), repr(task.error or task.result)
    assert "was seen too little to be judged" in task.error.message
    assert (world.record.active, world.record.phase) == ("green", "verifying")
    assert attempt(world, world.operator("again"), switch(scenario)).result
    assert ended_well(world, "green") == []


@pytest.mark.parametrize("seconds", [12.0, 25.0, 40.0, 48.0, 50.0, 52.0, 54.0])
@pytest.mark.parametrize("away", [kafka_away, api_away])
def test_a_good_version_is_not_accused_of_what_was_away(away, seconds):
    """What was measured before and after that is no rate: nobody committed meanwhile, and then everybody caught up."""
    scenario = SWITCHES[0]
    world = scenario.world()
    operator = world.operator("run")
    task = world.start(operator, lambda: switch(scenario)(operator))
    watched(world)
    away(world, seconds)
    world.excuse(world.scheduler.now - 1, world.scheduler.now + seconds + 60, "away")
    world.finish(task)
    assert task.error is None or isinstance(task.error, NotReadyError), repr(task.error)
    assert world.record.active == "green"


def test_pods_that_come_during_the_bake_are_no_fault():
    scenario = SWITCHES[0]
    world = scenario.world()
    operator = world.operator("run")
    task = world.start(operator, lambda: switch(scenario)(operator))
    watched(world)
    world.pass_time(18.0)
    world.cluster.scale(world.app.colours["green"].workload, 3)
    world.excuse(world.scheduler.now, world.scheduler.now + 10, "scaled")
    world.finish(task)
    assert task.error is None, repr(task.error)
    assert [fault for fault in ended_well(world, "green") if "replicas" not in fault] == []


@pytest.mark.parametrize("ill", [False, True])
@pytest.mark.parametrize("scenario", SWITCHES[:2], ids=ids)
def test_killed_at_every_call(scenario, ill):
    """Whoever runs the switch again watches again; whoever rolls back is not in anybody's way."""
    bake = replace(BAKE, seconds=14.0, limits=Limits(min_records=20))
    ill = ill and scenario.contract
    world = scenario.world()
    world.illness["green"] = Illness(fails_each=10) if ill else Illness()
    undisturbed = world.operator("run")
    attempt(world, undisturbed, switch(scenario, bake))
    wrong = []
    calls = undisturbed.calls
    for number in sample([call.number for call in calls if call.number > 1], quick=12):
        for moment in (BEFORE, AFTER):
            world = scenario.world(number)
            world.illness["green"] = Illness(fails_each=10) if ill else Illness()
            operator = world.operator("run")
            operator.faults[number] = Kill(moment)
            outcome = attempt(world, operator, switch(scenario, bake))
            world.excuse(0.0, world.scheduler.now + 60, "nobody came")
            world.pass_time(20.0)
            back = attempt(world, world.operator("back"), lambda o: play(o, "switch", scenario.mode, "blue"))
            broken = ended_well(world, "blue") if back.result else [f"blue can't be made active: {back}"]
            if broken:
                wrong.append(f"killed {moment} call {number} ({calls[number - 1].name}), {outcome}: {broken[:2]}")
    assert wrong == []


def test_one_look_that_fails_at_the_end_is_repeated():
    scenario = SWITCHES[0]
    world = scenario.world()
    operator = world.operator("run")
    task = world.start(operator, lambda: switch(scenario)(operator))
    watched(world)
    world.pass_time(23.0)
    kafka_away(world, 4.0)
    world.excuse(world.scheduler.now - 1, world.scheduler.now + 40, "away")
    world.finish(task)
    assert task.error is None, repr(task.error)
    assert ended_well(world, "green") == []


def test_who_is_interrupted_in_a_look_does_nothing_more():
    scenario = SWITCHES[0]
    undisturbed = scenario.world().operator("run")
    attempt(undisturbed.world, undisturbed, switch(scenario))
    number = [call.number for call in undisturbed.calls if call.name == "log_ranges"][-5]
    for moment in (BEFORE, AFTER):
        world = scenario.world()
        operator = world.operator("run")
        operator.faults[number] = Raise(interrupted, moment)
        outcome = attempt(world, operator, switch(scenario))
        assert isinstance(outcome.error, InterruptedRunError), str(outcome)
        assert (world.record.active, world.record.phase) == ("green", "verifying")
        assert [call.name for call in operator.calls[number:] if call.writes] == []


@pytest.mark.parametrize("ill", [False, True])
def test_an_attempt_to_go_back_that_came_to_nothing_leaves_a_switch_to_be_watched(ill):
    """Whatever was tried and given up since: the next switch watches again, and says what became of a version that is no good."""
    scenario = SWITCHES[0]
    for direction in ("switch", "rollback"):
        world = scenario.world()
        world.illness["green"] = Illness(fails_each=20) if ill else Illness()
        first = world.operator("first")
        task = world.start(first, lambda world=world, who=first: switch(scenario)(who))
        watched(world)
        other = world.operator("other")
        arm = swaps_before_the_flip(scenario)
        other.faults[arm] = Raise(lambda: BlueGreenError("no room"))
        tried = attempt(
            world, other, lambda who, way=direction: play(who, way, scenario.mode, "blue" if way == "switch" else "")
        )
        assert tried.error is not None
        world.finish(task)
        world.excuse(0.0, world.scheduler.now + 60, "given up")
        again = attempt(world, world.operator("again"), switch(scenario))
        if not ill:
            assert again.result, str(again)
            assert ended_well(world, "green") == []
            continue
        assert isinstance(again.error, NoGoError), str(again)
        told = again.error.result["baked"]["rolled_back"]
        assert told is (world.record.active == "blue"), again.error.message
        assert (world.record.phase == "stable") is told


def swaps_before_the_flip(scenario):
    """The call at which a run back to blue arms the record."""
    world = scenario.world()
    attempt(world, world.operator("run"), switch(scenario, BakeRequest()))
    back = world.operator("back")
    attempt(world, back, lambda who: play(who, "switch", scenario.mode, "blue"))
    writes = [c.number for c in back.calls if c.name == "replace_config_map" and "active" in c.arguments[1]]
    return writes[0]


def test_too_short_a_bake_is_refused_before_anything_is_changed():
    scenario = SWITCHES[0]
    world = scenario.world()
    writes = len(world.writes)
    outcome = attempt(world, world.operator("run"), switch(scenario, BakeRequest(5.0)))
    assert isinstance(outcome.error, InvalidSettingsError)
    assert "bake is 5 s" in outcome.error.message
    assert len(world.writes) == writes
    assert isinstance(outcome.error, BlueGreenError)
    assert invariants.strangers_undisturbed(world) == []
