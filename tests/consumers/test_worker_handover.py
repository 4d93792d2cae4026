"""The consumer thread, step by step: pause and activation."""

import pytest

from bgconsumer.model import Committed, State
from tests.consumers.fakes import LOST, TEMPORARY, tp
from tests.consumers.worker_pod import Pod, committed

pytestmark = pytest.mark.usefixtures("no_waiting")


def test_pause_between_two_records_takes_effect_at_once(kafka, active):
    def pause_at_12(record):
        if record.offset == 12:
            active.send("pause", 7)

    active.ledger.during = pause_at_12
    kafka.produce(0, 10)
    now = active.steps()
    assert active.offsets(0) == list(range(13))  # the record in hand is finished, the next is not begun
    assert now.state is State.DRAINED
    assert now.drained
    assert committed(kafka)[tp(0)] == Committed(13, 6)
    assert active.part(0).position == 13


def test_what_was_fetched_but_not_processed_is_processed_after_resume(kafka, active):
    active.ledger.during = lambda record: record.offset == 12 and active.send("pause", 7)
    kafka.produce(0, 10)
    active.steps()
    active.ledger.during = None
    active.send("resume", 8)
    active.steps()
    assert active.offsets(0) == list(range(20))
    assert committed(kafka)[tp(0)] == Committed(20, 8)


def test_pause_commits_all_positions_and_proves_ownership(kafka, active):
    before = len(kafka.group("blue").commits)
    active.send("pause", 7)
    active.steps()
    after = kafka.group("blue").commits[before:]
    assert after == [("blue-1", {tp(0): Committed(10, 6), tp(1): Committed(10, 6)})]


def test_pause_of_a_standby_pod_commits_only_what_was_never_committed(kafka):
    committed(kafka)[tp(0)] = Committed(4, 5)
    pod = Pod(kafka)
    pod.record("blue", 7, "switching")
    pod.send("pause", 7)
    assert pod.steps().drained
    assert committed(kafka) == {tp(0): Committed(4, 5), tp(1): Committed(0, 0)}


def test_an_evicted_pod_is_not_drained(kafka, active):
    active.member.fail_commits = [LOST]
    active.send("pause", 7)
    now = active.steps(1)
    assert not now.drained
    assert now.view.member_state == "rebalancing"
    assert now.view.partitions == ()


def test_pause_waits_for_the_brokers_acknowledgement(kafka, active):
    states = []
    active.member.fail_commits = [TEMPORARY, TEMPORARY]
    publish = active.contract.publish
    active.contract.publish = lambda view, serial, reached: (
        publish(view, serial, reached),
        states.append((active.now.state, active.now.drained, view.pending_commits)),
    )
    active.send("pause", 7)
    active.steps(2)
    assert states[:2] == [(State.PAUSING, False, 2)] * 2
    assert states[-1] == (State.DRAINED, True, 0)


def test_a_pod_reports_before_it_goes_to_sleep(active, monkeypatch):
    seen = []
    # Who gave the command waits for the report, and after a pause nobody processes meanwhile.
    monkeypatch.setattr(active.contract, "await_decision", lambda serial, seconds: seen.append(active.now.state))
    active.send("pause", 7)
    active.worker.step()
    active.send("prepare", 8)
    active.worker.step()
    assert seen == [State.DRAINED, State.STANDBY]


def test_leave_group_drains_first(kafka, active):
    kafka.produce(0, 3)
    active.send("pause", 7, leave_group=True)
    now = active.steps()
    assert (now.state, now.drained, now.view.member_state) == (State.DRAINED, True, "unjoined")
    assert kafka.group("blue").members == {}
    assert committed(kafka)[tp(0)] == Committed(10, 6)


def test_a_pod_that_is_sent_away_while_it_joins_is_no_member_in_the_end(kafka):
    pod = Pod(kafka)
    pod.record("green", 7)
    pod.worker.step()
    assert kafka.group("blue").members, "it has begun to join"
    pod.send("prepare", 7, standby="cold")
    assert pod.steps().view.member_state == "unjoined"
    assert kafka.group("blue").members == {}


def test_pause_survives_a_rebalance(kafka, active):
    active.send("pause", 7)
    active.steps()
    kafka.produce(0, 5)
    kafka.group("blue").rebalance()
    generation = active.now.view.generation
    active.worker.step()
    assert not active.now.drained  # the positions are not known until the new assignment is taken over
    now = active.steps()
    assert now.drained
    assert now.view.generation > generation
    assert active.offsets(0) == list(range(10))
    assert active.part(0).position == 10


def test_activation_starts_at_the_hand_off(kafka):
    committed(kafka, "green")[tp(0)] = Committed(2, 3)  # from an earlier turn
    pod = Pod(kafka, "green", "green-1")
    pod.record("blue", 7, "switching")
    pod.steps()
    seen = []
    pod.ledger.during = lambda record: seen.append(dict(committed(kafka, "green")))
    pod.send("activate", 8, offsets={tp(0): 6, tp(1): 8})
    pod.record("green", 8, "switching")
    now = pod.steps()
    assert now.active
    assert seen[0] == {tp(0): Committed(6, 8), tp(1): Committed(8, 8)}
    assert pod.offsets(0) == [6, 7, 8, 9]
    assert pod.offsets(1) == [8, 9]
    assert (pod.part(0).start_offset, pod.part(0).first_processed) == (6, 6)


def test_activation_without_new_records_has_processed_nothing(kafka):
    pod = Pod(kafka, "green", "green-1")
    pod.record("green", 8, "switching")
    pod.steps()
    pod.send("activate", 8, offsets={tp(0): 10, tp(1): 10})
    pod.steps()
    assert (pod.part(0).start_offset, pod.part(0).first_processed) == (10, None)
    assert pod.ledger.rows == []


def test_no_record_before_the_hand_off_is_acknowledged(kafka):
    pod = Pod(kafka, "green", "green-1")
    pod.record("green", 8, "switching")
    pod.steps()
    pod.member.fail_commits = [LOST]
    pod.send("activate", 8, offsets={tp(0): 6, tp(1): 8})
    pod.steps(1)
    assert pod.now.state is State.ACTIVATING
    assert pod.ledger.rows == []
    kafka.group("green").rebalance()  # what the coordinator does with a member it has evicted
    assert pod.steps().active
    assert pod.offsets(0) == [6, 7, 8, 9]


def test_rebalance_while_active_continues_at_the_own_progress_not_at_the_hand_off(kafka):
    first = Pod(kafka, "green", "green-1")
    first.record("green", 8, "switching")
    first.steps()
    handoff = {tp(0): 5, tp(1): 5}
    first.send("activate", 8, offsets=handoff)
    first.steps()
    second = Pod(kafka, "green", "green-2")
    second.record("green", 8, "switching")
    for _ in range(6):
        first.steps(1)
        second.steps(1)
    second.send("activate", 8, offsets=handoff)
    kafka.produce(0, 2)
    kafka.produce(1, 2)
    for _ in range(6):
        first.steps(1)
        second.steps(1)
    rows = first.ledger.rows + second.ledger.rows
    assert second.offsets(1) == [10, 11]
    assert sorted((part.partition, offset) for part, offset, _, _ in rows) == [
        (number, offset) for number in (0, 1) for offset in range(5, 12)
    ]


def test_partition_assigned_later_in_the_epoch_starts_at_the_hand_off(kafka):
    pod = Pod(kafka, "green", "green-1")
    pod.record("green", 8, "switching")
    pod.send("activate", 8, offsets={tp(0): 6, tp(1): 8})  # still joining: no partition yet
    pod.steps()
    assert pod.offsets(1) == [8, 9]


def test_own_commit_of_this_epoch_wins_after_a_restart(kafka):
    committed(kafka, "green").update({tp(0): Committed(9, 8), tp(1): Committed(3, 6)})
    pod = Pod(kafka, "green", "green-1")
    pod.record("green", 8, "switching")
    pod.steps()
    pod.send("activate", 8, offsets={tp(0): 5, tp(1): 8})
    pod.steps()
    assert pod.offsets(0) == [9]
    assert pod.offsets(1) == [8, 9]
