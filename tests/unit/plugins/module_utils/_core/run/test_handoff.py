# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the target begins."""

from __future__ import annotations

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    LogRange,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.handoff import (
    as_seeds,
    commit_epoch,
    hand_off,
    is_older,
    unmarked,
)

TP = TopicPartition("orders", 0)
OTHER = TopicPartition("orders", 1)
RANGE = {TP: LogRange(10, 100)}


def commit(offset: int, mark: str = "") -> CommittedOffset:
    return CommittedOffset(offset, -1, mark)


@pytest.mark.parametrize(
    ("committed", "handed", "wanted", "decided"),
    [
        (None, None, 10, "earliest"),
        (commit(50), None, 50, ""),
        (None, commit(40), 40, "not processed since"),
        # Marked commits: of the present reign they count, of an older one the hand-off does, whatever the numbers say.
        (commit(50, "bg:7;"), commit(40), 50, ""),
        (commit(30, "bg:8;"), commit(40), 30, ""),
        (commit(50, "bg:6;"), commit(40), 40, "not processed since"),
        (commit(40, "bg:6;"), commit(40), 40, "not processed since"),
        (commit(30, "bg:0;"), commit(40), 40, "not processed since"),
        (commit(50, "bg:6;"), None, 50, ""),
        # Commits without a mark were set on purpose, also back.
        (commit(50), commit(40), 50, ""),
        (commit(30), commit(40), 30, ""),
        (commit(40, "something else"), commit(40), 40, ""),
    ],
)
def test_hand_off(committed: CommittedOffset | None, handed: CommittedOffset | None, wanted: int, decided: str) -> None:
    found = hand_off(
        [TP], {TP: committed} if committed else {}, {TP: handed} if handed else {}, activated_epoch=7, ranges=RANGE
    )
    assert found.offsets[TP].offset == wanted
    assert decided in found.decided.get(TP, "")
    assert bool(found.decided) == bool(decided)


@pytest.mark.parametrize(
    ("committed", "wanted"), [(None, 10), (commit(50, "bg:6;"), 10), (commit(50, "bg:7;"), 50), (commit(50), 50)]
)
def test_a_topic_that_was_created_again_begins_anew(committed: CommittedOffset | None, wanted: int) -> None:
    """Until somebody has committed in this reign, or on purpose."""
    found = hand_off([TP], {TP: committed} if committed else {}, {TP: None}, activated_epoch=7, ranges=RANGE)
    assert found.offsets[TP].offset == wanted
    assert ("created again" in found.decided.get(TP, "")) == (wanted == 10)


def test_seeds_never_count_after_a_flip_and_commits_without_a_mark_do() -> None:
    seeds = as_seeds({TP: CommittedOffset(30, 4, ""), OTHER: CommittedOffset(31, 4, "bg:9;")})
    assert seeds == {TP: CommittedOffset(30, 4, "bg:0;\x00"), OTHER: CommittedOffset(31, 4, "bg:0;\x00")}
    assert all(is_older(seed, 1) for seed in seeds.values())
    assert unmarked({**seeds, TopicPartition("orders", 2): commit(5, "note")}) == [TopicPartition("orders", 2)]


def test_commits_travel_verbatim() -> None:
    stored = CommittedOffset(50, 3, "note of the application")
    assert hand_off([TP], {TP: stored}, {}, 1, RANGE).offsets[TP] is stored


@pytest.mark.parametrize(
    ("mark", "epoch"),
    [
        ("bg:7;", 7),
        ("bg:7;\x00", 7),
        ("bg:7;note of the application", 7),
        ("bg:0;\x00\x8b", 0),
        ("bg:7", 0),
        ("bg:0\x8b", 0),
        ("bg:", 0),
        ("bg:-1;", 0),
        ("", None),
        ("xbg:7;", None),
    ],
)
def test_commit_epoch(mark: str, epoch: int | None) -> None:
    assert commit_epoch(commit(1, mark)) == epoch
