"""Every invariant is seen to fail: the world or the code under test is broken on purpose, and the audit says so."""

from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offsets import Inside
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import CommittedOffset
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import ActiveRecord
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import journal_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.run_lock import RunLock
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run import cold, context, drive, hot
from tests.simulation.world import invariants
from tests.simulation.world.cluster import ApiServer
from tests.simulation.world.faults import Both, Freeze, Happen
from tests.simulation.world.ports import Mishap
from tests.simulation.world.scenario import SCENARIOS, UNDO, attempt, judge
from tests.simulation.world.scheduler import Killed

HOT, COLD = SCENARIOS[0], SCENARIOS[2]


def played(scenario, world):
    """The world after an undisturbed run, drained."""
    assert attempt(world, world.operator("run"), scenario.play).result is not None
    world.pass_time(1.0)
    world.drain(limit=10.0)
    return world


def audits(scenario, trouble, seeds=2):
    """What the audit says when ``trouble`` strikes at one call, in a few worlds."""
    found = []
    for seed in range(seeds):
        for call in scenario.undisturbed(seed, rate=30.0):
            world = scenario.world(seed, rate=30.0)
            operator = world.operator("run")
            if not trouble(world, operator, call):
                continue
            attempt(world, operator, scenario.play)
            world.pass_time(8.0)
            world.drain(limit=10.0)
            found += invariants.exactly_once(world)
    return found


def replace_a_source_late(world, operator, call):
    """After the source was proven quiet, while the operator is a little slow."""
    if call.name == "replace_config_map" and "snapshot" in call.arguments[0]:
        pod = world.cluster.pods_of("blue")[0]
        operator.faults[call.number] = Both(Happen(lambda: world.cluster.delete_pod(pod)), Freeze(1.5))
        return True
    return False


def lose_a_pause(world, operator, call):
    if call.name == "pause":
        pod = world.cluster.pods_of("blue")[0]
        operator.faults[call.number] = Happen(lambda: world.mishaps.update({pod.name: Mishap(lose_request=True)}))
        return True
    return False


def test_one_active_needs_the_arm(monkeypatch):
    assert audits(HOT, replace_a_source_late) == []
    monkeypatch.setattr(ActiveRecord, "arm", lambda self, _direction, run_id: replace(self, epoch=self.epoch + 1))
    assert any("was processed 2 times" in fault for fault in audits(HOT, replace_a_source_late))


def test_one_active_needs_the_proof_that_the_source_is_quiet(monkeypatch):
    assert audits(HOT, lose_a_pause) == []
    tell = drive._tell
    monkeypatch.setattr(drive, "_tell", lambda *order: (tell(*order)[0], {}))
    monkeypatch.setattr(hot, "not_drained", lambda *_facts: [])
    assert any("was processed 2 times" in fault for fault in audits(HOT, lose_a_pause))


@pytest.mark.parametrize(("scenario", "module"), [(HOT, hot), (COLD, cold)], ids=str)
@pytest.mark.parametrize(("shift", "says"), [(-1, "was processed 2 times"), (1, "were not processed")])
def test_offsets_are_handed_over_exactly(monkeypatch, scenario, module, shift, says):
    right = context.hand_off

    def wrong(*facts):
        found = right(*facts)
        shifted = {tp: CommittedOffset(known.offset + shift) for tp, known in found.offsets.items()}
        return replace(found, offsets=shifted)

    monkeypatch.setattr(context, "hand_off", wrong)
    monkeypatch.setattr(context, "inside_log", lambda offsets, *_facts: Inside(offsets, {}, []))
    assert any(says in fault for fault in invariants.exactly_once(played(scenario, scenario.world())))


def test_offsets_are_read_back(monkeypatch):
    def blindly(ports, group, offsets):
        ports.kafka.commit(group, offsets)
        return len(offsets)

    monkeypatch.setattr(cold, "write_offsets", blindly)
    assert invariants.read_back(played(COLD, COLD.world())) != []


def test_the_record_is_changed_by_the_holder_of_the_lock(monkeypatch):
    monkeypatch.setattr(RunLock, "acquire", lambda self, _timeout: None)
    monkeypatch.setattr(RunLock, "hold", lambda self: None)
    assert invariants.written_by_the_holder(played(HOT, HOT.world())) != []


def test_the_record_is_changed_by_compare_and_swap(monkeypatch):
    """Without it, one that slept flips under the feet of one that has given the hand-over back."""

    def sleep_before_the_flip():
        world = HOT.world()
        first, second = world.operator("frozen"), world.operator("second")
        flip = [c for c in HOT.undisturbed() if c.name == "replace_config_map" and "active" in c.arguments[1]][1]
        first.faults[flip.number] = Freeze(4.5)
        tasks = [world.start(first, lambda: HOT.play(first))]
        assert world.scheduler.run_until(lambda: first.process.frozen, world.scheduler.now + 60.0, every=0.001)
        tasks.append(world.start(second, lambda: HOT.recovery(UNDO)[0](second)))
        world.finish(*tasks)
        return judge(world, "blue")

    assert sleep_before_the_flip() == []
    compare_and_swap = ApiServer.replace

    def overwrite(self, name, data, _version):
        return compare_and_swap(self, name, data, self.config_maps[name].resource_version)

    monkeypatch.setattr(ApiServer, "replace", overwrite)
    assert "the record says green verifying, expected blue stable" in sleep_before_the_flip()


def test_changes_are_preceded_by_the_journal():
    world = HOT.world()
    operator = world.operator("run")
    arm = next(c for c in HOT.undisturbed() if c.name == "replace_config_map" and "active" in c.arguments[1])
    operator.faults[arm.number] = Happen(lambda: world.cluster.config_maps.pop(journal_name(world.app.name)))
    attempt(world, operator, HOT.play)
    assert any("the journal knew of no run" in fault for fault in invariants.journalled(world))


def test_the_end_of_a_run_is_judged():
    world = HOT.world()
    assert invariants.settled(world, "green") == ["the record says blue stable, expected green stable"]
    assert invariants.at_work(world, "green") != []
    world.cluster.scale(world.app.colours["blue"].workload, 3)
    assert invariants.replicas_kept(world, "blue") != []


def test_the_order_is_judged():
    world = HOT.world()
    entries = world.ledger.entries
    entries[0], entries[-1] = entries[-1], entries[0]
    same = [entry for entry in entries if entry.tp == entries[0].tp]
    world.ledger.entries[:] = list(reversed(same))
    assert invariants.order_kept(world) != []


def test_a_lost_record_is_noticed():
    world = played(HOT, HOT.world())
    del world.ledger.entries[5]
    assert invariants.nothing_skipped(world) != []


def test_a_killed_pod_may_repeat_only_what_it_had_in_flight():
    world = HOT.world()
    pod = world.cluster.pods_of("blue")[0]
    busy = world.scheduler.run_until(lambda: pod.container.in_flight > 1, world.scheduler.now + 5.0, every=0.001)
    assert busy
    world.pass_time(0.003)
    world.cluster.crash(pod)
    world.pass_time(10.0)
    world.drain()
    repeated = len(world.ledger.entries) - len({(e.tp, e.offset) for e in world.ledger.entries})
    assert repeated == len(world.ledger.in_flight) > 0
    assert invariants.exactly_once(world) == []
    world.ledger.in_flight.clear()
    assert invariants.one_active(world) != []


def test_nobody_survives_a_kill():
    """A handler of the code under test can't catch the end of its process, and its finally clauses don't run."""
    world = HOT.world()
    operator = world.operator("killed")
    ran = []

    def run():
        try:
            operator.die()
        finally:
            ran.append("finally")

    with pytest.raises(Killed):
        world.run(operator, run)
    assert ran == []
