# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Give a consumer group the requested committed offsets, or none, and prove that it has them."""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    GroupNotEmptyError,
    KafkaError,
    NoGoError,
    OffsetsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.group_snapshot import (
    GroupSnapshot,
    recreated,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offset_request import OffsetRequest
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offsets import (
    AS_WANTED,
    Decision,
    OffsetPlan,
    kept_by_members,
    kept_words,
    members_refusal,
    plan_offsets,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import Group, Topic, TopicPartition
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.empty_group import (
    empty_group,
    members_of,
    rows_of,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.offset_sources import (
    OffsetView,
    read_view,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.write_offsets import (
    LISTED,
    Written,
    change_offsets,
    in_words,
    named,
)


def set_offsets(ports: Ports, request: OffsetRequest, check: bool = False) -> dict[str, t.Any]:
    """Plan, write, read back, compare; the module's result. Nothing is written in check mode.

    Raises InvalidSettingsError or OffsetsError before anything is changed, GroupNotEmptyError when the group has members
    (for a removal: that may read one of the topics), and OffsetsError when a part was refused by the broker or does not read
    back as written. Each carries the result as far as it is known.
    """
    view = read_view(ports, request)
    plan = _plan(request, view)
    result = result_of(view.group, view.topics, plan)
    if not plan.changes:
        return result
    kept = kept_by_members(view.group, {tp.topic for tp in plan.changes})
    # Only offsets of topics that no member reads may go beside the members.
    if kept or not (request.remove or view.group.is_empty):
        verb = "deleted" if request.remove else "committed"
        about = f". {kept_words(view.group, kept)}" if request.remove else ""
        if check:
            warning = f"A real run would be refused now: {members_refusal(view.group, verb)}{about}"
            return {**result, "members": members_of(view.group), "warnings": [warning]}
        evicted = empty_out(ports, request, view.group, verb, result, about)
        # Members commit while they leave: what was read before is old.
        view = read_view(ports, request)
        plan = _plan(request, view)
        result = {**result_of(view.group, view.topics, plan), "evicted": evicted}
        result["changed"] = result["changed"] or bool(evicted)
    if plan.changes and not check:
        _write(ports, view, plan, result)
    return result


def empty_out(
    ports: Ports, request: OffsetRequest, group: Group, verb: str, result: t.Mapping[str, t.Any], about: str = ""
) -> list[dict[str, t.Any]]:
    """The group without members; returns who was evicted. Raises GroupNotEmptyError or NoGoError with the result.

    about: what its message ends with.
    """
    try:
        gone = empty_group(ports, group, verb, request.wait_empty, request.evict_static)
    except (GroupNotEmptyError, NoGoError) as error:
        raise type(error)(error.message + about, {**result, **error.result}) from error
    return rows_of(gone)


def _plan(request: OffsetRequest, view: OffsetView) -> OffsetPlan:
    """The plan. Raises OffsetsError with every fault, and what could be decided."""
    plan = plan_offsets(
        view.current, view.desired, view.ranges, request.missing, request.out_of_range, request.forward_only
    )
    if plan.faults:
        listed = "".join(f"\n  - {fault}" for fault in plan.faults[:LISTED])
        more = f"\n  - and {len(plan.faults) - LISTED} more" if len(plan.faults) > LISTED else ""
        faults = [str(fault) for fault in plan.faults]
        raise OffsetsError(
            f"Nothing was written to group {request.group_id}: {len(plan.faults)} fault(s){listed}{more}",
            {
                **result_of(view.group, view.topics, plan),
                "changed": False,
                "faults": faults,
                "lost": sum(fault.lost for fault in plan.faults) + sum(d.lost for d in plan.decisions),
            },
        )
    return plan


def _write(ports: Ports, view: OffsetView, plan: OffsetPlan, result: dict[str, t.Any]) -> None:
    """Write the changes, read them back, and see that the topics are still those that were looked at.

    Raises GroupNotEmptyError, KafkaError or OffsetsError saying which partitions moved and which did not.
    """
    kafka, group_id = ports.kafka, view.group.group_id
    done = change_offsets(ports, group_id, plan.changes, {"topics": lambda: kafka.topics(view.topics)})
    if done.unread is not None:
        raise _unknown(group_id, plan, done.trouble or done.unread, result) from done.unread
    if done.trouble is not None:
        raise _interrupted(ports, group_id, plan, done, result) from done.trouble
    if done.wrong:
        raise OffsetsError(
            f"{len(done.wrong)} of {len(plan.changes)} offsets of group {group_id} were not set: {named(done.wrong)}. "
            f"The other {len(plan.changes) - len(done.wrong)} were. Remove the cause and run the same again",
            _partly(plan, done.wrong, result),
        )
    moved_on = recreated(
        {name: topic.topic_id for name, topic in view.topics.items()}, done.beside["topics"], "it was read"
    )
    moved_on += _grown(view.topics, done.beside["topics"])
    if moved_on:
        raise OffsetsError(
            f"The offsets of group {group_id} were written, but meanwhile {'; '.join(moved_on)}. Run the same again",
            _partly(plan, {}, result),
        )


def _grown(before: t.Mapping[str, Topic], after: t.Mapping[str, Topic]) -> list[str]:
    grown = []
    for name, topic in sorted(before.items()):
        there = after[name].partitions if name in after else {}
        if name not in after:
            grown.append(f"topic {name} was deleted")
        elif len(there) > len(topic.partitions):
            grown.append(f"topic {name} grew from {len(topic.partitions)} to {len(there)} partitions")
    return grown


def _unknown(
    group_id: str, plan: OffsetPlan, cause: BlueGreenError, result: t.Mapping[str, t.Any]
) -> OffsetsError | GroupNotEmptyError:
    return OffsetsError(
        f"Whether the {len(plan.changes)} offsets of group {group_id} were set is unknown, they could not be read back: "
        f"{cause.message}. Run the same again",
        {**result, "changed": True, "moved": None},
    )


def _interrupted(
    ports: Ports, group_id: str, plan: OffsetPlan, done: Written, result: t.Mapping[str, t.Any]
) -> BlueGreenError:
    """What stopped the write, with who is in the group now and what had moved by then."""
    trouble = t.cast(BlueGreenError, done.trouble)
    try:
        members = {"members": members_of(ports.kafka.groups([group_id])[group_id])}
    except KafkaError:
        members = {}
    moved = len(plan.changes) - len(done.wrong)
    about = f"; {moved} of {len(plan.changes)} offsets of group {group_id} had moved by then" if moved else ""
    return type(trouble)(trouble.message + about, _partly(plan, done.wrong, {**result, **members}))


def _partly(plan: OffsetPlan, wrong: t.Mapping[TopicPartition, str], result: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    moved = [str(tp) for tp in plan.changes if tp not in wrong]
    refused = {str(tp): why for tp, why in sorted(wrong.items())}
    return {**result, "changed": bool(moved), "moved": moved, "refused": refused}


def result_of(group: Group, topics: t.Mapping[str, Topic], plan: OffsetPlan) -> dict[str, t.Any]:
    """What a module returns of a plan. ``diff`` is a function, because few calls show it and it takes long for many."""
    changed = [decision for decision in plan.decisions if decision.changes]
    before = {decision.partition: decision.before for decision in changed}
    ids = {name: topics[name].topic_id for name in sorted({tp.topic for tp in before}) if name in topics}
    return {
        "changed": bool(changed),
        "group_id": group.group_id,
        "type": group.kind,
        "state": group.state,
        "changed_partitions": len(changed),
        **_offsets_by_topic(plan.decisions),
        "details": [row for row in map(_detail, plan.decisions) if row],
        "lost": sum(decision.lost for decision in plan.decisions),
        "snapshot": GroupSnapshot(group.group_id, before, ids).to_data(),
        "diff": lambda: {
            "before": {str(d.partition): in_words(d.before) for d in changed},
            "after": {str(d.partition): in_words(d.after) for d in changed},
        },
    }


def _offsets_by_topic(decisions: t.Sequence[Decision]) -> dict[str, dict[str, dict[str, int | None]]]:
    """Offsets before and after, by topic and partition; partitions are texts, as keys of JSON are.

    Ansible looks for secrets in every value of a result, and a row of its own for each partition would be six of them.
    """
    before: dict[str, dict[str, int | None]] = {}
    after: dict[str, dict[str, int | None]] = {}
    for topic, group in itertools.groupby(decisions, key=lambda decision: decision.partition.topic):
        of_topic = [(str(each.partition.partition), each.before, each.after) for each in group]
        before[topic] = {number: was.offset if was else None for number, was, _now in of_topic}
        after[topic] = {number: now.offset if now else None for number, _was, now in of_topic}
    return {"before": before, "after": after}


def _detail(decision: Decision) -> dict[str, t.Any]:
    """What there is to say of a partition beside its offsets; empty when there is nothing."""
    before, after = decision.before, decision.after
    said: dict[str, t.Any] = {}
    if decision.changes and before and after and before.offset == after.offset:
        said = {"leader_epoch": after.leader_epoch, "metadata": after.metadata}
    if decision.reason != AS_WANTED:
        said["reason"] = decision.reason
    if decision.skipped:
        said["skipped"] = decision.skipped
    if decision.lost:
        said["lost"] = decision.lost
    tp = decision.partition
    return {"topic": tp.topic, "partition": tp.partition, **said} if said else {}
