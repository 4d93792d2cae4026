# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Go/No-Go: each gate says what it saw, what it wants and its verdict. No data is No-Go. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Pod, Scaler, Workload
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka import lag
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.transactions import (
    Transactions,
    abort_command,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    LogRange,
    Member,
    Topic,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.pod_status import PodStatus
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.drift import DriftOwner

GO, WARN, NO_GO = "GO", "WARN", "NO-GO"


@dataclass(frozen=True)
class Gate:
    """One line of the table."""

    name: str
    value: str
    threshold: str
    verdict: str
    advice: str = ""


def gate(name: str, value: t.Any, threshold: str, passed: bool, advice: str = "", warn: bool = False) -> Gate:
    """A gate; a failed one is a warning where ``warn``. advice is only kept where something is wrong."""
    verdict = GO if passed else (WARN if warn else NO_GO)
    return Gate(name, str(value), threshold, verdict, "" if passed else advice)


def soften(row: Gate) -> Gate:
    """The same gate, a warning at worst."""
    return replace(row, verdict=WARN) if row.verdict == NO_GO else row


def verdict_of(gates: t.Sequence[Gate]) -> str:
    """NO-GO when any gate says so, or when there are none at all."""
    return NO_GO if not gates or any(row.verdict == NO_GO for row in gates) else GO


def table(gates: t.Sequence[Gate]) -> list[str]:
    """Lines of the table for a terminal."""
    head = ("GATE", "SEEN", "WANTED", "VERDICT")
    rows = [head, *((row.name, row.value, row.threshold, row.verdict) for row in gates)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]]) for row in rows
    ]
    lines += [f"{row.verdict}: {row.name}: {row.advice}" for row in gates if row.advice]
    return lines


def as_result(gates: t.Sequence[Gate]) -> list[dict[str, str]]:
    """JSON-ready."""
    return [asdict(row) for row in gates]


def topic_gates(topics: t.Mapping[str, Topic], missing: t.Sequence[str], min_isr: t.Mapping[str, int]) -> list[Gate]:
    """Topics exist, every partition has a leader and enough replicas in sync."""
    partitions = [
        (TopicPartition(name, number), info, min_isr.get(name))
        for name, topic in topics.items()
        for number, info in topic.partitions.items()
    ]
    offline = [str(tp) for tp, info, _minimum in partitions if info.leader < 0]
    below = [str(tp) for tp, info, minimum in partitions if minimum is None or len(info.isr) < minimum]
    behind = [str(tp) for tp, info, _minimum in partitions if len(info.isr) < len(info.replicas)]
    return [
        gate(
            "topics",
            _some(missing) if missing else f"{len(topics)} found",
            "all exist",
            bool(topics) and not missing,
            "create them, correct bg_topics, or grant DESCRIBE on them",
        ),
        gate("offline partitions", _some(offline), "0", not offline, "wait for the brokers that lead them"),
        gate(
            "partitions under min ISR",
            _some(below),
            "0",
            not below,
            "commits with acks=all fail there: repair the brokers first (also shown when min.insync.replicas may not be read)",
        ),
        gate(
            "partitions with a replica out of sync",
            _some(behind),
            "0",
            not behind,
            "a broker is down or behind",
            warn=True,
        ),
    ]


def group_gates(mode: str, source: Group, target: Group) -> list[Gate]:
    """The groups are of a kind that can be handed over in this mode."""
    gates = []
    for role, group in (("source", source), ("target", target)):
        known = group.kind in ("classic", "consumer") or (role == "target" and group.kind == "absent")
        advice = (
            "share and streams groups keep their progress elsewhere and can't be handed over"
            if group.kind != "absent"
            else f"Kafka has never heard of {group.group_id}: check its spelling"
        )
        if mode == "hot" and group.kind == "consumer":
            known, advice = False, "hot hand-over is proven for the classic protocol only; use bg_mode=cold"
        gates.append(
            gate(
                f"{role} group type",
                f"{group.kind} ({group.state})",
                "classic" if mode == "hot" else "classic or consumer",
                known,
                advice,
            )
        )
    return gates


def lag_gate(
    committed: t.Mapping[TopicPartition, CommittedOffset],
    ranges: t.Mapping[TopicPartition, LogRange],
    max_lag: int,
    closed: bool | None = None,
    reading: bool = True,
) -> Gate:
    """The target does not begin with a backlog. A partition without a commit counts whole, from the start of its log.

    closed: no transaction is open on the input; None where that is not known. reading: every pod of the source is ready, so that
    what stays unread may be what nobody is given.
    """
    if not ranges:
        return gate("source lag", "unknown", f"<= {max_lag}", False, "no end offsets could be read")
    rows = lag.lags(committed, ranges)
    behind = sum(row.readable if row.lag is None else row.lag for row in rows)
    single, never = sum(row.lag == 1 for row in rows), lag.uncommitted(rows)
    seen = f"{behind} records" + (f", {len(never)} partitions never committed" if never else "")
    if single and behind > max_lag:
        seen += f", in {single} partitions a single one, which does not count"
    advice = "let the source catch up, or raise bg_max_lag"
    if never:
        advice += f". Never committed are {_some([str(row.partition) for row in never])}: the target reads them from the start of the log"
    elif reading and (tail := lag.unreadable_tail(behind, "raise bg_max_lag", closed=closed)):
        advice += f". {tail}"
    return gate("source lag", seen, f"<= {max_lag}", lag.backlog(rows) <= max_lag, advice)


def transactions_gate(seen: Transactions, max_age: int) -> Gate:
    """No transaction on the input hangs: who reads only what is committed would wait before it for ever, in either colour."""
    hanging = seen.older_than(max_age)
    advice = seen.unknown
    if hanging:
        advice = (
            f"{seen.named(hanging)}. Readers of committed records stop there. End it in its producer, or where that is gone "
            f"abort it: {abort_command(hanging[0])}; where such pauses are normal, raise bg_max_transaction_age"
        )
    passed = not hanging and not seen.unknown
    return gate("open transactions on the input", seen.seen, f"none older than {max_age} s", passed, advice)


def owners_gate(record: str, owners: t.Iterable[DriftOwner]) -> Gate:
    """Nobody else writes the active record (name of its ConfigMap) back to what it was."""
    others = list(owners)
    return gate(
        "active record's owners",
        ", ".join(owner.owner for owner in others) or "none",
        "none that write it back",
        not others,
        " ".join(owner.warning(record) for owner in others),
        warn=True,
    )


def range_gate(faults: t.Sequence[str], notes: t.Sequence[str] = ()) -> Gate:
    """Committed offsets of the source outside of their log. notes: those that the run's policy moves to the start of it."""
    name, wanted = "source offsets inside the log", "0 outside"
    if faults:
        return gate(
            name,
            _some(faults),
            wanted,
            False,
            "set bg_out_of_range to earliest to continue at the start of the log, or decide with kafka_group_offsets",
        )
    return gate(
        name, _some(notes), wanted, not notes, "the run continues at the start of the log, and reports it", warn=True
    )


def source_gates(
    workload: Workload | None, pods: t.Sequence[Pod], name: str, role: str = "source", namespace: str = ""
) -> list[Gate]:
    """The active colour is there and well. namespace: where it was looked for."""
    ready = sum(pod.ready for pod in pods)
    wanted = workload.replicas if workload else 0
    problems = "; ".join(f"{pod.name}: {pod.problem or pod.trouble}" for pod in pods if pod.problem or pod.trouble)
    return [
        gate(
            f"{role} pods ready",
            f"{ready} of {wanted}" if workload else f"{name} not found in {namespace}",
            "all",
            0 < wanted <= ready,
            problems or _no_pods(role, name, workload),
        )
    ]


def _no_pods(role: str, name: str, workload: Workload | None) -> str:
    if workload is None:
        return "correct its name, or deploy it"
    if workload.replicas:
        return "repair the active colour first"
    owners = f" (spec.replicas is also set by {', '.join(workload.scaled_by)})" if workload.scaled_by else ""
    return f"{name} of the {role} colour wants no pods{owners}, so nobody processes: scale it up"


def contract_gates(
    colour: str, role: str, group: str, statuses: t.Mapping[str, PodStatus], silent: t.Mapping[str, str]
) -> list[Gate]:
    """Every pod speaks the contract, and is who we think it is."""
    wrong = [why for _pod, why in sorted(silent.items())]
    for pod, status in sorted(statuses.items()):
        if status.colour != colour:
            wrong.append(f"pod {pod} says it is {status.colour}, expected {colour}")
        elif status.group_id != group:
            wrong.append(f"pod {pod} consumes with group {status.group_id}, expected {group}")
    seen = f"{len(statuses)} of {len(statuses) + len(silent)}"
    return [
        gate(
            f"{role} pods speak bg/v1",
            seen,
            "all",
            not wrong,
            "; ".join(wrong[:5])
            + ". Pods that can't answer any more, or never speak bg/v1, are moved with bg_mode=cold",
        )
    ]


def members_gate(
    role: str, group: Group, partitions: t.Collection[TopicPartition], strangers: t.Sequence[Member]
) -> Gate:
    """Everybody in the group is a pod of ours (strangers are not), and reads nothing that the run does not move."""
    extra = sorted({tp.topic for member in group.members for tp in member.assignment} - {tp.topic for tp in partitions})
    advice = []
    if strangers:
        advice.append(
            f"group {group.group_id} has members that are not its pods: {'; '.join(m.identity for m in strangers[:3])}. Stop "
            "them or give them a group of their own; one whose pod died goes with its session (45 s by default)"
        )
    if extra:
        advice.append(
            f"group {group.group_id} also reads {', '.join(extra)}, which the run would not move: add it to bg_topics"
        )
    seen = f"{len(group.members) - len(strangers)} of {len(group.members)}" + (
        f", and reads {_some(extra)}" if extra else ""
    )
    return gate(f"{role} group's members are its pods", seen, "all, nothing else read", not advice, ". ".join(advice))


def ownership_gate(role: str, group: Group, partitions: t.Collection[TopicPartition], stopped: bool = False) -> Gate:
    """Every partition is owned exactly once. stopped: the colour has no pods and wants none, so nobody owns anything."""
    owned = [tp for member in group.members for tp in member.assignment]
    missing = sorted(set(partitions) - set(owned))
    passed = bool(partitions) and not missing and len(owned) == len(set(owned))
    if stopped and group.is_empty:
        return gate(f"{role} owns every partition", "stopped, its group is empty", "all, once", True)
    return gate(
        f"{role} owns every partition",
        f"{len(set(owned) & set(partitions))} of {len(partitions)}",
        "all, once",
        passed,
        _unowned(group, partitions, missing),
    )


def unread_topics(group: Group, partitions: t.Collection[TopicPartition]) -> list[str]:
    """Topics of which nobody owns a partition, in a group that owns others: its members do not subscribe to them."""
    owned = {tp.topic for member in group.members for tp in member.assignment}
    return sorted({tp.topic for tp in partitions} - owned) if owned else []


def _unowned(
    group: Group,
    partitions: t.Collection[TopicPartition],
    missing: t.Sequence[TopicPartition],
) -> str:
    """Why partitions have no owner, and what to do."""
    if not group.members:
        return (
            f"group {group.group_id} ({group.state}) has no members: it is not the group that the pods consume with (renamed? the two "
            "exchanged?), or they use assign(), which leaves no owner to be proven and can't be handed over"
        )
    unread = unread_topics(group, partitions)
    if unread:
        return (
            f"nobody in group {group.group_id} reads {', '.join(unread)}. If the application does not, name its topics in bg_topics, or "
            f"remove these offsets with kafka_group_offsets (state: absent, topics: {unread})"
        )
    return f"group {group.group_id} is {group.state}, without owner: {_some([str(tp) for tp in missing])}"


def active_gate(statuses: t.Mapping[str, PodStatus], role: str) -> Gate:
    """Every pod processes."""
    idle = [
        f"{pod}: {status.state}, member {status.member_state}"
        for pod, status in sorted(statuses.items())
        if not status.active
    ]
    drained = any(status.state == "DRAINED" for status in statuses.values())
    paused = ". A pod that was paused by hand continues with consumer_pause, state: running" if drained else ""
    return gate(
        f"{role} pods processing",
        f"{len(statuses) - len(idle)} of {len(statuses)}",
        "all",
        bool(statuses) and not idle,
        "; ".join(idle[:5]) + paused,
    )


def quiet_gate(
    statuses: t.Mapping[str, PodStatus], silent: t.Mapping[str, str], pods: t.Sequence[Pod], role: str = "standby"
) -> Gate:
    """No pod of the colour that should stand by processes. One that is Ready and silent is not known to stand by."""
    busy = [f"{pod}: {status.state}" for pod, status in sorted(statuses.items()) if status.processing]
    ready = {pod.name for pod in pods if pod.ready and not pod.terminating}
    unknown = [why for pod, why in sorted(silent.items()) if pod in ready]
    seen = f"{len(busy)}" + (f", {len(unknown)} unknown" if unknown else "")
    advice = ["both colours are active: " + "; ".join(busy[:5])] if busy else []
    return gate(f"{role} pods processing", seen, "0", not busy and not unknown, ". ".join([*advice, *unknown[:3]]))


def template_gate(workload: Workload | None) -> Gate:
    """The target's pods run the template of their workload: who switches wants the new version."""
    outdated = workload.outdated if workload else ""
    return gate(
        "target pods are of its template",
        outdated or "all",
        "all",
        not outdated,
        "finish the rollout (kubectl rollout resume or status; OnDelete: delete the old pods), or you switch to the old version",
    )


def scalers_gate(mode: str, scalers: t.Sequence[Scaler] | None) -> Gate:
    """Who scales the workloads by itself. KEDA starts a colour that was stopped: cold mode can't be proven beside it."""
    if scalers is None:
        return gate(
            "autoscalers",
            "unknown",
            "none",
            False,
            "grant list on horizontalpodautoscalers and scaledobjects",
            warn=True,
        )
    at_work = [scaler for scaler in scalers if not scaler.paused]
    wakes = [scaler for scaler in at_work if scaler.kind == "ScaledObject" and mode == "cold"]
    advice = f"{'; '.join(map(str, at_work))} may change replicas during the run and after it"
    if wakes:
        advice += (
            f". A stopped colour's lag grows, so {wakes[0].kind} {wakes[0].name} starts it again: pause it first "
            '(annotation autoscaling.keda.sh/paused: "true")'
        )
    return gate(
        "autoscalers", _some([f"{s.kind} {s.name}" for s in at_work]), "none", not at_work, advice, warn=not wakes
    )


KEDA = "keda"
"""Field managers of this prefix are KEDA's: it starts a colour that was stopped, also where its ScaledObjects may not be seen."""


def scaled_by_gate(mode: str, workloads: t.Iterable[Workload | None]) -> Gate:
    """Who else writes the replicas, and so may put them back."""
    seen = [workload for workload in workloads if workload and workload.scaled_by]
    wakes = mode == "cold" and any(name.startswith(KEDA) for workload in seen for name in workload.scaled_by)
    advice = "applying spec.replicas again undoes what a run scaled: leave it out of the manifests, or let the tool ignore it"
    if wakes:
        advice += ". KEDA starts a stopped colour, whose lag grows: pause its ScaledObject, then scale the colour once with kubectl"
    owned = [f"{workload.name} by {', '.join(workload.scaled_by)}" for workload in seen]
    return gate("replicas' other owners", _some(owned), "none", not owned, advice, warn=not wakes)


def grace_gate(workload: Workload | None, pods: int, limit: float) -> Gate:
    """The source can stop within ``limit`` seconds. Pods of an ordered StatefulSet stop one after the other."""
    needed = workload.grace * (max(1, pods) if workload.ordered else 1) if workload else 0
    return gate(
        "source stops in time",
        f"up to {needed} s",
        f"< {limit:.0f} s",
        needed < limit,
        "terminationGracePeriodSeconds allows more than the run waits, while nobody processes: raise bg_timeouts.start or lower it",
    )


def other_groups_gate(others: t.Mapping[str, str]) -> Gate:
    """Pods of the application that are members of further groups: the run does not move those."""
    return gate(
        "pods in other groups",
        _some([f"{group} ({pod})" for group, pod in sorted(others.items())]),
        "none",
        not others,
        "what they read there is read by both colours, each in its own time: one application has one group per colour",
        warn=True,
    )


def elsewhere_gate(role: str, group: str, topics: t.Collection[str]) -> Gate:
    """Commits of the group for topics that the run does not move."""
    return gate(
        f"{role} offsets of other topics",
        _some(sorted(topics)),
        "none",
        not topics,
        f"nobody in group {group} reads them now; if the application does, add them to bg_topics, else remove the offsets",
        warn=True,
    )


def ended_gate(ended: t.Sequence[str]) -> Gate:
    """Pods that ended and are still listed: no process is behind them, so they count for nothing."""
    return gate("pods that ended", _some(ended), "ignored", True)


def pending_gate(group: str, pending: t.Collection[TopicPartition]) -> Gate:
    """Offsets of the source that an open transaction holds: they are waited for."""
    return gate(
        "source offsets in open transactions",
        _some(sorted(map(str, pending))),
        "0",
        not pending,
        f"the hand-over waits for them; kafka_group_offsets_info of group {group} names the producer and what ends it",
        warn=True,
    )


def epoch_gate(record: int, statuses: t.Iterable[PodStatus]) -> Gate:
    """No pod has seen a newer record than this one: a pod never goes back."""
    newest = max((status.epoch for status in statuses), default=0)
    return gate(
        "record's epoch",
        f"{record}, pods have seen {newest}",
        ">= that of every pod",
        newest <= record,
        f"the record was reverted or created again; pods stop rather than follow it. Write it with epoch {newest + 1} "
        f"(bg_configmap_switch, force: true, epoch: {newest + 1}) and the colour that really is active",
    )


def immutable_gate(immutable: bool) -> Gate:
    """The record can be changed."""
    return gate(
        "record can be changed",
        "immutable" if immutable else "yes",
        "yes",
        not immutable,
        "somebody made the ConfigMap immutable: delete it and create it again with the same data",
    )


def running_target_gate(pods: t.Sequence[Pod], statuses: t.Mapping[str, PodStatus], group: Group) -> Gate:
    """Cold: the target does not run yet, or says that it stands by."""
    unknown = [pod.name for pod in pods if pod.name not in statuses]
    at_work = [member for member in group.members if member.assignment]
    passed = not (unknown and at_work)
    return gate(
        "target does not run yet",
        "no pods" if not pods else f"{len(pods)} pods, {len(unknown)} not known to stand by",
        "stopped or standing by",
        passed,
        "both colours may be processing now: scale the target to 0 before the first switch, and audit what it did",
    )


def parallelism_gate(partitions: int, consumers: int) -> Gate:
    """Rule of thumb: at least two partitions per consumer. Surplus consumers idle."""
    return gate(
        "partitions per consumer",
        f"{partitions}/{consumers}",
        ">= 2",
        consumers > 0 and partitions >= 2 * consumers,
        "some consumers own a single partition or none",
        warn=True,
    )


def lock_gate(holder: str, mine: str) -> Gate:
    """Nobody else is at work. Only a warning: a dead holder's lock expires, and taking it waits for that."""
    return gate(
        "lock",
        holder or "free",
        "free",
        holder in ("", mine),
        "another run holds or left it; this run will wait for it to end or expire",
        warn=True,
    )


def _some(items: t.Sequence[str]) -> str:
    return "0" if not items else f"{len(items)}: " + ", ".join(items[:3]) + (" ..." if len(items) > 3 else "")
