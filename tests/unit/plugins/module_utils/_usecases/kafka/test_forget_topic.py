# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""KIP-496: offsets of a topic that no member reads any more are removed beside the group's consumers."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import GroupNotEmptyError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offset_request import OffsetRequest
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offsets import kept_by_members
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    LogRange,
    Member,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.set_offsets import set_offsets
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World

OLD, NEW = TopicPartition("old", 0), TopicPartition("new", 0)
READS_NEW = Member("m1", "c1", "10.0.0.1", subscribed=frozenset({"new"}))


@pytest.fixture
def running() -> World:
    """A group that has commits on two topics, and a member that reads one of them."""
    world = World()
    world.kafka.logs = {OLD: LogRange(0, 9), NEW: LogRange(0, 9)}
    world.kafka.offsets["g"] = {OLD: CommittedOffset(4), NEW: CommittedOffset(5)}
    world.kafka.known["g"] = Group("g", "classic", "Stable", (READS_NEW,), "consumer")
    return world


def forget(world: World, *topics: str, check: bool = False) -> dict[str, t.Any]:
    return set_offsets(world.ports, OffsetRequest("g", remove=True, topics=topics), check)


def test_a_topic_that_nobody_reads_is_forgotten_beside_the_consumers(running: World) -> None:
    predicted = forget(running, "old", check=True)
    assert (predicted["changed"], "warnings" in predicted, running.kafka.writes) == (True, False, 0)
    done = forget(running, "old")
    assert (done["changed"], done["after"]) == (True, predicted["after"])
    assert running.kafka.offsets["g"] == {NEW: CommittedOffset(5)}
    assert running.kafka.known["g"].members == (READS_NEW,), "nobody was sent away"
    assert [forget(running, "old", check=check)["changed"] for check in (False, True)] == [False, False]


@pytest.mark.parametrize("topics", [("new",), ("old", "new")])
def test_one_that_is_subscribed_is_refused_by_name(running: World, topics: tuple[str, ...]) -> None:
    [warning] = forget(running, *topics, check=True)["warnings"]
    with pytest.raises(GroupNotEmptyError, match="has members") as raised:
        forget(running, *topics)
    for said in (warning, raised.value.message):
        assert said.endswith(". They may read new; offsets of other topics can be removed beside them")
    assert (running.kafka.writes, raised.value.result["changed"]) == (0, False)


def test_one_that_would_not_change_prevents_nothing(running: World) -> None:
    del running.kafka.offsets["g"][NEW]
    for check in (True, False):
        done = forget(running, "old", "new", check=check)
        assert (done["changed"], "warnings" in done) == (True, False)
    assert running.kafka.offsets["g"] == {}


@pytest.mark.parametrize("state", ["PreparingRebalance", "CompletingRebalance"])
def test_a_rebalance_is_told_as_what_may_pass(running: World, state: str) -> None:
    """A broker tells what members read only of a stable group."""
    members = (replace(READS_NEW, subscribed=None),)
    running.kafka.known["g"] = replace(running.kafka.known["g"], state=state, members=members)
    [warning] = forget(running, "old", check=True)["warnings"]
    with pytest.raises(GroupNotEmptyError) as raised:
        forget(running, "old")
    for said in (warning, raised.value.message):
        assert f"What they read is not known while the group is {state}" in said
        assert said.endswith("run the same again")
        assert "They may read" not in said


def test_other_offsets_still_need_an_empty_group(running: World) -> None:
    running.kafka.offsets["other"] = {OLD: CommittedOffset(1)}
    running.kafka.known["other"] = Group("other", "classic", "Empty")
    with pytest.raises(GroupNotEmptyError):
        set_offsets(running.ports, OffsetRequest("g", from_group="other"))


def test_a_member_that_subscribes_meanwhile_is_not_fought(running: World) -> None:
    def subscribe() -> None:
        member = replace(READS_NEW, subscribed=frozenset({"old", "new"}))
        running.kafka.known["g"] = replace(running.kafka.known["g"], members=(member,))

    running.kafka.before_commit = subscribe
    with pytest.raises(GroupNotEmptyError):
        forget(running, "old")
    assert running.kafka.offsets["g"][OLD] == CommittedOffset(4)


def members(*subscribed: frozenset[str] | None) -> tuple[Member, ...]:
    return tuple(Member(f"m{number}", subscribed=topics) for number, topics in enumerate(subscribed))


@pytest.mark.parametrize(
    ("group", "kept"),
    [
        (Group("g", "classic", "Stable", members(frozenset({"a"}), frozenset({"b"})), "consumer"), {"a", "b"}),
        (Group("g", "consumer", "Stable", members(frozenset({"a"})), "consumer"), {"a"}),
        (Group("g", "classic", "Stable", (Member("m", assignment=frozenset({TopicPartition("c", 0)}),
                                                 subscribed=frozenset()),), "consumer"), {"c"}),
        (Group("g", "classic", "Empty"), set()),
        (Group("g", "classic", "Stable", members(frozenset({"a"}), None), "consumer"), {"a", "b", "c"}),
        (Group("g", "classic", "PreparingRebalance", (), "consumer"), {"a", "b", "c"}),
        (Group("g", "classic", "Stable", members(frozenset()), "connect"), {"a", "b", "c"}),
    ],
)  # fmt: skip
def test_what_is_not_known_is_read(group: Group, kept: set[str]) -> None:
    assert kept_by_members(group, {"a", "b", "c"}) == kept
