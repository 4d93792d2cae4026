"""A step does what it is called for and nothing else, whatever became of the run meanwhile."""

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    ConflictError,
    InvalidSettingsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.context import RunRequest
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.run import STEPS, run
from tests.simulation.world import invariants
from tests.simulation.world.playbook import play
from tests.simulation.world.scenario import SCENARIOS, judge, recover

SWITCHES = [scenario for scenario in SCENARIOS if scenario.direction == "switch"]
pytestmark = pytest.mark.parametrize("scenario", SWITCHES, ids=str)


def request_of(scenario, target=None, run_id="run", epoch=None):
    return RunRequest(scenario.target if target is None else target, "switch", scenario.mode, run_id, "", epoch)


def taken(world, operator, request, *until, **options):
    """The steps, each in a process of its own; the last one's result."""
    done = {}
    for number, step in enumerate(until):
        only = options.get("only") or ("go_on" if number else "")
        done = world.run(
            operator, lambda step=step, only=only: run(operator.ports, world.app, request, step, 10.0, only=only)
        )
    return done


def refused(world, operator, request, until, error, **options):
    """The step is refused, and changes neither record nor workloads."""
    writes = [write for write in world.writes if write.call.name != "put_lease"]
    record = world.record
    with pytest.raises(error) as caught:
        world.run(operator, lambda: run(operator.ports, world.app, request, until, 10.0, **options))
    assert world.record == record
    assert [write for write in world.writes if write.call.name != "put_lease"] == writes
    return str(caught.value)


def ends_well(world, scenario):
    assert recover(world, lambda operator: play(operator, "switch", scenario.mode, scenario.target)).error is None
    assert judge(world, scenario.target) == []


def test_every_step_by_itself(scenario):
    world = scenario.world()
    operator = world.operator("run")
    done = taken(world, operator, request_of(scenario), *STEPS[1:])
    assert (done["settled"], done["record"]["active"]) == (True, scenario.target)
    assert judge(world, scenario.target) == []


def test_going_on_never_moves_the_work_back(scenario):
    world = scenario.world()
    operator = world.operator("run")
    taken(world, operator, request_of(scenario), *STEPS[1 : STEPS.index("active")])
    said = refused(world, operator, request_of(scenario, ""), "active", InvalidSettingsError, only="go_on")
    assert "target is missing" in said
    refused(world, operator, request_of(scenario, scenario.source), "active", ConflictError, only="go_on")
    ends_well(world, scenario)


def test_settling_never_hands_over(scenario):
    world = scenario.world()
    operator = world.operator("run")
    taken(world, operator, request_of(scenario), "prepared")
    said = refused(world, operator, request_of(scenario), "settled", ConflictError, only="settle")
    assert "there is nothing to settle" in said
    ends_well(world, scenario)


def test_settling_never_undoes_another_run(scenario):
    world = scenario.world()
    operator = world.operator("run")
    taken(world, operator, request_of(scenario), "prepared", "joined", "armed")
    world.pass_time(60.0)
    other = world.operator("other")
    refused(world, other, request_of(scenario, scenario.source, "other"), "settled", ConflictError, only="settle")
    ends_well(world, scenario)


def test_a_decision_for_an_older_epoch_moves_nothing(scenario):
    """Without a colour: "the other one" is another one by now."""
    world = scenario.world()
    epoch = world.record.epoch
    ends_well(world, scenario)
    late = world.operator("late")
    refused(world, late, request_of(scenario, "", "late", epoch), "settled", ConflictError)
    assert invariants.well_led(world) == []


def test_what_is_active_already_is_settled(scenario):
    world = scenario.world()
    operator = world.operator("run")
    for check in (True, False):
        request = request_of(scenario, scenario.source)
        done = world.run(operator, lambda c=check, r=request: run(operator.ports, world.app, r, check=c))
        assert (done["changed"], done["settled"]) == (False, True)
