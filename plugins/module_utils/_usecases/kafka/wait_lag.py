# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Look at a consumer group, once or until it has caught up, passed a mark, stands still or is empty."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    InvalidSettingsError,
    KafkaError,
    WaitTimeoutError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka import lag, wait_report
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.transactions import (
    Transactions,
    as_pending,
    as_result,
    pending_words,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import Group, TopicPartition
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.wait_goal import Goal, Progress, advance
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Clock, Kafka
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.open_transactions import (
    open_transactions,
    transactions_beside,
)

SHORT = 2.0
"""Seconds that are not worth a slice of their own before the timeout."""


@dataclass(frozen=True)
class LagRequest:
    """timeout and sleep in seconds. topics empty: all the group has committed offsets for or its members own.

    appear_timeout: seconds after which a group that Kafka never knew is one whose name is wrong. read_committed: end of the
    log is the last stable offset instead of the high watermark. slice: seconds after which to hand back the state so far
    instead of waiting on; None for the whole wait. state: what an earlier slice handed back.
    """

    group_id: str
    goal: Goal = field(default_factory=Goal)
    topics: tuple[str, ...] = ()
    read_committed: bool = False
    timeout: float = 300.0
    sleep: float = 1.0
    appear_timeout: float = 5.0
    slice: float | None = None
    state: t.Mapping[str, t.Any] | None = None

    def check(self) -> None:
        """Raise InvalidSettingsError that lists every fault."""
        faults = self.goal.faults()
        faults += [
            f"{name} is {value:g}; it must be 0 or more seconds"
            for name, value in (("timeout", self.timeout), ("appear_timeout", self.appear_timeout))
            if value < 0
        ]
        if self.sleep <= 0:
            faults.append(f"sleep is {self.sleep:g}; it must be more than 0 seconds")
        if faults:
            raise InvalidSettingsError(faults)


def read_lags(
    kafka: Kafka, group_id: str, topics: t.Sequence[str] = (), read_committed: bool = False
) -> tuple[Group, list[lag.PartitionLag]]:
    """The group, and every partition of the topics; by default of those it has offsets for or its members own.

    Committed offsets are read before the ends of the logs: a lag may be overstated, never understated.
    """
    group = kafka.groups([group_id])[group_id]
    names = list(topics) or sorted(
        kafka.committed_topics(group_id) | {tp.topic for m in group.members for tp in m.assignment}
    )
    found = kafka.topics(names)
    missing = [name for name in topics if name not in found]
    if missing:
        raise InvalidSettingsError([f"topic {name} does not exist, or may not be described" for name in missing])
    partitions = [TopicPartition(name, number) for name, topic in found.items() for number in topic.partitions]
    committed, pending = kafka.committed_or_pending(group_id, partitions)
    return group, lag.lags(committed, kafka.log_ranges(partitions, read_committed), pending)


def _as_result(group: Group, rows: t.Sequence[lag.PartitionLag]) -> dict[str, t.Any]:
    return {**describe(group), **of_partitions(rows)}


def of_partitions(rows: t.Sequence[lag.PartitionLag]) -> dict[str, t.Any]:
    """What there is to say of a group's partitions, JSON-ready."""
    pending = [{"topic": tp.topic, "partition": tp.partition} for tp in lag.pending(rows)]
    return {"partitions": lag.as_result(rows), "total_lag": lag.total_lag(rows), "pending": pending}


def describe(group: Group) -> dict[str, t.Any]:
    """A group, JSON-ready."""
    return {
        "group_id": group.group_id,
        "type": group.kind,
        "state": group.state,
        "empty": group.is_empty,
        "members": [
            {
                "member_id": member.member_id,
                "instance_id": member.instance_id,
                "client_id": member.client_id,
                "host": member.host,
                "assignment": [{"topic": tp.topic, "partition": tp.partition} for tp in sorted(member.assignment)],
            }
            for member in group.members
        ],
    }


def wait_lag(kafka: Kafka, clock: Clock, request: LagRequest, check: bool = False) -> dict[str, t.Any]:
    """Wait; the module's result. In check mode one look, whatever it shows.

    A first look that fails is an error. Later ones are repeated, because a wait has to survive a broker's restart. An offset
    in an open transaction is not known yet, which is waited for like anything else. The name of a group
    that no look showed is taken to be wrong after ``appear_timeout``.
    A slice that ends before the wait adds ``resume`` to the result, the state for the next one, and ``line``, where it
    stands; whole or in slices, the outcome is the same. Raises WaitTimeoutError with the same result as last seen, and
    with the transactions that hold up the group: those that have its offsets, and for readers of committed records those that
    are open on the partitions.
    """
    request.check()
    progress = wait_report.from_state(request.state) if request.state else None
    started = clock.monotonic()
    if progress is not None:
        clock.sleep(max(0.0, progress.looked + _pause(request, progress, progress.looked) - started))
    seen: dict[str, t.Any] = {}
    rows: list[lag.PartitionLag] = []
    while True:
        try:
            group, rows = _look(kafka, request)
            progress = advance(request.goal, progress, group, rows, started, clock.monotonic())
            seen = _as_result(group, rows)
        except KafkaError as error:
            if progress is None:
                raise
            progress = progress.failed(clock.monotonic(), error.message)
        now = clock.monotonic()
        result = {"changed": False, **seen, **wait_report.as_result(request.goal, progress, now)}
        if progress.satisfied or check:
            return result
        if _is_over(request, progress, now):
            raise _timed_out(kafka, clock, request, progress, rows, result)
        if _slice_is_over(request, progress, started, now):
            line = wait_report.line(request.goal, request.group_id, request.timeout, progress, now)
            return {**result, "resume": wait_report.to_state(progress), "line": line}
        clock.sleep(_pause(request, progress, now))


def _look(kafka: Kafka, request: LagRequest) -> tuple[Group, list[lag.PartitionLag]]:
    if request.goal.until == "empty":
        return kafka.groups([request.group_id])[request.group_id], []
    marked = {tp.topic for tp in request.goal.barrier or ()}
    group, rows = read_lags(kafka, request.group_id, request.topics or sorted(marked), request.read_committed)
    if group.kind == "share":
        why = "it acknowledges single records and commits no offsets, so it has no lag to wait for"
        raise InvalidSettingsError(
            [f"group {request.group_id} is a share group: {why}; look at it with kafka-share-groups.sh"]
        )
    return group, rows


def _may_be_wrong(request: LagRequest, progress: Progress) -> bool:
    """Whether the wait is for a group to appear: a name that is wrong stays so, but a broker that does not answer says nothing of it."""
    return not (progress.met or progress.trouble) and request.appear_timeout + progress.unheard < request.timeout


def _limit(request: LagRequest, progress: Progress) -> float:
    """Seconds after which the wait is over."""
    return request.appear_timeout if _may_be_wrong(request, progress) else request.timeout


def _to_appear(request: LagRequest, progress: Progress, now: float) -> float:
    """Seconds that are left for the group to appear; those in which Kafka did not answer do not count."""
    return request.appear_timeout - (now - progress.began - progress.unheard)


def _pause(request: LagRequest, progress: Progress, now: float) -> float:
    """Seconds until the next look; there is one at the very end of the time to appear."""
    if not _may_be_wrong(request, progress):
        return request.sleep
    return min(request.sleep, max(0.0, _to_appear(request, progress, now)))


def _is_over(request: LagRequest, progress: Progress, now: float) -> bool:
    if _may_be_wrong(request, progress) and _to_appear(request, progress, now) <= 0:
        return True
    return now - progress.began + _pause(request, progress, now) > request.timeout


def _timed_out(
    kafka: Kafka,
    clock: Clock,
    request: LagRequest,
    progress: Progress,
    rows: t.Sequence[lag.PartitionLag],
    result: dict[str, t.Any],
) -> WaitTimeoutError:
    limit = _limit(request, progress)
    said = f"{progress.why} after {limit:g} s"
    if limit < request.timeout:
        said += "; if its consumers are still to start, raise appear_timeout"
    if progress.trouble:  # asking more of these brokers would only take longer
        return WaitTimeoutError(f"{said} (the last poll failed: {progress.trouble})", result)
    seen: Transactions | None = None
    if request.read_committed and progress.ends:
        seen = open_transactions(kafka, clock, list(progress.ends))
        result["open_transactions"] = None if seen.unknown else as_result(seen)
        if seen.unknown:
            said += f". Whether open transactions hold it up is unknown: {seen.unknown}"
        elif seen.found:
            said += f". Open transactions hold the end of the log: {seen.named(seen.by_age)}"
    undecided = lag.pending(rows)
    if undecided:
        beside = transactions_beside(kafka, clock, request.group_id)
        result["pending_transactions"] = None if beside.unknown else as_pending(beside)
        said += f". {pending_words(request.group_id, undecided, beside)}"
    elif tail := _tail(kafka, clock, request, progress, seen):
        said += f". {tail}"
    return WaitTimeoutError(said, result)


def _tail(kafka: Kafka, clock: Clock, request: LagRequest, progress: Progress, seen: Transactions | None) -> str:
    """Whether what is left may be nothing that a consumer is given; empty when the wait shows that it is not so."""
    last = progress.history[-1]
    stood = progress.unchanged > 1 and last.members > 0 and last.processed == last.produced == 0
    if not progress.remaining or not stood:
        return ""
    seen = seen or open_transactions(kafka, clock, list(progress.ends))
    try:
        other = kafka.log_ranges(list(progress.ends), not request.read_committed)
        stable = {tp: log.end for tp, log in other.items()} == progress.ends
    except KafkaError:
        stable = None
    closed = None if seen.unknown else not seen.found
    rest = progress.remaining if request.goal.until == "barrier" or last.lag is None else last.lag
    return lag.unreadable_tail(rest, "wait with until: stable, or raise max_lag", stable, closed, still=True)


def _slice_is_over(request: LagRequest, progress: Progress, started: float, now: float) -> bool:
    if request.slice is None:
        return False
    end = started + request.slice
    rest = (
        _to_appear(request, progress, now)
        if _may_be_wrong(request, progress)
        else progress.began + request.timeout - now
    )
    return now + _pause(request, progress, now) > end and rest > SHORT
