"""The state machine alone: commands and their epochs."""

import pytest

from bgconsumer.commands import Command
from bgconsumer.model import Committed, State
from tests.consumers.contract_pod import Pod, active_pod, standby_pod
from tests.consumers.fakes import tp

# --- epochs of commands -------------------------------------------------------------------------------------------


def test_stale_epoch():
    pod = active_pod(6)
    assert pod.refused("pause", 5) == (409, "stale_epoch")
    pod.send("pause", 9)
    assert pod.refused("pause", 8) == (409, "stale_epoch")


def test_first_command_of_the_records_epoch_is_accepted():
    pod = active_pod(6)
    pod.send("pause", 6)
    assert pod.state is State.PAUSING


def test_repeating_a_command_changes_nothing():
    pod = active_pod(6)
    pod.send("pause", 7)
    pod.settle()
    before = pod.contract.desired
    pod.send("pause", 7)
    assert pod.contract.desired is before
    assert pod.state is State.DRAINED


def test_other_command_in_the_same_epoch_conflicts():
    pod = active_pod(6)
    pod.send("pause", 7)
    pod.settle()
    for name in ("resume", "activate", "prepare", "fence"):
        assert pod.refused(name, 7) == (409, "conflict")


def test_same_activation_with_other_offsets_conflicts():
    pod = standby_pod()
    pod.send("activate", 8, offsets={tp(0): 5, tp(1): 5})
    assert pod.refused("activate", 8, offsets={tp(0): 5, tp(1): 6}) == (409, "conflict")


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
    pod = standby_pod()
    assert pod.refused("activate", 8, offsets={tp(0): 5}) == (409, "missing_offset")
    pod.send("activate", 8, offsets={tp(0): 5, tp(1): 7})
    assert pod.settle() is State.ACTIVE


# --- single commands ----------------------------------------------------------------------------------------------


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


def test_activate_needs_an_offset_for_every_assigned_partition():
    pod = standby_pod()
    assert pod.refused("activate", 8, offsets={tp(1): 7}) == (409, "missing_offset")
    pod.parts = [(0, Committed(9, 8)), (1, None)]  # partition 0 has been worked on in epoch 8 already
    pod.settle()
    pod.send("activate", 8, offsets={tp(1): 7})
    assert pod.settle() is State.ACTIVE
    assert pod.contract.desired.epoch == 8


def test_activate_without_offsets_is_cold():
    pod = standby_pod()
    pod.send("activate", 8)
    assert pod.settle() is State.ACTIVE


def test_activate_of_a_pod_without_partitions():
    pod = standby_pod()
    pod.parts = []
    pod.settle()
    command = Command("activate", 8, offsets={tp(0): 5})
    pod.contract.submit(command)
    pod.settle()
    assert pod.contract.wait(command)


def test_activate_does_not_touch_a_pod_that_works_in_that_epoch_already():
    pod = Pod("green")
    pod.record("green", 8, "verifying")
    pod.settle()
    before = pod.contract.desired
    pod.send("activate", 8, offsets={tp(0): 1, tp(1): 1})
    assert pod.contract.desired is before
    assert pod.may_process()


def test_activate_of_an_active_pod_in_a_newer_epoch_conflicts():
    assert active_pod(6).refused("activate", 8, offsets={tp(0): 1, tp(1): 1}) == (409, "conflict")


def test_activate_while_draining_conflicts():
    pod = active_pod(6)
    pod.send("pause", 7)
    assert pod.refused("activate", 8) == (409, "conflict")


def test_the_record_of_that_epoch_decides_who_may_be_activated():
    pod = active_pod(6)
    pod.send("pause", 7)
    pod.settle()
    pod.record("green", 8, "switching")
    pod.settle()
    assert pod.refused("resume", 8) == (409, "not_owner")
    assert pod.refused("activate", 8) == (409, "not_owner")


@pytest.mark.parametrize("settled", [True, False])
def test_resume_undoes_a_pause_also_before_it_is_drained(settled):
    pod = active_pod(6)
    pod.send("pause", 7)
    if settled:
        pod.settle()
    pod.record("blue", 8, "stable")
    pod.send("resume", 8)
    assert pod.settle() is State.ACTIVE
    assert pod.contract.desired.epoch == 8
    assert pod.contract.desired.handoff == {}
    assert pod.may_process()


def test_resume_of_an_active_pod_does_not_interrupt_it():
    pod = active_pod(6)
    before = pod.contract.desired
    pod.send("resume", 8)
    assert pod.contract.desired is before
    assert pod.contract.snapshot().epoch == 8


def test_fence_is_terminal():
    pod = active_pod(6)
    pod.send("fence", 9)
    assert pod.settle() is State.FENCED
    for name in ("pause", "resume", "activate", "prepare"):
        assert pod.refused(name, 10) == (423, "fenced")
    pod.record("blue", 11)
    assert pod.settle() is State.FENCED


def test_no_command_and_no_record_brings_back_a_terminating_pod():
    pod = active_pod(6)
    pod.contract.terminate()
    assert pod.contract.desired.target is State.DRAINED
    assert not pod.contract.desired.joined
    for name in ("resume", "activate", "prepare"):
        assert pod.refused(name, 8) == (503, "terminating")
    pod.send("pause", 8)
    pod.record("green", 9)
    assert pod.contract.desired.target is State.DRAINED
    assert not pod.contract.desired.joined


def test_pausing_the_colour_that_the_record_does_not_name_stays_paused():
    pod = standby_pod(6)
    pod.send("pause", 7)
    pod.settle()
    pod.record("blue", 7, "switching")
    assert pod.settle() is State.DRAINED
