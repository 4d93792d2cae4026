# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Go/No-Go: each gate says what it saw, what it wants and its verdict. No data is No-Go. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.contract import PodStatus
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.drift import DriftOwner, reverting
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import (
    CommittedOffset,
    Group,
    LogRange,
    Pod,
    Topic,
    TopicPartition,
    Workload,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.transactions import Transactions, abort_command

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
    committed: t.Mapping[TopicPartition, CommittedOffset], ranges: t.Mapping[TopicPartition, LogRange], max_lag: int
) -> Gate:
    """The target is not born behind. A partition without a commit counts whole, from the start of its log."""
    if not ranges:
        return gate("source lag", "unknown", f"<= {max_lag}", False, "no end offsets could be read")
    lag = sum(log.end - (committed[tp].offset if tp in committed else log.start) for tp, log in ranges.items())
    return gate(
        "source lag", f"{lag} records", f"<= {max_lag}", lag <= max_lag, "let the source catch up, or raise bg_max_lag"
    )


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
    others = reverting(owners)
    return gate(
        "active record's owners",
        ", ".join(owner.owner for owner in others) or "none",
        "none that write it back",
        not others,
        " ".join(owner.warning(record) for owner in others),
        warn=True,
    )


def range_gate(faults: t.Sequence[str]) -> Gate:
    """No committed offset of the source lies outside its log."""
    return gate(
        "source offsets inside the log",
        _some(faults),
        "0 outside",
        not faults,
        "records are already lost or the log was truncated: decide with kafka_group_offsets first",
    )


def source_gates(workload: Workload | None, pods: t.Sequence[Pod], name: str, role: str = "source") -> list[Gate]:
    """The active colour is there and well."""
    ready = sum(pod.ready for pod in pods)
    wanted = workload.replicas if workload else 0
    problems = "; ".join(f"{pod.name}: {pod.problem}" for pod in pods if pod.problem)
    return [
        gate(
            f"{role} pods ready",
            f"{ready} of {wanted}" if workload else f"{name} not found",
            "all",
            wanted > 0 and ready == wanted,
            problems or "repair the active colour first",
        )
    ]


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
            "; ".join(wrong[:5]) + ". Without the contract use bg_mode=cold",
        )
    ]


def ownership_gate(
    statuses: t.Mapping[str, PodStatus], group: Group, partitions: t.Collection[TopicPartition], role: str
) -> Gate:
    """Every partition is owned exactly once, by a pod we know."""
    owned = [tp for member in group.members for tp in member.assignment]
    known = {status.member_id for status in statuses.values()}
    strangers = [str(member) for member in group.members if member.member_id not in known]
    missing = sorted(set(partitions) - set(owned))
    passed = (
        bool(partitions) and not missing and len(owned) == len(set(owned)) and not strangers and group.state == "Stable"
    )
    advice = (
        f"members that are none of the pods: {_some(strangers)}"
        if strangers
        else f"group {group.group_id} is {group.state}, without owner: {_some([str(tp) for tp in missing])}"
    )
    return gate(
        f"{role} owns every partition",
        f"{len(set(owned) & set(partitions))} of {len(partitions)}",
        "all, once",
        passed,
        advice,
    )


def active_gate(statuses: t.Mapping[str, PodStatus], role: str) -> Gate:
    """Every pod processes."""
    idle = [
        f"{pod}: {status.state}, member {status.member_state}"
        for pod, status in sorted(statuses.items())
        if not status.active
    ]
    return gate(
        f"{role} pods processing",
        f"{len(statuses) - len(idle)} of {len(statuses)}",
        "all",
        bool(statuses) and not idle,
        "; ".join(idle[:5]),
    )


def quiet_gate(statuses: t.Mapping[str, PodStatus]) -> Gate:
    """No pod of the colour that should stand by processes."""
    busy = [f"{pod}: {status.state}" for pod, status in sorted(statuses.items()) if status.processing]
    return gate("standby pods processing", str(len(busy)), "0", not busy, "two colours at work: " + "; ".join(busy[:5]))


def parallelism_gate(partitions: int, consumers: int) -> Gate:
    """Room for both colours (a seed's rule; more consumers than partitions only idle)."""
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
