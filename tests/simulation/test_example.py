"""The example application's own contract, consumer loop and HTTP answers in the simulated world."""

import random

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run import drive, hot
from bgconsumer.contract import Contract
from tests.simulation.world import invariants
from tests.simulation.world.example import ExamplePod, virtual_time
from tests.simulation.world.faults import Happen, Kill
from tests.simulation.world.pods import ModelPod
from tests.simulation.world.ports import AFTER, BEFORE
from tests.simulation.world.scenario import (
    AGAIN,
    SCENARIOS,
    UNDO,
    attempt,
    in_trouble,
    judge,
    random_runs,
    recover,
    recover_and_judge,
    sample,
)
from tests.simulation.world.troubles import TROUBLES

SPEAKING = [scenario for scenario in SCENARIOS if scenario.contract]
HOT = SCENARIOS[0]


@pytest.fixture(autouse=True)
def _in_virtual_time(monkeypatch):
    virtual_time(monkeypatch)


@pytest.mark.parametrize("scenario", SPEAKING, ids=str)
def test_undisturbed(scenario):
    world = scenario.world(pod=ExamplePod)
    assert attempt(world, world.operator("run"), scenario.play).result["changed"] is True
    assert judge(world, scenario.target, scenario.again) == []
    assert invariants.well_led(world) == []


@pytest.mark.parametrize("scenario", SPEAKING, ids=str)
def test_operator_killed(scenario):
    wrong = []
    writes = [
        (call.number, moment, recovery)
        for call in scenario.undisturbed()
        for moment in ((BEFORE, AFTER) if call.writes else (BEFORE,))
        for recovery in (AGAIN, UNDO)
    ]
    for number, moment, recovery in sample(writes, 10):
        world = scenario.world(pod=ExamplePod)
        operator = world.operator("killed")
        operator.faults[number] = Kill(moment)
        first = attempt(world, operator, scenario.play)
        broken = recover_and_judge(world, scenario, first, recovery) + invariants.well_led(world)
        if broken:
            wrong.append(f"killed {moment} call {number}, {recovery}: {broken[:3]}")
    assert wrong == []


@pytest.mark.parametrize("scenario", SPEAKING, ids=str)
def test_pods_in_trouble(scenario):
    wrong = []
    calls = len(scenario.undisturbed())
    names = [name for name in TROUBLES if scenario.mode == "hot" or name != "one more pod"]
    for seed in random_runs(quick=9):
        chance = random.Random(seed)
        trouble, colour = chance.choice(names), chance.choice((scenario.source, scenario.target))
        number, recovery = chance.randint(1, calls), chance.choice((AGAIN, UNDO))
        wrong += in_trouble(scenario, trouble, colour, number, recovery, pod=ExamplePod)
    assert wrong == []


def start_at_the_wrong_moment(pod, seeds):
    """A source pod starts around the arming, connects slowly, and Kubernetes is late to say that it runs."""
    arm = next(c for c in HOT.undisturbed() if c.name == "replace_config_map" and "active" in c.arguments[1]).number
    for seed in seeds:
        chance = random.Random(seed)
        world = HOT.world(seed, pod=pod, connect_seconds=1.2)
        world.cluster.report_lag = 1.0
        name = world.app.colours["blue"].workload
        world.cluster.workloads[name].start_delay = (0.0, 0.05)
        operator = world.operator("first")
        at = chance.randint(arm - 12, arm + 4)
        operator.faults[at] = Happen(lambda w=world, n=name: w.cluster.scale(n, 3))
        first = attempt(world, operator, HOT.play)
        if first.result is None:
            recover(world, HOT.again, tries=4)
        broken = [fault for fault in judge(world, "green") if "replicas" not in fault]
        if broken:
            yield f"seed {seed}: started at call {at}, {first}: {broken[:3]}"


@pytest.mark.parametrize("pod", [ModelPod, ExamplePod])
def test_a_source_pod_starts_at_the_wrong_moment(pod):
    assert list(start_at_the_wrong_moment(pod, random_runs(quick=15))) == []


@pytest.mark.parametrize("pod", [ModelPod, ExamplePod])
def test_either_of_two_rules_is_enough_for_it(monkeypatch, pod):
    """The operator asks pods that are called Pending; a pod reads the record again after its assignment."""
    with monkeypatch.context() as patch:
        only_running_pods(patch)
        assert list(start_at_the_wrong_moment(pod, random_runs(quick=15))) == []
    without_second_read(monkeypatch)
    assert list(start_at_the_wrong_moment(pod, random_runs(quick=15))) == []
    only_running_pods(monkeypatch)
    assert any("was processed 2 times" in story for story in start_at_the_wrong_moment(pod, range(120)))


def only_running_pods(patch):
    """The operator neither tells nor expects an answer of a pod that Kubernetes doesn't call Running."""
    tell, judge_quiet = drive._tell, hot.not_drained

    def running(pods):
        return [pod for pod in pods if pod.phase == "Running" and not pod.problem]

    patch.setattr(drive, "_tell", lambda ctx, colour, pods, order: tell(ctx, colour, running(pods), order))
    patch.setattr(hot, "not_drained", lambda pods, *facts: judge_quiet(running(pods), *facts))


def without_second_read(monkeypatch):
    monkeypatch.setattr(ModelPod, "_still_ours", lambda _self, _want: True)
    monkeypatch.setattr(Contract, "may_start", lambda _self, _serial: True)
