# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Look at a consumer group, once or until it has caught up or is empty."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core import lag
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    InvalidSettingsError,
    KafkaError,
    WaitTimeoutError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import Group, TopicPartition
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Clock, Kafka


@dataclass(frozen=True)
class LagRequest:
    """until: ``lag`` (total at most max_lag records) or ``empty`` (no members). timeout and sleep in seconds.

    topics empty: all for which the group has committed offsets. read_committed: end of the log is the last stable
    offset instead of the high watermark.
    """

    group_id: str
    until: str = "lag"
    max_lag: int = 0
    topics: tuple[str, ...] = ()
    read_committed: bool = False
    timeout: float = 300.0
    sleep: float = 1.0


def read_group(
    kafka: Kafka, group_id: str, topics: t.Sequence[str] = (), read_committed: bool = False
) -> dict[str, t.Any]:
    """Type, state, members, offsets and lag of a group. A group nobody knows is an answer, not an error."""
    group = kafka.groups([group_id])[group_id]
    names = list(topics) or sorted(
        kafka.committed_topics(group_id) | {tp.topic for m in group.members for tp in m.assignment}
    )
    found = kafka.topics(names)
    missing = [name for name in topics if name not in found]
    if missing:
        raise InvalidSettingsError([f"topic {name} does not exist, or may not be described" for name in missing])
    partitions = [TopicPartition(name, number) for name, topic in found.items() for number in topic.partitions]
    rows = lag.lags(kafka.committed(group_id, partitions), kafka.log_ranges(partitions, read_committed))
    return {**describe(group), "partitions": lag.as_result(rows), "total_lag": lag.total_lag(rows)}


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

    A first look that fails is an error. Later ones are repeated, because a wait has to survive a broker's restart.
    Raises WaitTimeoutError with the same result as last seen.
    """
    began = clock.monotonic()
    seen = _look(kafka, request)
    attempts, trouble = 1, ""
    while not seen["satisfied"] and not check:
        if clock.monotonic() - began + request.sleep > request.timeout:
            result = {**seen, "elapsed": round(clock.monotonic() - began, 3), "attempts": attempts}
            raise WaitTimeoutError(f"{_unsatisfied(request, seen)} after {request.timeout:g} s{trouble}", result)
        clock.sleep(request.sleep)
        attempts += 1
        try:
            seen, trouble = _look(kafka, request), ""
        except KafkaError as error:
            trouble = f" (the last look failed: {error.message})"
    return {**seen, "elapsed": round(clock.monotonic() - began, 3), "attempts": attempts}


def _look(kafka: Kafka, request: LagRequest) -> dict[str, t.Any]:
    if request.until == "empty":
        group = kafka.groups([request.group_id])[request.group_id]
        return {"changed": False, "satisfied": group.is_empty, **describe(group), "partitions": [], "total_lag": None}
    seen = read_group(kafka, request.group_id, request.topics, request.read_committed)
    total = seen["total_lag"]
    return {"changed": False, "satisfied": total is not None and total <= request.max_lag, **seen}


def _unsatisfied(request: LagRequest, seen: t.Mapping[str, t.Any]) -> str:
    who = f"Consumer group {request.group_id}"
    if request.until == "empty":
        members = ", ".join(m["instance_id"] or m["client_id"] or m["member_id"] for m in seen["members"])
        return f"{who} still has {len(seen['members'])} members ({members}; state {seen['state']})"
    if seen["total_lag"] is not None:
        return f"{who} still has a lag of {seen['total_lag']} records (wanted: at most {request.max_lag})"
    unknown = [f"{row['topic']}-{row['partition']}" for row in seen["partitions"] if row["lag"] is None]
    what = f"no committed offset for {len(unknown)} partitions ({', '.join(unknown[:5])})" if unknown else "no topics"
    return f"{who} has {what}, so its lag is unknown,"
