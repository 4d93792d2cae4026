"""kill -9 at every call to the outside, before and after its effect: the next run finishes or undoes what it left."""

import random

import pytest

from tests.simulation.world import invariants
from tests.simulation.world.faults import Kill
from tests.simulation.world.playbook import play
from tests.simulation.world.ports import AFTER, BEFORE
from tests.simulation.world.scenario import (
    AGAIN,
    RUNS,
    SCENARIOS,
    UNDO,
    attempt,
    judge,
    random_runs,
    recover,
    recover_and_judge,
    sample,
)


def schedules_of(scenario, calls):
    """(call, moment, recovery, seconds until it): every one where a call writes, and a read before which it dies.

    The quick sample leaves out most reads, before and after which the world is the same, and half of the writes of an
    application without the contract, which are those of one that has it.
    """
    writes = [
        (call.number, moment, recovery, wait)
        for call in calls
        if call.writes
        for moment in (BEFORE, AFTER)
        for recovery in (AGAIN, UNDO)
        for wait in ((0.0, 6.0) if RUNS else (6.0 * (call.number % 2),))
    ]
    reads = [
        (call.number, BEFORE, recovery, wait)
        for call in calls
        if not call.writes
        for recovery in (AGAIN, UNDO)
        for wait in (0.0, 6.0)
    ]
    return sample(writes, len(writes) // (1 if scenario.contract else 2)) + sample(reads, len(calls) // 10)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_undisturbed(scenario):
    world = scenario.world()
    assert attempt(world, world.operator("run"), scenario.play).result["changed"] is True
    assert judge(world, scenario.target, scenario.again) == []
    assert invariants.well_led(world) == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_killed_at_every_call(scenario):
    wrong = []
    calls = scenario.undisturbed()
    for number, moment, recovery, wait in schedules_of(scenario, calls):
        world = scenario.world()
        operator = world.operator("killed")
        operator.faults[number] = Kill(moment)
        first = attempt(world, operator, scenario.play)
        assert first.died
        world.pass_time(wait)
        broken = recover_and_judge(world, scenario, first, recovery) + invariants.well_led(world)
        if broken:
            wrong.append(f"killed {moment} call {number} {calls[number - 1].name}, {recovery}, {wait} s: {broken[:3]}")
    assert wrong == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_killed_twice(scenario):
    """The run that finishes or undoes dies as well, and one with an explicit target ends it. Each seed is a schedule."""
    wrong = []
    calls = len(scenario.undisturbed())
    for seed in random_runs(quick=8):
        world = scenario.world(seed)
        chance = random.Random(seed)
        died = []
        for run in (scenario.play, scenario.recovery(chance.choice((AGAIN, UNDO)))[0]):
            operator = world.operator(f"killed-{len(died)}")
            operator.faults[chance.randint(1, calls)] = Kill(chance.choice((BEFORE, AFTER)))
            outcome = attempt(world, operator, run)
            died.append(f"{outcome} at call {len(operator.calls)}")
            world.pass_time(chance.choice((0.0, 1.0, 6.0)))
        colour = chance.choice((scenario.source, scenario.target))
        last = recover(world, lambda operator, to=colour: play(operator, "switch", scenario.mode, to))
        broken = judge(world, colour) if last.result else [f"the last run does not succeed: {last}"]
        broken += invariants.well_led(world)
        if broken:
            wrong.append(f"seed {seed}: {died}, then to {colour}: {broken[:3]}")
    assert wrong == []
