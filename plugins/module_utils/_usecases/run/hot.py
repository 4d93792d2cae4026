# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Hot hand-over: the source is paused and proven quiet while the target's pods have joined and stand by."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Pod
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    NotDrainedError,
    NotReadyError,
    PendingOffsetsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    LogRange,
    Topic,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.pod_status import PodStatus
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import changed_topics
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.handoff import Handoff
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.quiet import not_drained
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.context import RunContext
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.drive import drive, pause
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.observe import partitions_of

POLL = 0.02
"""Seconds between two looks in the critical section: every one of them is a gap in processing."""


def quiesce(ctx: RunContext, pods: t.Sequence[Pod]) -> Handoff:
    """Pause every pod of the source and prove it quiet; returns where the target begins.

    pods: the source's pods as listed before the record was armed. Raises NotDrainedError with every reason.
    """
    proof = _Proof(ctx)
    epoch = ctx.stored.record.epoch
    order = pause(epoch, min(2.0, ctx.app.timeouts.request))
    try:
        drive(ctx, ctx.source, order, ctx.app.timeouts.pause, poll=POLL, pods=pods, look=proof.look)
    except NotReadyError as error:
        raise NotDrainedError(f"{ctx.source} could not be proven quiet: {error.message}", error.result) from error
    changed_topics(ctx.topics, proof.topics)
    return ctx.hand_off_of(ctx.source, proof.committed, partitions_of(proof.topics), proof.ranges)


class _Proof:
    """What pods and broker say of the source, read after its pods were told to pause."""

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx
        self.topics: dict[str, Topic] = {}
        self.committed: dict[TopicPartition, CommittedOffset] = {}
        self.ranges: dict[TopicPartition, LogRange] = {}

    def look(self, statuses: t.Mapping[str, PodStatus]) -> tuple[list[Pod], list[str]]:
        """The pods as listed now, and why the source is not proven quiet."""
        ctx = self._ctx
        facts = ctx.ports.parallel.run(
            {
                "pods": lambda: ctx.pods(ctx.source),
                "group": lambda: ctx.ports.kafka.groups([ctx.group(ctx.source)])[ctx.group(ctx.source)],
                "offsets": self._offsets,
            }
        )
        listed: list[Pod] = facts["pods"]
        present = {pod.name: statuses[pod.name] for pod in listed if pod.name in statuses}
        expected = [pod for pod in listed if pod.name in present or not pod.problem]
        reasons = not_drained(expected, present, facts["group"], self.committed, partitions_of(self.topics))
        return listed, [*reasons, *facts["offsets"]]

    def _offsets(self) -> list[str]:
        """Topics as they are now, commits of the source and ranges of the log; what keeps the commits from being final."""
        ctx, kafka = self._ctx, self._ctx.ports.kafka
        self.topics = kafka.topics(list(ctx.topics))
        partitions = partitions_of(self.topics)
        try:
            self.committed = kafka.committed(ctx.group(ctx.source), partitions)
        except PendingOffsetsError as error:
            self.committed = {}
            return [error.message]
        self.ranges = kafka.log_ranges(partitions)
        return []
