# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Setting offsets: check, real, repeat, check; changed behind our back; service down."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    GroupNotEmptyError,
    InvalidSettingsError,
    KafkaError,
    OffsetsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import (
    CommittedOffset,
    Group,
    LogRange,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.offsets import Desired
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.set_offsets import (
    OffsetRequest,
    set_offsets,
)
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World

T0, T1, T2 = (TopicPartition("t", number) for number in range(3))
COPY = OffsetRequest("green", from_group="blue", missing="earliest")
BLUE = {T0: CommittedOffset(10, 1, "a"), T1: CommittedOffset(20, 2, "")}


@pytest.fixture
def seeded(world: World) -> World:
    """Blue has committed two of three partitions."""
    world.kafka.logs = {T0: LogRange(0, 100), T1: LogRange(0, 100), T2: LogRange(7, 100)}
    world.kafka.offsets["blue"] = dict(BLUE)
    return world


def call(world: World, request: OffsetRequest, check: bool = False) -> dict[str, t.Any]:
    return set_offsets(t.cast(t.Any, world.kafka), world.ports.parallel, request, check)


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
    seeded.kafka.offsets["green"] = {T0: BLUE[T0], T1: CommittedOffset(5)}
    result = call(seeded, COPY)
    assert [row["changed"] for row in result["partitions"]] == [False, True, True]
    assert [row["before"] for row in result["partitions"]] == [10, 5, None]


def test_explicit_offsets_leave_the_others_alone(seeded: World) -> None:
    call(seeded, OffsetRequest("green", explicit={T1: Desired(30)}))
    assert seeded.kafka.offsets["green"] == {T1: CommittedOffset(30)}


def test_topics_narrow_a_copy_down(seeded: World) -> None:
    other = TopicPartition("u", 0)
    seeded.kafka.logs[other] = LogRange(0, 5)
    seeded.kafka.offsets["blue"][other] = CommittedOffset(3)
    call(seeded, OffsetRequest("green", from_group="blue", topics=("u",)))
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
    assert raised.value.result["members"] == ["late-1"]
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
    with pytest.raises(OffsetsError, match="t-0 \\(reads back as None\\)"):
        call(seeded, COPY)


def test_faults_stop_everything(seeded: World) -> None:
    seeded.kafka.logs[T0] = LogRange(50, 100)
    with pytest.raises(OffsetsError, match="2 fault") as raised:
        call(seeded, OffsetRequest("green", from_group="blue"))
    assert "t-0: offset 10 was deleted" in raised.value.message
    assert "t-2: no committed offset" in raised.value.message
    assert seeded.kafka.writes == 0
    assert [row["partition"] for row in raised.value.result["partitions"]] == [1]


def test_what_does_not_exist_is_listed(seeded: World) -> None:
    wanted = {TopicPartition("t", 9): Desired(1), TopicPartition("nope", 0): Desired(1)}
    with pytest.raises(InvalidSettingsError) as raised:
        call(seeded, OffsetRequest("green", explicit=wanted))
    assert len(raised.value.faults) == 2
    with pytest.raises(OffsetsError, match="Group nobody has no committed offsets"):
        call(seeded, OffsetRequest("green", from_group="nobody"))


def test_kafka_down(seeded: World) -> None:
    seeded.kafka.down = True
    with pytest.raises(KafkaError, match="fake:9092"):
        call(seeded, COPY)
    assert seeded.kafka.writes == 0
