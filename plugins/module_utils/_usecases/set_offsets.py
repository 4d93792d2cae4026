# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Give a consumer group the committed offsets it shall have, and prove that it has them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    GroupNotEmptyError,
    InvalidSettingsError,
    OffsetsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import (
    CommittedOffset,
    Group,
    Topic,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.offsets import (
    Desired,
    OffsetPlan,
    members_refusal,
    plan_offsets,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Kafka, Parallel

OTHER_KINDS = {
    "share": "a share group: the broker itself keeps what its members acknowledged, there are no offsets to hand over",
    "streams": "a Kafka Streams group: its offsets belong to its state stores and must not be moved alone",
}


@dataclass(frozen=True)
class OffsetRequest:
    """What was asked for: ``explicit`` offsets, or those of ``from_group`` (topics empty: all it has committed)."""

    group_id: str
    explicit: t.Mapping[TopicPartition, Desired] = field(default_factory=dict)
    from_group: str = ""
    topics: tuple[str, ...] = ()
    missing: str = "fail"
    out_of_range: str = "fail"


def set_offsets(kafka: Kafka, parallel: Parallel, request: OffsetRequest, check: bool = False) -> dict[str, t.Any]:
    """Plan, write, read back, compare; the module's result. Nothing is written in check mode.

    Raises GroupNotEmptyError before anything is written, and OffsetsError when something is wrong with the offsets,
    was refused by the broker, or does not read back as written.
    """
    group = kafka.groups([request.group_id])[request.group_id]
    if group.kind in OTHER_KINDS:
        raise OffsetsError(f"Group {group.group_id} is {OTHER_KINDS[group.kind]}")
    plan = _plan(kafka, parallel, request)
    result = _result(group, plan)
    if plan.faults:
        listed = "".join(f"\n  - {fault}" for fault in plan.faults)
        raise OffsetsError(
            f"Nothing was written to group {group.group_id}: {len(plan.faults)} fault(s){listed}", result
        )
    if plan.changes and not group.is_empty:
        refusal = members_refusal(group, "committed")
        if not check:
            raise GroupNotEmptyError(refusal, {**result, "changed": False})
        result["warnings"] = [f"A real run would be refused now: {refusal}"]
    if plan.changes and not check:
        _write(kafka, group.group_id, plan, result)
    return result


def _plan(kafka: Kafka, parallel: Parallel, request: OffsetRequest) -> OffsetPlan:
    names = _topic_names(kafka, request)
    topics = kafka.topics(names)
    partitions = _partitions(request, names, topics)
    calls: dict[str, t.Callable[[], t.Any]] = {
        "current": lambda: kafka.committed(request.group_id, partitions),
        "ranges": lambda: kafka.log_ranges(partitions),
    }
    if request.from_group:
        calls["source"] = lambda: kafka.committed(request.from_group, partitions)
    found = parallel.run(calls)
    desired: t.Mapping[TopicPartition, Desired] = request.explicit
    if request.from_group:
        desired = {tp: Desired.copy_of(found["source"].get(tp)) for tp in partitions}
    return plan_offsets(found["current"], desired, found["ranges"], request.missing, request.out_of_range)


def _topic_names(kafka: Kafka, request: OffsetRequest) -> list[str]:
    if not request.from_group:
        return sorted({tp.topic for tp in request.explicit})
    names = list(request.topics) or sorted(kafka.committed_topics(request.from_group))
    if not names:
        raise OffsetsError(
            f"Group {request.from_group} has no committed offsets to copy; check its name, or list the topics"
        )
    return names


def _partitions(request: OffsetRequest, names: t.Sequence[str], topics: t.Mapping[str, Topic]) -> list[TopicPartition]:
    """The partitions to decide: those listed, or all of the topics. Raises InvalidSettingsError for those not there."""
    faults = [f"topic {name} does not exist, or may not be described" for name in names if name not in topics]
    there = {TopicPartition(name, number) for name, topic in topics.items() for number in topic.partitions}
    for tp in sorted(request.explicit):
        if tp.topic in topics and tp not in there:
            faults.append(f"partition {tp} does not exist; the topic has {len(topics[tp.topic].partitions)} partitions")
    if faults:
        raise InvalidSettingsError(faults)
    return sorted(request.explicit or there)


def _write(kafka: Kafka, group_id: str, plan: OffsetPlan, result: dict[str, t.Any]) -> None:
    """Write the changes and read them back. Raises OffsetsError that says which partitions moved and which did not."""
    refused = kafka.commit(group_id, plan.changes)
    stored = kafka.committed(group_id, list(plan.changes))
    wrong = {
        tp: refused.get(tp) or f"reads back as {_offset(stored.get(tp))}"
        for tp, wanted in plan.changes.items()
        if stored.get(tp) != wanted
    }
    if wrong:
        moved = [str(tp) for tp in plan.changes if tp not in wrong]
        named = ", ".join(f"{tp} ({why})" for tp, why in sorted(wrong.items()))
        raise OffsetsError(
            f"{len(wrong)} of {len(plan.changes)} offsets of group {group_id} were not set: {named}. "
            f"The other {len(moved)} were. Remove the cause and run the same again",
            {**result, "changed": bool(moved), "moved": moved, "refused": {str(tp): why for tp, why in wrong.items()}},
        )


def _result(group: Group, plan: OffsetPlan) -> dict[str, t.Any]:
    rows = [
        {
            "topic": decision.partition.topic,
            "partition": decision.partition.partition,
            "before": _offset(decision.before),
            "after": decision.after.offset,
            "leader_epoch": decision.after.leader_epoch,
            "metadata": decision.after.metadata,
            "changed": decision.changes,
            "reason": decision.reason,
            "skipped": decision.skipped,
        }
        for decision in plan.decisions
    ]
    changed = [decision for decision in plan.decisions if decision.changes]
    return {
        "changed": bool(changed),
        "group_id": group.group_id,
        "type": group.kind,
        "state": group.state,
        "partitions": rows,
        "diff": {
            "before": {str(d.partition): _full(d.before) for d in changed},
            "after": {str(d.partition): _full(d.after) for d in changed},
        },
    }


def _offset(committed: CommittedOffset | None) -> int | None:
    return committed.offset if committed else None


def _full(committed: CommittedOffset | None) -> str:
    if committed is None:
        return "not committed"
    return f"offset {committed.offset}, leader epoch {committed.leader_epoch}, metadata {committed.metadata!r}"
