# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots survive being cut, stored and read back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import OffsetsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    LogRange,
    Topic,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record import handoff_snapshot as snapshots
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import (
    SLOTS,
    HandoffSnapshot,
    changed_topics,
    chunk_name,
    free_slot,
    from_chunks,
    same_logs,
    snapshot_name,
    still_meant,
    to_chunks,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Run

OFFSETS = st.dictionaries(
    st.builds(TopicPartition, st.sampled_from(("a", "b.c", "d_e-f")), st.integers(0, 5000)),
    st.builds(CommittedOffset, st.integers(0, 2**60), st.integers(-1, 10**6), st.text(max_size=20)),
    max_size=30,
)


def snapshot(offsets: dict[TopicPartition, CommittedOffset]) -> HandoffSnapshot:
    run = Run("run", "switch", "hot", "blue", "green", "me", "now", 5)
    ranges = {tp: LogRange(0, known.offset + 7) for tp, known in offsets.items()}
    topics = {tp.topic: Topic(tp.topic, f"id-{tp.topic}", {}) for tp in offsets}
    return snapshots.take(7, run, "now", offsets, ranges, topics)


@given(OFFSETS)
def test_round_trip(offsets: dict[TopicPartition, CommittedOffset]) -> None:
    taken = snapshot(offsets)
    assert from_chunks("s", to_chunks(taken)) == taken


@settings(max_examples=30)
@given(OFFSETS, st.integers(1, 60))
def test_round_trip_in_pieces(offsets: dict[TopicPartition, CommittedOffset], size: int) -> None:
    taken = snapshot(offsets)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshots, "CHUNK", size)
        patch.setattr(snapshots, "MOST_CHUNKS", 10**6)
        chunks = to_chunks(taken)
    assert all(len(chunk["offsets"]) <= size for chunk in chunks)
    assert chunks[0]["chunks"] == str(len(chunks))
    assert from_chunks("s", chunks) == taken


def test_ten_thousand_partitions_fit_config_maps() -> None:
    offsets = {TopicPartition("orders", p): CommittedOffset(10**9 + p * 7919, p % 9, "bg:12") for p in range(10_000)}
    chunks = to_chunks(snapshot(offsets))
    assert all(sum(len(value) for value in chunk.values()) < 600_000 for chunk in chunks)
    assert from_chunks("s", chunks).offsets == offsets


def test_what_is_not_whole_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "CHUNK", 40)
    monkeypatch.setattr(snapshots, "MOST_CHUNKS", 100)
    chunks = to_chunks(snapshot({TopicPartition("a", p): CommittedOffset(p) for p in range(50)}))
    for broken in (chunks[:-1], [*chunks[:1], *chunks[2:]], chunks[1:], [], [{**chunks[0], "offsets": "?"}]):
        with pytest.raises(OffsetsError, match="ConfigMap s is not a whole snapshot"):
            from_chunks("s", broken)


def test_parts_of_two_runs_are_not_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "CHUNK", 40)
    monkeypatch.setattr(snapshots, "MOST_CHUNKS", 100)
    mine = to_chunks(snapshot({TopicPartition("a", p): CommittedOffset(p) for p in range(50)}))
    for other in ({"run-id": "another"}, {"epoch": "9"}):
        with pytest.raises(OffsetsError, match="belong to different runs"):
            from_chunks("s", [*mine[:-1], {**mine[-1], **other}])


def test_a_snapshot_that_takes_too_many_config_maps_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "CHUNK", 10)
    with pytest.raises(OffsetsError, match="of 50 partitions does not fit 8 ConfigMaps"):
        to_chunks(snapshot({TopicPartition("a", p): CommittedOffset(p * 7919) for p in range(50)}))


def test_what_a_part_is_said_to_hold_is_true() -> None:
    """The room that is made before the pause is enough for what is written after it."""
    count = snapshots.PARTITIONS_PER_CHUNK
    offsets = {TopicPartition("orders", p): CommittedOffset(10**9 + p * 7919, p % 9, "bg:12") for p in range(count)}
    assert len(to_chunks(snapshot(offsets))) == 1


def test_names() -> None:
    names = [snapshot_name("shop", slot) for slot in SLOTS]
    assert names == ["shop-bg-snapshot-a", "shop-bg-snapshot-b"]
    assert [chunk_name(names[0], chunk) for chunk in (0, 1)] == ["shop-bg-snapshot-a", "shop-bg-snapshot-a-1"]
    assert [free_slot("shop", named) for named in ("", *names)] == [names[0], names[1], names[0]]


def test_a_topic_that_changed_during_a_hand_over_is_named() -> None:
    before = {"a": Topic("a", "1", {}), "b": Topic("b", "2", {})}
    changed_topics(before, dict(before))
    with pytest.raises(OffsetsError, match="Topic b disappeared"):
        changed_topics(before, {"a": before["a"]})
    with pytest.raises(OffsetsError, match=r"Topic a was deleted and created again .*id 1 is now 9"):
        changed_topics(before, {**before, "a": Topic("a", "9", {})})


def test_offsets_of_a_topic_that_was_created_again_mean_nothing() -> None:
    a, b, c = (TopicPartition(name, 0) for name in "abc")
    taken = snapshot({a: CommittedOffset(1), b: CommittedOffset(2), c: CommittedOffset(3)})
    now = {"a": Topic("a", "id-a", {}), "b": Topic("b", "another id", {})}
    assert still_meant(taken, now) == {a: CommittedOffset(1), b: None}
    nameless = replace(taken, topic_ids={"a": "A" * 22})
    assert still_meant(nameless, now) == {a: CommittedOffset(1), b: CommittedOffset(2)}, "brokers that tell no ids"
    assert same_logs(taken, now) == {a: CommittedOffset(1)}
