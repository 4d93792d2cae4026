# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How old an open transaction is, and how it is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.transactions import (
    AHEAD,
    OFFSETS_TOPIC,
    OpenTransaction,
    Transactions,
    abort_command,
    as_pending,
    as_result,
    offsets_partition,
    pending_words,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import gates as g

NOW = 1_767_225_600_000
ONE = OpenTransaction(TopicPartition("orders", 3), 4001, 7, 120, NOW - 1_200_500)
YOUNG = replace(ONE, producer_id=4002, start_offset=140, last_timestamp=NOW - 12_000)
UNKNOWN = replace(ONE, producer_id=4003, start_offset=150, last_timestamp=-1)


@pytest.mark.parametrize(
    ("last", "age"),
    [
        (NOW - 1_200_500, 1200),
        (NOW - 999, 0),
        (NOW, 0),
        (NOW + AHEAD, 0),
        (NOW + AHEAD + 1, None),
        (-1, None),
    ],
)
def test_the_age(last: int, age: int | None) -> None:
    """A clock that is a little ahead is forgiven; what cannot be told is not young."""
    assert replace(ONE, last_timestamp=last).age(NOW) == age


def test_the_words() -> None:
    assert ONE.words(NOW) == "orders-3: producer id 4001 (epoch 7), open since offset 120, last record 1200 s ago"
    assert UNKNOWN.words(NOW).endswith("last record at an unknown time")
    assert abort_command(ONE).endswith("abort --topic orders --partition 3 --start-offset 120")


def test_the_oldest_come_first_and_those_of_unknown_age_before_them() -> None:
    seen = Transactions((YOUNG, UNKNOWN, ONE), NOW)
    assert seen.by_age == [UNKNOWN, ONE, YOUNG]
    assert seen.older_than(12) == [UNKNOWN, ONE]
    assert seen.older_than(11) == [UNKNOWN, ONE, YOUNG]
    assert seen.seen == "3, the oldest of unknown age"
    assert Transactions((YOUNG, ONE), NOW).seen == "2, the oldest 1200 s old"
    assert Transactions((), NOW).seen == "none"
    assert Transactions((), NOW, "not allowed").seen == "unknown"
    assert seen.named(seen.by_age).count("producer id") == 3
    assert seen.named([ONE] * 4).endswith(" ...")
    assert [row["age"] for row in as_result(seen)] == [1200, 12, None]


@pytest.mark.parametrize(
    ("found", "max_age", "verdict"),
    [
        ((), 900, g.GO),
        ((YOUNG,), 900, g.GO),
        ((YOUNG,), 12, g.GO),
        ((YOUNG,), 11, g.NO_GO),
        ((YOUNG, ONE), 900, g.NO_GO),
        ((ONE,), 1200, g.GO),
        ((UNKNOWN,), 10**9, g.NO_GO),
    ],
)
def test_the_gate(found: tuple[OpenTransaction, ...], max_age: int, verdict: str) -> None:
    row = g.transactions_gate(Transactions(found, NOW), max_age)
    assert (row.verdict, row.threshold) == (verdict, f"none older than {max_age} s")
    assert bool(row.advice) == (verdict == g.NO_GO)


def test_the_gate_says_who_and_what_to_do() -> None:
    row = g.transactions_gate(Transactions((YOUNG, ONE), NOW), 900)
    assert row.value == "2, the oldest 1200 s old"
    assert ONE.words(NOW) in row.advice
    assert "4002" not in row.advice, "one at work is nobody's trouble"
    assert abort_command(ONE) in row.advice
    unknown = g.transactions_gate(Transactions((), NOW, "needs an ACL that allows READ on the topic"), 900)
    assert (unknown.verdict, unknown.value) == (g.NO_GO, "unknown")
    assert unknown.advice == "needs an ACL that allows READ on the topic"


@pytest.mark.parametrize(
    ("group", "hashed"),
    [
        ("", 0),
        ("g", 103),
        ("cc_order_prod_blue", 1603837618),
        ("cc_order_prod_green", 1815860309),  # negative to Java
        ("polygenelubricants", 0),  # Java's smallest number, of which there is no absolute value
        ("Füße 🐟", 831084230),
    ],
)
def test_where_the_offsets_of_a_group_are(group: str, hashed: int) -> None:
    """As ``String.hashCode`` has it, without the sign: numbers from a real Java."""
    assert offsets_partition(group, 2**31) == TopicPartition(OFFSETS_TOPIC, hashed)
    assert offsets_partition(group, 50).partition == hashed % 50


TP = TopicPartition("orders", 1)
HOLDER = replace(
    ONE,
    partition=TopicPartition(OFFSETS_TOPIC, 3),
    transactional_id="app-1",
    began=NOW - 1_300_000,
    timeout=3_600_000,
)


def test_pending_offsets_are_told_with_what_ends_them() -> None:
    said = pending_words("g", [TP], Transactions((HOLDER,), NOW))
    assert said.startswith("Offsets of group g are part of an open transaction for 1 partitions (orders-1). It is: ")
    assert "producer id 4001 (epoch 7) of transactional id app-1, open since offset 120, last record 1200 s ago" in said
    assert "began 2025-12-31T23:38:20Z, is aborted by Kafka at about 2026-01-01T00:38:20Z" in said
    assert said.endswith(abort_command(HOLDER))
    several = pending_words("g", [TP] * 9, Transactions((HOLDER, YOUNG), NOW))
    assert "It is one of 2: " in several
    assert "(orders-1, orders-1, orders-1, ...)" in several
    assert pending_words("g", [TP], Transactions((), NOW)).endswith("which is ending just now")
    assert pending_words("g", [TP], Transactions((), NOW, "not allowed")).endswith("cannot be seen: not allowed")


def test_pending_transactions_as_data() -> None:
    (row,) = as_pending(Transactions((HOLDER,), NOW))
    assert row == {
        "topic": OFFSETS_TOPIC,
        "partition": 3,
        "producer_id": 4001,
        "producer_epoch": 7,
        "start_offset": 120,
        "age": 1200,
        "transactional_id": "app-1",
        "began": "2025-12-31T23:38:20Z",
        "ends": "2026-01-01T00:38:20Z",
        "abort": abort_command(HOLDER),
    }
    (plain,) = as_pending(Transactions((ONE,), NOW))
    assert (plain["transactional_id"], plain["began"], plain["ends"]) == (None, None, None)
