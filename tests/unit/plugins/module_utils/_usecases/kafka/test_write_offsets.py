# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one function that commits, reads back and compares."""

from __future__ import annotations

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    GroupNotEmptyError,
    KafkaError,
    OffsetsError,
    PendingOffsetsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    LogRange,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.write_offsets import (
    change_offsets,
    write_offsets,
)
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World

T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)
WANTED = {T0: CommittedOffset(10, 1, "bg:3"), T1: CommittedOffset(20)}


@pytest.fixture
def there() -> World:
    """A group that has one of the offsets already."""
    world = World()
    world.kafka.logs = {T0: LogRange(0, 100), T1: LogRange(0, 100)}
    world.kafka.seed("g", {T0: WANTED[T0]})
    return world


def test_only_what_differs_is_written_and_counted(there: World) -> None:
    assert write_offsets(there.ports, "g", WANTED) == 1
    assert there.kafka.offsets["g"] == WANTED
    assert write_offsets(there.ports, "g", WANTED) == 0
    assert there.kafka.writes == 1
    there.kafka.offsets["g"][T0] = CommittedOffset(10, 1, "bg:2")
    assert write_offsets(there.ports, "g", WANTED) == 1, "metadata is part of it"
    assert write_offsets(there.ports, "new", WANTED) == 2


def test_what_does_not_read_back_is_a_failure(there: World) -> None:
    there.kafka.loses = {T1}
    with pytest.raises(
        OffsetsError, match=r"1 of 1 offsets of group g were not set: t-1 \(reads back as not committed\)"
    ):
        write_offsets(there.ports, "g", WANTED)
    there.kafka.loses, there.kafka.refuse = set(), {T1: "INVALID_COMMIT_OFFSET_SIZE"}
    with pytest.raises(OffsetsError, match=r"t-1 \(INVALID_COMMIT_OFFSET_SIZE\)"):
        write_offsets(there.ports, "g", WANTED)
    there.kafka.refuse = {}
    there.kafka.after_commit = lambda: there.kafka.offsets["g"].update({T1: CommittedOffset(21)})
    with pytest.raises(OffsetsError, match="reads back as offset 21, leader epoch -1"):
        write_offsets(there.ports, "g", WANTED)


def test_members_transactions_and_trouble_pass_through(there: World) -> None:
    there.kafka.before_commit = lambda: there.kafka.join("g", "late")
    with pytest.raises(GroupNotEmptyError):
        write_offsets(there.ports, "g", WANTED)
    there.kafka.join("g")
    there.kafka.before_commit = lambda: None
    there.kafka.pending["g"] = {T0}
    with pytest.raises(PendingOffsetsError):
        write_offsets(there.ports, "g", WANTED)
    assert T1 not in there.kafka.offsets["g"]
    there.kafka.pending["g"] = set()
    there.kafka.breaks = True
    with pytest.raises(KafkaError, match="no usable answer"):
        write_offsets(there.ports, "g", WANTED)
    assert there.kafka.offsets["g"] == WANTED, "which says nothing about the write"


def test_after_trouble_it_is_looked_what_was_done(there: World) -> None:
    there.kafka.breaks = True
    done = change_offsets(there.ports, "g", {T1: WANTED[T1]}, {"topics": lambda: there.kafka.topics(["t"])})
    assert (done.wrong, done.unread, str(done.trouble)) == ({}, None, "no usable answer from Kafka at fake:9092")
    assert list(done.beside["topics"]) == ["t"]
    there.kafka.after_commit = lambda: setattr(there.kafka, "down", True)
    done = change_offsets(there.ports, "g", {T1: CommittedOffset(1)})
    assert (done.wrong, str(done.unread)) == ({}, "Kafka at fake:9092 does not answer")


def test_removals(there: World) -> None:
    done = change_offsets(there.ports, "g", {T0: None, T1: WANTED[T1]})
    assert (done.wrong, there.kafka.offsets["g"]) == ({}, {T1: WANTED[T1]})
    there.kafka.refuse = {T1: "TOPIC_AUTHORIZATION_FAILED"}
    assert change_offsets(there.ports, "g", {T1: None}).wrong == {T1: "TOPIC_AUTHORIZATION_FAILED"}
