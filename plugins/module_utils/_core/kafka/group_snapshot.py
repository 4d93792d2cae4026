# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The committed offsets of a group as data that a person can keep in a file and give back. No I/O.

Shape: ``{format: 2, group_id, topic_ids: {topic: id}, offsets: {topic: text}}``. The text has one entry per partition,
sorted, with a space between two: ``0:1200@5`` is partition 0 with offset 1200 and leader epoch 5, ``1:1300`` has no known
epoch, ``2:1400@5="pod-7"`` has metadata (as a JSON string in ASCII, in which a space is ``\\u0020``), and ``3:-`` had no
committed offset. One text instead of ten thousand dictionaries, because Ansible looks for secrets in every value that a module
returns or is given.

Format 1 had ``offsets: [{topic, partition, offset, leader_epoch, metadata}]``, offset None where there was none. It is read
as before: people have it in files, and can write it by hand.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offsets import Desired
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Topic,
    TopicPartition,
)

FORMAT = 2
ENTRY = re.compile(r'(\d+):(?:-|(\d+)(?:@(\d+))?(?:=(".*"))?)', re.ASCII)

Offsets: t.TypeAlias = "dict[TopicPartition, CommittedOffset | None]"
Entry: t.TypeAlias = "tuple[TopicPartition, CommittedOffset | None]"


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
        texts: dict[str, list[str]] = {}
        for tp, committed in sorted(self.offsets.items()):
            texts.setdefault(tp.topic, []).append(_entry(tp.partition, committed))
        return {
            "format": FORMAT,
            "group_id": self.group_id,
            "topic_ids": dict(self.topic_ids),
            "offsets": {topic: " ".join(entries) for topic, entries in texts.items()},
        }


def _entry(partition: int, committed: CommittedOffset | None) -> str:
    if committed is None:
        return f"{partition}:-"
    epoch = f"@{committed.leader_epoch}" if committed.leader_epoch >= 0 else ""
    metadata = "=" + json.dumps(committed.metadata).replace(" ", r"\u0020") if committed.metadata else ""
    return f"{partition}:{committed.offset}{epoch}{metadata}"


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
    seen = data.get("format") if isinstance(data, dict) else type(data).__name__
    if seen not in (1, FORMAT):
        raise InvalidSettingsError([f"{where} is no snapshot of a group: format 1 or {FORMAT} expected, seen {seen!r}"])
    ids = data.get("topic_ids")
    faults: list[str] = []
    found = (_texts if seen == FORMAT else _rows)(data.get("offsets"), where, faults)
    if not found and not faults:
        wanted = "a text for each topic" if seen == FORMAT else "a list with an entry for each partition"
        faults.append(
            f"{where} lists no offsets: format {seen} has {wanted}, seen {type(data.get('offsets')).__name__}"
        )
    if not isinstance(ids, dict):
        faults.append(f"{where} has no topic_ids, so a topic that was created again would go unnoticed")
    offsets: Offsets = {}
    for tp, committed in found:
        if tp in offsets:
            faults.append(f"{where}: partition {tp} is listed twice")
        elif isinstance(ids, dict) and tp.topic not in ids:
            faults.append(f"{where}: topic_ids does not have topic {tp.topic}")
        offsets[tp] = committed
    if faults:
        raise InvalidSettingsError(list(dict.fromkeys(faults)))
    return GroupSnapshot(str(data.get("group_id", "")), offsets, {str(k): str(v) for k, v in ids.items()})


def _texts(offsets: t.Any, where: str, faults: list[str]) -> list[Entry]:
    """Format 2: a text for each topic."""
    found: list[Entry] = []
    for topic, text in offsets.items() if isinstance(offsets, dict) else ():
        if not str(text).split():
            faults.append(f"{where}: topic {topic} has no entries; leave out a topic that should stay as it is")
        for entry in str(text).split():
            try:
                number, committed = _read(entry)
            except ValueError as error:
                faults.append(f"{where}: entry {entry} of topic {topic} is not valid: {error}")
                continue
            found.append((TopicPartition(str(topic), number), committed))
    return found


def _read(entry: str) -> tuple[int, CommittedOffset | None]:
    seen = ENTRY.fullmatch(entry)
    if seen is None:
        raise ValueError('partition:offset@epoch="metadata" or partition:- expected')
    number, offset, epoch, metadata = seen.groups()
    if offset is None:
        return int(number), None
    return int(number), CommittedOffset(int(offset), int(epoch or -1), json.loads(metadata) if metadata else "")


def _rows(offsets: t.Any, where: str, faults: list[str]) -> list[Entry]:
    """Format 1: a row for each partition."""
    found: list[Entry] = []
    for number, row in enumerate(offsets if isinstance(offsets, list) else ()):
        try:
            found.append(_row(row))
        except (KeyError, TypeError, ValueError) as error:
            faults.append(f"{where}: entry {number} is not valid: {error!r}")
    return found


def _row(row: t.Mapping[str, t.Any]) -> Entry:
    tp = TopicPartition(str(row["topic"]), int(row["partition"]))
    if row["offset"] is None:
        return tp, None
    offset = int(row["offset"])
    if offset < 0:
        raise ValueError(f"offset {offset} is negative")
    return tp, CommittedOffset(offset, int(row.get("leader_epoch", -1)), str(row.get("metadata", "")))
