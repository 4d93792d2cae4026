"""Faults of a version on purpose, for demonstrations and tests: `BG_FAULT` makes it fail records, work slowly, or skip a partition."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bgconsumer.model import TopicPartition
from bgconsumer.ports import GroupMember, Processor, Record

KINDS = ("errors", "slow", "stuck")


@dataclass(frozen=True)
class Fault:
    """errors: the share of records that fail. slow: seconds of each record. stuck: the number of a partition that is never read.

    after: seconds for which the pod does well before the first of these, each time that its colour becomes active.
    """

    kind: str
    amount: float
    after: float = 0.0


def parse(text: str) -> Fault | None:
    """``errors:0.05``, ``slow:0.02``, ``stuck:1``, or None for an empty text. Raises ValueError for anything else.

    ``errors:0.05@20`` and ``slow:0.02@20`` begin 20 seconds after the pod's first record of a reign.
    """
    if not text:
        return None
    kind, _colon, rest = text.partition(":")
    amount, at, after = rest.partition("@")
    numbers = [float(amount), float(after)] if at else [float(amount)]
    if kind not in KINDS or (at and kind == "stuck") or not all(0 <= number < math.inf for number in numbers):
        raise ValueError(
            f"{text!r} is none of errors:SHARE, slow:SECONDS, both with @SECONDS or without, stuck:PARTITION"
        )
    return Fault(kind, *numbers)


class FaultyProcessor:
    """A processor that is slow, or that puts records aside. Those are written down like all others, so that none is missing."""

    def __init__(self, processor: Processor, fault: Fault) -> None:
        self._processor = processor
        self._fault = fault
        self._records = 0
        self._reign, self._began = -1, 0.0

    def process(self, record: Record, epoch: int) -> bool | None:
        if not self._begun(epoch):
            return self._processor.process(record, epoch)
        if self._fault.kind == "slow":
            time.sleep(self._fault.amount)
        succeeded = self._processor.process(record, epoch)
        self._records += 1
        share = self._fault.amount if self._fault.kind == "errors" else 0.0
        return False if int(self._records * share) > int((self._records - 1) * share) else succeeded

    def _begun(self, epoch: int) -> bool:
        if epoch != self._reign:
            self._reign, self._began = epoch, time.monotonic()
        return time.monotonic() - self._began >= self._fault.after

    def flush(self) -> None:
        self._processor.flush()


class StuckMember:
    """A member of the group that owns a partition and never reads it."""

    def __init__(self, member: GroupMember, partition: int) -> None:
        self._member = member
        self._partition = partition

    def __getattr__(self, name: str) -> Any:
        return getattr(self._member, name)

    def start(self, positions: Mapping[TopicPartition, int]) -> None:
        self._member.start({tp: offset for tp, offset in positions.items() if tp.partition != self._partition})
