"""Words of the contract: states, partitions, committed offsets, the active record, refusals."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

COLOURS = ("blue", "green")
PHASES = ("stable", "switching", "rolling-back", "verifying")
# A pod that starts in one of these phases may take up work; in the others a run is between two colours.
STARTING_PHASES = ("stable", "verifying")

_COMMIT_METADATA = re.compile(r"bg:(\d{1,18})")


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


Handoff = Mapping[TopicPartition, int]


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
    """The part of the ConfigMap ``<app>-active-version`` that pods obey."""

    active: str
    epoch: int
    phase: str

    @classmethod
    def from_data(cls, data: Mapping[str, object]) -> ActiveRecord:
        """Check the ConfigMap's ``data``; raise `RecordError` that names every fault."""
        active, phase, epoch = (str(data.get(key, "")) for key in ("active", "phase", "epoch"))
        faults = []
        if active not in COLOURS:
            faults.append(f"active is {active!r}, expected blue or green")
        if phase not in PHASES:
            faults.append(f"phase is {phase!r}, expected one of {', '.join(PHASES)}")
        if not re.fullmatch(r"\d{1,18}", epoch):
            faults.append(f"epoch is {epoch!r}, expected a whole number of at least 0")
        if faults:
            raise RecordError("active record: " + "; ".join(faults))
        return cls(active=active, epoch=int(epoch), phase=phase)


def commit_metadata(epoch: int) -> str:
    """Text stored beside a committed offset."""
    return f"bg:{epoch}"


def commit_epoch(metadata: str | None) -> int | None:
    """Epoch named by commit metadata, `None` for any other text."""
    match = _COMMIT_METADATA.fullmatch(metadata or "")
    return int(match.group(1)) if match else None


def start_offset(committed: Committed | None, handoff: int | None, epoch: int, earliest: int) -> int:
    """First offset of a partition to process in ``epoch``; ``earliest`` is used when nothing else is known.

    A commit made in this very epoch is the application's own progress and wins over the hand-off: a pod that
    takes over a partition later must not go back to where the epoch began.
    """
    if committed is not None and committed.epoch == epoch:
        return committed.offset
    if handoff is not None:
        return handoff
    return earliest if committed is None else committed.offset
