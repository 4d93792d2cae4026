"""Words of the contract: states, partitions, committed offsets, the active record, refusals."""

from __future__ import annotations

import base64
import enum
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

COLOURS = ("blue", "green")
PHASES = ("stable", "switching", "rolling-back", "verifying")
# A pod that starts in one of these phases may take up work; in the others a run is between two colours.
STARTING_PHASES = ("stable", "verifying")

_MARK = "bg:"
_WHOLE_MARK = re.compile(r"bg:(\d{1,18});", re.ASCII)
_WHOLE_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
NO_TOPIC_ID = "A" * 22
"""Sixteen zero bytes, which stand for the id of a topic where brokers know none."""


class State(enum.StrEnum):
    """Where the pod is; ``Desired.target`` is where it should be."""

    STARTING = "STARTING"
    STANDBY = "STANDBY"
    ACTIVATING = "ACTIVATING"
    ACTIVE = "ACTIVE"
    PAUSING = "PAUSING"
    DRAINED = "DRAINED"
    FENCED = "FENCED"


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


@dataclass(frozen=True)
class Committed:
    """An offset the broker has acknowledged for the pod's group.

    ``epoch`` is the epoch in which a pod of this application was active when it committed the offset,
    ``None`` when the metadata says nothing about it (an operator or another program committed).
    """

    offset: int
    epoch: int | None


@dataclass(frozen=True)
class Handoff:
    """What the colour was handed when it became active: where each partition begins, and the ids of the topics then.

    The id tells a topic that was created again since: offsets of the old one mean nothing there.
    """

    offsets: Mapping[TopicPartition, int] = field(default_factory=dict)
    topic_ids: Mapping[str, str] = field(default_factory=dict)

    def topic_id(self, topic: str) -> str | None:
        """Id that the topic had then, `None` where that is not told."""
        known = self.topic_ids.get(topic)
        return None if known == NO_TOPIC_ID else known

    def start(self, tp: TopicPartition, topic_id: str | None) -> int | None:
        """Where the partition of the topic that has this id now begins, `None` when nothing says so."""
        return self.offsets.get(tp) if self.topic_id(tp.topic) in (None, topic_id) else None


NOTHING_HANDED = Handoff()


class ContractError(Exception):
    """A command the pod refuses: HTTP status, machine-readable code, message for a person."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class RecordError(Exception):
    """The active record could not be read or does not say what it must."""


@dataclass(frozen=True)
class ActiveRecord:
    """The part of the ConfigMap ``<app>-active-version`` that pods obey.

    ``activated_epoch`` is the epoch at which ``active`` became active: its present reign. ``snapshot`` names the ConfigMap
    that holds what it was handed then; empty when its group's commits alone tell where it stands.
    """

    active: str
    epoch: int
    phase: str
    activated_epoch: int = 0
    snapshot: str = ""

    @classmethod
    def from_data(cls, data: Mapping[str, object]) -> ActiveRecord:
        """Check the ConfigMap's ``data``; raise `RecordError` that names every fault."""
        active, phase, epoch = (str(data.get(key, "")) for key in ("active", "phase", "epoch"))
        faults = []
        if active not in COLOURS:
            faults.append(f"active is {active!r}, expected blue or green")
        if phase not in PHASES:
            faults.append(f"phase is {phase!r}, expected one of {', '.join(PHASES)}")
        if not _WHOLE_NUMBER.fullmatch(epoch):
            faults.append(f"epoch is {epoch!r}, expected a whole number of at least 0")
        activated = str(data.get("activated-epoch") or epoch)
        if not _WHOLE_NUMBER.fullmatch(activated):
            faults.append(f"activated-epoch is {activated!r}, expected a whole number of at least 0")
        elif not faults and int(activated) > int(epoch):
            # What a manifest leaves that is applied again: it knows active and epoch, and nothing of activated-epoch.
            faults.append(f"epoch {epoch} is older than activated-epoch {activated}: somebody wrote the record back")
        if faults:
            raise RecordError("active record: " + "; ".join(faults))
        return cls(active, int(epoch), phase, int(activated), str(data.get("snapshot") or ""))


def commit_metadata(epoch: int) -> str:
    """Text stored beside a committed offset."""
    return f"{_MARK}{epoch};"


def commit_epoch(metadata: str | None) -> int | None:
    """Epoch that commit metadata begins with, `None` where it has no mark; one that is not whole is older than any reign.

    The mark ends with a semicolon, because clients were seen to read past the end of metadata.
    """
    if not (metadata or "").startswith(_MARK):
        return None
    match = _WHOLE_MARK.match(metadata or "")
    return int(match.group(1)) if match else 0


def counts(committed: Committed | None, reign: int) -> bool:
    """Whether a commit tells where the colour stands in the reign that began at epoch ``reign``.

    One that is marked with an older epoch does not. One without a mark does: somebody set it on purpose.
    """
    return committed is not None and (committed.epoch is None or committed.epoch >= reign)


def start_offset(committed: Committed | None, handed: int | None, reign: int, earliest: int) -> int:
    """First offset of a partition to process: the commit of this reign, else what was handed over, else any commit, else
    the start of the log (``earliest``).
    """
    if committed is not None and (handed is None or counts(committed, reign)):
        return committed.offset
    return earliest if handed is None else handed


def parse_snapshot(record: ActiveRecord, chunks: Sequence[Mapping[str, object]]) -> Handoff:
    """What the ConfigMaps of a snapshot hold; raise `RecordError` unless they are whole and those of the record's reign."""
    name = record.snapshot
    try:
        written = {(str(chunk["epoch"]), str(chunk["run-id"])) for chunk in chunks}
        if written != {(str(record.activated_epoch), str(chunks[0]["run-id"]))} or chunks[0]["target"] != record.active:
            raise RecordError(f"snapshot {name} is not that of {record.active} at epoch {record.activated_epoch}")
        body = json.loads(zlib.decompress(base64.b64decode("".join(str(chunk["offsets"]) for chunk in chunks))))
        offsets = {
            TopicPartition(topic, int(row[0])): int(row[1]) for topic, rows in body["topics"].items() for row in rows
        }
        ids = {str(topic): str(known) for topic, known in body["topic_ids"].items()}
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, zlib.error) as error:
        raise RecordError(f"snapshot {name} is not whole: {error!r}") from error
    if any(offset < 0 for offset in offsets.values()):
        raise RecordError(f"snapshot {name} holds an offset below 0")
    return Handoff(offsets, ids)
