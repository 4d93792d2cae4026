"""Where a partition starts in an epoch."""

import pytest

from bgconsumer.model import Committed, commit_epoch, commit_metadata, start_offset


@pytest.mark.parametrize(
    ("committed", "handoff", "expected"),
    [
        (Committed(70, 8), 50, 70),  # own progress of this epoch beats where the epoch began
        (Committed(40, 8), 50, 40),  # also when it is behind, which only this epoch can have written
        (Committed(70, 7), 50, 50),  # progress of an older epoch does not
        (Committed(70, 9), 50, 50),
        (Committed(70, None), 50, 50),
        (None, 50, 50),
        (None, 0, 0),
        (Committed(70, 7), None, 70),
        (Committed(0, None), None, 0),
        (None, None, 3),
    ],
)
def test_start_offset_of_epoch_8(committed, handoff, expected):
    assert start_offset(committed, handoff, 8, earliest=3) == expected


@pytest.mark.parametrize("metadata", ["", None, "bg:", "bg:-1", "bg:7 ", "bg:7x", "7", "BG:7"])
def test_foreign_metadata_names_no_epoch(metadata):
    assert commit_epoch(metadata) is None


def test_metadata_round_trip():
    assert commit_epoch(commit_metadata(12)) == 12
