# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""What can go wrong in ways we foresee. Each message names the object, what was seen and what to do."""

from __future__ import annotations

import typing as t


class BlueGreenError(Exception):
    """Base of every expected failure. result is returned to the user beside the message."""

    def __init__(self, message: str, result: t.Mapping[str, t.Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.result: dict[str, t.Any] = dict(result or {})


class InvalidSettingsError(BlueGreenError):
    """Bad input: every fault found, in one message, before anything was changed."""

    def __init__(self, faults: t.Sequence[str]) -> None:
        self.faults = list(faults)
        listed = "".join(f"\n  - {fault}" for fault in self.faults)
        super().__init__(f"Nothing was changed. {len(self.faults)} fault(s):{listed}", {"faults": self.faults})


class KafkaError(BlueGreenError):
    """Kafka refused or could not be reached within the timeout."""


class PendingOffsetsError(KafkaError):
    """Offsets of these partitions are part of a transaction that is still open: their commits are not decided yet."""

    def __init__(self, group_id: str, partitions: t.Collection[t.Any]) -> None:
        self.group_id = group_id
        self.partitions = frozenset(partitions)
        named = ", ".join(sorted(map(str, self.partitions))[:5])
        super().__init__(
            f"Offsets of group {group_id} are part of an open transaction for {len(self.partitions)} partitions ({named})"
        )


class ClusterError(BlueGreenError):
    """The Kubernetes API server refused or could not be reached within the timeout."""


class ConflictError(BlueGreenError):
    """A compare-and-swap lost: somebody else changed the object after we read it."""


class LockedError(BlueGreenError):
    """Another run holds the lock, or took it from us."""


class GroupNotEmptyError(BlueGreenError):
    """Offsets may only be written to a group without members."""


class OffsetsError(BlueGreenError):
    """Offsets are missing, out of range, or do not read back as written."""


class NotDrainedError(BlueGreenError):
    """The source could not be proven quiet."""


class NotReadyError(BlueGreenError):
    """Pods did not reach the wanted state in time."""


class UnknownReplicasError(NotReadyError):
    """Nobody knows how many pods a colour needs. Waiting tells it no more: only the operator can."""


class InterruptedRunError(BlueGreenError):
    """A signal came while the run was under way."""


class NoGoError(BlueGreenError):
    """A gate said no."""


class WaitTimeoutError(BlueGreenError):
    """A wait ran out of time; result holds what was last seen."""


class MetricsError(BlueGreenError):
    """Metrics could not be published within the timeout, or what is there is not ours."""


class UnreadableMetricsError(MetricsError):
    """A place answers, and what it shows can't be read. It can be written to all the same."""


class MissingLibraryError(BlueGreenError):
    """A Python library that the module needs cannot be imported. trace is the traceback of the import."""

    def __init__(self, library: str, trace: str) -> None:
        super().__init__(f"The Python library {library} could not be imported")
        self.library = library
        self.trace = trace
