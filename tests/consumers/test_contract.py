"""The state machine alone: start, record, lease, waiting."""

import threading

import pytest

from bgconsumer.commands import Command
from bgconsumer.model import ActiveRecord, Handoff, RecordError, State
from bgconsumer.view import STABLE, MemberView
from tests.consumers.contract_pod import Pod, active_pod, standby_pod
from tests.consumers.fakes import tp
from tests.unit.waiting import joined

# --- start --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("active", "phase", "expected"),
    [
        ("blue", "stable", State.ACTIVE),
        ("blue", "verifying", State.ACTIVE),
        ("blue", "switching", State.STANDBY),
        ("blue", "rolling-back", State.STANDBY),
        ("green", "stable", State.STANDBY),
        ("green", "verifying", State.STANDBY),
    ],
)
def test_the_first_record_decides(active, phase, expected):
    pod = Pod("blue")
    assert pod.settle() is State.STARTING
    pod.record(active, 4, phase)
    assert pod.settle() is expected
    assert pod.may_process() is (expected is State.ACTIVE)


def test_without_a_record_nothing_starts():
    pod = Pod()
    pod.contract.record_failed("no answer")
    assert pod.settle() is State.STARTING
    assert not pod.may_process()
    assert pod.refused("prepare", 9) == (503, "starting")
    pod.send("resume", 9)
    assert pod.settle() is State.STARTING
    assert not pod.may_process()


def test_a_pause_before_the_first_record_wins_over_an_older_record():
    pod = Pod("blue")
    pod.send("pause", 7)
    pod.record("blue", 6, "stable")  # read before the record of epoch 7 was written
    assert pod.settle() is State.DRAINED
    pod.record("blue", 7, "switching", since=6)
    assert pod.settle() is State.DRAINED
    assert not pod.may_process()


def test_phase_alone_never_stops_and_a_settled_record_wakes():
    pod = active_pod(6)
    pod.record("blue", 7, "switching", since=6)
    assert pod.state is State.ACTIVE
    assert pod.may_process()
    other = Pod("blue")
    other.record("blue", 7, "switching")
    other.settle()
    other.record("blue", 7, "stable")
    assert other.settle() is State.ACTIVE


# --- the record while running -------------------------------------------------------------------------------------


def test_newer_epoch_of_the_other_colour_stops_at_once():
    pod = active_pod(6)
    serial = pod.contract.desired.serial
    pod.record("green", 8, "switching")
    assert not pod.contract.may_process(serial)
    assert pod.state is State.PAUSING  # until the record in hand is finished
    assert pod.settle() is State.STANDBY


def test_drained_source_becomes_standby_when_the_record_flips():
    pod = active_pod(6)
    pod.record("blue", 7, "switching")
    pod.send("pause", 7)
    assert pod.settle() is State.DRAINED
    pod.record("green", 8, "switching")
    assert pod.settle() is State.STANDBY


def test_cold_standby_leaves_the_group():
    pod = Pod("blue", hot=False)
    assert not pod.contract.desired.joined
    pod.record("blue", 6)
    assert pod.contract.desired.joined
    pod.settle()
    pod.record("green", 8)
    assert not pod.contract.desired.joined


def test_a_paused_pod_that_left_its_group_does_not_rejoin_as_standby():
    pod = active_pod(6)
    pod.send("pause", 7, leave_group=True)
    pod.settle()
    pod.record("green", 8, "verifying")
    assert not pod.contract.desired.joined


def test_lease_runs_out_and_comes_back():
    pod = active_pod(6)
    pod.clock.now += 9.9
    assert pod.may_process()
    pod.clock.now += 0.2
    assert not pod.may_process()
    assert pod.state is State.ACTIVE
    snapshot = pod.contract.snapshot()
    assert snapshot.lease_remaining <= 0
    assert not snapshot.active
    pod.record("blue", 6)
    assert pod.may_process()


def test_lease_counts_from_the_start_of_the_read():
    pod = active_pod(6)
    pod.clock.now += 8
    pod.contract.observe_record(ActiveRecord("blue", 6, "stable"), pod.clock.now - 5)
    assert pod.contract.snapshot().lease_remaining == pytest.approx(5)


def test_a_record_older_than_what_was_seen_does_not_extend_the_lease():
    pod = active_pod(6)
    pod.clock.now += 8
    pod.record("blue", 5)
    assert pod.contract.snapshot().lease_remaining == pytest.approx(2)
    assert "epoch 5" in pod.contract.snapshot().record_error
    assert pod.state is State.ACTIVE


def test_a_failed_read_keeps_the_rest_of_the_lease():
    pod = active_pod(6)
    pod.clock.now += 3
    pod.contract.record_failed("timeout")
    assert pod.contract.snapshot().lease_remaining == pytest.approx(7)
    assert pod.contract.snapshot().record_error == "timeout"


# --- waiting ------------------------------------------------------------------------------------------------------


def test_wait_returns_when_the_consumer_thread_gets_there():
    pod = active_pod(6)
    command = Command("pause", 7, wait_ms=60_000)
    pod.contract.submit(command)
    timer = threading.Timer(0.05, pod.settle)
    timer.start()
    assert pod.contract.wait(command)
    joined(timer)


def test_wait_gives_up_after_wait_ms():
    pod = active_pod(6)
    command = Command("pause", 7, wait_ms=20)
    pod.contract.submit(command)
    assert not pod.contract.wait(command)


def test_a_decision_that_was_overtaken_reaches_nothing():
    pod = active_pod(6)
    serial = pod.contract.desired.serial
    pod.send("pause", 7)
    pod.contract.publish(MemberView(STABLE), serial, reached=True)
    assert pod.state is State.PAUSING


# --- record text --------------------------------------------------------------------------------------------------


def test_record_faults_are_all_named():
    with pytest.raises(RecordError) as error:
        ActiveRecord.from_data({"active": "purple", "epoch": "x", "phase": "odd", "activated-epoch": "-3"})
    for fragment in ("'purple'", "'x'", "'odd'", "activated-epoch is '-3'"):
        assert fragment in str(error.value)


def test_record_of_the_configmap():
    data = {"active": "green", "epoch": "12", "phase": "rolling-back", "previous-version": "blue"}
    assert ActiveRecord.from_data(data) == ActiveRecord("green", 12, "rolling-back", 12)
    whole = {**data, "activated-epoch": "9", "snapshot": "order-consumer-bg-snapshot-b"}
    assert ActiveRecord.from_data(whole) == ActiveRecord("green", 12, "rolling-back", 9, "order-consumer-bg-snapshot-b")


def test_a_record_that_was_written_back_starts_nobody():
    """A manifest applied again sets active and epoch to what they were, and leaves what it does not know."""
    data = {"active": "blue", "epoch": "1", "phase": "stable", "activated-epoch": "3"}
    with pytest.raises(RecordError, match="older than activated-epoch 3"):
        ActiveRecord.from_data(data)


def test_a_paused_pod_goes_on_when_its_colour_is_settled_in_a_newer_epoch():
    pod = active_pod(6)
    pod.send("pause", 7)
    assert pod.settle() is State.DRAINED
    pod.record("blue", 7, "stable")
    assert pod.settle() is State.DRAINED, "a pause of this very epoch stands"
    pod.record("blue", 8, "stable")
    assert pod.settle() is State.ACTIVE


def test_standby_by_command_stands_until_a_newer_epoch():
    pod = active_pod(6)
    pod.send("pause", 7)
    pod.settle()
    pod.send("prepare", 8)
    pod.record("blue", 8, "stable")
    assert pod.settle() is State.STANDBY
    pod.record("blue", 9, "verifying")
    assert pod.settle() is State.ACTIVE


# --- reigns -------------------------------------------------------------------------------------------------------


def test_a_pod_that_missed_a_reign_of_the_other_colour_begins_anew():
    """The record went away and came back while it could not be read here: what was committed before is old."""
    pod = active_pod(6)
    serial = pod.contract.desired.serial
    pod.record("blue", 10)
    assert not pod.contract.may_process(serial)
    assert pod.state is State.ACTIVATING
    assert (pod.contract.desired.epoch, pod.contract.desired.reign) == (10, 10)


@pytest.mark.parametrize("phase", ["stable", "switching", "rolling-back", "verifying"])
def test_a_newer_epoch_of_the_same_reign_changes_nothing_for_a_pod_at_work(phase):
    pod = active_pod(6)
    before = pod.contract.desired
    pod.record("blue", 8, phase, since=6)
    assert pod.contract.desired is before
    assert pod.may_process()
    assert pod.contract.snapshot().activated_epoch == 6


def test_a_hand_over_that_begins_while_the_pod_activates_makes_it_stand_by():
    pod = standby_pod(6)
    pod.record("green", 8)
    assert pod.state is State.ACTIVATING
    pod.record("green", 9, "rolling-back", since=8)
    assert pod.settle() is State.STANDBY
    pod.record("green", 10, "stable", since=8)
    assert pod.settle() is State.ACTIVE


def test_what_was_handed_is_known_for_its_reign_alone():
    pod = Pod("blue")
    handed = Handoff({tp(0): 5})
    pod.contract.observe_record(ActiveRecord("blue", 6, "stable", 6, "s"), pod.clock.now, handed)
    assert pod.contract.handoff(6) is handed
    assert pod.contract.handoff(5) is None
    pod.contract.observe_record(ActiveRecord("green", 8, "stable", 8, "t"), pod.clock.now)
    assert pod.contract.handoff(8) is None, "that is what the other colour was handed"
    pod.contract.observe_record(ActiveRecord("blue", 10, "stable", 10, "s"), pod.clock.now, None)
    assert pod.contract.handoff(10) is None


def test_the_lease_lives_on_the_record_not_on_its_snapshot():
    pod = active_pod(6)
    pod.clock.now += 8
    pod.contract.observe_record(ActiveRecord("blue", 6, "stable", 6, "s"), pod.clock.now, None)
    assert pod.contract.snapshot().lease_remaining == pytest.approx(10)


# --- activatedEpoch -----------------------------------------------------------------------------------------------


def test_activated_epoch_is_that_of_the_last_decision_that_was_reached():
    pod = standby_pod(6)
    assert pod.contract.snapshot().activated_epoch is None
    pod.record("green", 8)
    assert pod.contract.snapshot().activated_epoch is None, "not before it may have processed anything"
    pod.settle()
    assert pod.contract.snapshot().activated_epoch == 8
    pod.send("pause", 9)
    pod.settle()
    assert pod.contract.snapshot().activated_epoch == 8
    pod.record("green", 10, since=8)
    pod.settle()
    assert pod.contract.snapshot().activated_epoch == 10
    pod.record("blue", 12)
    pod.settle()
    assert pod.contract.snapshot().activated_epoch == 10
