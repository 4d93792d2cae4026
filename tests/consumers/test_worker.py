"""The consumer thread, step by step: processing, lease, rebalances, end."""

import pytest

from bgconsumer import worker as worker_module
from bgconsumer.model import Committed, State
from tests.consumers.fakes import LOST, TEMPORARY, tp
from tests.consumers.worker_pod import Pod, committed
from tests.unit.waiting import HANG, NEVER

pytestmark = pytest.mark.usefixtures("no_waiting")


def test_active_pod_processes_everything_from_the_log_start(kafka):
    kafka.log_start[tp(1)] = 4
    pod = Pod(kafka)
    pod.record("blue", 6)
    pod.steps()
    assert pod.offsets(0) == list(range(10))
    assert pod.offsets(1) == list(range(4, 10))
    assert committed(kafka) == {tp(0): Committed(10, 6), tp(1): Committed(10, 6)}
    assert pod.now.active


def test_the_start_is_committed_before_the_first_record(kafka):
    pod = Pod(kafka)
    seen = []
    pod.ledger.during = lambda record: seen.append(dict(committed(kafka)))
    pod.record("blue", 6)
    pod.steps()
    assert seen[0] == {tp(0): Committed(0, 6), tp(1): Committed(0, 6)}


def test_every_batch_is_flushed_before_it_is_committed(kafka, active):
    unflushed = []
    commit = active.member.commit
    active.member.commit = lambda offsets: (unflushed.append(active.ledger.unflushed), commit(offsets))
    kafka.produce(0, 3)
    active.steps()
    assert unflushed == [0]


def test_starting_and_standby_pods_process_nothing(kafka):
    starting = Pod(kafka)
    assert starting.steps().state is State.STARTING
    standby = Pod(kafka, "green", "green-1")
    standby.record("blue", 6)
    assert standby.steps().state is State.STANDBY
    assert starting.ledger.rows == standby.ledger.rows == []
    assert starting.member.parked == standby.member.parked == {tp(0): 0, tp(1): 0}
    assert committed(kafka) == committed(kafka, "green") == {}


def test_cold_standby_is_no_member(kafka):
    pod = Pod(kafka, "green", "green-1", hot=False)
    pod.record("blue", 6)
    assert pod.steps().view.member_state == "unjoined"
    assert kafka.group("green").members == {}


def test_a_lapse_of_the_lease_inside_a_batch_skips_nothing(kafka, active):
    def lapse(record):
        if record.offset == 12:
            active.clock.now += 20
            active.ledger.during = None

    active.ledger.during = lapse
    kafka.produce(0, 10)
    active.worker.step()
    assert active.offsets(0) == list(range(13))
    active.record("blue", 6)  # before the next step: the thread never saw the lapse from outside
    active.steps()
    assert active.offsets(0) == list(range(20))
    assert active.part(0).start_offset == 0


def test_an_expired_lease_stops_and_a_read_record_starts_again(kafka, active):
    active.clock.now += 20
    kafka.produce(0, 5)
    now = active.steps()
    assert now.state is State.ACTIVE
    assert not now.active
    assert active.part(0).paused
    assert active.offsets(0) == list(range(10))
    active.record("blue", 6)
    active.steps()
    assert active.offsets(0) == list(range(15))


def test_records_of_a_batch_cut_by_a_rebalance_are_not_processed_twice_nor_skipped(kafka, active):
    kafka.produce(0, 5)
    active.member.rebalance_in_next_fetch = True
    active.worker.step()
    assert active.offsets(0) == list(range(10))
    active.steps()
    assert active.offsets(0) == list(range(15))


def test_lost_partitions_are_not_processed_further(kafka, active):
    active.member.fail_commits = [LOST]
    kafka.produce(0, 2)
    active.steps(1)
    kafka.produce(0, 2)
    now = active.steps(3)
    assert active.offsets(0) == list(range(12))
    assert now.view.member_state == "rebalancing"
    assert "illegal generation" in now.view.last_error


def test_positions_unknown_means_rebalancing(kafka):
    pod = Pod(kafka)
    pod.record("blue", 6)
    pod.member.fail_committed = [TEMPORARY, TEMPORARY]
    pod.steps(4)
    assert pod.now.view.member_state == "rebalancing"
    assert pod.ledger.rows == []
    pod.steps(3)
    assert pod.now.active


def test_records_below_the_position_are_dropped(kafka, active):
    # A hand-off beyond the log end makes Kafka reset the fetch to the log start.
    kafka.produce(0, 2)
    active.member.fetching[tp(0)] = 0
    active.steps()
    assert active.offsets(0) == list(range(12))


def test_flip_seen_in_the_record_stops_in_the_middle_of_a_batch_and_commits(kafka, active):
    active.ledger.during = lambda record: record.offset == 12 and active.record("green", 8, "verifying")
    kafka.produce(0, 10)
    now = active.steps()
    assert now.state is State.STANDBY
    assert active.offsets(0) == list(range(13))
    assert committed(kafka)[tp(0)] == Committed(13, 6)


def test_sigterm_drains_commits_and_leaves(kafka, active):
    active.ledger.during = lambda record: record.offset == 11 and active.worker.stop(within=HANG)
    kafka.produce(0, 10)
    ended = [active.worker.step() for _ in range(3)]
    assert ended[-1]
    assert active.offsets(0) == list(range(12))
    assert committed(kafka)[tp(0)] == Committed(12, 6)
    assert kafka.group("blue").members == {}


def test_sigterm_gives_up_in_time(kafka, active):
    active.member.fail_commits = [TEMPORARY] * 100
    active.worker.stop(within=-1)
    with pytest.raises(TimeoutError, match="coordinator not available"):
        active.steps()


def test_fenced_pod_has_closed_its_member(kafka, active):
    active.send("fence", 7)
    assert active.steps().state is State.FENCED
    assert active.member.closed
    kafka.produce(0, 5)
    active.steps()
    assert active.offsets(0) == list(range(10))


def test_a_failing_application_ends_the_thread_without_a_commit(kafka, active):
    def fail(record):
        raise ValueError("broken record")

    active.ledger.during = fail
    kafka.produce(0, 1)
    active.worker.run()
    assert isinstance(active.worker.failure, ValueError)
    assert committed(kafka)[tp(0)] == Committed(10, 6)


def test_a_pod_active_by_the_record_reads_it_again_after_its_assignment(kafka):
    pod = Pod(kafka)
    pod.record("blue", 1)
    pod.clock.now += 0.2
    pod.steps()
    assert pod.contract.read_wanted.is_set()
    assert pod.offsets(0) == []
    pod.record("blue", 1)
    pod.steps()
    assert pod.offsets(0) == list(range(10))


def test_a_hand_over_that_began_meanwhile_keeps_it_from_starting(kafka):
    pod = Pod(kafka)
    pod.record("blue", 1)
    pod.clock.now += 0.2
    pod.steps()
    pod.record("blue", 2, "switching")
    assert pod.steps().state is State.STANDBY
    assert pod.offsets(0) == []


def test_between_batches_without_a_backlog_it_rests_until_the_next_decision(kafka, active, monkeypatch):
    rests = []
    monkeypatch.setattr(worker_module, "BATCH_SECONDS", NEVER)
    monkeypatch.setattr(active.contract, "await_decision", lambda serial, seconds: rests.append((active.now, seconds)))
    kafka.produce(0, 3)
    active.worker.step()
    ((seen, seconds),) = rests
    assert HANG < seconds <= NEVER, "what is left of it after the step"
    assert (seen.view.in_flight, seen.view.pending_commits) == (0, 0)
    assert committed(kafka)[tp(0)].offset == 13


def test_a_backlog_is_worked_off_without_a_rest(kafka, active, monkeypatch):
    rests = []
    monkeypatch.setattr(worker_module, "BATCH_RECORDS", 3)
    monkeypatch.setattr(active.contract, "await_decision", lambda serial, seconds: rests.append(seconds))
    kafka.produce(0, 3)
    active.worker.step()
    assert rests == []


def test_each_assignment_asks_for_one_look_at_the_record(kafka, active, monkeypatch):
    """Not each try to find the positions: a broker in trouble must not become the API server's trouble."""
    asked = []
    assigned = active.contract.assigned
    monkeypatch.setattr(active.contract, "assigned", lambda: (asked.append(1), assigned()))
    active.member.fail_committed = [TEMPORARY] * 5
    kafka.group("blue").rebalance()
    active.steps(10)
    assert active.now.view.member_state == "stable"
    assert len(asked) == 1


def test_a_rebalance_at_work_waits_for_a_new_look_at_the_record(kafka, active):
    kafka.group("blue").rebalance()
    active.clock.now += 0.1
    kafka.produce(0, 3)
    active.steps()
    assert active.offsets(0) == list(range(10))
    active.record("blue", 7, "switching", since=6)
    active.steps()
    assert active.offsets(0) == list(range(10)), "a hand-over began: it may not have seen this assignment"
    active.record("blue", 8, since=6)
    active.steps()
    assert active.offsets(0) == list(range(13))


def test_sigterm_before_the_first_record(kafka):
    pod = Pod(kafka)
    pod.steps(2)
    pod.worker.stop(within=HANG)
    pod.record("blue", 6)
    assert [pod.worker.step() for _ in range(3)][-1]
    assert pod.ledger.rows == []
    assert kafka.group("blue").members == {}
