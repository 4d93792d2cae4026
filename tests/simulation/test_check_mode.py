"""Check mode reads the world as it is, writes nothing, and predicts what a real run then does."""

from functools import partial

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.context import RunRequest
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.hand_over import hand_over
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.prepare import prepare
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.run import run
from tests.simulation.world.faults import Kill
from tests.simulation.world.ports import AFTER
from tests.simulation.world.scenario import SCENARIOS, attempt, sample

CHANGING = ("switch-timestamp", "run-id")


def alike(record):
    return {key: value for key, value in record.items() if key not in CHANGING}


def predicted_and_done(world, operator, use_case, request):
    """The use case in check mode and then for real, each in a process of its own."""
    writes = len(world.writes)
    predicted = world.run(operator, lambda: use_case(operator.ports, world.app, request, check=True))
    assert len(world.writes) == writes, f"{use_case} wrote in check mode"
    done = world.run(operator, lambda: use_case(operator.ports, world.app, request))
    assert predicted["changed"] == done["changed"]
    return predicted, done


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_prediction_of_a_whole_run(scenario):
    world = scenario.world()
    operator = world.operator("run")
    request = RunRequest(scenario.target, scenario.direction, scenario.mode, "run")
    predicted_and_done(world, operator, prepare, request)
    predicted, done = predicted_and_done(world, operator, hand_over, request)
    assert alike(predicted["record"]) == alike(done["record"])
    predicted, done = predicted_and_done(world, operator, partial(run, only="settle"), request)
    assert predicted["record"] == done["record"]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_prediction_of_a_run_in_one_process(scenario):
    world = scenario.world()
    operator = world.operator("run")
    request = RunRequest(scenario.target, scenario.direction, scenario.mode, "run")
    predicted, done = predicted_and_done(world, operator, partial(run, wait=10.0), request)
    assert alike(predicted["record"]) == alike(done["record"])
    assert done["settled"]
    assert done["verified"]["verdict"] == "GO"
    _predicted, done = predicted_and_done(world, operator, run, request)
    assert done["changed"] is False


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_prediction_after_a_kill(scenario):
    """From any state a killed run leaves, to the colour it wanted and back to the one it came from."""
    writes = [call for call in scenario.undisturbed() if call.writes]
    for call in sample(writes, 5):
        for target in (scenario.target, scenario.source):
            world = scenario.world()
            killed = world.operator("killed")
            killed.faults[call.number] = Kill(AFTER)
            assert attempt(world, killed, scenario.play).died
            world.pass_time(5.0)
            operator = world.operator("run")
            request = RunRequest(target, "switch", scenario.mode, "run")
            predicted_and_done(world, operator, prepare, request)
            predicted, done = predicted_and_done(world, operator, hand_over, request)
            assert alike(predicted["record"]) == alike(done["record"]), f"killed at {call.number} {call.name}, {target}"
