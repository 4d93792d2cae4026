"""The bake judges a version by what Kafka, its pods and the application show: bad ones are found, good ones are not accused."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.lag import PartitionLag
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    LogRange,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import bake
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.bake import Counters, Limits, Look, Watch

TICK = 0.1


@dataclass
class Version:
    """A version at work for half a minute beside producers.

    rate: records a second of all producers, which changes at random by ``varies`` parts. capacity: records a second that the
    version can do. commits: seconds between two commits; together: of all partitions at once.
    """

    seed: int = 0
    rate: float = 120.0
    varies: float = 0.5
    capacity: float = 1e9
    commits: float = 5.0
    together: bool = True
    stuck: tuple[int, ...] = ()
    idle: tuple[int, ...] = ()
    backlog: float = 200.0
    partitions: int = 6
    seconds: float = 30.0
    latency: float = 0.3
    watch: Watch = field(default_factory=Watch)

    def bake(self, **look) -> Watch:
        """Looks once a second; ``look`` is added to each."""
        chance = random.Random(self.seed)
        busy = [number for number in range(self.partitions) if number not in self.idle]
        end = {number: float(chance.randrange(10_000)) for number in range(self.partitions)}
        done = {number: end[number] - (self.backlog / len(busy) if number in busy else 0) for number in end}
        committed = dict(done)
        offset_of = {n: chance.random() * self.commits * (not self.together) for n in end}
        start, rate, changes, history, last = chance.random() * self.commits, self.rate, 0.0, [], {}
        for tick in range(round(self.seconds / TICK) + 1):
            now = tick * TICK
            if now >= changes:
                rate = self.rate * chance.uniform(1 - self.varies, 1 + self.varies)
                changes = now + chance.choice((1, 3, 5, 10, 15))
            for number in busy:
                end[number] += rate / len(busy) * TICK
            history.append(dict(end))
            there = history[max(0, tick - round(self.latency / TICK))]
            for number in end:
                if number in self.stuck:
                    continue
                done[number] = max(done[number], min(there[number], done[number] + self.capacity / len(busy) * TICK))
                period = int((now + start + offset_of[number]) / self.commits)
                if last.get(number) != period:
                    last[number], committed[number] = period, done[number]
            if tick % round(1 / TICK) == 0:
                rows = [row(number, committed[number], end[number]) for number in end]
                self.watch = bake.advance(self.watch, Look(now, rows, True, {}, {}, **look))
        return self.watch


def row(number, committed, end, start=0):
    known = None if committed is None else CommittedOffset(int(committed))
    return PartitionLag(TopicPartition("t", number), known, LogRange(start, int(end)))


def faults(watch, source_rate=None, limits=None):
    return [gate.name for gate in bake.judge(watch, limits or Limits(), source_rate) if gate.verdict == "NO-GO"]


def gate_of(watch, name, **more):
    return next(gate for gate in bake.judge(watch, Limits(), **more) if gate.name == name)


# --- good versions -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("commits", [0.5, 1.0, 5.0, 7.0])
@pytest.mark.parametrize("source_rate", [None, 120.0, 170.0])
def test_a_good_version_is_never_accused(commits, together, source_rate):
    """The rate changes by half, commits come in steps of up to five seconds, and there is a backlog of the hand-over."""
    for seed in range(20):
        watch = Version(seed, commits=commits, together=together).bake()
        assert faults(watch, source_rate) == [], seed


def test_partitions_without_records_are_no_fault():
    assert faults(Version(idle=(1, 4)).bake()) == []


def test_an_idle_topic_is_told_as_that():
    watch = Version(rate=1.0, backlog=0).bake()
    assert faults(watch) == []
    assert gate_of(watch, "throughput").verdict == "WARN"
    assert "idle" in gate_of(watch, "throughput").value


def test_less_than_the_producers_is_enough_when_the_version_before_did_no_more():
    watch = Version(capacity=80.0, varies=0.0).bake()
    assert "throughput" in faults(watch)
    assert "throughput" not in faults(watch, source_rate=82.0)


# --- bad versions --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("commits", [0.5, 5.0])
def test_half_the_throughput(commits):
    for seed in range(20):
        watch = Version(seed, capacity=60.0, varies=0.0, commits=commits).bake()
        assert "throughput" in faults(watch), seed
        assert "lag does not grow" in faults(watch), seed


def test_half_the_throughput_under_a_changing_rate():
    found = [bool(faults(Version(seed, capacity=60.0).bake())) for seed in range(40)]
    assert sum(found) >= 39


def test_a_partition_that_stands_still():
    watch = Version(stuck=(2,)).bake()
    assert "every partition moves" in faults(watch)
    assert "t-2" in gate_of(watch, "every partition moves").advice


def test_a_partition_that_was_never_committed():
    watch = Watch()
    for second in range(30):
        rows = [row(0, None, 500 + second), row(1, second * 9, second * 9)]
        watch = bake.advance(watch, Look(second, rows, True, {}, {}))
    assert faults(watch) == ["every partition moves"]


def test_a_partition_that_moved_and_then_stands_still():
    """A record that its reader never gets past."""
    watch = Watch()
    for second in range(31):
        rows = [row(n, min(second, 4 if n == 7 else 99) * 9, second * 9) for n in range(50)]
        watch = bake.advance(watch, Look(second, rows, True, {}, {}))
    assert faults(watch) == ["every partition moves"]
    assert "t-7" in gate_of(watch, "every partition moves").advice


def test_offsets_that_stay_while_nothing_follows_may_be_aborted_records():
    watch = Watch()
    for second in range(30):
        watch = bake.advance(watch, Look(second, [row(0, 450, 500), row(1, second * 9, second * 9)], True, {}, {}))
    assert faults(watch) == []


def look_at_pods(second, unready=(), restarts=(0, 0)):
    uids = {f"u{number}": f"pod-{number}" for number in range(len(restarts))}
    return Look(
        second,
        [row(0, second * 9, second * 9)],
        True,
        dict(zip(uids, restarts, strict=True)),
        uids,
        {f"u{number}": "Pending" for number in unready},
    )


def test_a_restart():
    watch = Watch()
    for second in range(30):
        watch = bake.advance(watch, look_at_pods(second, restarts=(2, 3 if second > 12 else 2)))
    assert "pod-1 restarted 1 times" in gate_of(watch, "pods stay up").advice
    assert faults(watch) == ["pods stay up"]


def test_a_pod_that_was_ready_and_is_not_for_a_third_of_the_time():
    watch = Watch()
    for second in range(30):
        watch = bake.advance(watch, look_at_pods(second, unready=(1,) if 5 < second < 25 else ()))
    assert faults(watch) == ["pods stay up"]


@pytest.mark.parametrize("begins", [10, 29])
def test_a_pod_that_is_still_starting_is_told_and_is_no_fault(begins):
    """An autoscaler wants one more, and its node is slow."""
    watch = Watch()
    for second in range(30):
        more = second >= begins
        watch = bake.advance(watch, look_at_pods(second, unready=(2,) if more else (), restarts=(0,) * (2 + more)))
    assert faults(watch) == []
    assert gate_of(watch, "pods stay up").verdict == "WARN"


@pytest.mark.parametrize(("failed", "accused"), [(0, False), (9, False), (10, True), (50, True)])
def test_failed_records(failed, accused):
    """1,000 records: less than 1 % may fail."""
    watch, rows = Watch(), [row(0, 1, 1)]
    for second in range(11):
        done = {"u1/0": Counters(70_000 + second * 100 - second * failed // 10, 4_000 + second * failed // 10)}
        watch = bake.advance(watch, Look(second, rows, True, {}, {}, counters=done))
    assert ("failed records" in faults(watch)) is accused


def test_a_process_that_began_during_the_bake_counts_from_its_first_look():
    watch, rows = Watch(), [row(0, 1, 1)]
    for second, counters in enumerate(
        [{"u1/0": Counters(900, 0)}, {"u1/1": Counters(0, 0)}, {"u1/1": Counters(300, 60)}]
    ):
        watch = bake.advance(watch, Look(second, rows, True, {}, {}, counters=counters))
    assert "60 of 360" in gate_of(watch, "failed records").value


def test_an_application_without_counters_is_not_accused():
    assert gate_of(Version().bake(), "failed records").value == "not offered"


def test_too_few_records_are_told_as_that():
    watch, rows = Watch(), [row(0, 1, 1)]
    for second in range(3):
        watch = bake.advance(watch, Look(second, rows, True, {}, {}, counters={"u": Counters(second, second)}))
    assert gate_of(watch, "failed records").verdict == "WARN"


# --- what can't be measured ------------------------------------------------------------------------------------------------------


def test_a_commit_in_an_open_transaction_is_where_the_last_one_was():
    """Not the start of the log."""
    watch = Watch()
    for second in range(31):
        rows = [row(0, 9_000_000 + second * 9, 9_000_000 + second * 9)]
        if second == 25:
            rows = [PartitionLag(rows[0].partition, rows[0].committed, rows[0].log, pending=True)]
        watch = bake.advance(watch, Look(second, rows, True, {}, {}))
    assert faults(watch) == []


def test_few_looks_are_no_fault_of_the_version():
    watch = Watch()
    for second in (0, 1, 2, 29, 30):
        watch = bake.advance(watch, Look(second, [row(0, 5, 900)], True, {}, {}))
    assert faults(watch) == []
    assert [gate.verdict for gate in bake.judge(watch, Limits())].count("WARN") == 3


@pytest.mark.parametrize("commits", [10.5, 12.0, 15.0])
def test_commits_that_are_rare_are_no_rate(commits):
    for seed in range(20):
        watch = Version(seed, commits=commits).bake()
        assert faults(watch) == [], seed
    assert "too rare" in gate_of(watch, "throughput").value


def test_a_partition_that_was_added_may_not_be_known_to_its_readers():
    watch = Watch()
    for second in range(60):
        rows = [row(0, second * 9, second * 9)]
        if second > 20:
            rows.append(row(1, None, second * 9))
        watch = bake.advance(watch, Look(second, rows, True, {}, {}))
    assert "every partition moves" not in faults(watch)
    assert gate_of(watch, "throughput").verdict == "GO"


def test_a_lag_that_grew_no_faster_than_with_the_version_before():
    watch = Version(capacity=80.0, varies=0.0).bake()
    assert faults(watch, source_rate=82.0) == []


@pytest.mark.parametrize(("moved", "rate"), [(0, None), (99, None), (100, 5.0), (10_000, 500.0), (-50, None)])
def test_a_version_that_had_nothing_to_do_is_no_measure(moved, rate):
    """Traffic that begins in the bake would pass at any throughput: it is always as fast as 0 a second."""
    tp = TopicPartition("events", 0)
    mark = bake.Mark(1000.0, {tp: CommittedOffset(500)})
    assert bake.rate_since(mark, {tp: CommittedOffset(500 + moved)}, 1020.0, 100) == rate
    assert bake.rate_since(mark, {tp: CommittedOffset(9_000)}, 1005.0, 100) is None, "too short"
    assert bake.rate_since(None, {}, 1020.0, 100) is None


def test_a_gap_begins_the_measurement_anew():
    """Neither a rebalance before an outage nor the commits before it say anything of the time after it."""
    watch = Version().bake()
    last = watch.points[-1].at
    watch = bake.advance(watch, Look(last + 1, [row(number, 5, 5) for number in range(6)], False, {}, {}))
    assert (watch.points, watch.rebalanced) == ((), 1)
    for second in range(8):
        rows = [row(number, 9_000 + second, 9_000 + second) for number in range(6)]
        watch = bake.advance(watch, Look(last + 12.5 + second, rows, True, {}, {}))
    assert (len(watch.points), watch.rebalanced, watch.began) == (8, 0, last + 12.5)
    assert {known.moves for known in watch.partitions.values()} == {7 + 1}
    assert "7 s in one piece, and 15" in bake.too_little(watch, 30)
    assert bake.too_little(watch, 14) == ""


def test_what_is_too_little_to_judge_by():
    assert "0 s in one piece" in bake.too_little(Watch(), 30)
    watch = Watch()
    for second in range(0, 40, 10):
        watch = bake.advance(watch, Look(second, [row(0, second, second)], True, {}, {}))
    assert "4 times in 30 s" in bake.too_little(watch, 30)
    watch = Watch()
    for second in range(30):
        watch = bake.advance(watch, Look(second, [row(0, second, second)], second % 3 == 0, {}, {}))
    assert bake.too_little(watch, 30) == "", "a group that does not settle was seen, and is a No-Go"
    assert "group settled" in faults(watch)


def test_a_rewind_is_never_a_ratio():
    version = Version()
    watch = version.bake()
    last = watch.points[-1].at
    watch = bake.advance(watch, Look(last + 1, [row(number, 5, 99_999) for number in range(6)], True, {}, {}))
    gate = gate_of(watch, "throughput")
    assert gate.verdict == "WARN"
    assert "set back" in gate.value


def test_what_was_measured_before_a_rebalance_does_not_count():
    watch = Version(capacity=10.0).bake()
    assert "throughput" in faults(watch)
    watch = bake.advance(watch, Look(31, [row(number, 5, 5) for number in range(6)], False, {}, {}))
    assert watch.points == ()
    assert "group settled" in faults(watch)
    for second in range(32, 45):
        watch = bake.advance(watch, Look(second, [row(n, second * 99, second * 99) for n in range(6)], True, {}, {}))
    assert faults(watch) == []


def test_a_lag_that_is_not_known_is_not_judged():
    watch = Watch()
    for second in range(30):
        watch = bake.advance(watch, Look(second, [row(0, None, 500)], True, {}, {}))
    assert gate_of(watch, "lag does not grow").verdict == "WARN"


def test_a_slice_knows_all_that_the_one_before_knew():
    watch = Version(3).bake(counters={"u1/0": Counters(5, 1)})
    assert bake.from_state(json.loads(json.dumps(bake.to_state(watch)))) == watch


def test_a_line_for_the_terminal():
    watch = Version(varies=0.0).bake()
    assert bake.line(watch, 30, 12).startswith("bake: 18 of 30 s, ")
    assert "/s processed, lag " in bake.line(watch, 30, 12)
    assert bake.line(Watch(), 30, 30) == "bake: 0 of 30 s"


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        (bake.BakeRequest(5.0), "bake is 5 s"),
        (bake.BakeRequest(30.0, limits=Limits(throughput=90.0)), "throughput is 90"),
        (bake.BakeRequest(30.0, limits=Limits(throughput=float("nan"))), "throughput is nan"),
        (bake.BakeRequest(30.0, limits=Limits(error_ratio=0.0)), "error_ratio is 0"),
        (bake.BakeRequest(30.0, limits=Limits(min_records=0)), "min_records is 0"),
    ],
)
def test_what_can_not_be_measured_is_refused(request_, word):
    with pytest.raises(InvalidSettingsError, match=word):
        request_.check()


def test_nobody_finds_a_secret_in_a_packed_state():
    state = {"offsets": {"t": [123456, 99]}, "began": 1234.5}
    assert "1234" not in bake.packed(state)
    assert bake.unpacked(bake.packed(state)) == state
    with pytest.raises(InvalidSettingsError, match="_slice"):
        bake.unpacked("nonsense")
