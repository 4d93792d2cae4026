"""The consumer thread, step by step: pause and activation."""

import pytest

from bgconsumer.model import Committed, State
from tests.consumers.fakes import LOST, TEMPORARY, TOPIC, tp
from tests.consumers.worker_pod import Pod, committed, handing
from tests.unit.waiting import HANG

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
    active.record("blue", 8, since=6)
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
    pod.record("blue", 7, "switching", since=5)
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


def standby(kafka, name="green-1"):
    """A green pod that has joined and stands by while blue is being paused."""
    pod = Pod(kafka, "green", name)
    pod.record("blue", 7, "switching", since=1)
    assert pod.steps().state is State.STANDBY
    return pod


def test_the_flip_starts_at_the_snapshot(kafka):
    committed(kafka, "green")[tp(0)] = Committed(2, 3)  # from an earlier turn
    pod = standby(kafka)
    seen = []
    pod.ledger.during = lambda record: seen.append(dict(committed(kafka, "green")))
    pod.record("green", 8, "verifying", handed=handing(6, 8))
    now = pod.steps()
    assert now.active
    assert seen[0] == {tp(0): Committed(6, 8), tp(1): Committed(8, 8)}
    assert pod.offsets(0) == [6, 7, 8, 9]
    assert pod.offsets(1) == [8, 9]
    assert (pod.part(0).start_offset, pod.part(0).first_processed) == (6, 6)


def test_a_pod_born_after_the_flip_starts_at_the_snapshot(kafka):
    committed(kafka, "green").update({tp(0): Committed(2, 0), tp(1): Committed(2, 0)})  # seeded
    pod = Pod(kafka, "green", "green-1")
    pod.record("green", 8, "verifying", handed=handing(6, 8))
    assert pod.steps().active
    assert (pod.offsets(0), pod.offsets(1)) == ([6, 7, 8, 9], [8, 9])


def test_a_flip_without_new_records_has_processed_nothing(kafka):
    pod = standby(kafka)
    pod.record("green", 8, handed=handing(10, 10))
    assert pod.steps().active
    assert (pod.part(0).start_offset, pod.part(0).first_processed) == (10, None)
    assert pod.ledger.rows == []


def test_no_record_before_the_hand_off_is_acknowledged(kafka):
    pod = standby(kafka)
    pod.member.fail_commits = [LOST]
    pod.record("green", 8, handed=handing(6, 8))
    pod.steps(1)
    assert pod.now.state is State.ACTIVATING
    assert pod.now.activated_epoch is None
    assert pod.ledger.rows == []
    kafka.group("green").rebalance()  # what the coordinator does with a member it has evicted
    pod.steps()
    pod.record("green", 8, handed=handing(6, 8))  # a new assignment takes a new look
    assert pod.steps().active
    assert pod.offsets(0) == [6, 7, 8, 9]


def test_a_snapshot_that_cannot_be_read_yet_is_waited_for(kafka):
    committed(kafka, "green")[tp(0)] = Committed(2, 0)
    pod = standby(kafka)
    pod.record("green", 8, handed=None)
    now = pod.steps()
    assert (now.state, now.activated_epoch) == (State.ACTIVATING, None)
    assert "where to begin is not known" in now.view.last_error
    assert pod.ledger.rows == []
    assert committed(kafka, "green") == {tp(0): Committed(2, 0)}
    pod.record("green", 8, handed=handing(6, 8))
    now = pod.steps()
    assert now.active
    assert now.view.last_error is None
    assert pod.offsets(0) == [6, 7, 8, 9]


def test_without_a_snapshot_pods_start_where_every_commit_counts(kafka):
    committed(kafka, "green").update({tp(0): Committed(7, 9), tp(1): Committed(9, None)})
    pod = Pod(kafka, "green", "green-1")
    pod.record("green", 9, since=8, handed=None)
    assert pod.steps().active
    assert (pod.offsets(0), pod.offsets(1)) == ([7, 8, 9], [9])


@pytest.mark.parametrize("commit", [None, Committed(7, 7), Committed(7, 0)])
def test_without_a_snapshot_one_commit_that_does_not_count_is_enough_to_wait(kafka, commit):
    committed(kafka, "green")[tp(1)] = Committed(9, 9)
    if commit:
        committed(kafka, "green")[tp(0)] = commit
    pod = Pod(kafka, "green", "green-1")
    pod.record("green", 9, since=8, handed=None)
    assert pod.steps().state is State.ACTIVATING
    assert pod.ledger.rows == []


def test_a_commit_without_a_mark_beats_the_snapshot(kafka):
    """Somebody rewound the group by hand, on purpose."""
    committed(kafka, "green").update({tp(0): Committed(3, None), tp(1): Committed(3, 0)})
    pod = Pod(kafka, "green", "green-1")
    pod.record("green", 8, handed=handing(6, 8))
    pod.steps()
    assert pod.offsets(0) == list(range(3, 10))
    assert pod.offsets(1) == [8, 9]


def test_partitions_that_the_snapshot_does_not_hold(kafka):
    """Added since, or never seen: the commit, else the start of the log."""
    committed(kafka, "green")[tp(0)] = Committed(7, 3)
    kafka.log_start[tp(1)] = 4
    pod = standby(kafka)
    pod.record("green", 8, handed=handing())
    pod.steps()
    assert pod.offsets(0) == [7, 8, 9]
    assert pod.offsets(1) == list(range(4, 10))


def test_a_topic_that_was_created_again_begins_anew(kafka):
    """After the snapshot: its offsets are those of another log."""
    kafka.topic_ids[TOPIC] = "second-id"
    pod = Pod(kafka, "green", "green-1")
    pod.record("green", 8, handed=handing(6, 8))
    assert pod.steps().active
    assert pod.offsets(0) == pod.offsets(1) == list(range(10))


def test_a_topic_that_was_created_again_while_the_pod_stood_by(kafka):
    """Before the snapshot: what the pod remembers is old, the snapshot is right."""
    pod = standby(kafka)
    kafka.topic_ids[TOPIC] = "second-id"
    pod.record("green", 8, handed=handing(6, 8, topic_id="second-id"))
    assert pod.steps().active
    assert (pod.offsets(0), pod.offsets(1)) == ([6, 7, 8, 9], [8, 9])


def test_what_was_known_of_a_topic_is_asked_again_after_a_rebalance(kafka):
    pod = standby(kafka)
    pod.record("green", 8, handed=handing(6, 8))
    pod.steps()
    kafka.topic_ids[TOPIC] = "second-id"  # the broker drops the commits with the topic
    committed(kafka, "green").clear()
    pod.ledger.rows.clear()
    kafka.group("green").rebalance()
    pod.steps()
    assert pod.offsets(0) == pod.offsets(1) == list(range(10))


@pytest.mark.parametrize("left", [4, 0], ids=["of the old topic", "of a pod that was paused"])
def test_a_commit_of_an_older_reign_is_not_taken_for_progress_in_another_topic(kafka, left):
    """A topic that was created again begins anew (w1:1001471)."""
    kafka.topic_ids[TOPIC] = "second-id"
    committed(kafka, "green")[tp(0)] = Committed(left, 0)
    pod = Pod(kafka, "green", "green-1")
    pod.record("green", 8, handed=handing(6, 8))
    assert pod.steps().active
    assert pod.offsets(0) == pod.offsets(1) == list(range(10))


def test_ids_of_topics_that_are_not_told_keep_the_pod_from_starting(kafka):
    pod = standby(kafka)
    pod.worker._topic_ids = {}
    pod.member.fail_topic_ids = [TEMPORARY] * 3
    pod.record("green", 8, handed=handing(6, 8))
    assert pod.steps(3).state is State.ACTIVATING
    assert pod.ledger.rows == []
    kafka.topic_ids.clear()
    assert "does not tell the id" in pod.steps(3).view.last_error
    assert pod.ledger.rows == []
    kafka.topic_ids[TOPIC] = "first-id"
    assert pod.steps().active
    assert pod.offsets(0) == [6, 7, 8, 9]


def test_a_colour_at_work_asks_for_no_ids(kafka, active):
    """A rebalance must not depend on a broker that describes topics."""
    active.member.fail_topic_ids = [TEMPORARY] * 100
    kafka.group("blue").rebalance()
    active.steps()
    active.record("blue", 6)
    kafka.produce(0, 2)
    active.steps()
    assert active.offsets(0) == list(range(12))
    assert len(active.member.fail_topic_ids) == 100


def turns(*pods, count=6):
    for _ in range(count):
        for pod in pods:
            pod.steps(1)


def test_rebalance_while_active_continues_at_the_own_progress_not_at_the_hand_off(kafka):
    first = standby(kafka)
    first.record("green", 8, handed=handing(5, 5))
    first.steps()
    second = Pod(kafka, "green", "green-2")
    second.record("green", 8, handed=handing(5, 5))
    turns(first, second)
    for pod in (first, second):
        pod.record("green", 8, handed=handing(5, 5))
    kafka.produce(0, 2)
    kafka.produce(1, 2)
    turns(first, second)
    rows = first.ledger.rows + second.ledger.rows
    assert second.offsets(1) == [10, 11]
    assert sorted((part.partition, offset) for part, offset, _, _ in rows) == [
        (number, offset) for number in (0, 1) for offset in range(5, 12)
    ]


def test_a_run_that_was_given_up_then_one_more_pod_then_one_less(kafka):
    """Pods of one reign have different epochs: each goes on where the other stopped, never at the hand-off again."""
    old = standby(kafka)
    old.record("green", 8, handed=handing(5, 5))
    old.steps()
    old.record("green", 9, "rolling-back", since=8, handed=handing(5, 5))  # armed, given up before this pod was paused
    old.record("green", 10, "stable", since=8, handed=handing(5, 5))
    old.steps()
    assert old.contract.desired.epoch == 8
    new = Pod(kafka, "green", "green-2")
    new.record("green", 10, "stable", since=8, handed=handing(5, 5))
    turns(old, new)
    kafka.produce(0, 2)
    kafka.produce(1, 2)
    for pod in (old, new):
        pod.record("green", 10, "stable", since=8, handed=handing(5, 5))
    turns(old, new)
    assert committed(kafka, "green")[tp(1)] == Committed(12, 10)
    assert new.worker._partitions.keys() == {tp(1)}
    new.worker.stop(within=HANG)
    turns(old, new)
    old.record("green", 10, "stable", since=8, handed=handing(5, 5))
    kafka.produce(1, 2)
    turns(old)
    rows = sorted((part.partition, offset) for pod in (old, new) for part, offset, _, _ in pod.ledger.rows)
    assert rows == [(0, offset) for offset in range(5, 12)] + [(1, offset) for offset in range(5, 14)]


def test_own_commit_of_this_reign_wins_after_a_restart(kafka):
    committed(kafka, "green").update({tp(0): Committed(9, 8), tp(1): Committed(3, 6)})
    pod = Pod(kafka, "green", "green-1")
    pod.record("green", 8, handed=handing(5, 8))
    pod.steps()
    assert pod.offsets(0) == [9]
    assert pod.offsets(1) == [8, 9]


# --- a new reign --------------------------------------------------------------------------------------------------


def test_a_pod_that_missed_a_reign_of_the_other_colour_goes_on_where_that_stopped(kafka, active):
    """It was cut off from the API server while the record went to green and back: green's records are not repeated."""
    kafka.produce(0, 5)
    kafka.produce(1, 5)
    active.clock.now += 20  # the lease ran out before the other colour began
    active.steps()
    active.record("blue", 10, handed=handing(14, 13))
    active.steps()
    assert active.offsets(0) == [*range(10), 14]
    assert active.offsets(1) == [*range(10), 13, 14]
    assert (active.part(0).start_offset, active.part(0).first_processed) == (14, 14)
    assert committed(kafka)[tp(0)] == Committed(15, 10)


def test_a_new_reign_whose_snapshot_cannot_be_read_stops_a_pod_at_work(kafka, active):
    kafka.produce(0, 5)
    active.record("blue", 10, handed=None)
    now = active.steps()
    assert now.state is State.ACTIVATING
    assert active.part(0).paused
    assert active.offsets(0) == list(range(10))
    active.record("blue", 10, handed=handing(12, 10))
    assert active.steps().active
    assert active.offsets(0) == [*range(10), 12, 13, 14]


# --- resume -------------------------------------------------------------------------------------------------------


def test_pause_by_hand_and_back_at_the_same_epoch(kafka, active):
    active.send("pause", 6)
    assert active.steps().drained
    kafka.produce(0, 3)
    active.record("blue", 6)
    assert active.steps().state is State.DRAINED
    active.send("resume", 6)
    active.record("blue", 6)
    assert active.steps().active
    assert active.offsets(0) == list(range(13))
    assert (active.part(0).start_offset, active.part(0).first_processed) == (0, 0), "it is the same activation"


def test_a_rewind_by_hand_while_the_group_is_empty(kafka, active):
    active.send("pause", 6, leave_group=True)
    active.steps()
    assert kafka.group("blue").members == {}
    committed(kafka)[tp(0)] = Committed(4, None)
    active.send("resume", 6)
    active.record("blue", 6)
    active.steps()
    active.record("blue", 6)
    active.steps()
    assert active.offsets(0) == [*range(10), *range(4, 10)]
    assert active.offsets(1) == list(range(10))


def test_partitions_that_went_while_the_pod_was_paused_are_not_fetched(kafka, active):
    """It stood still, as a frozen process does: the broker's no comes before the first record."""
    active.send("pause", 6)
    active.steps()
    active.send("resume", 6)
    active.record("blue", 6)
    active.member.fail_commits = [LOST]
    kafka.produce(0, 3)
    active.steps(1)
    assert active.offsets(0) == list(range(10))
    assert active.now.view.member_state == "rebalancing"
