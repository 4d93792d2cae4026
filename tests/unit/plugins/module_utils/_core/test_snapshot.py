# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots survive being cut, stored and read back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.streamops.bluegreen.plugins.module_utils._core import snapshot as snapshots
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import OffsetsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.journal import Run
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import (
    CommittedOffset,
    LogRange,
    Topic,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.snapshot import (
    Snapshot,
    from_chunks,
    same_logs,
    snapshot_name,
    to_chunks,
)

OFFSETS = st.dictionaries(
    st.builds(TopicPartition, st.sampled_from(("a", "b.c", "d_e-f")), st.integers(0, 5000)),
    st.builds(CommittedOffset, st.integers(0, 2**60), st.integers(-1, 10**6), st.text(max_size=20)),
    max_size=30,
)


def snapshot(offsets: dict[TopicPartition, CommittedOffset]) -> Snapshot:
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
    chunks = to_chunks(snapshot({TopicPartition("a", p): CommittedOffset(p) for p in range(50)}))
    for broken in (chunks[:-1], [*chunks[:1], *chunks[2:]], chunks[1:], [], [{**chunks[0], "offsets": "?"}]):
        with pytest.raises(OffsetsError, match="ConfigMap s is not a whole snapshot"):
            from_chunks("s", broken)


def test_names() -> None:
    assert [snapshot_name("shop", 7, chunk) for chunk in (0, 1)] == ["shop-bg-snapshot-7", "shop-bg-snapshot-7-1"]


def test_offsets_of_a_topic_that_was_created_again_mean_nothing() -> None:
    a, b, c = (TopicPartition(name, 0) for name in "abc")
    taken = snapshot({a: CommittedOffset(1), b: CommittedOffset(2), c: CommittedOffset(3)})
    now = {"a": Topic("a", "id-a", {}), "b": Topic("b", "another id", {})}
    assert same_logs(taken, now) == {a: CommittedOffset(1)}
