# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""What a pod says of itself (contract bg/v1), parsed once. Unknown or missing is never read as good."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.http import Reply

API_VERSION = "bg/v1"


@dataclass(frozen=True)
class PartitionStatus:
    """One assigned partition. position: next offset the application will process; None where the pod doesn't know."""

    position: int | None
    committed: int | None
    paused: bool
    start_offset: int | None
    first_processed: int | None
    last_processed: int | None


@dataclass(frozen=True)
class PodStatus:
    """One pod's status. activated_epoch: the epoch at which it became ACTIVE, None while it never was."""

    pod: str
    colour: str
    state: str
    epoch: int
    activated_epoch: int | None
    group_id: str
    member_id: str
    member_state: str
    in_flight: int
    queued: int
    pending_commits: int
    processing: bool
    last_error: str
    partitions: t.Mapping[TopicPartition, PartitionStatus]
    commanded: bool = False
    """Whether the epoch came with a command. A pod that only read it in the record may be about to join its group."""
    processed: int | None = None
    """Records it processed since its process began, without the failed ones; None where it does not count them."""
    failed: int | None = None
    """Records that failed since its process began; None where it does not count them."""

    @property
    def quiet(self) -> bool:
        """True when no record is in work, waits for it, or waits for its commit."""
        return self.in_flight == 0 and self.queued == 0 and self.pending_commits == 0 and not self.processing

    @property
    def drained(self) -> bool:
        """True when the pod takes no records and every position it reached while active is committed."""
        settled = self.member_state != "rebalancing" and all(p.paused for p in self.partitions.values())
        return self.state in ("DRAINED", "STANDBY") and self.quiet and settled and not self.uncommitted

    @property
    def uncommitted(self) -> list[TopicPartition]:
        """Partitions whose reached position is not committed. A pod that never was active reached nothing."""
        if self.activated_epoch is None:
            return []
        return [tp for tp, p in self.partitions.items() if p.position is None or p.position != p.committed]

    @property
    def beginning(self) -> bool:
        """True while the pod is on its way to work: it waits for its partitions, or reads where to begin. That ends by itself."""
        return self.state == "ACTIVATING" or self.member_state == "rebalancing"

    @property
    def active(self) -> bool:
        """True when the pod processes, or may process, every partition it owns."""
        return (
            self.state == "ACTIVE"
            and self.member_state == "stable"
            and not any(p.paused for p in self.partitions.values())
        )


def parse_status(reply: Reply) -> tuple[PodStatus | None, str]:
    """The status in a reply, or None and why there is none."""
    if reply.status is None:
        return None, f"pod {reply.pod} did not answer: {reply.error}"
    body = reply.body
    if reply.status not in (200, 202) or not body:
        said = (body or {}).get("message") or (body or {}).get("error") or reply.error or "no body"
        return None, f"pod {reply.pod} answered {reply.status}: {said}"
    if body.get("apiVersion") != API_VERSION:
        return None, f"pod {reply.pod} does not speak {API_VERSION}: apiVersion is {body.get('apiVersion')!r}"
    try:
        return _status(reply.pod, body), ""
    except (KeyError, TypeError, ValueError) as error:
        return None, f"pod {reply.pod} sent a status that does not follow {API_VERSION}: {error!r}"


def _status(pod: str, body: t.Mapping[str, t.Any]) -> PodStatus:
    return PodStatus(
        pod=pod,
        colour=str(body["color"]),
        state=str(body["state"]),
        epoch=int(body["epoch"]),
        # Absent is not "never was active": whoever never was reached nothing and has nothing to prove.
        activated_epoch=_number(body["activatedEpoch"]),
        group_id=str(body["groupId"]),
        member_id=str(body.get("memberId") or ""),
        member_state=str(body["memberState"]),
        in_flight=int(body["inFlightRecords"]),
        queued=int(body["queuedRecords"]),
        pending_commits=int(body["pendingCommits"]),
        processing=bool(body["processing"]),
        last_error=str(body.get("lastError") or ""),
        commanded=body.get("epochSource") == "http",
        processed=_number(body.get("processedRecords")),
        failed=_number(body.get("failedRecords")),
        partitions={
            TopicPartition(str(p["topic"]), int(p["partition"])): PartitionStatus(
                position=_number(p.get("position")),
                committed=_number(p.get("committed")),
                paused=bool(p["paused"]),
                start_offset=_number(p.get("startOffset")),
                first_processed=_number(p.get("firstProcessedOffset")),
                last_processed=_number(p.get("lastProcessedOffset")),
            )
            for p in body["partitions"]
        },
    )


def _number(value: t.Any) -> int | None:
    """Whole numbers travel as JSON numbers up to 2^53 and as strings beyond."""
    return None if value is None or value == "" else int(value)
