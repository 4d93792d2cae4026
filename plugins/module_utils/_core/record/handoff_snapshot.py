# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The snapshot: where every partition stood at a hand-over, compressed and cut so that it fits ConfigMaps. No I/O."""

from __future__ import annotations

import base64
import json
import typing as t
import zlib
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import OffsetsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    LogRange,
    Topic,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Run

CHUNK = 512 * 1024
"""Largest text in one ConfigMap: half of what the API server takes, so that labels and metadata always fit."""


NO_TOPIC_ID = "A" * 22
"""Sixteen bytes of zeros, base64url."""
SLOTS = ("a", "b")
"""A new snapshot takes the slot that the record does not name: fixed names, so that pods may be given the right to read them."""
PARTITIONS_PER_CHUNK = 25_000
"""What one part holds at least."""
MOST_CHUNKS = 8
"""Parts of one snapshot, 200,000 partitions or more; a fixed number, because each name is one that rights are given for."""


def snapshot_name(app: str, slot: str) -> str:
    """Name of the ConfigMap that holds the first part of the snapshot in a slot."""
    return f"{app}-bg-snapshot-{slot}"


def chunk_name(name: str, chunk: int) -> str:
    """Name of one part. Part 0 is written last: where it says so many chunks of a run, they were there."""
    return name if chunk == 0 else f"{name}-{chunk}"


def free_slot(app: str, named: str) -> str:
    """Name of the snapshot to write while the record names ``named``."""
    first, second = (snapshot_name(app, slot) for slot in SLOTS)
    return second if named == first else first


@dataclass(frozen=True)
class HandoffSnapshot:
    """Offsets handed over at ``epoch``, the activated epoch of the target; topic_ids tells a topic that was deleted and created again."""

    epoch: int
    run_id: str
    mode: str
    source: str
    target: str
    taken: str
    offsets: t.Mapping[TopicPartition, CommittedOffset]
    ends: t.Mapping[TopicPartition, int]
    topic_ids: t.Mapping[str, str]


def take(
    epoch: int,
    run: Run,
    now: str,
    offsets: t.Mapping[TopicPartition, CommittedOffset],
    ranges: t.Mapping[TopicPartition, LogRange],
    topics: t.Mapping[str, Topic],
) -> HandoffSnapshot:
    """The snapshot of a run's hand-off."""
    return HandoffSnapshot(
        epoch=epoch,
        run_id=run.run_id,
        mode=run.mode,
        source=run.source,
        target=run.target,
        taken=now,
        offsets=dict(offsets),
        ends={tp: ranges[tp].end for tp in offsets},
        topic_ids={name: topic.topic_id for name, topic in topics.items()},
    )


def still_meant(
    snapshot: HandoffSnapshot, topics: t.Mapping[str, Topic]
) -> dict[TopicPartition, CommittedOffset | None]:
    """What the offsets mean now: nothing (None) for a topic that was created again since; topics that are gone are left out."""
    ids = snapshot.topic_ids
    # Brokers that know no ids tell none, or one of zeros.
    same = {name for name, topic in topics.items() if ids.get(name) in (None, "", NO_TOPIC_ID, topic.topic_id)}
    return {
        tp: committed if tp.topic in same else None for tp, committed in snapshot.offsets.items() if tp.topic in topics
    }


def same_logs(snapshot: HandoffSnapshot, topics: t.Mapping[str, Topic]) -> dict[TopicPartition, CommittedOffset]:
    """The offsets that still mean something: those of topics that were not deleted or created again since."""
    return {tp: committed for tp, committed in still_meant(snapshot, topics).items() if committed is not None}


def changed_topics(before: t.Mapping[str, Topic], now: t.Mapping[str, Topic]) -> None:
    """Raise OffsetsError when a topic is gone or was created again: its old offsets mean nothing there."""
    for name, topic in before.items():
        if name not in now:
            raise OffsetsError(f"Topic {name} disappeared during the hand-over")
        if now[name].topic_id != topic.topic_id:
            raise OffsetsError(
                f"Topic {name} was deleted and created again during the hand-over (id {topic.topic_id} is now {now[name].topic_id})"
            )


def to_chunks(snapshot: HandoffSnapshot) -> list[dict[str, str]]:
    """Data of the ConfigMaps, part 0 first. Each says whose it is: parts of two snapshots never pass for one.

    Raises OffsetsError when it takes more than MOST_CHUNKS.
    """
    rows: dict[str, list[list[t.Any]]] = {}
    for tp, committed in sorted(snapshot.offsets.items()):
        row = [tp.partition, committed.offset, committed.leader_epoch, committed.metadata, snapshot.ends.get(tp, -1)]
        rows.setdefault(tp.topic, []).append(row)
    body = json.dumps({"topics": rows, "topic_ids": dict(snapshot.topic_ids)}, separators=(",", ":"), sort_keys=True)
    text = base64.b64encode(zlib.compress(body.encode())).decode()
    parts = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)] or [""]
    if len(parts) > MOST_CHUNKS:
        raise OffsetsError(f"A snapshot of {len(snapshot.offsets)} partitions does not fit {MOST_CHUNKS} ConfigMaps")
    head = {
        "format": "2",
        "mode": snapshot.mode,
        "source": snapshot.source,
        "target": snapshot.target,
        "taken": snapshot.taken,
        "partitions": str(len(snapshot.offsets)),
        "chunks": str(len(parts)),
    }
    whose = {"epoch": str(snapshot.epoch), "run-id": snapshot.run_id}
    return [
        {**whose, **(head if index == 0 else {}), "chunk": str(index), "offsets": part}
        for index, part in enumerate(parts)
    ]


def from_chunks(name: str, chunks: t.Sequence[t.Mapping[str, str]]) -> HandoffSnapshot:
    """Read a snapshot back. Raises OffsetsError when it is not whole or not ours."""
    if len({(chunk.get("epoch"), chunk.get("run-id")) for chunk in chunks}) > 1:
        raise OffsetsError(f"ConfigMap {name} is not a whole snapshot: its parts belong to different runs")
    try:
        head = chunks[0]
        body = json.loads(zlib.decompress(base64.b64decode("".join(chunk["offsets"] for chunk in chunks))))
        rows = [(TopicPartition(topic, row[0]), row) for topic, listed in body["topics"].items() for row in listed]
        return HandoffSnapshot(
            epoch=int(head["epoch"]),
            run_id=head["run-id"],
            mode=head["mode"],
            source=head["source"],
            target=head["target"],
            taken=head["taken"],
            offsets={tp: CommittedOffset(row[1], row[2], row[3]) for tp, row in rows},
            ends={tp: row[4] for tp, row in rows},
            topic_ids=body["topic_ids"],
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, zlib.error) as error:
        raise OffsetsError(f"ConfigMap {name} is not a whole snapshot: {error!r}") from error
