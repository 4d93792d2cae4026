# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Status answers of pods, read with distrust."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Pod
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    Member,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.http import Reply
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.pod_status import PodStatus, parse_status
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.quiet import not_drained

TP = TopicPartition("orders", 0)
PARTITION = {
    "topic": "orders",
    "partition": 0,
    "paused": True,
    "position": 5,
    "committed": 5,
    "startOffset": 1,
    "firstProcessedOffset": 1,
    "lastProcessedOffset": 4,
}
BODY: dict[str, t.Any] = {
    "apiVersion": "bg/v1",
    "color": "blue",
    "state": "DRAINED",
    "epoch": 6,
    "activatedEpoch": 5,
    "groupId": "g",
    "memberId": "m",
    "memberState": "stable",
    "inFlightRecords": 0,
    "queuedRecords": 0,
    "pendingCommits": 0,
    "processing": False,
    "lastError": None,
    "partitions": [PARTITION],
}


def parsed(code: int = 200, **changes: t.Any) -> PodStatus:
    status, why = parse_status(Reply("pod", code, {**BODY, **changes}))
    assert why == ""
    assert status is not None
    return status


def with_partition(**changes: t.Any) -> PodStatus:
    return parsed(partitions=[{**PARTITION, **changes}])


@pytest.mark.parametrize("code", [200, 202])
def test_a_whole_status(code: int) -> None:
    status = parsed(code)
    assert (status.pod, status.colour, status.epoch, status.activated_epoch) == ("pod", "blue", 6, 5)
    assert status.partitions[TP].position == 5
    assert status.drained
    assert not status.active


def test_offsets_beyond_json_numbers() -> None:
    assert with_partition(position=str(2**60), committed=2**60).partitions[TP].position == 2**60


def test_what_the_pod_does_not_know() -> None:
    status = parsed(activatedEpoch=None, partitions=[{"topic": "orders", "partition": 0, "paused": True}])
    assert status.activated_epoch is None
    assert status.partitions[TP].position is None


@pytest.mark.parametrize(
    ("changes", "drained"),
    [
        ({}, True),
        ({"state": "STANDBY"}, True),
        ({"partitions": []}, True),
        ({"memberState": "unjoined", "partitions": []}, True),
        ({"state": "PAUSING"}, False),
        ({"state": "ACTIVE"}, False),
        ({"state": "STARTING"}, False),
        ({"state": "FENCED"}, False),
        ({"inFlightRecords": 1}, False),
        ({"queuedRecords": 1}, False),
        ({"pendingCommits": 1}, False),
        ({"processing": True}, False),
        ({"memberState": "rebalancing"}, False),
        ({"drained": True, "inFlightRecords": 1}, False),
        ({"partitions": [{**PARTITION, "paused": False}]}, False),
        ({"partitions": [{**PARTITION, "committed": 4}]}, False),
        ({"partitions": [{**PARTITION, "committed": None}]}, False),
        ({"partitions": [{**PARTITION, "position": None, "committed": None}]}, False),
        ({"partitions": [{**PARTITION, "committed": None}], "activatedEpoch": None}, True),
    ],
)
def test_drained_is_computed_again(changes: dict[str, t.Any], drained: bool) -> None:
    assert parsed(**changes).drained == drained


@pytest.mark.parametrize(
    ("changes", "active"),
    [
        ({"state": "ACTIVE", "partitions": [{**PARTITION, "paused": False}]}, True),
        ({"state": "ACTIVE", "partitions": []}, True),
        ({"state": "ACTIVE"}, False),
        ({"state": "ACTIVE", "memberState": "rebalancing", "partitions": []}, False),
        ({"state": "ACTIVATING", "partitions": []}, False),
    ],
)
def test_active_is_computed_again(changes: dict[str, t.Any], active: bool) -> None:
    assert parsed(**changes).active == active


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply("pod", None, None, "timed out"), "did not answer: timed out"),
        (Reply("pod", 409, {"error": "stale_epoch", "message": "seen 9"}), "answered 409: seen 9"),
        (Reply("pod", 404, {"error": "not_found"}), "answered 404: not_found"),
        (Reply("pod", 503, None, "bad gateway"), "answered 503: bad gateway"),
        (Reply("pod", 200, None), "no body"),
        (Reply("pod", 200, {"hello": 1}), "does not speak bg/v1: apiVersion is None"),
        (Reply("pod", 200, {**BODY, "apiVersion": "bg/v2"}), "does not speak bg/v1"),
        (Reply("pod", 200, {**BODY, "epoch": "seven"}), "does not follow bg/v1"),
        (Reply("pod", 200, {**BODY, "partitions": None}), "does not follow bg/v1"),
        (Reply("pod", 200, {**BODY, "partitions": [{"topic": "a"}]}), "does not follow bg/v1"),
    ],
)
def test_no_status(reply: Reply, says: str) -> None:
    status, why = parse_status(reply)
    assert status is None
    assert why.startswith("pod pod ")
    assert says in why


@given(st.sampled_from(sorted(set(BODY) - {"activatedEpoch", "memberId", "lastError"})))
def test_a_field_that_is_missing_is_never_made_up(key: str) -> None:
    status, why = parse_status(Reply("pod", 200, {k: v for k, v in BODY.items() if k != key}))
    assert status is None
    assert why


UNQUIET: tuple[dict[str, t.Any], ...] = (
    {"state": "ACTIVE"},
    {"inFlightRecords": 1},
    {"queuedRecords": 1},
    {"pendingCommits": 1},
    {"processing": True},
    {"memberState": "rebalancing"},
    {"partitions": [{**PARTITION, "paused": False}]},
    {"partitions": [{**PARTITION, "position": 6}]},
    {"partitions": [{**PARTITION, "committed": None}]},
    {"partitions": []},
    {},
)
"""Why a source may not be quiet; the last one is quiet by its own word, and the broker holds another offset."""


@pytest.mark.parametrize("unquiet", UNQUIET, ids=str)
def test_a_field_that_is_missing_never_makes_a_pod_quiet(unquiet: dict[str, t.Any]) -> None:
    """Neither witness, the pod's word or the comparison with the broker, can be switched off by leaving something out."""
    body = {**BODY, **unquiet}
    member = Member("m", assignment=frozenset([TP]))
    group = Group("g", "classic", "Stable", (member,))

    def quiet(seen: dict[str, t.Any]) -> bool:
        status, _why = parse_status(Reply("pod", 200, seen))
        statuses = {"pod": status} if status else {}
        return not not_drained([Pod("pod", "u")], statuses, group, {TP: CommittedOffset(0 if not unquiet else 5)}, [TP])

    assert not quiet(body)
    for key in body:
        assert not quiet({name: value for name, value in body.items() if name != key}), key
        assert not quiet({**body, key: None}) or key in ("activatedEpoch", *unquiet), key
    for row in body["partitions"]:
        for key in row:
            without = {name: value for name, value in row.items() if name != key}
            assert not quiet({**body, "partitions": [without]}), key
