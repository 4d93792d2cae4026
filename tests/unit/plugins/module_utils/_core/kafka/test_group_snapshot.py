# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots of a group as data and as a file."""

from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.group_snapshot import GroupSnapshot, parse
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)

hostile = st.text(st.characters() | st.sampled_from(' "=@:-\\\n\u2028{}%\ud800'), max_size=8)
"""Anything, lone surrogates included, and often what the format itself is made of."""
topics = st.sampled_from(["a", "b-1", 'c 0:1@2="x"', ""])
partitions = st.builds(TopicPartition, topics, st.integers(0, 9))
committed = st.builds(CommittedOffset, st.integers(0), st.integers(-1, 9), hostile)
IDS = {"a": "1", "b-1": "2", 'c 0:1@2="x"': "3", "": "4"}


@given(st.dictionaries(partitions, st.none() | committed, min_size=1))
def test_a_snapshot_survives_a_file(offsets: dict[TopicPartition, CommittedOffset | None]) -> None:
    taken = GroupSnapshot("g", offsets, IDS)
    written = json.dumps(taken.to_data(), ensure_ascii=False)
    assert parse(json.loads(written.encode().decode()), "file") == taken


def test_what_a_snapshot_looks_like() -> None:
    offsets = {
        TopicPartition("b", 0): None,
        TopicPartition("a", 10): CommittedOffset(7),
        TopicPartition("a", 2): CommittedOffset(1200, 5, 'pod "7", zone ä'),
        TopicPartition("a", 1): CommittedOffset(0, 0),
    }
    assert GroupSnapshot("g", offsets, {"a": "1", "b": "2"}).to_data() == {
        "format": 2,
        "group_id": "g",
        "topic_ids": {"a": "1", "b": "2"},
        "offsets": {"a": r'1:0@0 2:1200@5="pod\u0020\"7\",\u0020zone\u0020\u00e4" 10:7', "b": "0:-"},
    }


ROW = {"topic": "a", "partition": 0, "offset": 1}


def test_a_snapshot_of_format_1() -> None:
    rows = [
        {**ROW, "leader_epoch": 3, "metadata": "m"},
        {**ROW, "partition": 1, "offset": None},
        {**ROW, "partition": 2},
    ]
    assert parse({"format": 1, "group_id": "g", "offsets": rows, "topic_ids": {"a": "1"}}, "file") == GroupSnapshot(
        "g",
        {
            TopicPartition("a", 0): CommittedOffset(1, 3, "m"),
            TopicPartition("a", 1): None,
            TopicPartition("a", 2): CommittedOffset(1),
        },
        {"a": "1"},
    )


def texts(text: object) -> dict[str, t.Any]:
    """A snapshot with this text."""
    return {"format": 2, "topic_ids": {"a": "1"}, "offsets": {"a": text}}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "format 1 or 2 expected, seen 'list'"),
        ({"format": [2]}, r"format 1 or 2 expected, seen \[2\]"),
        ({"format": 1, "offsets": [], "topic_ids": {}}, "lists no offsets"),
        ({"format": 1, "offsets": {"a": "0:1"}, "topic_ids": {}}, "lists no offsets"),
        ({"format": 1, "offsets": [ROW]}, "has no topic_ids"),
        ({"format": 1, "offsets": [ROW], "topic_ids": {}}, "topic_ids does not have topic a"),
        ({"format": 1, "offsets": [ROW, ROW], "topic_ids": {"a": "1"}}, "partition a-0 is listed twice"),
        ({"format": 1, "offsets": [{**ROW, "offset": -1}], "topic_ids": {"a": "1"}}, "offset -1 is negative"),
        ({"format": 1, "offsets": [{"topic": "a"}], "topic_ids": {"a": "1"}}, "entry 0 is not valid"),
        ({"format": 1, "offsets": ["x"], "topic_ids": {"a": "1"}}, "entry 0 is not valid"),
        ({"format": 2, "offsets": {}, "topic_ids": {}}, "lists no offsets"),
        (
            {"format": 2, "offsets": [ROW], "topic_ids": {}},
            "lists no offsets: format 2 has a text for each topic, seen list",
        ),
        (texts(" "), "topic a has no entries"),
        ({"format": 2, "offsets": {"a": "0:1"}}, "has no topic_ids"),
        ({"format": 2, "offsets": {"b": "0:1"}, "topic_ids": {"a": "1"}}, "topic_ids does not have topic b"),
        (texts("0:1 0:2"), "partition a-0 is listed twice"),
        # What Ansible leaves of a text in which it finds a secret is refused, as everything else that is no number.
        (texts("0:12********"), r"entry 0:12\*\*\*\*\*\*\*\* of topic a is not valid"),
        (texts("0:-1"), "entry 0:-1 of topic a is not valid"),
        (texts("0:1@-1"), "entry 0:1@-1 of topic a"),
        (texts("0:1_000"), "entry 0:1_000 of topic a"),
        (texts("0:\u0661"), "entry 0:\u0661 of topic a"),
        (texts("0:-@5"), "entry 0:-@5 of topic a"),
        (texts('0:1="a b"'), 'entry 0:1="a of topic a'),
        (texts('0:1="a","b"'), 'entry 0:1="a","b" of topic a is not valid: Extra data'),
        (texts("0:1=7"), "entry 0:1=7 of topic a"),
        (texts(7), "entry 7 of topic a"),
    ],
)
def test_what_is_no_snapshot(data: t.Any, said: str) -> None:
    with pytest.raises(InvalidSettingsError, match=said):
        parse(data, "file")


def test_every_fault_is_listed() -> None:
    with pytest.raises(InvalidSettingsError) as raised:
        parse({"format": 1, "offsets": [{**ROW, "offset": -1}, ROW, ROW], "topic_ids": {}}, "file")
    assert len(raised.value.faults) == 3
