# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Where the target has to begin, partition by partition. No I/O."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    LogRange,
    TopicPartition,
)

MARK = "bg:"
_WHOLE = re.compile(r"bg:([0-9]{1,15});")
_SEED = "bg:0;\x00"
"""confluent-kafka for Python reads metadata to a zero byte, past its end where it has none; its own commits have one."""


def commit_epoch(committed: CommittedOffset) -> int | None:
    """The epoch a pod was active in when it wrote this commit, or None where the commit has no mark.

    Metadata begins with ``bg:<epoch>;``, what follows is the application's. A mark that is not whole is older than every reign.
    """
    if not committed.metadata.startswith(MARK):
        return None
    found = _WHOLE.match(committed.metadata)
    return int(found.group(1)) if found else 0


@dataclass(frozen=True)
class Handoff:
    """Where the target begins. decided tells, per partition, every choice that was not simply the commit."""

    offsets: t.Mapping[TopicPartition, CommittedOffset]
    decided: t.Mapping[TopicPartition, str]
    ranges: t.Mapping[TopicPartition, LogRange]


def hand_off(
    partitions: t.Collection[TopicPartition],
    committed: t.Mapping[TopicPartition, CommittedOffset],
    inherited: t.Mapping[TopicPartition, CommittedOffset | None],
    activated_epoch: int,
    ranges: t.Mapping[TopicPartition, LogRange],
) -> Handoff:
    """The next offset to process of every partition, by the rule that the pods follow too.

    inherited is what the source itself was handed at ``activated_epoch``; it counts where no pod has committed since. None
    where that was of another topic of this name: then what an older commit says was never read.
    """
    offsets: dict[TopicPartition, CommittedOffset] = {}
    decided: dict[TopicPartition, str] = {}
    for tp in partitions:
        commit = committed.get(tp)
        if tp in inherited and (commit is None or is_older(commit, activated_epoch)):
            handed = inherited[tp]
            offsets[tp] = CommittedOffset(ranges[tp].start) if handed is None else handed
            decided[tp] = f"handed over at epoch {activated_epoch}, not processed since"
            if handed is None:
                decided[tp] = f"earliest: the topic was created again since epoch {activated_epoch}, and not processed"
        elif commit is not None:
            offsets[tp] = commit
        else:
            offsets[tp] = CommittedOffset(ranges[tp].start)
            decided[tp] = "earliest: nobody ever committed it"
    return Handoff(offsets, decided, ranges)


def is_older(commit: CommittedOffset, activated_epoch: int) -> bool:
    """True when a pod, or a run that seeded the group, marked the commit before the reign that began at ``activated_epoch``.

    A commit without a mark counts: somebody set it on purpose, or the application leaves no marks.
    """
    epoch = commit_epoch(commit)
    return epoch is not None and epoch < activated_epoch


def unmarked(committed: t.Mapping[TopicPartition, CommittedOffset]) -> list[TopicPartition]:
    """Partitions whose commit has no mark: after a flip they would count as set on purpose."""
    return sorted(tp for tp, commit in committed.items() if commit_epoch(commit) is None)


def as_seeds(offsets: t.Mapping[TopicPartition, CommittedOffset]) -> dict[TopicPartition, CommittedOffset]:
    """The offsets as they are written to a group that stands by: marked as older than every reign."""
    return {tp: committed._replace(metadata=_SEED) for tp, committed in offsets.items()}
