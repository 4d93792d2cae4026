"""The audit's arithmetic on ledgers made by hand."""

import json
import random

import pytest

from bgtools.ledger_report import Row, RowError, examine, missing, percentile, report

T0, T1 = ("order-events", 0), ("order-events", 1)


def row(offset, ms, colour="blue", epoch=1, part=T0, pod="p"):
    return Row(int(ms * 1e6), part, offset, colour, pod, epoch)


def judge(rows, window, lost=None):
    rows = list(rows)
    random.Random(7).shuffle(rows)  # the order in which the ledger is read means nothing
    return report(examine(rows, window), window, lost or {})


def test_a_perfect_switch():
    rows = [row(n, n) for n in range(5)] + [row(n, 40 + n, "green", 3) for n in range(5, 9)]
    result = judge(rows, {T0: (0, 9)})
    assert result["ok"]
    assert (result["offsets"], result["processed"], result["ledgerRows"], result["emptyOffsets"]) == (9, 9, 9, 0)
    assert result["outOfOrder"]["count"] == result["duplicated"]["count"] == result["lost"]["count"] == 0
    (change,) = result["changes"]
    assert (change["from"], change["to"], change["epoch"], change["partitions"]) == ("blue", "green", 3, 1)
    part = change["perPartition"]["order-events-0"]
    assert part == {"gapMs": 41.0, "lastSourceOffset": 4, "firstTargetOffset": 5}


def test_missing_offsets_are_ranges_also_at_both_ends_and_for_silent_partitions():
    window = {T0: (2, 10), T1: (0, 2)}
    findings = examine([row(3, 1), row(4, 2), row(7, 3)], window)
    assert missing(findings, window) == {T0: [(2, 2), (5, 6), (8, 9)], T1: [(0, 1)]}


def test_nothing_missing():
    assert missing(examine([row(2, 1)], {T0: (2, 3), T1: (5, 5)}), {T0: (2, 3), T1: (5, 5)}) == {}


def test_missing_offset_without_a_record_is_not_lost():
    rows = [row(0, 0), row(2, 2)]
    empty = judge(rows, {T0: (0, 3)})
    assert (empty["ok"], empty["lost"]["count"], empty["emptyOffsets"]) == (True, 0, 1)
    lost = judge(rows, {T0: (0, 3)}, {T0: [1]})
    assert (lost["ok"], lost["lost"], lost["emptyOffsets"]) == (
        False,
        {"count": 1, "samples": ["order-events-0@1"]},
        0,
    )


def test_duplicates_of_one_colour_and_of_both_are_told_apart():
    rows = [row(n, n) for n in range(4)]
    rows += [row(2, 10, pod="q"), row(3, 11, "green", 3), row(3, 12, "green", 3)]
    result = judge(rows, {T0: (0, 4)})
    assert not result["ok"]
    assert (result["duplicated"]["count"], result["duplicated"]["extraRows"]) == (2, 3)
    assert result["duplicated"]["bothColours"] == 1
    assert result["duplicated"]["samples"] == ["order-events-0@3 by blue/p epoch 1, green/p epoch 3, green/p epoch 3"]


def test_same_offset_of_two_partitions_is_no_duplicate():
    assert judge([row(1, 1), row(1, 2, part=T1)], {T0: (1, 2), T1: (1, 2)})["ok"]


def test_order_is_by_time_and_per_partition():
    rows = [row(0, 0), row(2, 1), row(1, 2), row(3, 3), row(0, 9, part=T1), row(1, 8, part=T1)]
    result = judge(rows, {T0: (0, 4), T1: (0, 2)})
    assert result["outOfOrder"] == {"count": 2, "samples": ["order-events-0@1 after @2", "order-events-1@0 after @1"]}
    assert result["ok"], "order is reported, not judged"


def test_a_repeated_record_is_a_duplicate_not_out_of_order():
    result = judge([row(0, 0), row(1, 1), row(2, 2), row(1, 3)], {T0: (0, 3)})
    assert (result["outOfOrder"]["count"], result["duplicated"]["count"]) == (0, 1)


def test_rows_outside_the_window_do_not_count():
    rows = [row(0, 0), row(0, 1), row(1, 2), row(2, 3), row(2, 4), row(0, 5, part=("other", 0))]
    result = judge(rows, {T0: (1, 2)})
    assert (result["ok"], result["ledgerRows"], result["offsets"]) == (True, 1, 1)


def test_overlap_of_the_colours_is_a_negative_gap():
    rows = [row(0, 0), row(1, 30), row(2, 10, "green", 3), row(3, 40, "green", 3)]
    (change,) = judge(rows, {T0: (0, 4)})["changes"]
    assert change["gapMs"]["max"] == -20.0


def test_an_aborted_switch_is_no_change_of_colour():
    rows = [row(0, 0, epoch=1), row(1, 10, epoch=3), row(2, 20, "green", 5), row(3, 90, "blue", 7)]
    result = judge(rows, {T0: (0, 4)})
    assert [(c["from"], c["to"], c["epoch"], c["gapMs"]["p50"]) for c in result["changes"]] == [
        ("blue", "green", 5, 10.0),
        ("green", "blue", 7, 70.0),
    ]


def test_gap_over_partitions():
    rows, window = [], {}
    for number in range(12):
        part = ("order-events", number)
        window[part] = (0, 2)
        rows += [row(0, 0, part=part), row(1, 10 * (number + 1), "green", 3, part=part)]
    (change,) = judge(rows, window)["changes"]
    assert change["partitions"] == 12
    assert change["gapMs"] == {"p50": 60.0, "p99": 120.0, "max": 120.0, "min": 10.0}


def test_partition_without_traffic_has_no_gap():
    rows = [row(0, 0), row(1, 5, "green", 3), row(0, 0, part=T1)]
    (change,) = judge(rows, {T0: (0, 2), T1: (0, 1)})["changes"]
    assert list(change["perPartition"]) == ["order-events-0"]


@pytest.mark.parametrize(("share", "expected"), [(50, 2), (51, 3), (99, 4), (100, 4), (1, 1)])
def test_percentile_is_a_measured_value(share, expected):
    assert percentile([4, 1, 3, 2], share) == expected


def test_percentile_99_of_200_is_not_the_maximum():
    assert percentile(list(range(1, 201)), 99) == 198


def test_row_of_a_ledger_message():
    message = {"t": "order-events", "p": 3, "o": 7, "c": "blue", "pod": "x", "e": 2, "ns": 5, "more": 1}
    assert Row.parse(json.dumps(message).encode()) == Row(5, ("order-events", 3), 7, "blue", "x", 2)


@pytest.mark.parametrize("value", [b"", b"no json", b"[]", b'{"t":"a"}', b'{"t":"a","p":"x","o":1,"c":"c"}'])
def test_what_is_no_ledger_message_is_refused(value):
    with pytest.raises(RowError):
        Row.parse(value)
