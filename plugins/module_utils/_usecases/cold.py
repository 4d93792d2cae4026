# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Cold hand-over: the source stops and leaves its group, offsets are copied while both groups are empty, the target starts.

Asks nothing of the application but that it commits what it processed and stops on SIGTERM.
"""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import NoGoError, OffsetsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.handoff import Handoff
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.abort import resume
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.observe import partitions_of
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run_context import RunContext, write_offsets
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.waits import wait_started, wait_stopped


def quiesce(ctx: RunContext) -> Handoff:
    """Stop the source: no pod is left, its group is empty; what it has committed is where the target begins."""
    ctx.scale(ctx.source, 0)
    wait_stopped(ctx, ctx.source, ctx.app.timeouts.start)
    topics = ctx.ports.kafka.topics(list(ctx.topics))
    for name, topic in ctx.topics.items():
        if name not in topics or topics[name].topic_id != topic.topic_id:
            raise OffsetsError(f"Topic {name} was deleted or created again during the hand-over")
    if ctx.run.unconfirmed and not ctx.inherited_by(ctx.source):
        raise OffsetsError(
            f"{ctx.source} was made active at epoch {ctx.stored.record.activated_epoch} and never confirmed where it began, "
            "and the snapshot of that hand-over is missing: its commits alone may be older than what it was handed"
        )
    partitions = partitions_of(topics)
    committed = ctx.ports.kafka.committed(ctx.group(ctx.source), partitions)
    found = ctx.hand_off_of(ctx.source, committed, partitions, ctx.ports.kafka.log_ranges(partitions))
    if ctx.run.unconfirmed:
        # Its pods never confirmed where they began. Written down now, an abort may let the source go on by its commits.
        ctx.lock.hold()
        write_offsets(ctx.ports, ctx.group(ctx.source), found.offsets)
        ctx.write_journal(replace(ctx.run, unconfirmed=False))
    return found


def copy(ctx: RunContext, handoff: Handoff) -> int:
    """Give the target's empty group the hand-off, verbatim, read back. Answers how many commits changed."""
    group = ctx.ports.kafka.groups([ctx.group(ctx.target)])[ctx.group(ctx.target)]
    if not group.is_empty:
        raise NoGoError(
            f"Group {group.group_id} has members again ({', '.join(map(str, group.members[:3]))}); "
            f"somebody started {ctx.target} during the run"
        )
    ctx.lock.hold()
    return write_offsets(ctx.ports, group.group_id, handoff.offsets)


def start(ctx: RunContext, colour: str, replicas: int) -> None:
    """Start a colour and wait until its pods are Ready; one that somebody started too early is told to go on."""
    ctx.scale(colour, replicas)
    wait_started(ctx, colour, replicas, [], joined=False)
    resume(ctx, colour, demanded=False)
