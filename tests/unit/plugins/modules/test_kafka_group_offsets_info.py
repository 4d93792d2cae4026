# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kafka_group_offsets_info of one and of several groups, of what is lost and of what will expire; and the rule of expiry."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.retention import clock_of, expiry
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.transactions import OpenTransaction
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    LogRange,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.modules import kafka_group_offsets_info as module
from ansible_collections.streamops.bluegreen.tests.unit.fakes.modules import RunModule
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World

T0, T1, U0 = TopicPartition("t", 0), TopicPartition("t", 1), TopicPartition("u", 0)


@pytest.fixture
def groups() -> World:
    """order-a lags on t, order-b lost records of u, other is somebody else's."""
    world = World()
    world.kafka.logs = {T0: LogRange(0, 100), T1: LogRange(5, 50), U0: LogRange(30, 40)}
    world.kafka.seed("order-a", {T0: CommittedOffset(70), T1: CommittedOffset(50)})
    world.kafka.seed("order-b", {U0: CommittedOffset(10, 2, "m")}, kind="consumer")
    world.kafka.seed("other", {T0: CommittedOffset(1)})
    return world


@pytest.fixture
def behind(world: World) -> World:
    """A group with one member that is 30 records behind."""
    world.kafka.logs = {T0: LogRange(0, 100)}
    world.kafka.offsets["g"] = {T0: CommittedOffset(70)}
    world.kafka.join("g", "c1", kind="consumer")
    return world


def test_info(behind: World, run_module: RunModule) -> None:
    for check in (True, False):
        seen = run_module(module, behind.ports, check=check, group_id="g")
        assert (seen["changed"], seen["type"], seen["state"], seen["empty"]) == (False, "consumer", "Stable", False)
        assert (seen["total_lag"], seen["partitions"][0]["lag"]) == (30, 30)
    assert behind.kafka.writes == 0


def test_info_of_a_group_nobody_knows(world: World, run_module: RunModule) -> None:
    seen = run_module(module, world.ports, group_id="g")
    assert (seen["type"], seen["members"], seen["partitions"], seen["total_lag"]) == ("absent", [], [], None)


def test_info_with_kafka_down(behind: World, run_module: RunModule) -> None:
    behind.kafka.down = True
    assert run_module(module, behind.ports, group_id="g")["failed"] is True


def test_groups_by_pattern(groups: World, run_module: RunModule) -> None:
    seen = run_module(module, groups.ports, pattern="order-.*")
    assert [group["group_id"] for group in seen["groups"]] == ["order-a", "order-b"]
    first, second = seen["groups"]
    assert [(row["topic"], row["lag"], row["lost"]) for row in first["partitions"]] == [("t", 30, 0), ("t", 0, 0)]
    assert [(row["topic"], row["lag"], row["lost"]) for row in second["partitions"]] == [("u", 10, 20)]
    assert (first["total_lost"], second["total_lost"], second["type"]) == (0, 20, "consumer")
    assert run_module(module, groups.ports, pattern="order")["groups"] == [], "the whole name has to match"
    assert groups.kafka.writes == 0


def test_groups_by_name_keep_their_order(groups: World, run_module: RunModule) -> None:
    seen = run_module(module, groups.ports, group_ids=["other", "nobody", "order-b", "other"], topics=["t"])
    assert [(group["group_id"], group["type"]) for group in seen["groups"]] == [
        ("other", "classic"),
        ("nobody", "absent"),
        ("order-b", "consumer"),
    ]
    assert [[row["committed_offset"] for row in group["partitions"]] for group in seen["groups"]] == [
        [1, None],
        [None, None],
        [None, None],
    ]
    assert seen["groups"][1]["total_lag"] is None
    assert seen["groups"][0]["partitions"][1]["lost"] is None, "what was never committed lost nothing we know of"


def test_more_groups_than_are_read_at_once(groups: World, run_module: RunModule) -> None:
    names = [f"many-{number:02}" for number in range(40)]
    for name in names:
        groups.kafka.seed(name, {T0: CommittedOffset(1)})
    seen = run_module(module, groups.ports, pattern="many-..")
    assert [group["group_id"] for group in seen["groups"]] == names
    assert {group["partitions"][0]["committed_offset"] for group in seen["groups"]} == {1}


def test_topics_of_members_that_have_committed_nothing(groups: World, run_module: RunModule) -> None:
    groups.kafka.join("new", "c1")
    group = groups.kafka.known["new"]
    member = replace(group.members[0], assignment=frozenset({U0}))
    groups.kafka.known["new"] = replace(group, members=(member,), protocol_type="consumer", protocol="range")
    seen = run_module(module, groups.ports, group_id="new")
    assert [(row["topic"], row["committed_offset"]) for row in seen["partitions"]] == [("u", None)]
    assert (seen["protocol_type"], seen["protocol"], seen["members"][0]["host"]) == ("consumer", "range", "10.0.0.1")
    assert seen["expiry"]["clock"] == "stopped"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "one of the following is required: group_id, group_ids, pattern"),
        ({"group_id": "g", "pattern": "g"}, "mutually exclusive"),
        ({"pattern": "("}, "is not a regular expression"),
        ({"group_id": "order-a", "topics": ["nope"]}, "topic nope does not exist"),
    ],
)
def test_bad_input(groups: World, run_module: RunModule, options: dict[str, t.Any], said: str) -> None:
    assert said in run_module(module, groups.ports, **options)["msg"]


def test_what_the_retention_counts_from() -> None:
    member = World().kafka
    member.join("g", "c1")
    assert clock_of(member.known["g"]) == "stopped"
    assert clock_of(Group("g", "classic", "Empty", (), "consumer")) == "since_empty"
    assert clock_of(Group("g", "classic", "Empty")) == "since_commit", "only ever written from outside"
    assert clock_of(Group("g", "consumer", "Empty", (), "consumer")) == "since_commit"
    assert clock_of(Group("g", "share", "Empty")) is None
    assert clock_of(Group("g")) is None


def test_an_expiry_is_a_bound() -> None:
    empty, now = Group("g", "consumer", "Empty"), "2026-11-24T08:00:00Z"
    assert expiry(empty, 60, now, 1) == {
        "retention_minutes": 60,
        "clock": "since_commit",
        "latest": "2026-11-24T09:00:00Z",
    }
    assert expiry(empty, None, now, 1)["latest"] is None
    assert expiry(empty, 60, now, 0)["latest"] is None, "there is nothing to expire"
    assert expiry(replace(empty, state="Stable"), 60, now, 1)["latest"] is None


def test_offsets_in_an_open_transaction_are_looked_at(groups: World, run_module: RunModule) -> None:
    """What was decided before is shown, and whose transaction it is; the other groups are as ever."""
    where = TopicPartition("__consumer_offsets", 3)
    groups.kafka.pending["order-a"] = {T1}
    groups.kafka.beside = [
        OpenTransaction(where, 4001, 7, 120, transactional_id="app-1", began=1_767_225_600_000, timeout=600_000)
    ]
    seen = run_module(module, groups.ports, group_id="order-a")
    assert seen["pending"] == [{"topic": "t", "partition": 1}]
    assert [(row["committed_offset"], row["lag"]) for row in seen["partitions"]] == [(70, 30), (50, None)]
    assert seen["total_lag"] is None
    (holder,) = seen["pending_transactions"]
    assert (holder["producer_id"], holder["transactional_id"], holder["ends"]) == (
        4001,
        "app-1",
        "2026-01-01T00:10:00Z",
    )
    assert holder["abort"].endswith("abort --topic __consumer_offsets --partition 3 --start-offset 120")
    said = "Offsets of group order-a are part of an open transaction for 1 partitions (t-1). It is: "
    assert said in str(seen["warnings"])
    assert groups.kafka.writes == 0

    first, second = run_module(module, groups.ports, pattern="order-.*", topics=["t"])["groups"]
    assert (len(first["pending"]), second["pending"]) == (1, [])
    assert "pending_transactions" not in second
    groups.kafka.hides_transactions = "not allowed"
    assert run_module(module, groups.ports, group_id="order-a")["pending_transactions"] is None


def test_partitions_that_have_nothing_to_read_have_no_lag(groups: World, run_module: RunModule) -> None:
    groups.kafka.logs |= {TopicPartition("u", number): LogRange(7, 7) for number in range(1, 12)}
    seen = run_module(module, groups.ports, group_id="order-b")
    assert (seen["total_lag"], len(seen["partitions"])) == (10, 12)
