# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Go/No-Go table: every gate says No to what it is there for, and to what is unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Pod, Scaler, Workload
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    LogRange,
    Member,
    PartitionInfo,
    Topic,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.pod_status import (
    PartitionStatus,
    PodStatus,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.drift import DriftOwner
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import gates as g
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.members import is_pod_of, strangers

TP = TopicPartition("orders", 0)
GOOD = PartitionInfo(1, (1, 2, 3), (1, 2, 3))
ACTIVE = PodStatus(
    "a", "blue", "ACTIVE", 5, 5, "grp", "m-a", "stable", 0, 0, 0, True, "", {TP: PartitionStatus(5, 5, False, 1, 1, 4)}
)
GROUP = Group("grp", "classic", "Stable", (Member("m-a", assignment=frozenset([TP])),))


def verdicts(rows: list[g.Gate]) -> dict[str, str]:
    return {row.name: row.verdict for row in rows}


def test_the_verdict() -> None:
    go, warn, no = (g.gate("x", 1, "1", False, "why", warn=True), g.gate("x", 1, "1", True), g.gate("x", 1, "1", False))
    assert g.verdict_of([go, warn]) == g.GO
    assert g.verdict_of([go, no]) == g.NO_GO
    assert g.verdict_of([]) == g.NO_GO, "no gate was looked at: that is no Go"
    assert g.soften(no).verdict == g.WARN
    assert g.soften(warn) is warn


def test_the_table_is_aligned_and_advises() -> None:
    lines = g.table(
        [g.gate("source lag", "12 records", "<= 10", False, "wait"), g.gate("lock", "free", "free", True, "no")]
    )
    assert len({line.index(word) for line, word in zip(lines, ("VERDICT", "NO-GO", "GO"), strict=False)}) == 1
    assert lines[3:] == ["NO-GO: source lag: wait"]
    assert g.as_result([g.gate("a", 1, "2", True)]) == [
        {"name": "a", "value": "1", "threshold": "2", "verdict": "GO", "advice": ""}
    ]


@pytest.mark.parametrize(
    ("info", "minimum", "bad"),
    [
        (GOOD, {"orders": 2}, {}),
        (GOOD._replace(leader=-1), {"orders": 2}, {"offline partitions": g.NO_GO}),
        (GOOD._replace(isr=(1,)), {"orders": 2}, {"partitions under min ISR": g.NO_GO}),
        (GOOD._replace(isr=(1, 2)), {"orders": 2}, {}),
        (GOOD, {}, {"partitions under min ISR": g.NO_GO}),
    ],
)
def test_topic_gates(info: PartitionInfo, minimum: dict[str, int], bad: dict[str, str]) -> None:
    found = verdicts(g.topic_gates({"orders": Topic("orders", "id", {0: info})}, [], minimum))
    found.pop("partitions with a replica out of sync")
    assert {name: verdict for name, verdict in found.items() if verdict != g.GO} == bad


def test_missing_topics() -> None:
    assert verdicts(g.topic_gates({}, ["orders"], {}))["topics"] == g.NO_GO
    assert verdicts(g.topic_gates({}, [], {}))["topics"] == g.NO_GO
    behind = g.topic_gates({"orders": Topic("orders", "id", {0: GOOD._replace(isr=(1, 2))})}, [], {"orders": 2})
    assert verdicts(behind)["partitions with a replica out of sync"] == g.WARN


@pytest.mark.parametrize(
    ("mode", "source", "target", "bad"),
    [
        ("hot", "classic", "classic", []),
        ("hot", "classic", "absent", []),
        ("cold", "consumer", "consumer", []),
        ("hot", "consumer", "classic", ["source group type"]),
        ("hot", "classic", "consumer", ["target group type"]),
        ("cold", "absent", "absent", ["source group type"]),
        ("cold", "share", "classic", ["source group type"]),
        ("cold", "classic", "streams", ["target group type"]),
    ],
)
def test_group_gates(mode: str, source: str, target: str, bad: list[str]) -> None:
    rows = g.group_gates(mode, Group("a", source), Group("b", target))
    assert [row.name for row in rows if row.verdict == g.NO_GO] == bad
    assert all(row.advice for row in rows if row.verdict == g.NO_GO)


@pytest.mark.parametrize(
    ("committed", "verdict", "seen"),
    [
        (95, g.GO, "5 records"),
        (90, g.GO, "10 records"),
        (89, g.NO_GO, "11 records"),
        (None, g.NO_GO, "80 records, 1 partitions never committed"),
    ],
)
def test_lag_gate(committed: int | None, verdict: str, seen: str) -> None:
    """Without a commit everything in the log counts: unknown is not 0."""
    row = g.lag_gate({} if committed is None else {TP: CommittedOffset(committed)}, {TP: LogRange(20, 100)}, 10)
    assert (row.verdict, row.value) == (verdict, seen)
    assert g.lag_gate({}, {}, 10).verdict == g.NO_GO


def test_idle_partitions_of_a_transactional_topic_do_not_hold_a_run_up() -> None:
    """Each is behind by the marker of its last transaction, for ever."""
    ranges = {TopicPartition("t", number): LogRange(0, 100) for number in range(1001)}
    commits = dict.fromkeys(ranges, CommittedOffset(99))
    row = g.lag_gate(commits, ranges, 10)
    assert (row.verdict, row.value) == (g.GO, "1001 records, in 1001 partitions a single one, which does not count")
    commits[TopicPartition("t", 7)] = CommittedOffset(89)
    assert g.lag_gate(commits, ranges, 10).verdict == g.NO_GO


@pytest.mark.parametrize(("closed", "told"), [(None, True), (True, True), (False, False)])
def test_a_lag_that_may_be_aborted_records_says_so(closed: bool | None, told: bool) -> None:
    """T7. While a transaction is open it is that which holds the reader up, and has a gate of its own."""
    row = g.lag_gate({TP: CommittedOffset(20)}, {TP: LogRange(20, 100)}, 10, closed)
    assert ("The 80 offsets may be aborted records or transaction markers" in row.advice) == told
    row = g.lag_gate({TP: CommittedOffset(20)}, {TP: LogRange(20, 100)}, 10, closed, reading=False)
    assert row.advice == "let the source catch up, or raise bg_max_lag", "while pods are not ready that is why"


def test_source_gates() -> None:
    pods = [Pod("a", "1", ready=True), Pod("b", "2", problem="ErrImagePull: x")]
    row = g.source_gates(Workload("Deployment", "w", "u", 2), pods, "w")[0]
    assert (row.verdict, row.value, row.advice) == (g.NO_GO, "1 of 2", "b: ErrImagePull: x")
    assert g.source_gates(Workload("Deployment", "w", "u", 1), pods[:1], "w")[0].verdict == g.GO
    assert g.source_gates(Workload("Deployment", "w", "u", 0), [], "w")[0].verdict == g.NO_GO
    assert g.source_gates(None, [], "w", namespace="n")[0].value == "w not found in n"


def test_contract_gates() -> None:
    def verdict(status: PodStatus, silent: dict[str, str] | None = None) -> str:
        return g.contract_gates("blue", "source", "grp", {"a": status}, silent or {})[0].verdict

    assert verdict(ACTIVE) == g.GO
    assert verdict(replace(ACTIVE, colour="green")) == g.NO_GO
    assert verdict(replace(ACTIVE, group_id="other")) == g.NO_GO
    assert verdict(ACTIVE, {"b": "pod b did not answer"}) == g.NO_GO


@pytest.mark.parametrize(
    ("group", "says"),
    [
        (GROUP, ""),
        (replace(GROUP, members=()), "has no members: it is not the group that the pods consume with"),
        (
            replace(GROUP, state="PreparingRebalance", members=(Member("m-a"),)),
            "PreparingRebalance, without owner: 1: orders-0",
        ),
        (replace(GROUP, members=(*GROUP.members, Member("m-b", assignment=frozenset([TP])))), "grp"),
    ],
)
def test_ownership_gate(group: Group, says: str) -> None:
    row = g.ownership_gate("source", group, [TP])
    assert (row.verdict == g.GO) == (says == "")
    assert says in row.advice
    assert g.ownership_gate("source", GROUP, []).verdict == g.NO_GO


def test_a_topic_that_nobody_reads_is_named_with_both_ways_out() -> None:
    row = g.ownership_gate("source", GROUP, [TP, TopicPartition("forgotten", 0)])
    assert (row.verdict, row.value) == (g.NO_GO, "1 of 2")
    assert "nobody in group grp reads forgotten" in row.advice
    assert "bg_topics" in row.advice
    assert "state: absent, topics: ['forgotten']" in row.advice


def test_a_colour_that_is_stopped_owns_nothing_and_need_not() -> None:
    empty = Group("grp", "classic", "Empty")
    assert g.ownership_gate("source", empty, [TP], stopped=True).verdict == g.GO
    assert g.ownership_gate("source", empty, [TP]).verdict == g.NO_GO
    assert g.ownership_gate("source", replace(GROUP, members=(Member("m-a"),)), [TP], stopped=True).verdict == g.NO_GO


def test_strangers_and_further_topics_are_named() -> None:
    assert g.members_gate("source", GROUP, [TP], []).verdict == g.GO
    stranger = Member("m-x", "console", "/10.0.0.9", None, frozenset([TopicPartition("retries", 0)]))
    row = g.members_gate("source", replace(GROUP, members=(*GROUP.members, stranger)), [TP], [stranger])
    assert (row.verdict, row.value) == (g.NO_GO, "1 of 2, and reads 1: retries")
    assert "m-x (client console at /10.0.0.9)" in row.advice
    assert "retries" in row.advice
    assert "bg_topics" in row.advice


@pytest.mark.parametrize(
    ("member", "ours"),
    [
        (Member("m", "rdkafka", "/10.0.0.1"), True),
        (Member("m", "rdkafka", "/10.0.0.2"), False),
        (Member("m", "rdkafka", ""), False),
        (Member("m", "shop-blue-7d9f-abc", "/192.168.0.1"), True),
        (Member("m", "rdkafka", "/192.168.0.1", "shop-blue-7d9f-abc"), True),
        (Member("m", "rdkafka", "/192.168.0.1", "shop-blue-2"), True),
        (Member("m", "rdkafka", "/192.168.0.1", "shop-blue-green"), True),
        (Member("m", "rdkafka", "/192.168.0.1", "billing-1"), False),
        (Member("m", "shop-blue-2", "/192.168.0.1"), False),
    ],
)
def test_whose_a_member_is(member: Member, ours: bool) -> None:
    """By address, by the pod's name in an id, by the workload's name in a static id: never because nobody else is left."""
    pods = {"shop-blue-7d9f-abc": "10.0.0.1", "shop-blue-7d9f-new": ""}
    assert is_pod_of(member, pods, "shop-blue") is ours
    assert (strangers(Group("grp", "classic", "Stable", (member,)), pods, "shop-blue") == []) is ours


def test_what_scales_by_itself() -> None:
    hpa, keda = Scaler("HorizontalPodAutoscaler", "h", "shop-green", 3), Scaler("ScaledObject", "k", "shop-blue", 0)
    assert g.scalers_gate("cold", []).verdict == g.GO
    assert g.scalers_gate("cold", None).verdict == g.WARN
    assert [g.scalers_gate(mode, [hpa]).verdict for mode in ("hot", "cold")] == [g.WARN, g.WARN]
    assert [g.scalers_gate(mode, [hpa, keda]).verdict for mode in ("hot", "cold")] == [g.WARN, g.NO_GO]
    assert "ScaledObject k" in g.scalers_gate("cold", [keda]).advice
    assert g.scalers_gate("cold", [replace(keda, paused=True)]).verdict == g.GO
    owned = Workload("Deployment", "shop-blue", "u", 2, scaled_by=("argocd-controller",))
    row = g.scaled_by_gate("cold", [owned, None])
    assert (row.verdict, row.value) == (g.WARN, "1: shop-blue by argocd-controller")
    assert g.scaled_by_gate("cold", [Workload("Deployment", "shop-blue", "u", 2)]).verdict == g.GO
    woken = replace(owned, scaled_by=("keda-operator",))
    assert [g.scaled_by_gate(mode, [woken]).verdict for mode in ("hot", "cold")] == [g.WARN, g.NO_GO]
    assert "KEDA starts a stopped colour" in g.scaled_by_gate("cold", [woken]).advice


@pytest.mark.parametrize(
    ("workload", "pods", "verdict"),
    [
        (Workload("Deployment", "w", "u", 2, grace=30), 2, g.GO),
        (Workload("Deployment", "w", "u", 2, grace=120), 2, g.NO_GO),
        (Workload("StatefulSet", "w", "u", 4, grace=30, ordered=True), 4, g.NO_GO),
        (Workload("StatefulSet", "w", "u", 4, grace=29, ordered=True), 4, g.GO),
        (None, 0, g.GO),
    ],
)
def test_the_source_can_stop_in_time(workload: Workload | None, pods: int, verdict: str) -> None:
    assert g.grace_gate(workload, pods, 120).verdict == verdict


def test_what_lives_beside_it() -> None:
    assert g.other_groups_gate({}).verdict == g.GO
    assert g.other_groups_gate({"orders-retry": "pod-a"}).value == "1: orders-retry (pod-a)"
    assert g.elsewhere_gate("source", "grp", []).verdict == g.GO
    assert g.elsewhere_gate("source", "grp", ["retries"]).verdict == g.WARN
    assert (g.ended_gate(["p (Evicted)"]).verdict, g.ended_gate(["p (Evicted)"]).value) == (g.GO, "1: p (Evicted)")
    assert g.pending_gate("grp", []).verdict == g.GO
    assert g.pending_gate("grp", [TP]).verdict == g.WARN
    assert g.epoch_gate(6, [ACTIVE]).verdict == g.GO
    assert "epoch 9" in g.epoch_gate(1, [replace(ACTIVE, epoch=8)]).advice
    assert g.immutable_gate(True).verdict == g.NO_GO
    assert (
        g.template_gate(Workload("Deployment", "w", "u", 2, outdated="0 of 2 pods run its template")).verdict == g.NO_GO
    )


def test_a_cold_target_that_runs_and_does_not_say_that_it_stands_by() -> None:
    pods = [Pod("a", "1", ready=True)]
    idle = replace(ACTIVE, state="STANDBY", processing=False)
    assert g.running_target_gate([], {}, Group("grp")).verdict == g.GO
    assert g.running_target_gate(pods, {"a": idle}, GROUP).verdict == g.GO
    assert g.running_target_gate(pods, {}, GROUP).verdict == g.NO_GO
    assert g.running_target_gate(pods, {}, Group("grp", "classic", "Empty")).verdict == g.GO


def test_active_and_quiet_gates() -> None:
    idle = replace(ACTIVE, state="STANDBY", processing=False)
    assert g.active_gate({"a": ACTIVE}, "source").verdict == g.GO
    assert g.active_gate({"a": ACTIVE, "b": idle}, "source").verdict == g.NO_GO
    assert g.active_gate({}, "source").verdict == g.NO_GO
    assert g.quiet_gate({"a": idle}, {}, []).verdict == g.GO
    assert g.quiet_gate({"a": idle, "b": ACTIVE}, {}, []).verdict == g.NO_GO


@pytest.mark.parametrize(
    ("pod", "verdict"),
    [
        (Pod("b", "2", ready=True), g.NO_GO),
        (Pod("b", "2"), g.GO),
        (Pod("b", "2", ready=True, terminating=True), g.GO),
    ],
)
def test_a_standby_pod_that_is_ready_and_silent_is_not_known_to_stand_by(pod: Pod, verdict: str) -> None:
    row = g.quiet_gate({}, {"b": "pod b did not answer"}, [pod])
    assert row.verdict == verdict
    assert ("pod b did not answer" in row.advice) == (verdict == g.NO_GO)


def test_owners_gate() -> None:
    """No verdict is worse than a warning."""
    assert g.owners_gate("r", []).verdict == g.GO
    row = g.owners_gate("r", [DriftOwner("kubectl apply", "annotation", ("active",))])
    assert (row.verdict, row.value) == (g.WARN, "kubectl apply")
    assert row.advice.startswith("ConfigMap r is managed by kubectl apply too (it declares active)")


def test_the_rest() -> None:
    assert g.range_gate([]).verdict == g.GO
    assert g.range_gate(["x"]).verdict == g.NO_GO
    assert [g.parallelism_gate(*pair).verdict for pair in ((12, 4), (7, 4), (4, 0))] == [g.GO, g.WARN, g.WARN]
    assert [g.lock_gate(holder, "me").verdict for holder in ("", "me", "other")] == [g.GO, g.GO, g.WARN]
