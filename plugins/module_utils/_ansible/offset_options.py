# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""From the options of kafka_group_offsets to a request: every fault is found before anything is contacted. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offset_request import (
    OffsetRequest,
    Position,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offsets import Desired, row_faults
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.times import to_milliseconds
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition

SOURCES = ("offsets", "from_group", "snapshot", "snapshot_file", "snapshot_config_map", "to")
"""Options of which exactly one says where the offsets come from."""


def parse_request(params: t.Mapping[str, t.Any]) -> OffsetRequest:
    """The request, without a snapshot's content. Raises InvalidSettingsError with every fault."""
    faults = _contradictions(params)
    explicit = _explicit(params.get("offsets") or [], faults)
    to = _position(params, faults)
    if faults:
        raise InvalidSettingsError(faults)
    return OffsetRequest(
        group_id=params["group_id"],
        explicit=explicit,
        from_group=params["from_group"] or "",
        to=to,
        remove=params["state"] == "absent",
        topics=tuple(dict.fromkeys(params["topics"] or ())),
        partitions=frozenset(params["partitions"] or ()),
        missing=params["missing"],
        out_of_range=params["out_of_range"],
        forward_only=params["forward_only"],
        allow_create=params["allow_create"],
        evict_static=params["evict_static_members"],
        wait_empty=params["wait_empty_timeout"],
        wait_transactions=params["wait_transactions_timeout"],
    )


def _contradictions(params: t.Mapping[str, t.Any]) -> list[str]:
    faults = []
    if params["state"] == "absent":
        faults += [f"{name} makes no sense with state absent" for name in SOURCES if params.get(name) is not None]
    # An empty list is a variable that went wrong; taking it for "all" could remove a whole group.
    faults += [
        f"{name} is an empty list; leave it out for all of them"
        for name in ("topics", "partitions", "offsets")
        if params.get(name) is not None and not params[name]
    ]
    faults += [f"partition {number} is negative" for number in params["partitions"] or () if number < 0]
    faults += [
        f"{name} needs to: {name}"
        for name in ("timestamp", "shift")
        if params[name] is not None and params["to"] != name
    ]
    return faults


def _explicit(rows: t.Sequence[t.Mapping[str, t.Any]], faults: list[str]) -> dict[TopicPartition, Desired]:
    faults += row_faults(rows)
    return {
        TopicPartition(row["topic"], row["partition"]): Desired(row["offset"], row["leader_epoch"], row["metadata"])
        for row in rows
    }


def _position(params: t.Mapping[str, t.Any], faults: list[str]) -> Position | None:
    if params["to"] is None:
        return None
    moment = 0
    if params["to"] == "timestamp" and params["timestamp"] is not None:
        try:
            moment = to_milliseconds(params["timestamp"])
        except ValueError as error:
            faults.append(f"timestamp {error}")
    return Position(params["to"], moment, params["shift"] or 0, params["timestamp"] or "")
