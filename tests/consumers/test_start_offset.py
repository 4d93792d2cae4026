"""Where a partition starts in a reign."""

import pytest

from bgconsumer.model import NO_TOPIC_ID, Committed, Handoff, commit_epoch, commit_metadata, counts, start_offset
from tests.consumers.fakes import TOPIC, tp


@pytest.mark.parametrize(
    ("committed", "handed", "expected"),
    [
        (Committed(70, 8), 50, 70),  # own progress of this reign beats where the reign began
        (Committed(40, 8), 50, 40),  # also when it is behind, which only this reign can have written
        (Committed(70, 9), 50, 70),  # so does that of a later epoch of the reign
        (Committed(70, 7), 50, 50),  # progress of an older reign does not
        (Committed(70, 0), 50, 50),  # nor what a run seeded
        (Committed(70, None), 50, 70),  # a commit without a mark was set on purpose
        (None, 50, 50),
        (None, 0, 0),
        (Committed(70, 7), None, 70),
        (Committed(0, None), None, 0),
        (None, None, 3),
    ],
)
def test_start_offset_of_the_reign_since_epoch_8(committed, handed, expected):
    assert start_offset(committed, handed, 8, earliest=3) == expected


def test_what_counts_without_a_snapshot():
    assert [counts(commit, 8) for commit in (None, Committed(1, 7), Committed(1, 8), Committed(1, None))] == [
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ("id", "id", 5),
        ("id", "another", None),  # created again: offsets of the old topic mean nothing
        ("id", None, None),
        (None, "id", 5),  # a snapshot that tells no id
        (NO_TOPIC_ID, None, 5),  # brokers that know none
    ],
)
def test_a_snapshot_counts_for_the_topic_it_was_taken_of(then, now, expected):
    handoff = Handoff({tp(0): 5}, {} if then is None else {TOPIC: then})
    assert handoff.start(tp(0), now) == expected
    assert handoff.start(tp(1), now) is None


@pytest.mark.parametrize("metadata", ["", None, "7", "BG:7;", " bg:7;", "note"])
def test_foreign_metadata_names_no_epoch(metadata):
    assert commit_epoch(metadata) is None


@pytest.mark.parametrize("metadata", ["bg:", "bg:7", "bg:-1;", "bg:7 ;", "bg:7x;", "bg:²;", "bg:0\x8b", "bg:7\0;"])
def test_a_mark_that_is_not_whole_is_older_than_every_reign(metadata):
    """A client that reads past the end of metadata must not turn a seed into a commit that counts."""
    assert commit_epoch(metadata) == 0


def test_metadata_round_trip():
    assert commit_epoch(commit_metadata(12)) == 12
    assert commit_epoch("bg:12;\0") == 12, "as confluent-kafka for Python writes it, and others read it"
    assert commit_epoch("bg:12;note of the application") == 12
