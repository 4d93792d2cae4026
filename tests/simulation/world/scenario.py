"""A run under test, what may come after it, and how its end is judged."""

from __future__ import annotations

import os
import random
import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    InvalidSettingsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import other_colour
from tests.simulation.world import invariants
from tests.simulation.world.faults import Happen
from tests.simulation.world.playbook import play
from tests.simulation.world.ports import Call, Operator
from tests.simulation.world.scheduler import Killed
from tests.simulation.world.troubles import TROUBLES
from tests.simulation.world.world import World

RUNS = int(os.environ.get("SIMULATION_RUNS", "0"))
"""0: a sample. N: every schedule of the sweeps, N of the random ones."""
PART = int(os.environ.get("SIMULATION_PART", "1"))
"""N: only one of N of that sample, for every `make check`."""

Play = t.Callable[[Operator], dict[str, t.Any]]
AGAIN, UNDO = "again", "undo"


@dataclass(frozen=True)
class Scenario:
    """One playbook in one mode.

    contract False: an application without the contract, which only cold mode can move. fused False: the run is proven
    and closed by steps of their own.
    """

    mode: str
    direction: str
    contract: bool = True
    fused: bool = True

    def __str__(self) -> str:
        return f"{self.mode} {self.direction}{'' if self.contract else ' without contract'}"

    def world(self, seed: int = 0, **settings: t.Any) -> World:
        """A world in which the playbook may begin: for a rollback, green was switched to before."""
        world = World(seed, contract=self.contract, **settings)
        if self.direction == "rollback":
            before = world.operator("run-before")
            world.run(before, lambda: play(before, "switch", self.mode, "green"))
        world.remember()
        return world

    @property
    def target(self) -> str:
        """The colour that is active when the playbook has succeeded."""
        return "blue" if self.direction == "rollback" else "green"

    @property
    def source(self) -> str:
        """The colour that is active before, and again when the playbook was undone."""
        return other_colour(self.target)

    def play(self, operator: Operator) -> dict[str, t.Any]:
        """The playbook, as the user starts it."""
        target = "" if self.direction == "rollback" else self.target
        return play(operator, self.direction, self.mode, target, self.fused)

    again = play
    """The user starts it once more, just the same."""

    def undo(self, operator: Operator) -> dict[str, t.Any]:
        """The user wants the colour before: rolls a switch back, or switches instead of a rollback."""
        if self.direction == "switch":
            return play(operator, "rollback", self.mode, fused=self.fused)
        return play(operator, "switch", self.mode, self.source, self.fused)

    def recovery(self, name: str) -> tuple[Play, str]:
        """The playbook that finishes or undoes, and the colour that has to be active after it."""
        return (self.again, self.target) if name == AGAIN else (self.undo, self.source)

    def undisturbed(self, seed: int = 0, **settings: t.Any) -> list[Call]:
        """The calls of a run in which nothing goes wrong."""
        world = self.world(seed, **settings)
        operator = world.operator("undisturbed")
        assert attempt(world, operator, self.play).result is not None
        return operator.calls


SCENARIOS = (
    Scenario("hot", "switch"),
    Scenario("hot", "rollback", fused=False),
    Scenario("cold", "switch", fused=False),
    Scenario("cold", "rollback"),
    Scenario("cold", "switch", contract=False),
    Scenario("cold", "rollback", contract=False),
)


@dataclass
class Outcome:
    """How a playbook ended: its result, or died, or the error it reported."""

    result: dict[str, t.Any] | None = None
    died: bool = False
    error: BlueGreenError | None = None

    @property
    def refused(self) -> bool:
        """A rollback found nothing to undo and said so before it changed anything."""
        return isinstance(self.error, InvalidSettingsError) and "rollback refused" in self.error.message

    def __str__(self) -> str:
        if self.result is not None:
            return f"success ({self.result['decision']})"
        return "killed" if self.died else f"{type(self.error).__name__}: {self.error}"[-400:]


def attempt(world: World, operator: Operator, run: Play) -> Outcome:
    """Let an operator run a playbook to whatever end."""
    try:
        return Outcome(result=world.run(operator, lambda: run(operator)))
    except Killed:
        return Outcome(died=True)
    except BlueGreenError as error:
        return Outcome(error=error)


def recover(world: World, run: Play, tries: int = 1, name: str = "recovery") -> Outcome:
    """What the user does after a run that did not succeed: start one, up to ``tries`` times, some seconds apart."""
    outcome = Outcome()
    for number in range(tries):
        if number:
            world.pass_time(8.0)
        outcome = attempt(world, world.operator(f"{name}-{number}"), run)
        if outcome.error is None or outcome.refused:
            break
    return outcome


def recover_and_judge(
    world: World, scenario: Scenario, first: Outcome, recovery: str, tries: int = 1, calm: float = 1.5
) -> list[str]:
    """Finish or undo whatever ``first`` left, where it left something; returns everything that is wrong at the end.

    calm: seconds until the last of the troubles has passed.
    """
    if first.result is not None and recovery == AGAIN:
        return judge(world, scenario.target, scenario.again, calm)
    run, colour = scenario.recovery(recovery)
    second = recover(world, run, tries)
    if second.refused:
        return untouched(world, scenario.source, calm)
    if second.result is None:
        return [f"{recovery} does not succeed: {second}"]
    rerun = scenario.again if recovery == AGAIN else (lambda operator: play(operator, "switch", scenario.mode, colour))
    return judge(world, colour, rerun, calm)


def in_trouble(
    scenario: Scenario, trouble: str, colour: str, number: int, recovery: str, **settings: t.Any
) -> list[str]:
    """Let trouble strike a pod of ``colour`` at one call of a run, finish or undo what is left, and judge the end."""
    act, seconds = TROUBLES[trouble]
    chance = random.Random(number)
    world = scenario.world(number, connect_seconds=chance.choice((0.0, 0.8)), **settings)
    operator = world.operator("first")
    operator.faults[number] = Happen(lambda: act(world, colour, chance))
    first = attempt(world, operator, scenario.play)
    broken = recover_and_judge(world, scenario, first, recovery, tries=6, calm=2.0 + seconds)
    if trouble == "one more pod":
        broken = [fault for fault in broken if "replicas" not in fault]
    broken += invariants.well_led(world)
    at = operator.calls[min(number, len(operator.calls)) - 1].name
    story = f"{scenario}: {trouble} of {colour} at call {number} {at}, {first}, {recovery}"
    return [f"{story}: {broken[:3]}"] if broken else []


def judge(world: World, colour: str, rerun: Play | None = None, calm: float = 1.5) -> list[str]:
    """Everything that is wrong at the end, when ``colour`` shall be active and settled."""
    world.pass_time(calm)
    broken = [] if world.drain() else [f"{colour} did not come to the end of the logs"]
    broken += invariants.exactly_once(world)
    broken += invariants.settled(world, colour)
    broken += invariants.at_work(world, colour)
    broken += invariants.replicas_kept(world, colour)
    if rerun is not None and not broken:
        once_more = attempt(world, world.operator("once-more"), rerun)
        if once_more.result is None:
            broken.append(f"a further run does not succeed: {once_more}")
        elif once_more.result["changed"]:
            broken.append("a further run says that it changed something")
    return broken


def untouched(world: World, colour: str, calm: float = 1.5) -> list[str]:
    """Everything that is wrong where no run has begun anything: only the lock of a dead run may still be there."""
    world.pass_time(calm)
    broken = [] if world.drain() else [f"{colour} did not come to the end of the logs"]
    broken += invariants.exactly_once(world)
    broken += [fault for fault in invariants.settled(world, colour) if "the lock" not in fault]
    return broken + invariants.at_work(world, colour)


def sample(schedules: t.Sequence[t.Any], quick: int, seed: int = 0) -> list[t.Any]:
    """All of them when time allows (RUNS), else ``quick`` of them, or a part of that, always the same."""
    wanted = part_of(quick)
    if RUNS or len(schedules) <= wanted:
        return list(schedules)
    return random.Random(seed).sample(list(schedules), wanted)


def part_of(quick: int) -> int:
    """How many of ``quick`` schedules are played."""
    return max(1, quick // PART)


def random_runs(quick: int) -> range:
    """Seeds of random schedules."""
    return range(RUNS or part_of(quick))
