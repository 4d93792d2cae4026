# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Setting offsets: check, real, repeat, check; changed behind our back; service down."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    GroupNotEmptyError,
    InvalidSettingsError,
    KafkaError,
    NoGoError,
    OffsetsError,
    PendingOffsetsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.group_snapshot import parse
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offset_request import (
    OffsetRequest,
    Position,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offsets import Desired
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.transactions import OpenTransaction
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    LogRange,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.remove_group import remove_group
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.set_offsets import set_offsets
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World

T0, T1, T2 = (TopicPartition("t", number) for number in range(3))
COPY = OffsetRequest("green", from_group="blue", allow_create=True)
BLUE = {T0: CommittedOffset(10, 1, "a"), T1: CommittedOffset(20, 2, "")}


@pytest.fixture
def seeded() -> World:
    """Blue has committed two of three partitions."""
    world = World()
    world.kafka.logs = {T0: LogRange(0, 100), T1: LogRange(0, 100), T2: LogRange(7, 100)}
    world.kafka.seed("blue", BLUE)
    return world


def call(world: World, request: OffsetRequest, check: bool = False) -> dict[str, t.Any]:
    return shown(set_offsets(world.ports, request, check))


def remove(world: World, request: OffsetRequest, check: bool = False) -> dict[str, t.Any]:
    return shown(remove_group(world.ports, request, check))


def shown(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """As in diff mode."""
    return {**result, "diff": result["diff"]()}


def test_check_real_repeat_check(seeded: World) -> None:
    predicted = call(seeded, COPY, check=True)
    assert predicted["changed"] is True
    assert predicted["diff"]["after"]["t-2"] == "offset 7, leader epoch -1, metadata ''"
    assert (seeded.kafka.writes, seeded.kafka.offsets.get("green")) == (0, None)

    done = call(seeded, COPY)
    assert (done["changed"], done["diff"]) == (True, predicted["diff"])
    assert seeded.kafka.offsets["green"] == {**BLUE, T2: CommittedOffset(7)}
    assert seeded.kafka.writes == 1

    for check in (False, True):
        again = call(seeded, COPY, check)
        assert again["changed"] is False
        assert again["diff"] == {"before": {}, "after": {}}
    assert seeded.kafka.writes == 1


def test_only_what_differs_is_written(seeded: World) -> None:
    seeded.kafka.seed("green", {T0: BLUE[T0], T1: CommittedOffset(5)})
    result = call(seeded, COPY)
    assert result["changed_partitions"] == 2
    assert result["before"] == {"t": {"0": 10, "1": 5, "2": None}}
    assert result["after"] == {"t": {"0": 10, "1": 20, "2": 7}}
    only = [{"topic": "t", "partition": 2, "reason": "earliest: never committed"}]
    assert result["details"] == only, "of the others the two offsets say it all"


def test_what_there_is_to_say_of_a_partition_is_said(seeded: World) -> None:
    seeded.kafka.logs[T1] = LogRange(25, 100)
    copy = replace(COPY, out_of_range="latest", missing="latest")
    done = call(seeded, copy)
    assert done["after"] == {"t": {"0": 10, "1": 100, "2": 100}}
    assert done["details"] == [
        {
            "topic": "t",
            "partition": 1,
            "reason": "latest: offset 20 was deleted by retention, at most 5 records are lost (log starts at 25)",
            "skipped": 80,
            "lost": 5,
        },
        {"topic": "t", "partition": 2, "reason": "latest: never committed", "skipped": 93},
    ]
    seeded.kafka.offsets["green"][T0] = CommittedOffset(10, 1, "else")
    again = call(seeded, copy)
    assert (again["changed_partitions"], again["before"]["t"]["0"], again["after"]["t"]["0"]) == (1, 10, 10)
    only_these = {"topic": "t", "partition": 0, "leader_epoch": 1, "metadata": "a"}
    assert again["details"][0] == only_these, "only these change, so they are told"
    gone = call(seeded, OffsetRequest("green", remove=True, topics=("t",)))
    assert gone["after"] == {"t": {"0": None, "1": None, "2": None}}
    assert gone["details"][0] == {"topic": "t", "partition": 0, "reason": "state is absent"}


def test_explicit_offsets_leave_the_others_alone(seeded: World) -> None:
    call(seeded, OffsetRequest("green", explicit={T1: Desired(30)}, allow_create=True))
    assert seeded.kafka.offsets["green"] == {T1: CommittedOffset(30)}


def test_topics_narrow_a_copy_down(seeded: World) -> None:
    other = TopicPartition("u", 0)
    seeded.kafka.logs[other] = LogRange(0, 5)
    seeded.kafka.offsets["blue"][other] = CommittedOffset(3)
    call(seeded, replace(COPY, topics=("u",)))
    assert seeded.kafka.offsets["green"] == {other: CommittedOffset(3)}


def test_members_are_named_and_nothing_is_written(seeded: World) -> None:
    seeded.kafka.join("green", "order-1", "order-2")
    with pytest.raises(GroupNotEmptyError, match=r"order-1 .*order-2") as raised:
        call(seeded, COPY)
    assert raised.value.result["changed"] is False
    assert seeded.kafka.writes == 0


def test_in_check_mode_members_are_a_warning(seeded: World) -> None:
    seeded.kafka.join("green", "order-1")
    result = call(seeded, COPY, check=True)
    assert result["changed"] is True
    assert "order-1" in result["warnings"][0]


def test_a_group_that_needs_no_change_may_have_members(seeded: World) -> None:
    call(seeded, COPY)
    seeded.kafka.join("green", "order-1")
    assert call(seeded, COPY)["changed"] is False


@pytest.mark.parametrize("kind", ["share", "streams"])
def test_other_kinds_of_groups_are_explained(seeded: World, kind: str) -> None:
    seeded.kafka.known["green"] = Group("green", kind, "Empty")
    with pytest.raises(OffsetsError, match="Group green is a"):
        call(seeded, COPY)


def test_a_member_that_joins_under_way(seeded: World) -> None:
    seeded.kafka.before_commit = lambda: seeded.kafka.join("green", "late")
    with pytest.raises(GroupNotEmptyError) as raised:
        call(seeded, COPY)
    assert [member["member_id"] for member in raised.value.result["members"]] == ["late-1"]
    assert "green" not in seeded.kafka.offsets


def test_a_partial_refusal_says_what_moved_and_a_second_run_converges(seeded: World) -> None:
    seeded.kafka.refuse = {T1: "TOPIC_AUTHORIZATION_FAILED"}
    with pytest.raises(OffsetsError, match="t-1 \\(TOPIC_AUTHORIZATION_FAILED\\)") as raised:
        call(seeded, COPY)
    assert raised.value.result["moved"] == ["t-0", "t-2"]
    assert raised.value.result["refused"] == {"t-1": "TOPIC_AUTHORIZATION_FAILED"}
    assert raised.value.result["changed"] is True

    seeded.kafka.refuse = {}
    assert call(seeded, COPY)["changed"] is True
    assert seeded.kafka.offsets["green"][T1] == BLUE[T1]
    assert call(seeded, COPY)["changed"] is False


def test_an_offset_that_does_not_read_back_is_a_failure(seeded: World) -> None:
    seeded.kafka.loses = {T0}
    with pytest.raises(OffsetsError, match="t-0 \\(reads back as not committed\\)"):
        call(seeded, COPY)


def test_faults_stop_everything(seeded: World) -> None:
    seeded.kafka.logs[T0] = LogRange(50, 100)
    with pytest.raises(OffsetsError, match="2 fault") as raised:
        call(seeded, replace(COPY, missing="fail"))
    assert "t-0: offset 10 was deleted" in raised.value.message
    assert "t-2: no committed offset" in raised.value.message
    assert seeded.kafka.writes == 0
    assert raised.value.result["after"] == {"t": {"1": 20}}


def test_what_does_not_exist_is_listed(seeded: World) -> None:
    wanted = {TopicPartition("t", 9): Desired(1), TopicPartition("nope", 0): Desired(1)}
    with pytest.raises(InvalidSettingsError) as raised:
        call(seeded, OffsetRequest("gren", explicit=wanted))
    said = " ".join(raised.value.faults)
    assert len(raised.value.faults) == 3
    assert "topic nope does not exist" in said
    assert "partition t-9 does not exist; the topic has 3 partitions" in said
    assert "group gren does not exist; check its name, or set allow_create" in said
    assert seeded.kafka.writes == 0
    with pytest.raises(InvalidSettingsError, match="group nobody does not exist"):
        call(seeded, replace(COPY, from_group="nobody"))
    seeded.kafka.offsets["blue"] = {}
    with pytest.raises(InvalidSettingsError, match="group blue has no committed offsets to go by"):
        call(seeded, COPY)
    with pytest.raises(InvalidSettingsError, match="from_group is green itself"):
        call(seeded, replace(COPY, from_group="green"))


def test_kafka_down(seeded: World) -> None:
    seeded.kafka.down = True
    with pytest.raises(KafkaError, match="fake:9092"):
        call(seeded, COPY)
    assert seeded.kafka.writes == 0


def test_a_new_group_needs_permission(seeded: World) -> None:
    for check in (True, False):
        with pytest.raises(InvalidSettingsError, match="group green does not exist"):
            call(seeded, replace(COPY, allow_create=False), check)
    assert seeded.kafka.writes == 0
    call(seeded, COPY)
    assert call(seeded, replace(COPY, allow_create=False))["changed"] is False


POSITIONS = {
    "earliest": (Position("earliest"), {T0: 0, T1: 0, T2: 7}, "earliest offset of the log"),
    "latest": (Position("latest"), {T0: 100, T1: 100, T2: 100}, "latest offset of the log"),
    "timestamp": (Position("timestamp", 1, text="then"), {T0: 40, T1: 100, T2: 100}, "first record at or after then"),
    "shift": (Position("shift", shift=4), {T0: 14, T1: 24, T2: 7}, "10 shifted by +4"),
}


@pytest.mark.parametrize("kind", POSITIONS)
def test_places_in_the_log(seeded: World, kind: str) -> None:
    to, wanted, reason = POSITIONS[kind]
    seeded.kafka.times = {T0: 40}
    request = OffsetRequest("blue", to=to, topics=("t",))
    predicted = call(seeded, request, check=True)
    done = call(seeded, request)
    assert {tp: committed.offset for tp, committed in seeded.kafka.offsets["blue"].items()} == wanted
    assert {committed.leader_epoch for committed in seeded.kafka.offsets["blue"].values()} == {-1}, (
        "epochs are not kept"
    )
    assert done["details"][0]["reason"] == reason
    assert all(done[key] == predicted[key] for key in ("diff", "before", "after", "details"))
    assert call(seeded, request)["changed"] is (kind == "shift")


def test_a_shift_that_leaves_the_log(seeded: World) -> None:
    request = OffsetRequest("blue", to=Position("shift", shift=-15))
    with pytest.raises(OffsetsError, match="t-0: offset -5 lies before the beginning of the log"):
        call(seeded, request)
    call(seeded, replace(request, out_of_range="earliest"))
    assert {tp: c.offset for tp, c in seeded.kafka.offsets["blue"].items()} == {T0: 0, T1: 5, T2: 7}


def test_a_filter_by_partition(seeded: World) -> None:
    call(seeded, replace(COPY, topics=("t",), partitions=frozenset({1})))
    assert seeded.kafka.offsets["green"] == {T1: BLUE[T1]}
    with pytest.raises(InvalidSettingsError, match="partition t-7 does not exist"):
        call(seeded, replace(COPY, topics=("t",), partitions=frozenset({7})))


def test_forward_only(seeded: World) -> None:
    seeded.kafka.seed("green", {T0: CommittedOffset(11), T1: CommittedOffset(19)})
    with pytest.raises(OffsetsError, match=r"t-0: would go back from 11 to 10 .*forward_only is set") as raised:
        call(seeded, replace(COPY, forward_only=True))
    assert len(raised.value.result["faults"]) == 1
    assert seeded.kafka.writes == 0
    call(seeded, COPY)
    assert seeded.kafka.offsets["green"][T0] == BLUE[T0]


def test_the_returned_snapshot_undoes_a_change(seeded: World) -> None:
    before = {T0: CommittedOffset(3, 1, "mine")}
    seeded.kafka.seed("green", before)
    predicted, done = call(seeded, COPY, check=True), call(seeded, COPY)
    assert done["snapshot"] == predicted["snapshot"]
    undo = OffsetRequest("green").limited(parse(json.loads(json.dumps(done["snapshot"])), "undo"))
    undone = call(seeded, undo)
    assert seeded.kafka.offsets["green"] == before
    assert undone["after"] == {"t": {"0": 3, "1": None, "2": None}}
    assert call(seeded, undo)["changed"] is False
    call(seeded, OffsetRequest("green").limited(parse(undone["snapshot"], "redo")))
    assert seeded.kafka.offsets["green"] == {**BLUE, T2: CommittedOffset(7)}


def test_a_snapshot_does_not_survive_its_topic(seeded: World) -> None:
    taken = call(seeded, COPY)["snapshot"]
    seeded.kafka.topic_ids["t"] = "another"
    with pytest.raises(
        InvalidSettingsError, match="topic t was deleted and created again since the snapshot was taken"
    ):
        call(seeded, OffsetRequest("green").limited(parse(taken, "undo")))


def test_an_epoch_of_a_former_topic_is_refused(seeded: World) -> None:
    seeded.kafka.logs[T1] = LogRange(0, 100, epoch=1)
    with pytest.raises(OffsetsError, match="t-1: offset 20 was committed in leader epoch 2, the log is in epoch 1"):
        call(seeded, COPY)


def test_a_topic_created_again_under_way(seeded: World) -> None:
    seeded.kafka.after_commit = lambda: seeded.kafka.topic_ids.update(t="another")
    with pytest.raises(OffsetsError, match="topic t was deleted and created again since it was read") as raised:
        call(seeded, COPY)
    assert (raised.value.result["changed"], len(raised.value.result["moved"])) == (True, 3)


def test_partitions_added_under_way_are_named_and_a_second_run_converges(seeded: World) -> None:
    new = TopicPartition("t", 3)
    seeded.kafka.after_commit = lambda: seeded.kafka.logs.update({new: LogRange(0, 5)})
    with pytest.raises(OffsetsError, match="topic t grew from 3 to 4 partitions"):
        call(seeded, COPY)
    call(seeded, COPY)
    assert seeded.kafka.offsets["green"][new] == CommittedOffset(0)


def test_members_are_waited_for_and_what_they_committed_counts(seeded: World) -> None:
    kafka, clock = seeded.kafka, seeded.clock
    kafka.seed("green", {T0: CommittedOffset(1)})
    kafka.join("green", "order-1")
    sleep = clock.sleep

    def leave_after_a_second(seconds: float) -> None:
        sleep(seconds)
        if clock.time > 1:
            kafka.offsets["green"][T0] = CommittedOffset(4)
            kafka.join("green")

    clock.sleep = leave_after_a_second  # type: ignore[method-assign]
    done = call(seeded, replace(COPY, wait_empty=5.0))
    assert done["before"]["t"]["0"] == 4
    assert (kafka.offsets["green"][T0], done["evicted"]) == (BLUE[T0], [])

    kafka.offsets["green"][T0] = CommittedOffset(4)
    kafka.join("green", "order-2")
    clock.sleep = sleep  # type: ignore[method-assign]
    with pytest.raises(GroupNotEmptyError, match=r"order-2.* \(waited 5 s\)") as raised:
        call(seeded, replace(COPY, wait_empty=5.0))
    assert (raised.value.result["changed"], raised.value.result["members"][0]["host"]) == (False, "10.0.0.1")


def test_static_members_are_evicted_when_asked(seeded: World) -> None:
    seeded.kafka.join_static("green", "pod-0", "pod-1")
    with pytest.raises(GroupNotEmptyError, match=r"2 of them are static .*set evict_static_members"):
        call(seeded, COPY)
    assert call(seeded, replace(COPY, evict_static=True), check=True)["members"][0]["instance_id"] == "pod-0"
    assert seeded.kafka.writes == 0
    done = call(seeded, replace(COPY, evict_static=True))
    assert [member["instance_id"] for member in done["evicted"]] == ["pod-0", "pod-1"]
    assert seeded.kafka.offsets["green"][T0] == BLUE[T0]


def test_a_running_static_member_is_not_fought(seeded: World) -> None:
    seeded.kafka.join_static("green", "pod-0")
    seeded.kafka.stubborn = True
    with pytest.raises(NoGoError, match=r"joined again after an eviction: pod-0-id-again \(client app at") as raised:
        call(seeded, replace(COPY, evict_static=True))
    assert raised.value.result["changed"] is True, "it was evicted"
    assert raised.value.result["evicted"][0]["member_id"] == "pod-0-id"
    assert "green" not in seeded.kafka.offsets


def test_dynamic_members_are_never_evicted(seeded: World) -> None:
    seeded.kafka.join("green", "order-1")
    seeded.kafka.join_static("green", "pod-0")
    with pytest.raises(GroupNotEmptyError):
        call(seeded, replace(COPY, evict_static=True))
    assert seeded.kafka.writes == 0


def test_a_lost_answer_is_decided_by_reading_back(seeded: World) -> None:
    seeded.kafka.breaks = True
    with pytest.raises(KafkaError, match="3 of 3 offsets of group green had moved by then") as raised:
        call(seeded, COPY)
    assert (raised.value.result["changed"], len(raised.value.result["moved"])) == (True, 3)
    seeded.kafka.breaks = False
    assert call(seeded, COPY)["changed"] is False


def test_kafka_gone_after_the_commit_is_said_to_be_unknown(seeded: World) -> None:
    seeded.kafka.after_commit = lambda: setattr(seeded.kafka, "down", True)
    with pytest.raises(OffsetsError, match="is unknown, they could not be read back") as raised:
        call(seeded, COPY)
    assert (raised.value.result["changed"], raised.value.result["moved"]) == (True, None)


def test_the_number_of_lost_records_is_told(seeded: World) -> None:
    seeded.kafka.logs.update({T0: LogRange(15, 100), T1: LogRange(50, 100)})
    with pytest.raises(OffsetsError, match="5 records are lost") as raised:
        call(seeded, COPY)
    assert raised.value.result["lost"] == 35
    done = call(seeded, replace(COPY, out_of_range="earliest"))
    assert [row.get("lost") for row in done["details"]] == [5, 30, None]
    assert done["lost"] == 35


def test_offsets_of_a_topic_are_removed(seeded: World) -> None:
    other = TopicPartition("u", 0)
    seeded.kafka.logs[other] = LogRange(0, 5)
    seeded.kafka.offsets["blue"][other] = CommittedOffset(3)
    request = OffsetRequest("blue", remove=True, topics=("t",))
    predicted = call(seeded, request, check=True)
    assert (predicted["changed"], seeded.kafka.writes) == (True, 0)
    done = call(seeded, request)
    assert (done["diff"], done["snapshot"]) == (predicted["diff"], predicted["snapshot"])
    assert seeded.kafka.offsets["blue"] == {other: CommittedOffset(3)}
    for check in (False, True):
        assert call(seeded, request, check)["changed"] is False
    assert seeded.kafka.writes == 1
    call(seeded, OffsetRequest("blue").limited(parse(done["snapshot"], "undo")))
    assert {tp: c for tp, c in seeded.kafka.offsets["blue"].items() if tp != other} == BLUE


def test_a_removal_that_is_refused_in_part(seeded: World) -> None:
    seeded.kafka.refuse = {T1: "TOPIC_AUTHORIZATION_FAILED"}
    with pytest.raises(OffsetsError, match="t-1 \\(TOPIC_AUTHORIZATION_FAILED\\)") as raised:
        call(seeded, OffsetRequest("blue", remove=True, topics=("t",)))
    assert raised.value.result["moved"] == ["t-0"]


def test_a_group_is_removed(seeded: World) -> None:
    request = OffsetRequest("blue", remove=True)
    predicted = remove(seeded, request, check=True)
    assert (predicted["changed"], seeded.kafka.writes) == (True, 0)
    done = remove(seeded, request)
    assert (done["changed"], done["diff"]) == (True, predicted["diff"])
    assert "blue" not in seeded.kafka.known
    for check in (False, True):
        again = remove(seeded, request, check)
        assert (again["changed"], again["diff"]["before"]) == (False, {})
    assert seeded.kafka.writes == 1
    call(seeded, OffsetRequest("blue", allow_create=True).limited(parse(done["snapshot"], "undo")))
    assert seeded.kafka.offsets["blue"] == BLUE


def test_a_group_in_use_is_not_removed(seeded: World) -> None:
    request = OffsetRequest("blue", remove=True)
    seeded.kafka.join("blue", "order-1")
    with pytest.raises(GroupNotEmptyError, match=r"order-1.* cannot be deleted"):
        remove(seeded, request)
    assert "order-1" in remove(seeded, request, check=True)["warnings"][0]
    seeded.kafka.join("blue")
    seeded.kafka.before_commit = lambda: seeded.kafka.join("blue", "late")
    with pytest.raises(GroupNotEmptyError):
        remove(seeded, request)
    assert seeded.kafka.offsets["blue"] == BLUE
    seeded.kafka.known["blue"] = Group("blue", "share", "Empty")
    with pytest.raises(OffsetsError, match="a share group"):
        remove(seeded, request)


def test_what_is_known_already_is_not_read_again(seeded: World) -> None:
    call(seeded, COPY)
    assert len(seeded.kafka.fetched) == 1, "neither the new group's, nor the source's once more; only what was written"


HOLDER = OpenTransaction(TopicPartition("__consumer_offsets", 3), 4001, 7, 120, transactional_id="app-1")


@pytest.mark.parametrize("group", ["blue", "green"])
def test_offsets_in_an_open_transaction_are_waited_for(seeded: World, group: str) -> None:
    """Of the source, whose transaction says where it is; of the target, where it would decide what was written."""
    kafka, clock = seeded.kafka, seeded.clock
    kafka.seed("green", {T0: CommittedOffset(1)})
    kafka.pending[group], kafka.beside = {T0}, [HOLDER]
    with pytest.raises(
        PendingOffsetsError, match=rf"of group {group} .*app-1.*abort --topic .* \(waited 5 s\)"
    ) as raised:
        call(seeded, replace(COPY, wait_transactions=5.0))
    assert raised.value.result["pending_transactions"][0]["producer_id"] == 4001
    assert (kafka.writes, 4.5 < clock.time <= 5.0) == (0, True)

    def end() -> None:
        if clock.time > 8 and kafka.pending[group]:
            kafka.pending[group] = set()
            kafka.offsets[group][T0] = CommittedOffset(30)

    kafka.on_read = end
    call(seeded, replace(COPY, wait_transactions=5.0))
    assert kafka.offsets["green"][T0] == (CommittedOffset(30) if group == "blue" else BLUE[T0])


def test_a_transaction_that_begins_under_way_leaves_it_unknown(seeded: World) -> None:
    seeded.kafka.after_commit = lambda: seeded.kafka.pending.update(green={T1})
    with pytest.raises(
        OffsetsError, match="could not be read back: Offsets of group green are part of an open transaction"
    ):
        call(seeded, COPY)


def test_a_removal_takes_what_an_open_transaction_has(seeded: World) -> None:
    """Kafka removes it, too; else the offset would come back when the transaction ends."""
    seeded.kafka.pending["blue"] = {T0, T2}
    request = OffsetRequest("blue", remove=True, topics=("t",))
    predicted = call(seeded, request, check=True)
    assert predicted["changed_partitions"] == 3
    done = call(seeded, request)
    assert (done["changed_partitions"], done["after"]) == (3, {"t": {"0": None, "1": None, "2": None}})
    assert done["details"][2]["reason"] == "state is absent; what an open transaction has goes with it"
    assert (seeded.kafka.offsets["blue"], seeded.kafka.pending["blue"]) == ({}, set())
    assert seeded.clock.slept == []
    assert call(seeded, request)["changed"] is False
    seeded.kafka.seed("blue", BLUE)
    seeded.kafka.pending["blue"] = {T0}
    assert remove(seeded, OffsetRequest("blue", remove=True))["changed"] is True
    assert "blue" not in seeded.kafka.known


def test_a_commit_before_a_marker_is_no_loss(seeded: World) -> None:
    seeded.kafka.logs[T0] = LogRange(11, 11)
    done = call(seeded, COPY)
    assert seeded.kafka.offsets["green"][T0] == CommittedOffset(11)
    assert done["details"][0]["reason"].startswith("1 offset passed by retention, may be a transaction marker")
    assert call(seeded, COPY)["changed"] is False
