"""JSON answers of the contract. Times are RFC 3339 UTC, durations end in ``Ms``, offsets are the next to process."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from bgconsumer.config import Config
from bgconsumer.contract import ContractState
from bgconsumer.model import State
from bgconsumer.view import STABLE, MemberView, PartitionView

STARTED = time.monotonic()


def timestamp(seconds: float | None) -> str | None:
    """Wall-clock seconds as RFC 3339 with milliseconds."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _partition(part: PartitionView) -> dict[str, Any]:
    committed = part.committed
    return {
        "topic": part.tp.topic,
        "partition": part.tp.partition,
        "paused": part.paused,
        "position": part.position,
        "committed": committed.offset if committed else None,
        "committedEpoch": committed.epoch if committed else None,
        "startOffset": part.start_offset,
        "firstProcessedOffset": part.first_processed,
        "lastProcessedOffset": part.last_processed,
        "lastProcessedAt": timestamp(part.last_processed_at),
        "processedTotal": part.processed_total,
    }


def _member(config: Config, view: MemberView) -> dict[str, Any]:
    """What concerns the pod as a member of its group."""
    last_poll_ms = round((time.monotonic() - view.last_poll) * 1000) if view.last_poll is not None else None
    return {
        "groupId": config.group,
        "protocol": "classic",
        "memberId": view.member_id,
        "groupInstanceId": None,
        "generation": view.generation,
        "memberState": view.member_state,
        "lastRebalanceAt": timestamp(view.last_rebalance_at),
        "subscription": config.topics,
        "commitMode": "manual",
        "isolationLevel": "read_committed",
        "openTransaction": False,
        "inFlightRecords": view.in_flight,
        "queuedRecords": view.queued,
        "pendingCommits": view.pending_commits,
        "lastPollAgoMs": last_poll_ms,
        "lastError": view.last_error,
        "partitions": [_partition(part) for part in view.partitions],
        "assignedPartitions": [f"{part.tp.topic}-{part.tp.partition}" for part in view.partitions],
    }


def status(config: Config, now: ContractState) -> dict[str, Any]:
    """The answer to ``GET /status`` and, on success, to every command."""
    record, active = now.record, now.desired.target is State.ACTIVE
    return {
        "apiVersion": "bg/v1",
        "app": config.app,
        "color": config.colour,  # the contract's spelling
        "pod": config.pod,
        "podUid": config.pod_uid,
        "version": config.version,
        "state": now.state,
        "desired": now.desired.target,
        "epoch": now.epoch,
        "activeEpoch": now.desired.epoch if active else None,
        "activatedEpoch": now.activated_epoch,
        "epochSource": now.epoch_source,
        "record": {"active": record.active, "epoch": record.epoch, "phase": record.phase} if record else None,
        "recordError": now.record_error,
        "leaseRemainingMs": round(now.lease_remaining * 1000),
        "processing": now.state is State.ACTIVE and now.lease_remaining > 0 and now.view.member_state == STABLE,
        "processedRecords": now.view.succeeded_total,
        "failedRecords": now.view.failed_total,
        "drained": now.drained,
        "active": now.active,
        **_member(config, now.view),
        "observedAt": timestamp(time.time()),
        "uptimeMs": round((time.monotonic() - STARTED) * 1000),
    }


def metrics(config: Config, now: ContractState) -> dict[str, Any]:
    """The answer to ``GET /metrics-lite``: totals for a Go/No-Go without a monitoring system."""
    return {
        "apiVersion": "bg/v1",
        "color": config.colour,
        "pod": config.pod,
        "state": now.state,
        "epoch": now.epoch,
        "processedTotal": now.view.processed_total,
        "rebalancesTotal": now.view.generation,
        "assigned": len(now.view.partitions),
        "lastError": now.view.last_error,
        "observedAt": timestamp(time.time()),
    }
