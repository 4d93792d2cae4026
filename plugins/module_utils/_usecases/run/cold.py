# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Cold hand-over: the source stops and leaves its group, offsets are copied while both groups are empty, the target starts.

Asks nothing of the application but that it commits what it processed and stops on SIGTERM.
"""

from __future__ import annotations

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import NoGoError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import changed_topics
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.handoff import Handoff
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.write_offsets import write_offsets
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.context import RunContext, replicas_of
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.observe import partitions_of
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.waits import (
    group_of,
    settled_commits,
    wait_started,
    wait_stopped,
)


def quiesce(ctx: RunContext) -> Handoff:
    """Stop the source: no pod is left, its group is empty; what it has committed is where the target begins."""
    ctx.scale(ctx.source, 0)
    wait_stopped(ctx, ctx.source)
    topics = ctx.ports.kafka.topics(list(ctx.topics))
    changed_topics(ctx.topics, topics)
    partitions = partitions_of(topics)
    committed = settled_commits(ctx, ctx.source, partitions)
    return ctx.hand_off_of(ctx.source, committed, partitions, ctx.ports.kafka.log_ranges(partitions))


def copy(ctx: RunContext, handoff: Handoff) -> int:
    """Give the target's empty group the hand-off, verbatim, read back. Returns how many commits changed."""
    group = group_of(ctx, ctx.target)
    if not group.is_empty:
        raise NoGoError(
            f"Group {group.group_id} has members again ({', '.join(member.identity for member in group.members[:3])}); "
            f"somebody started {ctx.target} during the run"
        )
    ctx.lock.hold()
    return write_offsets(ctx.ports, group.group_id, handoff.offsets)


def still_stopped(ctx: RunContext) -> None:
    """Right before the flip: nobody has started the source again, and what was copied is of the topics that are there.

    Raises NoGoError that names what is there, OffsetsError that names the topic.
    """
    changed_topics(ctx.topics, ctx.ports.kafka.topics(list(ctx.topics)))
    workload, pods, group = ctx.workload(ctx.source), ctx.pods(ctx.source), group_of(ctx, ctx.source)
    left = [f"pod {pod.name}" for pod in pods] + [f"member {member.identity}" for member in group.members]
    if workload.replicas or left:
        raise NoGoError(
            f"{ctx.source} was started again during the run{ctx.whose_scale(ctx.source)}: {workload.kind} {workload.name} wants "
            f"{workload.replicas} replicas; there are {', '.join(left[:5]) or 'no pods yet'}"
        )


def begin(ctx: RunContext, colour: str) -> None:
    """Start the active colour, whose group has its offsets. One that has more pods than it needs keeps them."""
    replicas = replicas_of(ctx.app, ctx.run, colour)
    ctx.raise_to(colour, replicas)
    wait_started(ctx, colour, replicas)
