"""Pods, partitions and the network in trouble, at every call of a run."""

import random

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.store import Store
from tests.simulation.world import invariants
from tests.simulation.world.faults import Happen
from tests.simulation.world.scenario import (
    AGAIN,
    PART,
    RUNS,
    SCENARIOS,
    UNDO,
    attempt,
    in_trouble,
    part_of,
    recover,
    recover_and_judge,
)
from tests.simulation.world.troubles import TROUBLES
from tests.simulation.world.world import TOPIC


def schedules(scenario, calls, quick):
    """(trouble, colour, call, recovery): all of them, or ``quick`` by chance."""
    every = [
        (trouble, colour, number, recovery)
        for trouble in TROUBLES
        for colour in (scenario.source, scenario.target)
        for number in range(1, calls + 1)
        for recovery in (AGAIN, UNDO)
        # In cold mode one who scales up a colour that has to be down is told so until it is scaled down again.
        if scenario.mode == "hot" or trouble != "one more pod"
    ]
    return every if RUNS else random.Random(calls).sample(every, part_of(quick))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_pods_in_trouble(scenario):
    wrong = []
    for schedule in schedules(scenario, len(scenario.undisturbed()), quick=18):
        wrong += in_trouble(scenario, *schedule)
    assert wrong == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_partition_is_added(scenario):
    """At any moment; it is processed from its first record, by one colour at a time."""
    wrong = []
    calls = len(scenario.undisturbed())
    for number in range(1, calls + 1, 1 if RUNS else 17 * PART):
        world = scenario.world()
        operator = world.operator("first")
        operator.faults[number] = Happen(lambda w=world: w.broker.add_partition(TOPIC, 10.0))
        first = attempt(world, operator, scenario.play)
        broken = recover_and_judge(world, scenario, first, (AGAIN, UNDO)[number % 2], tries=4, calm=3.0)
        if broken:
            wrong.append(f"partition added at call {number}, {first}: {broken[:3]}")
    assert wrong == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_topic_is_created_again(scenario):
    """Offsets of the old topic are never handed over for the new one, and the next run ends well."""
    wrong = []
    calls = len(scenario.undisturbed())
    for number in range(1, calls + 1, 1 if RUNS else 11 * PART):
        world = scenario.world()
        operator = world.operator("first")
        again = []

        def create(world=world, again=again):
            world.broker.create_topic(TOPIC, 4, 8.0)
            again.append(world.scheduler.now)

        operator.faults[number] = Happen(create)
        first = attempt(world, operator, scenario.play)
        broken = handed_over_old_offsets(world, operator, again)
        world.pass_time(3.0)
        last = recover(world, scenario.again, tries=4)
        broken += [] if last.result else [f"the next run does not succeed: {last}"]
        if last.result:
            broken += invariants.settled(world, scenario.target) + invariants.at_work(world, scenario.target)
        if broken:
            wrong.append(f"topic created again at call {number}, {first}: {broken[:3]}")
    assert wrong == []


def handed_over_old_offsets(world, operator, again):
    """True fault: the record was flipped on a snapshot of a topic that was gone when the run last looked at it."""
    flips = [w for w in world.writes if w.call.name == "replace_config_map" and "snapshot" in w.call.arguments[0]]
    looks = [call.when for call in operator.calls if call.name == "topics" and flips and call.when < flips[-1].when]
    if not again or not looks or again[0] > looks[-1]:
        return []
    run = world.operator("reader")
    stored = world.run(run, lambda: Store(run.ports, world.app.name).snapshot(world.record))
    same = stored is None or stored.topic_ids[TOPIC] == world.broker.topics[TOPIC].topic_id
    return [] if same else ["handed over offsets of a topic that was gone"]


@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.direction == "switch"], ids=str)
def test_a_target_that_cannot_start(scenario):
    """A bad image: hot mode never stops the source; cold mode is rolled back."""
    world = scenario.world()
    world.cluster.workloads[world.app.colours["green"].workload].good_image = False
    first = attempt(world, world.operator("first"), scenario.play)
    assert "ErrImagePull" in str(first) or "ImagePullBackOff" in str(first)
    assert recover_and_judge(world, scenario, first, UNDO) == []
