"""What status says of an application, and that what it says to type does what it says."""

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.preflight import as_result, preflight
from tests.simulation.world.faults import Kill
from tests.simulation.world.playbook import play
from tests.simulation.world.ports import AFTER
from tests.simulation.world.scenario import SCENARIOS, Scenario, attempt, judge


def status(world, mode="hot"):
    """What bg_info returns."""
    operator = world.operator("look")
    return world.run(operator, lambda: as_result(preflight(operator.ports, world.app, mode, "switch")))


@pytest.mark.parametrize("silent", [1, 2])
def test_where_a_pod_does_not_answer_the_way_back_is_cold(silent):
    """It said to type the hot rollback that had just been refused."""
    scenario = Scenario("hot", "rollback")
    world = scenario.world()
    assert [(way["playbook"], way["mode"]) for way in status(world)["way_back"]] == [("rollback", "")]
    (workload,) = [one for one in world.cluster.workloads.values() if one.colour == "green"]
    workload.good_image = False
    for pod in world.cluster.pods_of("green")[:silent]:
        world.cluster.delete_pod(pod)
    world.pass_time(30.0)
    seen = status(world)
    states = "ImagePullBackOff" if silent == 2 else "ACTIVE, ImagePullBackOff"
    assert f"{2 - silent} of 2 pods ready ({states})" in seen["summary"][2]
    (way,) = seen["way_back"]
    assert (way["playbook"], way["mode"]) == ("rollback", "cold")
    refused = attempt(world, world.operator("hot"), lambda operator: play(operator, "rollback", "hot"))
    assert "source pods speak bg/v1" in str(refused)
    assert "bg_mode=cold" in str(refused)
    world.excuse(0.0, world.scheduler.now + 60.0, "nobody was there")
    cold = attempt(world, world.operator("cold"), lambda operator: play(operator, "rollback", way["mode"]))
    assert cold.result is not None, cold
    assert judge(world, "blue", lambda operator: play(operator, "rollback", "cold")) == []


@pytest.mark.parametrize("scenario", SCENARIOS[:2], ids=str)
def test_the_last_run_is_told_with_its_end(scenario):
    world = scenario.world()
    operator = world.operator("killed")
    flip = next(call.number for call in scenario.undisturbed() if call.name == "replace_config_map")
    operator.faults[flip] = Kill(AFTER)
    assert attempt(world, operator, scenario.play).died
    lines = status(world, scenario.mode)["summary"]
    told = [line for line in lines if line.startswith("last run killed ")]
    assert len(told) == 1
    assert f"({scenario.direction} to {scenario.target}, started " in told[0]
    assert told[0].endswith("not ended)")
    assert lines[-1].partition("; ")[2].startswith("a run would ")
    world.pass_time(30.0)
    assert attempt(world, world.operator("again"), scenario.again).result is not None
    told = [line for line in status(world, scenario.mode)["summary"] if line.startswith("last run ")]
    assert ", done 20" in told[0]
