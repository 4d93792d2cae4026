"""The state machine alone: commands and their epochs."""

import pytest

from bgconsumer.commands import Command
from bgconsumer.model import State
from tests.consumers.contract_pod import Pod, active_pod, standby_pod

# --- epochs of commands -------------------------------------------------------------------------------------------


def test_stale_epoch():
    pod = active_pod(6)
    assert pod.refused("pause", 5) == (409, "stale_epoch")
    pod.send("pause", 9)
    for name in ("pause", "prepare", "resume", "fence"):
        assert pod.refused(name, 8) == (409, "stale_epoch")


def test_first_command_of_the_records_epoch_is_accepted():
    pod = active_pod(6)
    pod.send("pause", 6)
    assert pod.state is State.PAUSING


@pytest.mark.parametrize(("name", "state"), [("pause", State.DRAINED), ("prepare", State.STANDBY)])
def test_repeating_a_command_changes_nothing(name, state):
    pod = standby_pod(6)
    pod.send(name, 7)
    pod.settle()
    before = pod.contract.desired
    pod.send(name, 7)
    assert pod.contract.desired is before
    assert pod.state is state


def test_another_command_of_the_same_epoch_is_followed():
    pod = active_pod(6)
    pod.send("pause", 7)
    pod.settle()
    pod.send("prepare", 7)
    assert pod.settle() is State.STANDBY
    pod.send("pause", 7)
    assert pod.settle() is State.DRAINED
    pod.send("fence", 7)
    assert pod.settle() is State.FENCED


def test_a_second_pause_may_add_leaving_the_group():
    pod = active_pod(6)
    pod.send("pause", 7)
    pod.settle()
    pod.send("pause", 7, leave_group=True)
    assert pod.contract.desired.joined is False
    assert pod.state is State.PAUSING
    assert pod.settle() is State.DRAINED


def test_epoch_of_the_pod_is_the_highest_seen():
    pod = active_pod(6)
    pod.send("pause", 9)
    pod.record("blue", 7)
    assert pod.contract.snapshot().epoch == 9
    pod.record("blue", 10)
    assert (pod.contract.snapshot().epoch, pod.contract.snapshot().epoch_source) == (10, "configmap")


def test_a_refused_command_does_not_use_up_its_epoch():
    pod = active_pod(6)
    assert pod.refused("prepare", 8) == (409, "conflict")
    assert pod.contract.snapshot().epoch == 6
    pod.send("pause", 7)
    assert pod.settle() is State.DRAINED


# --- pause, prepare, fence ----------------------------------------------------------------------------------------


def test_pause_drains_and_stops_processing_at_once():
    pod = active_pod(6)
    serial = pod.contract.desired.serial
    pod.send("pause", 7)
    assert not pod.contract.may_process(serial)
    assert not pod.contract.snapshot().drained
    assert pod.settle() is State.DRAINED
    assert pod.contract.snapshot().drained
    assert pod.contract.desired.joined


def test_pause_of_a_standby_pod_drains_too():
    pod = standby_pod()
    pod.send("pause", 7)
    assert pod.settle() is State.DRAINED


def test_prepare():
    pod = active_pod(6)
    assert pod.refused("prepare", 6) == (409, "conflict")
    pod.send("pause", 7)
    assert pod.refused("prepare", 8) == (409, "conflict")  # still draining
    pod.settle()
    pod.send("prepare", 8, standby="cold")
    assert pod.settle() is State.STANDBY
    assert not pod.contract.desired.joined
    pod.send("prepare", 9, standby="hot")
    assert pod.contract.desired.joined


def test_pausing_the_colour_that_the_record_does_not_name_stays_paused():
    pod = standby_pod(6)
    pod.send("pause", 7)
    pod.settle()
    pod.record("blue", 7, "switching", since=6)
    assert pod.settle() is State.DRAINED


def test_fence_is_terminal():
    pod = active_pod(6)
    pod.send("fence", 9)
    assert pod.settle() is State.FENCED
    for name in ("pause", "resume", "prepare"):
        assert pod.refused(name, 10) == (423, "fenced")
    pod.record("blue", 11)
    assert pod.settle() is State.FENCED


def test_a_wake_before_a_fence_does_not_bring_the_pod_back():
    pod = active_pod(6)
    pod.send("resume", 6)
    pod.send("fence", 6)
    pod.record("blue", 6)
    assert pod.settle() is State.FENCED


def test_no_command_and_no_record_brings_back_a_terminating_pod():
    pod = active_pod(6)
    pod.contract.terminate()
    assert pod.contract.desired.target is State.DRAINED
    assert not pod.contract.desired.joined
    for name in ("resume", "prepare"):
        assert pod.refused(name, 8) == (503, "terminating")
    pod.send("pause", 8)
    for active in ("green", "blue"):
        pod.record(active, 9 if active == "green" else 11)
        assert pod.contract.desired.target is State.DRAINED
        assert not pod.contract.desired.joined


def test_the_first_record_does_not_start_a_pod_that_is_shutting_down():
    pod = Pod("blue")
    pod.contract.terminate()
    pod.record("blue", 6)
    assert pod.contract.desired.target is State.DRAINED
    assert not pod.contract.desired.joined


# --- resume: a wake, and nothing but that ---------------------------------------------------------------------------


def test_resume_asks_for_a_look_at_the_record_and_decides_nothing():
    pod = standby_pod(6)
    before = pod.contract.desired
    pod.send("resume", 8)
    assert pod.contract.read_wanted.is_set()
    assert pod.contract.desired is before
    pod.record("blue", 8, since=6)
    assert pod.settle() is State.STANDBY, "the record names another colour"
    pod.record("green", 10)
    assert pod.settle() is State.ACTIVE


def test_resume_of_a_starting_pod_leaves_the_decision_to_the_record():
    pod = Pod("blue")
    pod.send("resume", 7)
    assert pod.settle() is State.STARTING
    pod.record("blue", 6)  # read before the record of epoch 7 was written
    assert pod.settle() is State.STARTING
    pod.record("blue", 7, "switching", since=6)
    assert pod.settle() is State.STANDBY
    pod.record("blue", 8, since=6)
    assert pod.settle() is State.ACTIVE


def test_resume_does_not_start_the_source_of_a_hand_over():
    pod = active_pod(6)
    pod.record("blue", 7, "switching", since=6)
    pod.send("pause", 7)
    pod.settle()
    pod.send("resume", 7)
    pod.record("blue", 7, "switching", since=6)
    assert pod.settle() is State.DRAINED
    pod.record("green", 8)
    assert pod.settle() is State.STANDBY


@pytest.mark.parametrize("settled", [True, False])
def test_a_newer_epoch_undoes_a_pause_also_before_it_is_drained(settled):
    pod = active_pod(6)
    pod.send("pause", 7)
    if settled:
        pod.settle()
    pod.send("resume", 8)
    pod.record("blue", 8, since=6)
    assert pod.settle() is State.ACTIVE
    assert (pod.contract.desired.epoch, pod.contract.desired.reign) == (8, 6)
    assert pod.may_process()


@pytest.mark.parametrize("command", ["pause", "prepare"])
def test_a_pause_by_hand_has_a_way_back_at_the_same_epoch(command):
    pod = active_pod(6)
    pod.send("pause", 6)
    pod.settle()
    pod.send(command, 6)
    pod.settle()
    pod.record("blue", 6)
    assert pod.settle() is not State.ACTIVE, "the record alone, at this epoch, does not undo a command"
    pod.send("resume", 6)
    pod.record("blue", 6)
    assert pod.settle() is State.ACTIVE
    pod.send("pause", 6)
    assert pod.settle() is State.DRAINED


def test_only_a_read_that_began_after_the_wake_follows_it():
    pod = active_pod(6)
    pod.send("pause", 6)
    pod.settle()
    began = pod.clock.now
    pod.clock.now += 0.1
    pod.send("resume", 6)
    pod.contract.observe_record(pod.contract.snapshot().record, began)
    assert pod.settle() is State.DRAINED
    pod.record("blue", 6)
    assert pod.settle() is State.ACTIVE


def test_repeated_wakes_do_not_put_it_off():
    pod = active_pod(6)
    pod.send("pause", 6)
    pod.settle()
    pod.send("resume", 6)
    began = pod.clock.now
    pod.clock.now += 0.1
    pod.send("resume", 6)  # while the record is being read
    pod.contract.observe_record(pod.contract.snapshot().record, began)
    assert pod.settle() is State.ACTIVE


@pytest.mark.parametrize(("command", "state"), [("pause", State.DRAINED), ("prepare", State.STANDBY)])
def test_the_last_command_counts(command, state):
    """A wake that no read has followed yet is taken back by what comes after it, also by what the pod is already."""
    pod = active_pod(6)
    pod.send("pause", 6)
    pod.settle()
    pod.send(command, 6)
    pod.settle()
    pod.send("resume", 6)
    pod.send(command, 6)
    pod.record("blue", 6)
    assert pod.settle() is state


def test_a_wake_is_used_up_by_the_read_that_it_asked_for():
    pod = active_pod(6)
    pod.send("resume", 6)
    pod.record("blue", 6)
    pod.send("pause", 6)
    pod.settle()
    pod.record("blue", 6)
    assert pod.settle() is State.DRAINED


def test_resume_of_an_active_pod_does_not_interrupt_it():
    pod = active_pod(6)
    before = pod.contract.desired
    pod.send("resume", 8)
    pod.record("blue", 8, since=6)
    assert pod.contract.desired is before
    assert pod.contract.snapshot().epoch == 8
    assert pod.may_process()


def test_resume_is_done_when_the_pod_works_by_a_read_that_it_asked_for():
    pod = active_pod(6)
    command = Command("resume", 6)
    pod.contract.submit(command)
    assert not pod.contract.wait(command)
    pod.record("blue", 6)
    assert pod.contract.wait(command)


def test_a_pod_without_partitions_is_at_work_too():
    pod = standby_pod()
    pod.parts = []
    pod.settle()
    command = Command("resume", 8)
    pod.contract.submit(command)
    pod.record("green", 8)
    pod.settle()
    assert pod.contract.wait(command)
