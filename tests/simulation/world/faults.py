"""What can go wrong at a port call."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InterruptedRunError
from tests.simulation.world.ports import AFTER, BEFORE, Call, Operator

if t.TYPE_CHECKING:
    from tests.simulation.world.world import World


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
class Raise:
    """The call raises any exception: a broken library, a full disk, a signal. ``after``: its effect happened."""

    error: t.Callable[[], Exception]
    moment: str = BEFORE

    def strike(self, operator: Operator, moment: str, call: Call) -> None:
        if moment == self.moment:
            raise self.error()


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
            kafka_away(operator.world, self.seconds)


@dataclass(frozen=True)
class ApiAway:
    """The API server is away for ``seconds``, for everybody."""

    seconds: float

    def strike(self, operator: Operator, moment: str, call: Call) -> None:
        if moment == BEFORE:
            api_away(operator.world, self.seconds)


AFTERWARDS = 15.0
"""Seconds until everybody has noticed that a service is back: sessions, leases, the next try."""


def kafka_away(world: World, seconds: float) -> None:
    """No coordinator is there for some time; records may wait for it."""
    world.broker.go_away(seconds)
    world.excuse(world.scheduler.now, world.scheduler.now + seconds + AFTERWARDS, f"Kafka away for {seconds:.0f} s")


def api_away(world: World, seconds: float) -> None:
    """No API server is there for some time; records may wait for it, as the pods' leases run out."""
    world.cluster.go_away(seconds)
    world.excuse(
        world.scheduler.now, world.scheduler.now + seconds + AFTERWARDS, f"API server away for {seconds:.0f} s"
    )


def interrupted() -> Exception:
    """What the modules make of a signal: an error that is raised wherever the process is."""
    return InterruptedRunError("Interrupted by SIGTERM")


class Both:
    """One fault and another at the same moment."""

    def __init__(self, *faults: t.Any) -> None:
        self.faults = faults

    def strike(self, operator: Operator, moment: str, call: Call) -> None:
        for fault in self.faults:
            fault.strike(operator, moment, call)
