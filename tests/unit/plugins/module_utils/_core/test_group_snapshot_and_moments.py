# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The snapshot of a group as data, and times as people write them."""

from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.group_snapshot import GroupSnapshot, parse
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import CommittedOffset, TopicPartition
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.moments import later, to_milliseconds

partitions = st.builds(TopicPartition, st.sampled_from(["a", "b-1"]), st.integers(0, 9))
committed = st.builds(CommittedOffset, st.integers(0), st.integers(-1, 9), st.text(max_size=5))


@given(st.dictionaries(partitions, st.none() | committed, min_size=1))
def test_a_snapshot_survives_a_file(offsets: dict[TopicPartition, CommittedOffset | None]) -> None:
    taken = GroupSnapshot("g", offsets, {"a": "1", "b-1": "2"})
    assert parse(json.loads(json.dumps(taken.to_data())), "file") == taken


ROW = {"topic": "a", "partition": 0, "offset": 1}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "format 1 expected, seen 'list'"),
        ({"format": 1, "offsets": [], "topic_ids": {}}, "lists no offsets"),
        ({"format": 1, "offsets": [ROW]}, "has no topic_ids"),
        ({"format": 1, "offsets": [ROW], "topic_ids": {}}, "topic_ids does not have topic a"),
        ({"format": 1, "offsets": [ROW, ROW], "topic_ids": {"a": "1"}}, "partition a-0 is listed twice"),
        ({"format": 1, "offsets": [{**ROW, "offset": -1}], "topic_ids": {"a": "1"}}, "offset -1 is negative"),
        ({"format": 1, "offsets": [{"topic": "a"}], "topic_ids": {"a": "1"}}, "entry 0 is not as it should be"),
        ({"format": 1, "offsets": ["x"], "topic_ids": {"a": "1"}}, "entry 0 is not as it should be"),
    ],
)
def test_what_is_no_snapshot(data: t.Any, said: str) -> None:
    with pytest.raises(InvalidSettingsError, match=said):
        parse(data, "file")


def test_every_fault_is_listed() -> None:
    with pytest.raises(InvalidSettingsError) as raised:
        parse({"format": 1, "offsets": [{**ROW, "offset": -1}, ROW, ROW], "topic_ids": {}}, "file")
    assert len(raised.value.faults) == 3


def test_times() -> None:
    assert to_milliseconds("2026-11-24T08:00:00Z") == to_milliseconds(" 1795507200000 ") == 1795507200000
    assert to_milliseconds("2026-11-24T09:00:00.250+01:00") == 1795507200250
    for text, said in (
        ("yesterday", "neither RFC 3339"),
        ("2026-11-24T08:00:00", "names no time zone"),
        ("1795507200", "looks like seconds"),
    ):
        with pytest.raises(ValueError, match=said):
            to_milliseconds(text)
    assert later("2026-11-24T08:00:00.123Z", 90) == "2026-11-24T09:30:00Z"
