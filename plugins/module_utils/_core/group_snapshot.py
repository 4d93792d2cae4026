# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The committed offsets of a group as data that a person can keep in a file and give back. No I/O.

Shape: ``{format: 1, group_id, topic_ids: {topic: id}, offsets: [{topic, partition, offset, leader_epoch, metadata}]}``,
offset None where there was no committed offset.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import (
    CommittedOffset,
    Topic,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.offsets import Desired

FORMAT = 1


@dataclass(frozen=True)
class GroupSnapshot:
    """Offsets of a group, None where there was none. topic_ids tells a topic that was deleted and created again."""

    group_id: str
    offsets: t.Mapping[TopicPartition, CommittedOffset | None]
    topic_ids: t.Mapping[str, str]

    def desired(self) -> dict[TopicPartition, Desired]:
        """What a group has to have to be as it was."""
        return {
            tp: Desired.copy_of(committed) if committed else Desired(None, removed=True, reason="had none")
            for tp, committed in self.offsets.items()
        }

    def to_data(self) -> dict[str, t.Any]:
        """JSON-ready."""
        rows = [
            {
                "topic": tp.topic,
                "partition": tp.partition,
                "offset": committed.offset if committed else None,
                "leader_epoch": committed.leader_epoch if committed else -1,
                "metadata": committed.metadata if committed else "",
            }
            for tp, committed in sorted(self.offsets.items())
        ]
        return {"format": FORMAT, "group_id": self.group_id, "topic_ids": dict(self.topic_ids), "offsets": rows}


def recreated(topic_ids: t.Mapping[str, str], topics: t.Mapping[str, Topic], since: str) -> list[str]:
    """Faults: topics that are not those they were. since: what their ids were remembered by."""
    return [
        f"topic {name} was deleted and created again since {since} (id {topic_ids[name]}, now {topic.topic_id}); "
        "offsets of the old one mean nothing in it"
        for name, topic in sorted(topics.items())
        if name in topic_ids and topic.topic_id != topic_ids[name]
    ]


def parse(data: t.Any, where: str) -> GroupSnapshot:
    """Read it back. where: for messages. Raises InvalidSettingsError with every fault."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        seen = data.get("format") if isinstance(data, dict) else type(data).__name__
        raise InvalidSettingsError([f"{where} is no snapshot of a group: format {FORMAT} expected, seen {seen!r}"])
    rows, ids = data.get("offsets"), data.get("topic_ids")
    faults: list[str] = []
    if not isinstance(rows, list) or not rows:
        faults.append(f"{where} lists no offsets")
    if not isinstance(ids, dict):
        faults.append(f"{where} has no topic_ids, so a topic that was created again would go unnoticed")
    offsets: dict[TopicPartition, CommittedOffset | None] = {}
    for number, row in enumerate(rows if isinstance(rows, list) else ()):
        try:
            tp, committed = _row(row)
        except (KeyError, TypeError, ValueError) as error:
            faults.append(f"{where}: entry {number} is not as it should be: {error!r}")
            continue
        if tp in offsets:
            faults.append(f"{where}: partition {tp} is listed twice")
        elif isinstance(ids, dict) and tp.topic not in ids:
            faults.append(f"{where}: topic_ids does not have topic {tp.topic}")
        offsets[tp] = committed
    if faults:
        raise InvalidSettingsError(list(dict.fromkeys(faults)))
    return GroupSnapshot(str(data.get("group_id", "")), offsets, {str(k): str(v) for k, v in ids.items()})  # type: ignore[union-attr]


def _row(row: t.Mapping[str, t.Any]) -> tuple[TopicPartition, CommittedOffset | None]:
    tp = TopicPartition(str(row["topic"]), int(row["partition"]))
    if row["offset"] is None:
        return tp, None
    offset = int(row["offset"])
    if offset < 0:
        raise ValueError(f"offset {offset} is negative")
    return tp, CommittedOffset(offset, int(row.get("leader_epoch", -1)), str(row.get("metadata", "")))
