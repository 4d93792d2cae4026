# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The bake: does the new version work as well as the one before? Judged from what was seen of it for a while. No I/O.

Everything is measured on the machine's monotonic clock. What can't be measured (an idle topic, a rewind, a rebalance in the
middle) is told as that and is never made into a ratio.
"""

from __future__ import annotations

import base64
import json
import typing as t
import zlib
from dataclasses import asdict, dataclass, field, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.lag import PartitionLag
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.gates import Gate, gate

LATE = 1 / 3
"""Part of the time by which the target may be behind the producers, so that a rate that changes is no fault of the target."""
STUCK_LAG = 10
"""Offsets that wait on a partition without progress: fewer may be the markers of transactions."""
STEPS = 5
"""Commits of a partition that make a rate: with fewer the steps are too large to tell."""
SHIFTS = 20
"""Delays that are tried."""
SOURCE_SECONDS = 10.0
"""Shortest time over which the rate of the colour before is told."""
ENOUGH = 6
"""Looks that make a measurement."""
RISE = 1.2
"""Producers that write so many times as much in the second half let the lag grow."""


INTERVAL = 1.0
"""Seconds between two looks."""
GAP = 10.0
"""Seconds without a look after which the measurement begins anew: while Kafka is away nobody commits, and then everybody catches up."""
AT_MOST = 2
"""A rebalance begins the measurement anew, which may make the watch so many times as long."""
ROLLBACK, STOP = ON_NO_GO = ("rollback", "stop")
"""What becomes of a switch whose bake says No-Go."""


@dataclass(frozen=True)
class Limits:
    """throughput: smallest share of what is wanted. error_ratio: largest share of failed records. min_records: to judge by."""

    throughput: float = 0.9
    error_ratio: float = 0.01
    min_records: int = 100


@dataclass(frozen=True)
class BakeRequest:
    """seconds: how long, 0 for no bake. on_no_go: one of ON_NO_GO. slice: seconds until a caller hears where it stands.

    state: what the slice before returned as ``resume``.
    """

    seconds: float = 0.0
    on_no_go: str = ROLLBACK
    limits: Limits = field(default_factory=Limits)
    slice: float | None = None
    state: str = ""

    def check(self) -> None:
        """Raise InvalidSettingsError for what can't be measured."""
        faults = []
        if 0 < self.seconds < ENOUGH * INTERVAL * 2:
            faults.append(
                f"bake is {self.seconds:g} s; it must be 0 or at least {ENOUGH * INTERVAL * 2:g}, or nothing can be measured"
            )
        for name in ("throughput", "error_ratio"):
            value = getattr(self.limits, name)
            if not 0 < value <= 1:  # nor is what is not a number
                faults.append(f"bake_limits.{name} is {value:g}; it must be a share, above 0 and at most 1")
        if self.limits.min_records < 1:
            faults.append(f"bake_limits.min_records is {self.limits.min_records}; it must be 1 or more")
        if faults:
            raise InvalidSettingsError(faults)


@dataclass(frozen=True)
class Mark:
    """Where a group stood at a time of the monotonic clock."""

    at: float
    offsets: t.Mapping[TopicPartition, CommittedOffset]


def rate_since(
    mark: Mark | None, offsets: t.Mapping[TopicPartition, CommittedOffset], now: float, min_records: int
) -> float | None:
    """Records a second from there to ``offsets``; None where that is too short to tell, as commits come in steps, or fewer than
    min_records: what a colour did that had next to nothing to do is no measure of what the next one has to do.
    """
    if mark is None or now - mark.at < SOURCE_SECONDS or not set(offsets) <= set(mark.offsets):
        return None
    moved = sum(known.offset - mark.offsets[tp].offset for tp, known in offsets.items())
    return moved / (now - mark.at) if moved >= min_records else None


@dataclass(frozen=True)
class Counters:
    """What one process of the application counted since it began."""

    processed: int
    failed: int


@dataclass(frozen=True)
class Look:
    """One look at the active colour. at: seconds of the monotonic clock.

    settled: its group was Stable. restarts: of each pod's containers, by the pod's uid; names: of the same. unready: uids of pods that
    are not Ready, and why.
    counters: by process (the pod's uid and its restarts); None where no pod has any.
    """

    at: float
    rows: t.Sequence[PartitionLag]
    settled: bool
    restarts: t.Mapping[str, int]
    names: t.Mapping[str, str]
    unready: t.Mapping[str, str] = field(default_factory=dict)
    counters: t.Mapping[str, Counters] | None = None


@dataclass(frozen=True)
class Point:
    """Sums over all partitions at one look. lag None: unknown."""

    at: float
    consumed: int
    produced: int
    lag: int | None


@dataclass(frozen=True)
class Partition:
    """What is remembered of a partition: its last commit, how often it moved, and since when records wait without a move.

    end: of its log when they began to wait; grew: it is further since. new: it was not there at the first look, so that its
    readers may not know it yet.
    """

    last: int | None
    moves: int = 0
    waits_since: float | None = None
    end: int = 0
    grew: bool = False
    new: bool = False


@dataclass(frozen=True)
class PodSeen:
    """What is remembered of a pod. looks: at how many it was seen. restarts: when it was first seen, and since."""

    name: str
    restarts: int
    restarted: int = 0
    looks: int = 0
    unready: int = 0
    was_ready: bool = False
    why: str = ""


@dataclass(frozen=True)
class Watch:
    """What is remembered of the looks so far; JSON-ready by to_state."""

    points: tuple[Point, ...] = ()
    counted: frozenset[str] = frozenset()
    """Partitions in the points."""
    partitions: t.Mapping[str, Partition] = field(default_factory=dict)
    rewound: t.Mapping[str, int] = field(default_factory=dict)
    """Offsets by which a commit fell, by partition."""
    rebalanced: int = 0
    """Looks at which the group was not Stable or had other partitions: what was measured before them does not count."""
    pods: t.Mapping[str, PodSeen] = field(default_factory=dict)
    """By uid."""
    first_counters: t.Mapping[str, Counters] | None = None
    counters: t.Mapping[str, Counters] | None = None
    began: float | None = None
    """Time of the first look with no gap after it."""
    looked: float | None = None
    """Time of the last look."""


def advance(watch: Watch, look: Look) -> Watch:
    """One look further."""
    if watch.looked is not None and look.at - watch.looked > GAP:
        watch = _anew(watch)
    rewound, partitions = dict(watch.rewound), {}
    for row in look.rows:
        name, offset = str(row.partition), row.committed.offset if row.committed and not row.pending else None
        known = watch.partitions.get(name)
        before = known or Partition(offset, new=bool(watch.partitions))
        if offset is not None and before.last is not None and offset < before.last:
            rewound[name] = rewound.get(name, 0) + before.last - offset
        moves = offset is not None and before.last is not None and offset != before.last
        waits = (row.lag is None or row.lag >= STUCK_LAG) and not moves
        starts = waits and before.waits_since is None
        partitions[name] = Partition(
            last=before.last if offset is None else offset,
            moves=before.moves + moves,
            waits_since=look.at if starts else before.waits_since if waits else None,
            end=row.log.end if starts else before.end,
            grew=waits and not starts and row.log.end >= before.end + STUCK_LAG,
            new=before.new,
        )
    # A partition that was added counts once its readers have found it.
    rows = [row for row in look.rows if row.committed or not partitions[str(row.partition)].new]
    names = frozenset(str(row.partition) for row in rows)
    same = look.settled and (not watch.partitions or names == watch.counted)
    first = {**(look.counters or {}), **(watch.first_counters or {})}
    latest = {**(watch.counters or {}), **(look.counters or {})}
    return Watch(
        points=(*watch.points, _point(look.at, rows)) if same else (),
        counted=names,
        partitions=partitions,
        rewound=rewound,
        rebalanced=watch.rebalanced + (not same),
        pods={**watch.pods, **{uid: _pod_seen(watch.pods.get(uid), uid, look) for uid in look.restarts}},
        first_counters=first or None,
        counters=latest or None,
        began=look.at if watch.began is None else watch.began,
        looked=look.at,
    )


def _anew(watch: Watch) -> Watch:
    """Without what was measured of offsets. A pod that restarted, a commit that was set back and what pods counted stay known."""
    known = {
        name: replace(partition, moves=0, waits_since=None, grew=False) for name, partition in watch.partitions.items()
    }
    return replace(watch, points=(), partitions=known, rebalanced=0, began=None)


def _pod_seen(known: PodSeen | None, uid: str, look: Look) -> PodSeen:
    before = known or PodSeen(look.names[uid], look.restarts[uid])
    why = look.unready.get(uid, "")
    return PodSeen(
        name=before.name,
        restarts=before.restarts,
        restarted=max(before.restarted, look.restarts[uid] - before.restarts),
        looks=before.looks + 1,
        unready=before.unready + bool(why),
        was_ready=before.was_ready or not why,
        why=why,
    )


def _point(at: float, rows: t.Sequence[PartitionLag]) -> Point:
    lags = [row.lag for row in rows]
    return Point(
        at,
        # The last commit that is decided, also of a partition whose next one is part of an open transaction.
        sum(max(row.committed.offset, row.log.start) if row.committed else row.log.start for row in rows),
        sum(row.log.end for row in rows),
        None if None in lags else sum(lag for lag in lags if lag is not None),
    )


def too_little(watch: Watch, seconds: float) -> str:
    """Why a bake of so many seconds has seen too little to be judged by, or empty. A group that does not settle was seen."""
    seen = 0.0 if watch.looked is None or watch.began is None else watch.looked - watch.began
    if seen < seconds / 2:
        return f"it could be watched for {seen:.0f} s in one piece, and {seconds / 2:.0f} are wanted"
    if len(watch.points) < ENOUGH and not watch.rebalanced:
        return f"it could be looked at {len(watch.points)} times in {seen:.0f} s, and {ENOUGH} are wanted"
    return ""


# --- judging -----------------------------------------------------------------------------------------------------------------


def judge(watch: Watch, limits: Limits, source_rate: float | None = None) -> list[Gate]:
    """The gates. source_rate: records a second that the colour before did, None where it was not measured."""
    return [
        _stable(watch),
        _throughput(watch, limits, source_rate),
        _lag(watch, limits, source_rate),
        _progress(watch),
        _pods(watch),
        _errors(watch, limits),
    ]


def _unjudged(name: str, wanted: str, reason: str) -> Gate:
    """A warning that says why there is no measurement."""
    return gate(name, reason, wanted, False, f"{reason}: not judged", warn=True)


def _stable(watch: Watch) -> Gate:
    name, wanted = "group settled", f"Stable at the last {ENOUGH} looks"
    if len(watch.points) >= ENOUGH or not watch.rebalanced:
        seen = "Stable" if not watch.rebalanced else f"Stable at the last {len(watch.points)} looks"
        return gate(name, seen, wanted, True)
    why = f"the group was Stable at {len(watch.points)} looks in a row at the end: members come and go"
    return gate(name, f"not Stable at {watch.rebalanced} looks", wanted, False, why)


def _throughput(watch: Watch, limits: Limits, source_rate: float | None) -> Gate:
    name = "throughput"
    wanted = f">= {limits.throughput:.0%} of what is produced" + (
        "" if source_rate is None else f" or of {source_rate:,.0f}/s before"
    )
    reason = _unmeasured(watch) or _idle(watch, limits)
    if reason:
        return _unjudged(name, wanted, reason)
    best, seen, compared = -1.0, 0.0, 0.0
    for consumed, produced in _shifted(watch.points):
        expected = produced if source_rate is None else min(produced, source_rate)
        ratio = 1.0 if expected <= 0 else consumed / expected
        if ratio > best:
            best, seen, compared = ratio, consumed, expected
    return gate(
        name,
        f"{seen:,.0f}/s, {best:.0%} of {compared:,.0f}/s",
        wanted,
        best >= limits.throughput,
        f"the new version processes {seen:,.0f} records a second where {compared:,.0f} were to be processed",
    )


def _unmeasured(watch: Watch) -> str:
    """Why nothing can be told of offsets, or empty."""
    if watch.rewound:
        listed = ", ".join(f"{name} by {by}" for name, by in sorted(watch.rewound.items())[:3])
        return f"commits were set back: {listed}"
    if len(watch.points) < ENOUGH:
        return f"{len(watch.points)} looks"
    if 0 < _steps(watch) < STEPS:
        return f"commits are too rare for this bake, {_steps(watch)} of a partition"
    return ""


def _idle(watch: Watch, limits: Limits) -> str:
    first, last = watch.points[0], watch.points[-1]
    produced = last.produced - first.produced
    if produced < limits.min_records and (last.lag or 0) < limits.min_records:
        return f"idle, {max(0, produced)} records in {last.at - first.at:.0f} s"
    return ""


def _steps(watch: Watch) -> int:
    """How often the commit of a partition moved: of the one that moved most."""
    return max((known.moves for known in watch.partitions.values()), default=0)


def _shifted(points: t.Sequence[Point]) -> t.Iterator[tuple[float, float]]:
    """Records a second consumed, and produced a while before that, for delays that the target is allowed."""
    span = points[-1].at - points[0].at
    allowed = [skip for skip in range(len(points) - 2) if points[skip].at - points[0].at <= span * LATE]
    for skip in allowed[:: 1 + len(allowed) // SHIFTS]:
        yield _slope(points[skip:], "consumed"), _slope(points[: len(points) - skip], "produced")


def _slope(points: t.Sequence[Point], what: str) -> float:
    """Least squares: commits come in steps, and the first and the last alone would lie by a step."""
    count = len(points)
    middle_at = sum(point.at for point in points) / count
    middle = sum(getattr(point, what) for point in points) / count
    spread = sum((point.at - middle_at) ** 2 for point in points)
    return sum((p.at - middle_at) * (getattr(p, what) - middle) for p in points) / spread if spread else 0.0


def _lag(watch: Watch, limits: Limits, source_rate: float | None) -> Gate:
    name, wanted = "lag does not grow", "no growth unless more is produced"
    points = watch.points
    reason = _unmeasured(watch) or ("unknown" if any(point.lag is None for point in points) else "")
    if reason:
        return _unjudged(name, wanted, reason)
    third, half = len(points) // 3, len(points) // 2
    growth = _mean(points[-third:]) - _mean(points[:third])
    produced = points[-1].produced - points[0].produced
    # Between two commits the lag rises by what is produced meanwhile.
    allowed = max(limits.min_records, (1 - limits.throughput) * produced * 2 / 3, produced / max(1, _steps(watch)))
    early, late = _slope(points[: half + 1], "produced"), _slope(points[half:], "produced")
    excuse = f", {late:,.0f}/s produced after {early:,.0f}/s" if late > early * RISE else ""
    if source_rate is not None and _slope(points, "consumed") >= limits.throughput * source_rate:
        excuse = f", as fast as before ({source_rate:,.0f}/s)"
    return gate(
        name,
        f"{points[0].lag:,} to {points[-1].lag:,}{excuse if growth > allowed else ''}",
        wanted,
        growth <= allowed or bool(excuse),
        f"the lag grew by about {growth:,.0f} records while {late:,.0f} records a second were produced, as before",
    )


def _mean(points: t.Sequence[Point]) -> float:
    return sum(point.lag or 0 for point in points) / len(points)


def _progress(watch: Watch) -> Gate:
    name, wanted = "every partition moves", "all that have records"
    if len(watch.points) < ENOUGH:
        return _unjudged(name, wanted, f"{len(watch.points)} looks")
    first, last = watch.points[0].at, watch.points[-1].at
    # Where commits are rare, only a partition that never moved is known to stand still.
    patience = (last - first) * (1 / 2 if _steps(watch) >= STEPS else 2 / 3)
    held = sorted(name for name, known in watch.partitions.items() if _stands(known, last, patience))
    return gate(
        name,
        f"{len(watch.partitions) - len(held)} of {len(watch.partitions)}",
        wanted,
        not held,
        f"nothing was committed on {', '.join(held[:5])}, where records wait",
    )


def _stands(known: Partition, now: float, patience: float) -> bool:
    """Records wait for so long, and none were taken. A tail that does not grow may be nothing that a reader is given."""
    return not known.new and known.waits_since is not None and known.grew and now - known.waits_since >= patience


def _pods(watch: Watch) -> Gate:
    name, wanted = "pods stay up", "Ready, no restart"
    faults = [f"{pod.name} restarted {pod.restarted} times" for pod in watch.pods.values() if pod.restarted]
    faults += [
        f"{pod.name} was not Ready at {pod.unready} of {pod.looks} looks ({pod.why or 'it is again'})"
        for pod in watch.pods.values()
        if pod.was_ready and pod.unready * 3 >= pod.looks > 3
    ]
    if faults:
        return gate(name, "; ".join(faults[:3]), wanted, False, "; ".join(faults))
    waiting = [f"{pod.name} is not Ready ({pod.why})" for pod in watch.pods.values() if pod.why]
    return gate(name, "; ".join(waiting[:3]) or wanted, wanted, not waiting, "; ".join(waiting), warn=True)


def _errors(watch: Watch, limits: Limits) -> Gate:
    name, wanted = "failed records", f"< {limits.error_ratio:.1%} of {limits.min_records} or more"
    if watch.counters is None or watch.first_counters is None:
        return gate(name, "not offered", wanted, True)
    first = watch.first_counters
    processed = sum(now.processed - first[process].processed for process, now in watch.counters.items())
    failed = sum(now.failed - first[process].failed for process, now in watch.counters.items())
    total = processed + failed
    if total < limits.min_records:
        return _unjudged(name, wanted, f"{failed} of {total}, too few")
    ratio = failed / total
    return gate(
        name,
        f"{ratio:.2%} ({failed:,} of {total:,})",
        wanted,
        ratio < limits.error_ratio,
        f"{failed:,} of {total:,} records failed in the new version",
    )


# --- as others see it --------------------------------------------------------------------------------------------------------


def line(watch: Watch, seconds: float, left: float) -> str:
    """Where the bake stands, for a terminal."""
    if len(watch.points) < 2:
        return f"bake: {seconds - left:.0f} of {seconds:.0f} s"
    rate = _slope(watch.points, "consumed")
    lag = watch.points[-1].lag
    known = "unknown" if lag is None else f"{lag:,}"
    unready = [f", {pod.name} is not Ready ({pod.why})" for pod in watch.pods.values() if pod.why]
    return f"bake: {seconds - left:.0f} of {seconds:.0f} s, {rate:,.0f}/s processed, lag {known}{''.join(unready[:1])}"


def packed(state: t.Mapping[str, t.Any]) -> str:
    """A state as text in which nobody finds a secret: Ansible replaces one wherever it occurs, also in a number."""
    return base64.b64encode(zlib.compress(json.dumps(state, separators=(",", ":")).encode())).decode()


def unpacked(text: str) -> dict[str, t.Any]:
    """The state that packed was given. Raises InvalidSettingsError for anything else."""
    try:
        found = json.loads(zlib.decompress(base64.b64decode(text, validate=True)))
    except (ValueError, zlib.error) as error:
        raise InvalidSettingsError([f"_slice is nothing that this module returned: {error}"]) from error
    return dict(found)


def to_state(watch: Watch) -> dict[str, t.Any]:
    """JSON-ready, for the next slice."""
    return {**asdict(watch), "counted": sorted(watch.counted)}


def from_state(state: t.Mapping[str, t.Any]) -> Watch:
    """The watch that to_state was given."""
    counters = {
        name: None if state[name] is None else {process: Counters(**one) for process, one in state[name].items()}
        for name in ("first_counters", "counters")
    }
    return Watch(
        **{
            **state,
            **counters,
            "counted": frozenset(state["counted"]),
            "points": tuple(Point(**point) for point in state["points"]),
            "partitions": {name: Partition(**known) for name, known in state["partitions"].items()},
            "pods": {uid: PodSeen(**pod) for uid, pod in state["pods"].items()},
        }
    )
