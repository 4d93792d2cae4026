"""Requests that fail and answers that get lost, at every call: the run copes with it, or says so and can be repeated."""

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import ClusterError
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run import hand_over as hand_over_module
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.context import RunRequest
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.hand_over import hand_over
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.prepare import prepare
from tests.simulation.world import invariants
from tests.simulation.world.faults import Fail, Outage
from tests.simulation.world.ports import AFTER, BEFORE
from tests.simulation.world.scenario import (
    AGAIN,
    SCENARIOS,
    UNDO,
    attempt,
    recover_and_judge,
    sample,
)


def schedules_of(calls):
    """(call, moment, recovery). Commands are not among them: their port answers silence, see test_pods.py."""
    failing = [call for call in calls if call.service != "consumers" and call.name != "event"]
    lost = [(call.number, AFTER, recovery) for call in failing if call.writes for recovery in (AGAIN, UNDO)]
    refused = [(call.number, BEFORE, recovery) for call in failing for recovery in (AGAIN, UNDO)]
    return sample(lost, 16) + sample(refused, 8)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_call_fails(scenario):
    wrong = []
    calls = scenario.undisturbed()
    for number, moment, recovery in schedules_of(calls):
        world = scenario.world()
        operator = world.operator("unlucky")
        operator.faults[number] = Fail(moment)
        first = attempt(world, operator, scenario.play)
        broken = recover_and_judge(world, scenario, first, recovery) + invariants.well_led(world)
        if broken:
            wrong.append(f"failed {moment} call {number} {calls[number - 1].name}, {first}, {recovery}: {broken[:3]}")
    assert wrong == []


def test_what_kept_a_run_from_being_closed_is_said(monkeypatch):
    def refused(ctx):
        raise ClusterError("Could not replace ConfigMap app/record: no answer")

    monkeypatch.setattr(hand_over_module, "close_run", refused)
    scenario = SCENARIOS[0]
    world = scenario.world()
    operator = world.operator("unlucky")
    request = RunRequest(scenario.target, scenario.direction, scenario.mode, "unlucky")
    world.run(operator, lambda: prepare(operator.ports, world.app, request))
    handed = world.run(operator, lambda: hand_over(operator.ports, world.app, request, close_within=10.0))
    assert (handed["settled"], handed["verified"]["verdict"]) == (False, "GO")
    (warning,) = handed["warnings"]
    assert warning.startswith("green is active, and the run is not verified and closed yet")
    assert warning.endswith("Seen: Could not replace ConfigMap app/record: no answer")


@pytest.mark.parametrize("seconds", [0.5, 15.0])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_kafka_is_away(scenario, seconds):
    """The coordinator is gone for a moment, or for longer than every timeout of a run; then it is back."""
    wrong = []
    calls = scenario.undisturbed()
    for call in sample(calls, 3, seed=len(calls)):
        for recovery in (AGAIN, UNDO):
            world = scenario.world()
            operator = world.operator("unlucky")
            operator.faults[call.number] = Outage(seconds)
            first = attempt(world, operator, scenario.play)
            broken = recover_and_judge(world, scenario, first, recovery, tries=4, calm=seconds)
            broken += invariants.well_led(world)
            if broken:
                wrong.append(f"Kafka away from call {call.number} {call.name}, {first}, {recovery}: {broken[:3]}")
    assert wrong == []
