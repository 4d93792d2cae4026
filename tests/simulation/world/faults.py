"""What can go wrong at a port call."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from tests.simulation.world.ports import AFTER, BEFORE, Call, Operator


@dataclass(frozen=True)
class Kill:
    """The operator's process dies (kill -9), before or after the call's effect."""

    moment: str

    def strike(self, operator: Operator, moment: str, call: Call) -> None:
        if moment == self.moment:
            operator.die()


@dataclass(frozen=True)
class Fail:
    """The call raises its service's error; ``after``: the effect happened and the answer was lost."""

    moment: str

    def strike(self, operator: Operator, moment: str, call: Call) -> None:
        # A command's loss is the pods' silence (Mishap): the port never raises for them.
        if moment == self.moment and call.service != "consumers" and call.name != "event":
            raise operator.failure(call.service, f"simulated failure {moment} {call.name}")


@dataclass(frozen=True)
class Freeze:
    """The operator's process stands still for ``seconds`` before the call takes effect."""

    seconds: float

    def strike(self, operator: Operator, moment: str, call: Call) -> None:
        if moment == BEFORE:
            operator.process.freeze()
            operator.world.scheduler.after(self.seconds, operator.process.thaw)


@dataclass(frozen=True)
class Happen:
    """Something happens to the world at this moment of the call."""

    what: t.Callable[[], t.Any]
    moment: str = BEFORE

    def strike(self, operator: Operator, moment: str, call: Call) -> None:
        if moment == self.moment:
            self.what()


MOMENTS = (BEFORE, AFTER)


@dataclass(frozen=True)
class Outage:
    """The coordinators of every group are away for ``seconds``, for operators and pods alike."""

    seconds: float

    def strike(self, operator: Operator, moment: str, call: Call) -> None:
        if moment == BEFORE:
            operator.world.broker.down_until = operator.world.scheduler.now + self.seconds


class Both:
    """One fault and another at the same moment."""

    def __init__(self, *faults: t.Any) -> None:
        self.faults = faults

    def strike(self, operator: Operator, moment: str, call: Call) -> None:
        for fault in self.faults:
            fault.strike(operator, moment, call)
