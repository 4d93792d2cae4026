"""Two operators at once: interleaved call by call, or one that slept longer than its lock lives and wakes up."""

import random
from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import BlueGreenError, ClusterError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import journal_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.run_lock import lock_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.context import RunRequest
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.prepare import prepare
from tests.simulation.world import invariants
from tests.simulation.world.faults import Freeze, Happen
from tests.simulation.world.playbook import play
from tests.simulation.world.ports import AFTER
from tests.simulation.world.scenario import (
    AGAIN,
    SCENARIOS,
    UNDO,
    Scenario,
    attempt,
    judge,
    random_runs,
    recover,
    sample,
)


def end(world, scenario, colour, *tasks):
    """Both tasks ended, in success or in an error of ours; then one more run with an explicit target ends it well."""
    world.finish(*tasks)
    broken = [repr(task.error) for task in tasks if task.error and not isinstance(task.error, BlueGreenError)]
    assert broken == []
    last = recover(world, lambda operator: play(operator, "switch", scenario.mode, colour), tries=4, name="last")
    return judge(world, colour) if last.result else [f"the last run does not succeed: {last}"]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_interleaved(scenario):
    """Whatever the two want and whenever the second begins: one waits for the other, or is refused."""
    wrong = []
    for seed in random_runs(quick=8):
        world = scenario.world(seed)
        chance = random.Random(seed)
        first, second = world.operator("first"), world.operator("second")
        wish = scenario.recovery(chance.choice((AGAIN, UNDO)))[0]
        tasks = [world.start(first, lambda who=first: scenario.play(who))]
        world.pass_time(chance.random() * chance.choice((0.02, 1.5)))
        tasks.append(world.start(second, lambda who=second, run=wish: run(who)))
        colour = chance.choice((scenario.source, scenario.target))
        broken = end(world, scenario, colour, *tasks) + invariants.well_led(world)
        if broken:
            wrong.append(f"seed {seed}: {[str(task.error)[:80] for task in tasks]}: {broken[:3]}")
    assert wrong == []


def woken(scenario, number, seconds, recovery):
    """The first operator stands still before the effect of one call; the second begins while it does."""
    world = scenario.world()
    first, second = world.operator("frozen"), world.operator("second")
    first.faults[number] = Freeze(seconds)
    tasks = [world.start(first, lambda: scenario.play(first))]
    frozen = world.scheduler.run_until(lambda: first.process.frozen, world.scheduler.now + 60.0, every=0.001)
    assert frozen
    run, colour = scenario.recovery(recovery)
    tasks.append(world.start(second, lambda: run(second)))
    return world, colour, tasks


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_frozen_longer_than_the_lock_lives(scenario):
    """It wakes while the second is at work, or after it: it must not disturb what the second did."""
    wrong = []
    calls = scenario.undisturbed()
    schedules = [
        (call, seconds, recovery)
        for call in calls
        for seconds in (2.8, 3.2, 3.6, 4.2, 9.0)
        for recovery in (AGAIN, UNDO)
        if not known_bound(scenario, call, recovery)
    ]
    for call, seconds, recovery in sample(schedules, 12):
        world, colour, tasks = woken(scenario, call.number, seconds, recovery)
        broken = end(world, scenario, colour, *tasks)
        if call.name == "scale":  # see test_a_scale_from_the_past
            broken = [fault for fault in broken if "replicas" not in fault]
        if broken:
            errors = [str(task.error)[:80] for task in tasks]
            wrong.append(f"frozen {seconds} s at call {call.number} {call.name}, {recovery}, {errors}: {broken[:3]}")
    assert wrong == []


def known_bound(scenario, call, recovery):
    """Kubernetes has no fence for a scale: see test_a_scale_from_the_past."""
    return scenario.mode == "cold" and call.name == "scale"


@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.mode == "cold"], ids=str)
def test_a_scale_from_the_past(scenario):
    """The bound: a scale request that was held up until another run was over takes effect.

    At worst nothing is processed until somebody scales the active colour up; nothing is lost or processed twice. An
    application without the contract has one more: the other colour, started from the past, would process as well.
    """
    wrong = []
    for call in scenario.undisturbed():
        if call.name != "scale" or (call.arguments[1] > 0 and not scenario.contract):
            continue
        for seconds in (2.8, 3.6, 9.0):
            world, colour, tasks = woken(scenario, call.number, seconds, UNDO)
            world.finish(*tasks)
            world.cluster.scale(world.app.colours[world.record.active].workload, 2)
            broken = [fault for fault in end(world, scenario, colour, *tasks) if "replicas" not in fault]
            if broken:
                wrong.append(f"frozen {seconds} s at call {call.number} {call.arguments}: {broken[:3]}")
    assert wrong == []


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("mode", ["hot", "cold"])
def test_undone_without_a_journal(mode, flipped):
    """Somebody deleted the journal: the record alone tells what is to be undone, be it of a reign that nobody proved."""
    scenario = Scenario("hot" if flipped else mode, "switch")
    world = scenario.world()
    kill_after(world, scenario.play, swap=int(flipped))
    if flipped:
        kill_after(world, lambda operator: play(operator, "rollback", mode), swap=0)
    active = world.record.active
    assert world.record.armed
    del world.cluster.config_maps[journal_name(world.app.name)]
    last = recover(world, lambda operator: play(operator, "switch", mode, active))
    assert last.result is not None
    # How many pods the standby had before is lost with the journal.
    assert [fault for fault in judge(world, active) if "replicas" not in fault] == []


def kill_after(world, run, swap):
    """Kill the run right after its first, second ... change of the record."""
    operator = world.operator(f"killed-{len(world.operators)}")
    swaps = []

    class AfterTheSwap:
        def strike(self, operator, moment, call):
            if call.name == "replace_config_map" and "active" in call.arguments[1] and moment == AFTER:
                swaps.append(call)
                if len(swaps) > swap:
                    operator.die()

    operator.every_call = AfterTheSwap()
    assert attempt(world, operator, run).died
    world.pass_time(3.0)


@pytest.mark.parametrize("direction", ["switch", "rollback"])
def test_a_run_that_died_before_it_moved_anything_is_not_closed_as_done(direction):
    """It died before it armed, and the reign that it would have ended is settled: a rollback still undoes the switch before it."""
    scenario = Scenario("hot", "switch")
    world = scenario.world()
    kill_after(world, scenario.play, swap=1)
    operator = world.operator("dies")
    request = RunRequest("blue", direction, "hot", "dies")
    world.run(operator, lambda: prepare(operator.ports, world.app, request))
    world.pass_time(3.0)
    assert (world.journal.unfinished.run_id, world.record.active) == ("dies", "green")
    assert recover(world, lambda o: play(o, "switch", "hot", "green")).result is not None
    assert (world.journal.current.status, world.record.active, world.record.phase) == ("superseded", "green", "stable")
    assert attempt(world, world.operator("undo"), lambda o: play(o, "rollback", "hot")).result is not None
    assert judge(world, "blue") == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_lock_that_somebody_deleted_is_taken_again(scenario):
    """Nobody else has it: the run goes on."""
    calls = scenario.undisturbed()
    for call in sample(calls, 6):
        world = scenario.world()
        operator = world.operator("run")
        operator.faults[call.number] = Happen(lambda w=world: w.cluster.leases.pop(lock_name(w.app.name), None))
        outcome = attempt(world, operator, scenario.play)
        assert outcome.result is not None, f"call {call.number} {call.name}: {outcome}"
        assert judge(world, scenario.target) == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_who_lost_the_lock_writes_nothing_more(scenario):
    """It stood still at a read, and the next one has taken over and is done: compare-and-swap would not hold back a scale."""
    calls = scenario.undisturbed()
    armed = next(c for c in calls if c.name == "replace_config_map" and "active" in c.arguments[1]).number
    reads = [call for call in calls if call.number > armed and not call.writes and call.name != "lease"]
    woke = 0
    for call in sample(reads, 8):
        world, _colour, tasks = woken(scenario, call.number, 12.0, UNDO)
        held = next(lease.holder for lease in world.cluster.leases.values())
        world.finish(*tasks)
        if held == "frozen" and not tasks[1].error:
            woke += 1
            taken = next(at for at, write in enumerate(world.writes) if write.lock_holder == "second")
            late = {write.call.name for write in world.writes[taken:] if write.call.operator == "frozen"}
            assert late <= {"put_lease"}, f"frozen at call {call.number} {call.name}"
    assert woke, "it was never taken over"


def test_a_run_keeps_to_the_epoch_that_was_judged():
    """Between the look and the lock somebody switched there and back: the same colour is active, and it is another reign."""
    scenario = Scenario("hot", "switch")
    world = scenario.world()
    epoch = world.record.epoch
    for colour in ("green", "blue"):
        assert (
            attempt(world, world.operator(colour), lambda o, to=colour: play(o, "switch", "hot", to)).result is not None
        )
    operator = world.operator("late")
    writes = len(world.writes)
    request = RunRequest("green", "switch", "hot", "late", "somebody", epoch)
    outcome = attempt(world, operator, lambda o: prepare(o.ports, world.app, request))
    assert "this run was decided at epoch" in str(outcome.error)
    assert "run blue" in str(outcome.error)
    assert {write.call.name for write in world.writes[writes:]} == {"put_lease"}, "the lock, which it gives back"
    assert world.record.active == "blue"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_who_sleeps_right_before_it_arms_finds_the_record_moved_on(scenario):
    """The next one had nothing to undo in the record, and writes to it all the same: else the sleeper would arm it, for nobody."""
    arm = next(
        c for c in scenario.undisturbed() if c.name == "replace_config_map" and "active" in c.arguments[1]
    ).number
    world, colour, tasks = woken(scenario, arm, 12.0, UNDO)
    world.finish(*tasks)
    assert tasks[1].error is None
    assert (world.record.armed, world.record.active) == (False, colour)


@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.mode == "cold"], ids=str)
def test_a_flip_whose_answer_was_lost_and_that_somebody_edited_is_not_undone(scenario):
    """Its own write can't be recognised any more; but the record names the target, and that alone counts."""

    class LandsAndIsEdited:
        def strike(self, operator, moment, call):
            if moment == AFTER:
                cluster, name = operator.world.cluster, call.arguments[0]
                data = {**cluster.config_maps[name].data, "owner": "team-7"}
                cluster.config_maps[name] = replace(
                    cluster.config_maps[name], data=data, resource_version=cluster.next_version()
                )
                raise ClusterError("no answer")

    world = scenario.world()
    operator = world.operator("run")
    swaps = [c for c in scenario.undisturbed() if c.name == "replace_config_map" and "active" in c.arguments[1]]
    operator.faults[swaps[1].number] = LandsAndIsEdited()
    outcome = attempt(world, operator, scenario.play)
    assert outcome.result is None
    assert world.record.active == scenario.target
    assert world.replicas(scenario.source) == 0, "it was not started again"
    assert recover(world, scenario.again).result is not None
    assert judge(world, scenario.target) == []
