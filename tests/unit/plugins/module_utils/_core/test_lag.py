# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lag: unknown is never 0."""

from __future__ import annotations

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.lag import as_result, lags, total_lag
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import (
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
    rows = lags({A: CommittedOffset(0)}, {B: LogRange(0, 0), A: LogRange(0, 5)})
    assert [row.partition for row in rows] == [A, B]
    assert [row.lag for row in rows] == [5, None]
    assert total_lag(rows) is None
    assert as_result(rows)[1]["committed_offset"] is None


def test_no_partition_at_all_is_unknown_too() -> None:
    assert total_lag([]) is None


def test_the_total_is_the_sum() -> None:
    rows = lags({A: CommittedOffset(1), B: CommittedOffset(2)}, {A: LogRange(0, 5), B: LogRange(0, 5)})
    assert total_lag(rows) == 7
