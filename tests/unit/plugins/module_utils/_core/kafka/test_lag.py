# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lag: unknown is never 0."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.lag import (
    as_result,
    backlog,
    lags,
    pending,
    total_lag,
    uncommitted,
    unreadable_tail,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    LogRange,
    TopicPartition,
)

A, B = TopicPartition("t", 0), TopicPartition("t", 1)


@pytest.mark.parametrize(
    ("offset", "log", "lag"),
    [
        (150, LogRange(100, 200), 50),
        (200, LogRange(100, 200), 0),
        (50, LogRange(100, 200), 100),
        (250, LogRange(100, 200), 0),
        (0, LogRange(0, 0), 0),
    ],
)
def test_lag_counts_what_can_still_be_read(offset: int, log: LogRange, lag: int) -> None:
    (row,) = lags({A: CommittedOffset(offset)}, {A: log})
    assert row.lag == lag


def test_one_unknown_partition_makes_the_total_unknown() -> None:
    rows = lags({A: CommittedOffset(0)}, {B: LogRange(0, 1), A: LogRange(0, 5)})
    assert [row.partition for row in rows] == [A, B]
    assert [row.lag for row in rows] == [5, None]
    assert total_lag(rows) is None
    assert as_result(rows)[1]["committed_offset"] is None
    assert [row.partition for row in uncommitted(rows)] == [B]


@pytest.mark.parametrize("start", [0, 11])
def test_where_there_is_nothing_to_read_the_lag_is_0(start: int) -> None:
    """An application commits only where it read something."""
    rows = lags({A: CommittedOffset(0)}, {A: LogRange(0, 5), B: LogRange(start, start)})
    assert [(row.lag, row.position, row.passed) for row in rows] == [(5, 0, 0), (0, start, None)]
    assert (total_lag(rows), uncommitted(rows)) == (5, [])


def test_a_commit_in_an_open_transaction_is_not_known_yet() -> None:
    """Not even where it would not matter: its group is at work."""
    rows = lags({A: CommittedOffset(3)}, {A: LogRange(0, 5), B: LogRange(0, 0)}, {A, B})
    assert ([row.lag for row in rows], total_lag(rows), uncommitted(rows)) == ([None, None], None, [])
    assert pending(rows) == [A, B]
    assert as_result(rows)[0]["committed_offset"] == 3, "what was decided before is shown"


@given(st.none() | st.integers(0, 300), st.integers(0, 200), st.integers(0, 100))
def test_a_lag_is_what_can_still_be_read(offset: int | None, start: int, length: int) -> None:
    (row,) = lags({} if offset is None else {A: CommittedOffset(offset)}, {A: LogRange(start, start + length)})
    if row.lag is None:
        assert (offset, length > 0) == (None, True)
        return
    assert 0 <= row.lag <= length
    assert row.lag == len(range(max(offset or 0, start), start + length))
    assert row.passed == (None if offset is None else len(range(offset, start)))


def test_one_offset_in_a_partition_may_be_a_marker() -> None:
    logs = {TopicPartition("t", number): LogRange(0, 5) for number in range(4)}
    commits = {tp: CommittedOffset(5 - tp.partition) for tp in logs}
    assert (total_lag(lags(commits, logs)), backlog(lags(commits, logs))) == (6, 5)
    del commits[TopicPartition("t", 3)]
    assert backlog(lags(commits, logs)) == 7, "nobody knows where its reader begins"
    assert backlog([]) == 0


def test_what_may_be_left_of_transactions_is_told_with_its_signs() -> None:
    assert unreadable_tail(1502, "raise bg_max_lag", stable=True, closed=True, still=True) == (
        "The 1502 offsets may be aborted records or transaction markers, which readers of committed records skip: the last "
        "stable offset is the end of the log, no transaction is open and the commits do not move while the consumers read. "
        "Then raise bg_max_lag; else the consumers hang"
    )
    assert ": no transaction is open; it is so if the last stable offset" in unreadable_tail(5, "do", closed=True)
    assert "skip: it is so if the last stable offset is the end of the log, no transaction is open and" in (
        unreadable_tail(5, "do")
    )
    assert "hang" not in unreadable_tail(5, "do"), "nobody saw that the commits do not move"
    for sign in ("stable", "closed", "still"):
        assert unreadable_tail(5, "do", **{sign: False}) == "", "then it is something else"
    assert unreadable_tail(0, "do", stable=True) == ""


def test_no_partition_at_all_is_unknown_too() -> None:
    assert total_lag([]) is None


def test_the_total_is_the_sum() -> None:
    rows = lags({A: CommittedOffset(1), B: CommittedOffset(2)}, {A: LogRange(0, 5), B: LogRange(0, 5)})
    assert total_lag(rows) == 7
