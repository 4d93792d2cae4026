# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the source is proven quiet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Pod
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    Member,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.pod_status import (
    PartitionStatus,
    PodStatus,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.quiet import not_drained

TP = TopicPartition("orders", 0)
OTHER = TopicPartition("orders", 1)


def commit(offset: int, mark: str = "") -> CommittedOffset:
    return CommittedOffset(offset, -1, mark)


def status(name: str, position: int = 50, tp: TopicPartition = TP) -> PodStatus:
    return PodStatus(
        pod=name,
        colour="blue",
        state="DRAINED",
        epoch=6,
        activated_epoch=5,
        group_id="g",
        member_id=f"member-{name}",
        member_state="stable",
        in_flight=0,
        queued=0,
        pending_commits=0,
        processing=False,
        last_error="",
        partitions={tp: PartitionStatus(position, position, True, 10, 10, position - 1)},
    )


A, B = status("a"), status("b", 70, OTHER)
PODS = [Pod("a", "1"), Pod("b", "2")]
GROUP = Group(
    "g",
    "classic",
    "Stable",
    (Member("member-a", assignment=frozenset([TP])), Member("member-b", assignment=frozenset([OTHER]))),
)
COMMITTED = {TP: commit(50, "bg:5;"), OTHER: commit(70, "bg:5;")}


def test_drained() -> None:
    assert not_drained(PODS, {"a": A, "b": B}, GROUP, COMMITTED, [TP, OTHER]) == []


PART = A.partitions[TP]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (replace(A, state="PAUSING"), "state PAUSING"),
        (replace(A, state="ACTIVE"), "state ACTIVE"),
        (replace(A, in_flight=1), "1 in flight"),
        (replace(A, queued=2), "2 queued"),
        (replace(A, pending_commits=3), "3 commits pending"),
        (replace(A, processing=True), "not drained"),
        (replace(A, member_state="rebalancing"), "rebalancing"),
        (replace(A, partitions={TP: replace(PART, paused=False)}), "not drained"),
        (replace(A, partitions={TP: replace(PART, position=51)}), "not committed to their position"),
        (replace(A, partitions={TP: replace(PART, position=None)}), "not committed to their position"),
        (
            replace(A, partitions={TP: replace(PART, position=51, committed=51)}),
            "stands at 51, the group has committed 50",
        ),
        (replace(A, member_id="stranger"), "has a member that is not one of the pods"),
        (replace(A, partitions={}), "disagree on its partitions"),
        (replace(A, state="PAUSING", last_error="REBALANCE"), "last error: REBALANCE"),
    ],
)
def test_one_pod_keeps_the_source_from_being_drained(changed: PodStatus, says: str) -> None:
    reasons = not_drained(PODS, {"a": changed, "b": B}, GROUP, COMMITTED, [TP, OTHER])
    assert any(says in reason for reason in reasons), reasons


@pytest.mark.parametrize(
    ("group", "says"),
    [
        (replace(GROUP, state="PreparingRebalance"), "is rebalancing"),
        (replace(GROUP, state="Empty", members=()), "says it owns partitions"),
        (replace(GROUP, members=GROUP.members[:1]), "nobody in group g owns orders-1"),
    ],
)
def test_the_broker_sees_it_differently(group: Group, says: str) -> None:
    reasons = not_drained(PODS, {"a": A, "b": B}, group, COMMITTED, [TP, OTHER])
    assert any(says in reason for reason in reasons), reasons


def test_what_is_unknown_is_not_drained() -> None:
    assert "pod b has not answered since it was paused" in not_drained(PODS, {"a": A}, GROUP, COMMITTED, [TP, OTHER])
    reasons = not_drained(PODS, {"a": A, "b": B}, GROUP, {TP: COMMITTED[TP]}, [TP, OTHER])
    assert "orders-1: pod b stands at 70, the group has committed nothing" in reasons


def test_a_pod_that_was_never_active_owes_nothing() -> None:
    """It joined paused; what it would begin with says nothing about what was processed."""
    idle = replace(A, state="STANDBY", activated_epoch=None, partitions={TP: replace(PART, position=3, committed=None)})
    assert not_drained(PODS, {"a": idle, "b": B}, GROUP, COMMITTED, [TP, OTHER]) == []


def test_a_source_that_left_its_group_is_drained() -> None:
    gone = [replace(pod, partitions={}, member_state="unjoined", member_id="") for pod in (A, B)]
    empty = Group("g", "classic", "Empty")
    assert not_drained(PODS, {pod.pod: pod for pod in gone}, empty, COMMITTED, [TP, OTHER]) == []
