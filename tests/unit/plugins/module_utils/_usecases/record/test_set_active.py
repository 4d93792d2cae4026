# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The active record: check, real, repeat, check; changed behind our back; service down; lost answers."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import LeaseState, StoredObject
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    ClusterError,
    ConflictError,
    InvalidSettingsError,
    LockedError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    LogRange,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import (
    ActiveRecord,
    other_colour,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import take, to_chunks
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Journal, Run
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.set_active import (
    RecordRequest,
    set_active,
)
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World

NAME = "app-active-version"


@pytest.fixture
def recorded(world: World) -> World:
    """Blue is active at epoch 3, and somebody keeps a key of his own in the record."""
    data = {**ActiveRecord("blue", 3, 2, "switching").to_data(), "owner": "team-a"}
    world.cluster.maps[NAME] = StoredObject(NAME, data, "77")
    return world


def call(world: World, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    return set_active(world.ports, RecordRequest("app", "run-1", **options), check)


def data(world: World) -> t.Mapping[str, str]:
    return world.cluster.maps[NAME].data


def test_check_real_repeat_check(recorded: World) -> None:
    predicted = call(recorded, check=True, active="green", phase="verifying")
    assert (predicted["changed"], predicted["epoch"]) == (True, 4)
    assert recorded.cluster.writes == 0
    recorded.clock.time = 5.0

    done = call(recorded, active="green", phase="verifying")
    assert (done["changed"], done["diff"]) == (True, predicted["diff"])
    assert (data(recorded)["active"], data(recorded)["epoch"], data(recorded)["owner"]) == ("green", "4", "team-a")
    assert data(recorded)["switch-timestamp"] == "2026-01-01T00:00:05.000Z"
    assert recorded.cluster.leases["app-bg-lock"].holder == "", "the lock is given back"

    writes = recorded.cluster.writes
    for check in (False, True):
        again = call(recorded, check, active="green", phase="verifying")
        assert again["changed"] is False
        assert again["diff"]["before"] == again["diff"]["after"]
    assert recorded.cluster.writes == writes


def test_the_first_record(world: World) -> None:
    predicted = call(world, check=True, active="blue", rollback_window=60)
    assert (predicted["created"], world.cluster.writes) == (True, 0)
    done = call(world, active="blue", rollback_window=60)
    assert (done["changed"], done["created"], done["diff"]) == (True, True, predicted["diff"])
    assert (data(world)["epoch"], data(world)["rollback-window"]) == ("1", "60")
    again = call(world, active="blue", rollback_window=60)
    assert (again["changed"], again["created"]) == (False, False)


def test_a_record_is_created_for_somebody(world: World) -> None:
    """A name that was misspelt makes a record and a lock that nobody looks at."""
    for check in (True, False):
        [said] = call(world, check, active="blue")["warnings"]
        assert "neither a Deployment nor a StatefulSet app-blue or app-green" in said
        assert "the Lease app-bg-lock" in said
    assert call(world, active="blue")["warnings"] == [], "it was said when it was created"
    del world.cluster.maps[NAME]
    world.add_pods("app-green")
    assert call(world, active="blue")["warnings"] == []


def test_a_record_that_was_there_once_begins_after_it(world: World) -> None:
    world.add_pods("app-blue")
    run = Run("r", "switch", "hot", "blue", "green", "me", "now", 5)
    world.cluster.maps["app-bg-journal"] = StoredObject("app-bg-journal", Journal(run).to_data(), "1")
    done = call(world, active="blue")
    assert (done["epoch"], data(world)["activated-epoch"]) == (8, "8")
    assert "begins at epoch 8: journal or snapshots of app know of epoch 7" in done["warnings"][0]
    del world.cluster.maps[NAME]
    world.cluster.maps["app-bg-snapshot-b"] = StoredObject("app-bg-snapshot-b", {"epoch": "11"}, "2")
    assert call(world, check=True, active="blue")["epoch"] == 12
    chosen = call(world, check=True, active="blue", epoch=40)
    assert (chosen["epoch"], chosen["warnings"]) == (40, [])


def test_a_record_that_was_there_once_names_what_its_colour_was_handed(world: World) -> None:
    """Its pods may not have begun there yet, and what their group has committed are only seeds."""
    world.add_pods("app-blue")
    partition = TopicPartition("t", 0)
    for slot, epoch, target in (("a", 3, "blue"), ("b", 5, "green")):
        run = Run("r", "switch", "hot", other_colour(target), target, "me", "now", epoch - 2)
        [data_of] = to_chunks(take(epoch, run, "now", {partition: CommittedOffset(7)}, {partition: LogRange(0, 9)}, {}))
        world.cluster.maps[f"app-bg-snapshot-{slot}"] = StoredObject(f"app-bg-snapshot-{slot}", data_of, "1")
    for colour, name, reign in (("blue", "app-bg-snapshot-a", "3"), ("green", "app-bg-snapshot-b", "5")):
        call(world, active=colour, force=True)
        assert (data(world)["epoch"], data(world)["activated-epoch"], data(world)["snapshot"]) == ("6", reign, name)
        del world.cluster.maps[NAME]
    world.cluster.maps["app-bg-snapshot-b"] = StoredObject("app-bg-snapshot-b", {"epoch": "5", "run-id": ""}, "2")
    call(world, active="green", force=True)
    assert (data(world)["activated-epoch"], data(world).get("snapshot", "")) == ("6", ""), "reserved, never written"


@pytest.mark.parametrize(
    ("status", "wrote", "refused"),
    [
        ("done", True, "blue"),
        ("done", False, "blue"),  # somebody deleted the snapshots
        ("aborted", True, "green"),
        ("running", True, "blue"),
        ("running", False, "green"),  # whoever comes to the flip has written where the target begins
        (None, True, "blue"),
    ],
)
def test_a_record_that_was_there_once_is_not_made_for_the_other_colour(
    world: World, status: str | None, wrote: bool, refused: str
) -> None:
    """The play that made it says blue, as ever; meanwhile the work was handed to green."""
    world.add_pods("app-blue")
    run = Run("r", "switch", "hot", "blue", "green", "me", "now", 3)
    before = Run("before", "switch", "hot", "blue", "green", "me", "now", 1, status="aborted")
    for slot, writer in (("a", before), *([("b", run)] if wrote else [])):
        [stored] = to_chunks(take(writer.base_epoch + 2, writer, "now", {}, {}, {}))
        world.cluster.maps[f"app-bg-snapshot-{slot}"] = StoredObject(f"app-bg-snapshot-{slot}", stored, "1")
    if status:
        journal = Journal(replace(run, status=status), (before,))
        world.cluster.maps["app-bg-journal"] = StoredObject("app-bg-journal", journal.to_data(), "1")
    for check in (True, False):
        with pytest.raises(InvalidSettingsError, match=f"not {refused} but .* may be active"):
            call(world, check, active=refused)
    assert world.cluster.writes == 0
    assert call(world, check=True, active=refused, force=True)["active"] == refused
    done = call(world, active=other_colour(refused))
    named = "app-bg-snapshot-b" if wrote and refused == "blue" else ""
    assert (done["active"], data(world).get("snapshot", "")) == (other_colour(refused), named), "none of a run given up"


def test_a_slot_that_somebody_edited_does_not_keep_the_record_from_being_made(world: World) -> None:
    for number, nonsense in enumerate(({"chunks": "many"}, {"chunks": "1", "epoch": "5", "offsets": "eJwDAAAAAAE="})):
        world.cluster.maps["app-bg-snapshot-a"] = StoredObject("app-bg-snapshot-a", nonsense, str(number))
        assert call(world, check=True, active="blue")["created"] is True


def test_the_play_that_created_the_record_runs_again_after_a_switch(world: World) -> None:
    switched(world).clock.time = 30.0
    for check in (True, False):
        with pytest.raises(
            InvalidSettingsError, match=r"green is active since epoch 5 .* Run the switch playbook"
        ) as raised:
            call(world, check, active="blue")
        assert len(raised.value.faults) == 1
    assert (data(world)["active"], world.cluster.writes) == ("green", 0)


def test_the_lock_of_the_run_is_not_made_shorter(recorded: World) -> None:
    recorded.cluster.leases["app-bg-lock"] = LeaseState("app-bg-lock", "run-1", 90, "0", "1")
    call(recorded, phase="switching")
    assert recorded.cluster.leases["app-bg-lock"].duration_seconds == 90
    recorded.cluster.leases["app-bg-lock"] = LeaseState("app-bg-lock", "", 90, "0", "1")
    call(recorded, phase="stable", lock_ttl=35)
    assert recorded.cluster.leases["app-bg-lock"].duration_seconds == 35


def test_the_first_record_needs_a_colour_and_is_stable(world: World) -> None:
    with pytest.raises(InvalidSettingsError, match="set active to the colour"):
        call(world, phase="stable")
    with pytest.raises(InvalidSettingsError, match="the first record is stable"):
        call(world, active="blue", phase="switching")
    with pytest.raises(ConflictError, match="epoch is absent, expected 3"):
        call(world, active="blue", expected_epoch=3)
    assert world.cluster.maps == {}


def test_another_record_than_expected_is_left_alone(recorded: World) -> None:
    for check in (True, False):
        with pytest.raises(ConflictError, match="epoch is 3, expected 2") as raised:
            call(recorded, check, active="green", expected_epoch=2)
        assert raised.value.result["record"]["active"] == "blue"
    assert data(recorded)["active"] == "blue"


def test_a_change_that_is_done_already_needs_no_expectation(recorded: World) -> None:
    call(recorded, active="green", expected_active="blue", expected_epoch=3)
    assert call(recorded, active="green", expected_active="blue", expected_epoch=3)["changed"] is False


def test_somebody_else_is_faster(recorded: World) -> None:
    def other() -> None:
        recorded.cluster.before_write = lambda: recorded.cluster.put_others(NAME, epoch="9")

    recorded.cluster.before_write = other  # the lock is taken first, then the record is written
    with pytest.raises(ConflictError):
        call(recorded, active="green", phase="verifying")
    assert (data(recorded)["active"], data(recorded)["epoch"]) == ("blue", "9")
    assert recorded.cluster.leases["app-bg-lock"].holder == ""


def test_what_the_run_before_us_did_is_seen_after_the_lock(recorded: World) -> None:
    recorded.cluster.before_write = lambda: recorded.cluster.put_others(
        NAME, active="green", epoch="4", phase="verifying"
    )
    assert call(recorded, active="green", phase="verifying")["changed"] is False
    assert data(recorded)["epoch"] == "4"


def test_another_run_that_lives_is_waited_for_and_named(recorded: World) -> None:
    cluster, sleep = recorded.cluster, recorded.clock.sleep
    cluster.leases["app-bg-lock"] = LeaseState("app-bg-lock", "run-0", 15, "0", "1")

    def renewed(seconds: float) -> None:
        sleep(seconds)
        cluster.leases["app-bg-lock"] = LeaseState("app-bg-lock", "run-0", 15, str(recorded.clock.time), "1")

    recorded.clock.sleep = renewed  # type: ignore[method-assign]
    with pytest.raises(LockedError, match="Run run-0 holds the lock"):
        call(recorded, active="green", phase="verifying", lock_timeout=20.0)
    assert data(recorded)["active"] == "blue"


def test_a_lost_answer_is_found_out(recorded: World, world: World) -> None:
    call(recorded, active="blue", rollback_window=60)
    recorded.cluster.lose_answers = 1
    assert call(recorded, active="green", phase="verifying")["changed"] is True
    assert (data(recorded)["active"], data(recorded)["epoch"]) == ("green", "4")


def test_a_lost_answer_to_the_creation_is_found_out(world: World) -> None:
    world.cluster.lose_answers = 1
    done = call(world, active="blue")
    assert (done["created"], data(world)["active"]) == (True, "blue")


@pytest.mark.parametrize("stored", [False, True])
def test_a_creation_that_failed_is_a_failure(world: World, stored: bool) -> None:
    def fails(name: str, data: t.Mapping[str, str], immutable: bool = False) -> t.NoReturn:
        if stored:
            world.cluster.put_others(NAME, active="green", epoch="1")
        raise ClusterError("no answer")

    world.cluster.create_config_map = fails  # type: ignore[method-assign]
    with pytest.raises(ClusterError, match="no answer"):
        call(world, active="blue")


def test_somebody_else_creates_the_record_first(world: World) -> None:
    def other() -> None:
        world.cluster.before_write = lambda: world.cluster.put_others(NAME, active="green", epoch="1")

    world.cluster.before_write = other
    with pytest.raises(ConflictError):
        call(world, active="blue")
    assert data(world)["active"] == "green"


def test_nonsense_is_listed(recorded: World) -> None:
    recorded.cluster.put_others(NAME, active="red", epoch="x")
    with pytest.raises(InvalidSettingsError) as raised:
        call(recorded, active="green", phase="verifying")
    assert len(raised.value.faults) == 2


def test_the_api_server_is_down(recorded: World) -> None:
    recorded.cluster.down = True
    with pytest.raises(ClusterError, match="fake does not answer"):
        call(recorded, active="green", phase="verifying")


def switched(world: World, **others: t.Any) -> World:
    """Green is active since midnight, the window is 60 seconds."""
    record = ActiveRecord("green", 5, 5, "stable", "blue", "2026-01-01T00:00:00Z", rollback_window=60)
    world.cluster.maps[NAME] = StoredObject(NAME, record.to_data(), "77", **others)
    world.clock.now = lambda: f"2026-01-01T00:{int(world.clock.time // 60):02d}:{world.clock.time % 60:06.3f}Z"  # type: ignore[method-assign]
    return world


@pytest.mark.parametrize("check", [True, False])
def test_a_rollback_after_the_window_needs_force(world: World, check: bool) -> None:
    switched(world).clock.time = 61.0
    for change in ({"active": "blue"}, {"phase": "rolling-back"}, {"active": "blue", "rollback_window": 9999}):
        with pytest.raises(InvalidSettingsError, match="the rollback window of 60 s closed 1 s ago") as raised:
            call(world, check, **change)
        assert raised.value.result["record"]["active"] == "green"
    assert world.cluster.writes == 0, "not even the lock"
    assert call(world, check, active="blue", force=True)["active"] == "blue"


def test_inside_the_window_and_as_a_switch_it_needs_none(world: World) -> None:
    switched(world).clock.time = 59.0
    assert call(world, check=True, active="blue", expected_epoch=5)["changed"] is True
    world.clock.time = 600.0
    call(world, phase="switching")
    assert call(world, active="blue", phase="verifying")["active"] == "blue"


def test_the_first_command_of_the_readme_typed_once_more_flips_nothing(world: World) -> None:
    """It names the colour that was active when the record was made; its pods would wake from their old commits."""
    switched(world).clock.time = 30.0
    for check in (True, False):
        with pytest.raises(InvalidSettingsError, match="green is active since epoch 5 and no hand-over was begun"):
            call(world, check, active="blue")
    assert world.cluster.writes == 0
    assert data(world)["active"] == "green"


def test_a_record_that_is_created_again_is_newer_than_what_runs_have_left(world: World) -> None:
    """Pods never go back to an older epoch, and the next snapshot must not collide with an old one."""
    run = Run("r", "switch", "hot", "blue", "green", "me", "now", 6, status="done")
    world.cluster.maps["app-bg-journal"] = StoredObject("app-bg-journal", Journal(run).to_data(), "1")
    world.cluster.maps["app-bg-snapshot-b"] = StoredObject("app-bg-snapshot-b", {"epoch": "11"}, "1")
    done = call(world, active="green")
    assert (done["created"], done["epoch"], data(world)["activated-epoch"]) == (True, 12, "12")
    assert call(world, active="green", epoch=40)["epoch"] == 40
    assert call(world, active="green", epoch=40)["changed"] is False
    with pytest.raises(InvalidSettingsError, match="it must be from 1 to 1000000000"):
        call(world, active="green", epoch=10**26)


def test_force_does_not_beat_an_expectation(world: World) -> None:
    switched(world).clock.time = 61.0
    with pytest.raises(ConflictError, match="epoch is 5, expected 4"):
        call(world, active="blue", force=True, expected_epoch=4)


FLUX = {
    "managedFields": [
        {"manager": "kustomize-controller", "operation": "Apply", "fieldsV1": {"f:data": {"f:active": {}}}}
    ]
}


def test_owners_are_named_and_warned_of(world: World) -> None:
    switched(world, metadata=FLUX)
    for check in (True, False, False):
        result = call(world, check, phase="switching")
        assert [owner["owner"] for owner in result["drift_owners"]] == ["field manager kustomize-controller"]
        assert "It may revert the record" in result["warnings"][0]
    assert call(world, phase="verifying", on_drift_owner="ignore")["warnings"] == []


def test_owners_can_be_a_reason_not_to_begin(world: World) -> None:
    switched(world, metadata=FLUX).clock.time = 61.0
    for check in (True, False):
        with pytest.raises(InvalidSettingsError) as raised:
            call(world, check, active="blue", on_drift_owner="fail")
        assert len(raised.value.faults) == 3, "the window, the jump and the owner, all at once"
        assert raised.value.result["drift_owners"]
    assert world.cluster.writes == 0
    assert call(world, active="green", on_drift_owner="fail")["changed"] is False
    call(world, phase="switching")
    assert call(world, active="blue", phase="verifying", on_drift_owner="fail")["active"] == "blue", "begun is finished"


def test_an_immutable_record(world: World) -> None:
    switched(world, immutable=True)
    with pytest.raises(InvalidSettingsError, match="is immutable; delete it"):
        call(world, phase="switching")


def test_bad_input_is_listed_before_anything_is_read(world: World) -> None:
    with pytest.raises(InvalidSettingsError) as raised:
        set_active(world.ports, RecordRequest("../Orders", "run-1", active="blue", rollback_window=-1))
    assert len(raised.value.faults) == 2
    with pytest.raises(InvalidSettingsError, match="at most 238 characters"):
        set_active(world.ports, RecordRequest("a" * 239, "run-1", active="blue"))
    assert (world.cluster.reads, world.cluster.writes) == (0, 0)


def test_a_record_that_was_written_back_is_told_with_the_suspects(world: World) -> None:
    switched(world, metadata=FLUX)
    world.cluster.put_others(NAME, active="blue", epoch="1")
    with pytest.raises(InvalidSettingsError) as raised:
        call(world, active="green")
    assert "epoch 1 is older than activated-epoch 5" in raised.value.faults[0]
    assert "and epoch to 6" in raised.value.faults[0]
    assert "field manager kustomize-controller" in raised.value.faults[1]
    assert raised.value.result["drift_owners"][0]["declares"] == ["active"]
