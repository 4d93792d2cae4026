# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for a group on a clock of our own."""

from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    InvalidSettingsError,
    KafkaError,
    WaitTimeoutError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.transactions import OpenTransaction
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    LogRange,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.wait_goal import Goal
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.wait_lag import (
    LagRequest,
    wait_lag,
)
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World

T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)


@pytest.fixture
def behind(world: World) -> World:
    """A group that is 30 records behind and commits 10 more at every look."""
    world.kafka.logs = {T0: LogRange(0, 100), T1: LogRange(0, 0)}
    world.kafka.offsets["g"] = {T0: CommittedOffset(70), T1: CommittedOffset(0)}
    world.kafka.join("g", "c1")
    return world


def progress(world: World, step: int = 10) -> None:
    """Let every sleep of the clock move the group on."""
    sleep = world.clock.sleep

    def advance(seconds: float) -> None:
        sleep(seconds)
        before = world.kafka.offsets["g"][T0].offset
        world.kafka.offsets["g"][T0] = CommittedOffset(min(100, before + step))

    world.clock.sleep = advance  # type: ignore[method-assign]


def call(world: World, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    names = ("until", "max_lag", "max_partition_lag", "barrier", "polls")
    goal = Goal(**{name: options.pop(name) for name in names if name in options})
    return wait_lag(t.cast(t.Any, world.kafka), world.clock, LagRequest("g", goal, **options), check)


def in_slices(world: World, seconds: float, start: float = 0.0, **options: t.Any) -> tuple[dict[str, t.Any], list[str]]:
    """The same wait in slices, each of which takes ``start`` seconds to begin; the result and the lines between."""
    resume, lines, seen = None, [], {}
    for _slice in range(100):
        world.clock.time += start
        # Through JSON, because the next slice is another process.
        resume = json.loads(json.dumps(resume))
        seen.update(call(world, slice=seconds, state=resume, **options))
        if "resume" not in seen:
            return seen, lines
        resume = seen.pop("resume")
        lines.append(seen.pop("line"))
    return pytest.fail("the slices do not come to an end")


def test_it_waits_until_the_lag_is_small_enough(behind: World) -> None:
    progress(behind)
    behind.clock.time = 1000.0
    result = call(behind, max_lag=5, sleep=2.0)
    assert (result["satisfied"], result["total_lag"], result["attempts"], result["changed"]) == (True, 0, 4, False)
    assert result["elapsed"] == 6.0
    assert behind.clock.slept == [2.0, 2.0, 2.0]


def test_a_timeout_returns_what_success_returns(behind: World) -> None:
    done = call(behind, max_lag=30)
    with pytest.raises(
        WaitTimeoutError, match="lag of 30 records \\(wanted: at most 0; most in t-0: 30\\) after 3 s"
    ) as raised:
        call(behind, timeout=3.0)
    assert set(raised.value.result) == set(done)
    assert raised.value.result["satisfied"] is False
    assert behind.clock.time == 3.0, "it does not sleep past the timeout"
    with pytest.raises(WaitTimeoutError) as later:
        call(behind, timeout=3.0)
    assert later.value.result["elapsed"] == 3.0


def timed_out(world: World, **options: t.Any) -> tuple[dict[str, t.Any], str]:
    """What is returned and what is said when the time is over."""
    with pytest.raises(WaitTimeoutError) as raised:
        call(world, timeout=3.0, **options)
    return raised.value.result, raised.value.message


def test_readers_of_committed_records_are_told_what_holds_them_up(behind: World) -> None:
    now = 1_767_225_600_000
    behind.kafka.transactions = [
        OpenTransaction(T0, 4001, 7, 90, now - 600_000),
        OpenTransaction(TopicPartition("others", 0), 5, 0, 1, now),
    ]
    result, said = timed_out(behind, read_committed=True)
    assert "Open transactions hold the end of the log: t-0: producer id 4001 (epoch 7), open since offset 90" in said
    assert said.endswith("last record 603 s ago")
    assert result["open_transactions"] == [
        {"topic": "t", "partition": 0, "producer_id": 4001, "producer_epoch": 7, "start_offset": 90, "age": 603}
    ]
    result, said = timed_out(behind)
    assert "open_transactions" not in result, "everybody else reads on"
    assert "transaction" not in said
    behind.kafka.transactions = []
    result, said = timed_out(behind, read_committed=True)
    assert result["open_transactions"] == []
    assert "after 3 s. The 30 offsets may be" in said


def test_transactions_that_may_not_be_seen_are_not_none(behind: World) -> None:
    behind.kafka.hides_transactions = "The principal needs an ACL that allows READ on the topic"
    result, said = timed_out(behind, read_committed=True)
    assert result["open_transactions"] is None
    assert (
        "after 3 s. Whether open transactions hold it up is unknown: The principal needs an ACL that allows READ on the topic"
    ) in said


def test_nobody_asks_for_transactions_who_waits_for_members_or_has_lost_kafka(behind: World) -> None:
    behind.kafka.hides_transactions = "asked"
    assert "asked" not in timed_out(behind, read_committed=True, until="empty")[1]

    def lose_kafka(seconds: float) -> None:
        behind.clock.time += seconds
        behind.kafka.down = True

    behind.clock.sleep = lose_kafka  # type: ignore[method-assign]
    result, said = timed_out(behind, read_committed=True)
    assert "asked" not in said
    assert "the last poll failed" in said
    assert "open_transactions" not in result


def test_an_unknown_lag_is_not_0(behind: World) -> None:
    behind.kafka.logs[T1] = LogRange(0, 1)
    del behind.kafka.offsets["g"][T1]
    with pytest.raises(WaitTimeoutError, match="no committed offset for 1 partitions \\(t-1\\)"):
        call(behind, max_lag=10**9, timeout=1.0)


@pytest.mark.parametrize("until", [{"until": "lag"}, {"until": "barrier"}, {"until": "stable", "polls": 2}])
def test_a_partition_that_has_nothing_to_read_needs_no_commit(behind: World, until: dict[str, t.Any]) -> None:
    """A topic of many partitions of which few have records, and a consumer that commits what it read."""
    for number in range(2, 12):
        behind.kafka.logs[TopicPartition("t", number)] = LogRange(3, 3)
    del behind.kafka.offsets["g"][T1]
    progress(behind)
    done = call(behind, **until)
    assert (done["satisfied"], done["total_lag"]) == (True, 0)
    assert [row["lag"] for row in done["partitions"]] == [0] * 12


def test_a_group_nobody_knows_is_neither_caught_up_nor_empty(world: World) -> None:
    with pytest.raises(
        WaitTimeoutError, match=r"not known to Kafka \(check its name\), so its lag is unknown, after 1 s"
    ):
        call(world, timeout=1.0)
    assert call(world, until="empty", check=True)["satisfied"] is False
    world.clock.time = 0.0
    with pytest.raises(
        WaitTimeoutError,
        match=r"g is not known to Kafka \(check its name\), so whether it is empty is unknown, after 5 s",
    ) as raised:
        call(world, until="empty", timeout=600.0)
    assert (world.clock.time, raised.value.result["satisfied"]) == (5.0, False), "soon, not in ten minutes"
    world.clock.time = 0.0
    with pytest.raises(WaitTimeoutError, match="is unknown, after 5 s"):
        in_slices(world, 2.0, until="empty", timeout=600.0)


def test_a_group_that_was_there_and_is_forgotten_is_empty(behind: World) -> None:
    """A broker forgets a group without members and offsets; it is the same one, and nobody is in it."""
    behind.kafka.on_read = lambda: behind.kafka.known.pop("g", None) if behind.clock.time > 20 else None
    assert call(behind, until="empty", timeout=60.0)["type"] == "absent"
    behind.clock.time = 0.0
    behind.kafka.join("g", "c1")
    assert in_slices(behind, 2.0, until="empty", timeout=60.0)[0]["type"] == "absent"
    appears: World = World()
    appears.kafka.on_read = lambda: appears.kafka.join("g") if appears.clock.time > 3 else None
    assert call(appears, until="empty", timeout=60.0)["satisfied"] is True


HOLDER = OpenTransaction(
    TopicPartition("__consumer_offsets", 3),
    4001,
    7,
    120,
    transactional_id="app-1",
    began=1_767_225_600_000,
    timeout=600_000,
)


def test_offsets_in_an_open_transaction_are_waited_for(behind: World) -> None:
    """As long as the wait's own limit, whatever a look takes; then they are what the transaction says."""
    behind.kafka.pending["g"] = {T0}
    behind.kafka.beside = [HOLDER]

    def end() -> None:
        if behind.clock.time > 90:
            behind.kafka.pending["g"] = set()
            behind.kafka.offsets["g"][T0] = CommittedOffset(100)

    behind.kafka.on_read = end
    done, lines = in_slices(behind, 10.0, max_lag=1000, timeout=600.0)
    assert (done["satisfied"], done["total_lag"], done["pending"]) == (True, 0, [])
    assert 90 < done["elapsed"] < 95
    assert "lag unknown, 0/s processed, 1 partitions (t-0) pending in an open transaction, waited" in lines[0]


@pytest.mark.parametrize("until", [{"until": "lag"}, {"until": "barrier"}, {"until": "stable", "polls": 2}])
def test_a_wait_for_a_transaction_that_does_not_end_says_whose_it_is(behind: World, until: dict[str, t.Any]) -> None:
    behind.kafka.pending["g"] = {T0}
    behind.kafka.beside = [HOLDER]
    result, said = timed_out(behind, **until)
    assert "has offsets in an open transaction for 1 partitions (t-0), so its lag is not decided yet, after 3 s" in said
    assert "producer id 4001 (epoch 7) of transactional id app-1" in said
    assert "is aborted by Kafka at about 2026-01-01T00:10:00Z" in said
    assert "abort --topic __consumer_offsets --partition 3 --start-offset 120" in said
    assert result["partitions"][0]["committed_offset"] == 70, "what was decided before is shown"
    assert (result["total_lag"], result["pending"]) == (None, [{"topic": "t", "partition": 0}])
    assert result["pending_transactions"][0]["transactional_id"] == "app-1"
    behind.kafka.hides_transactions = "not allowed"
    result, said = timed_out(behind, **until)
    assert (result["pending_transactions"], said.endswith("cannot be seen: not allowed")) == (None, True)


def test_a_tail_that_nobody_is_given_is_named(behind: World) -> None:
    """The group stands before aborted records: it reads, and has nothing to commit."""
    said = timed_out(behind)[1]
    assert said.endswith(
        "after 3 s. The 30 offsets may be aborted records or transaction markers, which readers of committed records skip: the "
        "last stable offset is the end of the log, no transaction is open and the commits do not move while the consumers "
        "read. Then wait with until: stable, or raise max_lag; else the consumers hang"
    )
    assert "The 30 offsets may be" in timed_out(behind, max_lag=10)[1], "all that are left, not those above the limit"
    assert "The 30 offsets may be" in timed_out(behind, until="barrier")[1]
    behind.kafka.hides_transactions = "not allowed"
    assert "; it is so if no transaction is open." in timed_out(behind)[1]
    behind.kafka.hides_transactions = ""
    behind.kafka.unstable = 4
    assert "may be aborted" not in timed_out(behind)[1], "a transaction is open"
    behind.kafka.unstable = 0
    behind.kafka.join("g")
    assert "may be aborted" not in timed_out(behind)[1], "nobody reads"
    behind.kafka.join("g", "c1")
    progress(behind, 1)
    assert "may be aborted" not in timed_out(behind)[1], "it moves"


def test_until_empty_names_who_is_left(behind: World) -> None:
    with pytest.raises(WaitTimeoutError, match="still has 1 members \\(c1; state Stable\\)"):
        call(behind, until="empty", timeout=1.0)
    behind.kafka.join("g")
    assert call(behind, until="empty")["empty"] is True


def test_check_mode_looks_once_and_does_not_fail(behind: World) -> None:
    result = call(behind, check=True)
    assert (result["satisfied"], result["attempts"], behind.clock.slept) == (False, 1, [])


def test_the_first_look_must_work_and_later_ones_may_fail(behind: World) -> None:
    behind.kafka.down = True
    with pytest.raises(KafkaError):
        call(behind)

    behind.kafka.down = False
    looks: list[int] = []

    def trouble() -> None:
        looks.append(1)
        behind.kafka.down = 10 < len(looks) < 13

    behind.kafka.on_read = trouble
    progress(behind)
    assert call(behind)["satisfied"] is True

    behind.kafka.offsets["g"][T0] = CommittedOffset(0)
    behind.kafka.on_read = lambda: setattr(behind.kafka, "down", behind.clock.time > 5)
    behind.clock.time = 4.0
    with pytest.raises(WaitTimeoutError, match="the last poll failed: Kafka at fake:9092"):
        call(behind, timeout=4.0)


def test_open_transactions_do_not_count_for_those_who_do_not_read_them(behind: World) -> None:
    behind.kafka.unstable = 4
    del behind.kafka.logs[T1]
    assert call(behind, check=True)["total_lag"] == 30
    assert call(behind, check=True, read_committed=True)["total_lag"] == 26


def test_topics_that_were_asked_for_must_exist(behind: World) -> None:
    with pytest.raises(InvalidSettingsError, match="topic nope does not exist"):
        call(behind, check=True, topics=["t", "nope"])


def test_a_group_as_data(behind: World) -> None:
    seen = call(behind, check=True)
    assert seen["members"][0]["client_id"] == "c1"
    assert [(row["committed_offset"], row["log_end_offset"], row["lag"]) for row in seen["partitions"]] == [
        (70, 100, 30),
        (0, 0, 0),
    ]


def test_limits_for_the_total_and_for_each_partition(behind: World) -> None:
    behind.kafka.logs[T1] = LogRange(0, 10)
    assert call(behind, check=True, max_lag=40)["satisfied"] is True
    assert call(behind, check=True, max_lag=39)["remaining"] == 1
    each = call(behind, check=True, max_partition_lag=25)
    assert (each["satisfied"], each["remaining"]) == (False, 5)
    assert call(behind, check=True, max_partition_lag=30)["satisfied"] is True, "then the total has no limit"
    assert call(behind, check=True, max_lag=39, max_partition_lag=30)["satisfied"] is False
    with pytest.raises(WaitTimeoutError, match=r"wanted: at most 39 and at most 5 in one partition; most in t-0: 30\)"):
        call(behind, max_lag=39, max_partition_lag=5, timeout=0.0)


def produce(world: World, step: int) -> None:
    """Let every sleep of the clock bring more records."""
    sleep = world.clock.sleep

    def grow(seconds: float) -> None:
        sleep(seconds)
        world.kafka.logs[T0] = LogRange(0, world.kafka.logs[T0].end + step)
        world.kafka.offsets["g"][T0] = CommittedOffset(world.kafka.offsets["g"][T0].offset + 10)

    world.clock.sleep = grow  # type: ignore[method-assign]


def test_a_barrier_is_reached_while_the_lag_only_grows(behind: World) -> None:
    produce(behind, 50)
    done = call(behind, until="barrier", timeout=30.0)
    assert (done["satisfied"], done["attempts"], done["remaining"]) == (True, 4, 0)
    assert done["barrier"] == [
        {"topic": "t", "partition": 0, "offset": 100},
        {"topic": "t", "partition": 1, "offset": 0},
    ]
    assert done["total_lag"] == 150
    assert done["rate"] == 10.0
    with pytest.raises(WaitTimeoutError) as raised:
        call(behind, until="lag", timeout=30.0)
    assert raised.value.result["estimated_seconds"] is None, "it never gets there"


def test_a_barrier_of_an_earlier_look(behind: World) -> None:
    before = call(behind, check=True, until="barrier")
    assert (before["satisfied"], before["remaining"]) == (False, 30)
    marks = {TopicPartition(mark["topic"], mark["partition"]): mark["offset"] for mark in before["barrier"]}
    behind.kafka.logs[T0] = LogRange(0, 1000)
    with pytest.raises(WaitTimeoutError, match="still 30 records before the barrier"):
        call(behind, until="barrier", barrier=marks, timeout=1.0)
    behind.kafka.offsets["g"][T0] = CommittedOffset(100)
    assert call(behind, until="barrier", barrier=marks)["satisfied"] is True
    with pytest.raises(WaitTimeoutError, match="no committed offset for 1 partitions \\(t-9\\)"):
        call(behind, until="barrier", barrier={**marks, TopicPartition("t", 9): 0}, timeout=1.0)


def test_a_partition_that_is_added_is_unknown_for_the_lag_and_not_part_of_the_barrier(behind: World) -> None:
    added = TopicPartition("t", 2)
    behind.kafka.on_read = lambda: (
        behind.kafka.logs.setdefault(added, LogRange(0, 5)) if behind.clock.time > 1 else None
    )
    progress(behind)
    done = call(behind, until="barrier", timeout=60.0)
    assert (done["satisfied"], done["not_in_barrier"]) == (True, [{"topic": "t", "partition": 2}])
    with pytest.raises(WaitTimeoutError, match="no committed offset for 1 partitions \\(t-2\\)"):
        call(behind, max_lag=1000, timeout=1.0)


def test_stable_is_the_same_offsets_look_after_look(behind: World) -> None:
    progress(behind)
    done = call(behind, until="stable", polls=3)
    assert (done["satisfied"], done["attempts"], done["unchanged_polls"]) == (True, 7, 3)
    assert done["remaining"] is None
    behind.kafka.offsets["g"][T0] = CommittedOffset(0)
    with pytest.raises(WaitTimeoutError, match="unchanged for 0 of 3 polls"):
        call(behind, until="stable", polls=3, timeout=5.0)
    behind.kafka.logs[T1] = LogRange(0, 1)
    del behind.kafka.offsets["g"][T1]
    with pytest.raises(WaitTimeoutError, match="no committed offset for 1 partitions"):
        call(behind, until="stable", polls=1, timeout=60.0)


def test_a_group_nobody_knows_never_stands_still_or_passes_a_mark(world: World) -> None:
    world.kafka.logs = {T0: LogRange(0, 0)}
    for until in ("lag", "barrier", "stable"):
        for topics in ((), ("t",)):
            with pytest.raises(WaitTimeoutError, match="is not known to Kafka") as raised:
                call(world, until=until, timeout=3.0, polls=1, topics=topics)
            assert {raised.value.result[key] for key in ("remaining", "rate", "estimated_seconds")} == {None}


def test_a_share_group_is_refused(behind: World) -> None:
    behind.kafka.known["g"] = Group("g", "share", "Stable")
    for until in ("lag", "barrier", "stable"):
        with pytest.raises(InvalidSettingsError, match="is a share group: it acknowledges single records"):
            call(behind, until=until)
    assert call(behind, check=True, until="empty")["type"] == "share"


def test_nonsense_is_listed_before_kafka_is_asked(behind: World) -> None:
    with pytest.raises(InvalidSettingsError) as raised:
        call(
            behind, until="stable", max_lag=-1, max_partition_lag=5, barrier={T0: -2}, polls=0, timeout=-1.0, sleep=0.0
        )
    assert len(raised.value.faults) == 8
    with pytest.raises(InvalidSettingsError, match="barrier is empty"):
        call(behind, until="barrier", barrier={})
    assert behind.kafka.reads == 0


def test_the_history_is_for_plots(behind: World) -> None:
    progress(behind)
    history = call(behind)["history"]
    assert [(s["elapsed"], s["lag"], s["remaining"], s["processed"]) for s in history] == [
        (0.0, 30, 30, 0),
        (1.0, 20, 20, 10),
        (2.0, 10, 10, 20),
        (3.0, 0, 0, 30),
    ]


def test_lines_between_slices_tell_where_the_wait_stands(behind: World) -> None:
    progress(behind)
    done, lines = in_slices(behind, 2.0, timeout=60.0)
    assert done["satisfied"] is True
    assert lines == ["group g: lag 10 records, 10/s processed, about 1 s left, waited 2 of 60 s"]
    behind.kafka.offsets["g"][T0] = CommittedOffset(0)
    done, lines = in_slices(behind, 1.0, until="barrier")
    assert lines[0] == (
        "group g: lag 90 records, 90 records before the barrier, 10/s processed, about 9 s left, waited 1 of 300 s"
    )
    done, lines = in_slices(behind, 1.0, until="stable", polls=3)
    assert lines[0] == "group g: lag 0 records, unchanged for 1 of 3 polls, 0/s processed, waited 1 of 300 s"
    behind.clock.time = 0.0
    behind.kafka.on_read = lambda: behind.kafka.join("g") if behind.clock.time > 3 else None
    assert in_slices(behind, 2.0, until="empty")[1] == ["group g: 1 members left, waited 2 of 300 s"]


@given(
    seconds=st.floats(0.5, 20.0),
    start=st.floats(0.0, 0.9),
    until=st.sampled_from([{"until": "lag"}, {"until": "barrier"}, {"until": "stable", "polls": 3}]),
    step=st.integers(0, 12),
    made=st.integers(0, 12),
)
def test_in_slices_or_in_one_go_is_the_same(
    seconds: float, start: float, until: dict[str, t.Any], step: int, made: int
) -> None:
    def outcome(wait: t.Callable[[World], t.Any]) -> t.Any:
        world = World()
        world.kafka.logs = {T0: LogRange(0, 100)}
        world.kafka.offsets["g"] = {T0: CommittedOffset(70)}

        def moved() -> None:
            looks = int(world.clock.time + 0.001)
            world.kafka.logs[T0] = LogRange(0, 100 + made * looks)
            world.kafka.offsets["g"][T0] = CommittedOffset(min(70 + step * looks, 100 + made * looks))

        world.kafka.on_read = moved
        try:
            result = wait(world)
        except WaitTimeoutError as error:
            result = {**error.result, "msg": error.message}
        return {key: value for key, value in result.items() if key != "elapsed"}

    whole = outcome(lambda world: call(world, timeout=20.0, **until))
    # The first slice begins when the wait begins; starting the others takes the place of a sleep.
    sliced = outcome(lambda world: in_slices(world, seconds, timeout=20.0, **until)[0])
    assert sliced == whole
    slow = outcome(lambda world: in_slices(world, seconds, start, timeout=20.0, **until)[0])
    assert (slow["satisfied"], slow["barrier"]) == (whole["satisfied"], whole["barrier"])
    assert abs(len(slow["history"]) - len(whole["history"])) <= 1, "the looks keep their distance"


def test_a_slice_in_which_kafka_is_away_keeps_what_was_seen(behind: World) -> None:
    behind.kafka.on_read = lambda: setattr(behind.kafka, "down", 1.5 < behind.clock.time < 8.5)
    progress(behind, 2)
    done, lines = in_slices(behind, 2.0, timeout=60.0)
    assert (done["satisfied"], done["total_lag"]) == (True, 0)
    assert "; the last poll failed: Kafka at fake:9092 does not answer" in lines[1]
    assert lines[1].startswith("group g: lag 28 records")
    behind.clock.time = 0.0
    behind.kafka.offsets["g"][T0] = CommittedOffset(0)
    behind.kafka.on_read = lambda: setattr(behind.kafka, "down", behind.clock.time > 1.5)
    with pytest.raises(WaitTimeoutError, match=r"lag of 98 records .* after 9 s \(the last poll failed: Kafka at fake"):
        in_slices(behind, 2.0, timeout=9.0)
