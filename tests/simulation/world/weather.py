"""Random weather: one seed draws a world, what it is like, and what happens during a run and after it.

A schedule is told by one string, ``w2:<seed>``, which draws it again. Whatever happens, the end is judged by the same
invariants: every record once, nobody waited for longer than stated, nothing was left behind, no neighbour disturbed.
"""

from __future__ import annotations

import contextlib
import random
import re
import typing as t
from dataclasses import dataclass, field, replace

import bgconsumer.worker
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import BlueGreenError, NoGoError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods import bg_v1
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import (
    COLOURS,
    other_colour,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import journal_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.run_lock import lock_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.set_active import (
    RecordRequest,
    set_active,
)
from tests.simulation.world import invariants
from tests.simulation.world.example import ExamplePod, virtual_time
from tests.simulation.world.faults import (
    AFTERWARDS,
    Fail,
    Freeze,
    Kill,
    Raise,
    api_away,
    interrupted,
    kafka_away,
)
from tests.simulation.world.neighbours import (
    FAST_HEARTBEAT,
    SLOW_HEARTBEAT,
    Autoscaler,
    GitOps,
    Hpa,
    Keda,
    let_in,
    send_away,
    side_group,
)
from tests.simulation.world.playbook import play
from tests.simulation.world.pods import ModelPod, PlainPod
from tests.simulation.world.ports import AFTER, BEFORE, Call, Operator
from tests.simulation.world.scenario import Outcome, Scenario, attempt
from tests.simulation.world.scheduler import Killed, Task
from tests.simulation.world.troubles import TROUBLES
from tests.simulation.world.world import TOPIC, World

VERSION = "w2"
"""Changes when the same seed draws another schedule than before."""
CALLS = 140
"""Calls of a run, and a few of its recovery."""
WAITS_HOT, WAITS_COLD = 40.0, 70.0
"""Longest seconds for which records may wait where nothing of the world excuses it.

Hot: a lease (4 s), both timeouts of a run that meets silent pods (pause, activate: 8 s each), a session and a rebalance
(10 s), 10 s. Cold: stop and start (20 s each, with the timeouts of this world) instead of the timeouts of a hot run.
"""
TRIES = 12
BESIDE = "order-retries"
PODS = {"model": ModelPod, "example": ExamplePod, "plain": PlainPod}
KINDS = (("model", "hot", 5), ("example", "hot", 5), ("model", "cold", 2), ("example", "cold", 2), ("plain", "cold", 4))


# --- the schedule ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Strike:
    """Something that happens at one call of an operator. chance: what it draws from when it strikes."""

    call: int
    what: str
    chance: int


@dataclass(frozen=True)
class Schedule:
    """Everything that a seed decides before the world begins."""

    seed: int
    kind: str
    scenario: Scenario
    partitions: int
    replicas: int
    rate: float
    connect_seconds: float
    static: bool
    beside: bool
    climate: tuple[str, ...]
    strikes: tuple[Strike, ...]
    patience: float
    colour: str
    last_mode: str
    rolls_back: bool
    later: tuple[str, ...]

    def __str__(self) -> str:
        what = ", ".join(f"{strike.what} at call {strike.call}" for strike in self.strikes)
        about = f"{self.kind} {self.scenario}, {self.partitions} partitions, {self.replicas} pods"
        climate = f", climate: {', '.join(self.climate)}" if self.climate else ""
        end = f"{'rollback, ' if self.rolls_back else ''}{self.last_mode} switch to {self.colour}, {', '.join(self.later)}"
        return f"{VERSION}:{self.seed} {about}{climate}; {what}; after {self.patience:.0f} s: {end}"


def parse(text: str) -> int:
    """The seed of a schedule's string. Raises ValueError for one of another version."""
    version, _colon, seed = text.partition(":")
    if version != VERSION:
        raise ValueError(f"{text!r} is no schedule of this version ({VERSION}:<seed>)")
    return int(seed)


def draw(seed: int) -> Schedule:
    """The schedule of a seed."""
    chance = random.Random(seed)
    kind, mode, _weight = chance.choices(KINDS, [weight for *_names, weight in KINDS])[0]
    direction = chance.choice(("switch", "switch", "rollback"))
    scenario = Scenario(mode, direction, contract=kind != "plain", fused=chance.random() < 0.7)
    climate = []
    if chance.random() < 0.45:
        fitting = [name for name, one in CLIMATES.items() if one.fits(scenario)]
        picked = sorted(
            set(chance.choices(fitting, [CLIMATES[name].weight for name in fitting], k=chance.choice((1, 1, 2))))
        )
        about_topics = [name for name in picked if "topic" in name]
        climate = [name for name in picked if name not in about_topics[1:]]
    fitting = [name for name, one in WEATHER.items() if one.fits(scenario)]
    weights = [WEATHER[name].weight for name in fitting]
    strikes = [
        Strike(_call(chance), chance.choices(fitting, weights)[0], chance.randrange(1 << 30))
        for _number in range(chance.choices((1, 2, 3, 4), (30, 35, 20, 15))[0])
    ]
    return Schedule(
        seed=seed,
        kind=kind,
        scenario=scenario,
        partitions=chance.choice((1, 2, 2, 3)),
        replicas=chance.choice((1, 2, 2, 3)),
        rate=chance.choice((1.0, 2.0, 4.0)),
        connect_seconds=chance.choice((0.05, 0.05, 0.8)),
        static=chance.random() < 0.1,
        beside=chance.random() < 0.2,
        climate=tuple(climate),
        strikes=tuple(sorted(strikes, key=lambda strike: strike.call)),
        patience=chance.choice((0.0, 0.5, 3.0, 8.0, 20.0)),
        colour=chance.choice(COLOURS),
        last_mode=mode if kind == "plain" or chance.random() < 0.8 else chance.choice(("hot", "cold")),
        rolls_back=chance.random() < 0.3,
        later=tuple(chance.choices(tuple(LATER), k=chance.choice((0, 1, 2, 3)))),
    )


def _call(chance: random.Random) -> int:
    """Most of what matters happens between the arm and the end of a run."""
    return chance.randint(30, 110) if chance.random() < 0.7 else chance.randint(1, CALLS)


# --- the storm ---------------------------------------------------------------------------------------------------------------


@dataclass
class Verdict:
    """How a schedule ended. kind: in a word. broken: everything that is wrong. story: how each operator ended."""

    schedule: Schedule
    kind: str
    broken: list[str]
    story: list[str]

    def __str__(self) -> str:
        told = "; ".join(self.story)
        return f"--schedule {VERSION}:{self.schedule.seed}  {self.schedule}\n    {told}\n    {self.broken[:4]}"


@dataclass
class Storm:
    """One schedule under way."""

    schedule: Schedule
    world: World
    chance: random.Random
    scalers: list[Autoscaler] = field(default_factory=list)
    others: list[tuple[Operator, Task]] = field(default_factory=list)
    waits_since: list[float] = field(default_factory=list)
    """When somebody died whose work only the next one takes up."""
    outages: bool = False
    together: bool = False
    """Somebody else was at work beside the run, so that what it wrote was written into the other's journal."""
    topic_again: bool = False
    unprovable: bool = False
    """The colour whose group the inventory names wrongly had no process left before the run wrote anything: then nothing tells that the
    name is wrong, and a rollback leaves the colour as an ill one. One that the run itself has stopped is no excuse for it."""
    cleared: bool = False
    last_mode: str = ""
    """Mode in which a person ends it: as drawn, until a message says that only the other one can."""

    def __post_init__(self) -> None:
        self.last_mode = self.schedule.last_mode

    @property
    def scenario(self) -> Scenario:
        return self.schedule.scenario

    def pods(self, colour: str | None = None) -> list[t.Any]:
        """Pods of a colour, or of both, in an order that does not depend on chance."""
        wanted = COLOURS if colour is None else (colour,)
        return sorted((pod for one in wanted for pod in self.world.cluster.pods_of(one)), key=lambda pod: pod.name)

    def begin(self, name: str, run: t.Callable[[Operator], t.Any]) -> None:
        """Somebody else begins a run now."""
        operator = self.world.operator(name)
        task = self.world.start(operator, lambda: run(operator))
        task.on_end = lambda: None  # how it ended is asked for later
        self.others.append((operator, task))
        self.together = True

    def excuse(self, seconds: float, why: str) -> None:
        self.world.excuse(self.world.scheduler.now, self.world.scheduler.now + seconds + AFTERWARDS, why)

    def nobody_goes_on(self) -> None:
        """An operator's process dies: where it left something to be done, records wait until the next one comes.

        From a hot flip on nobody is needed, so a hot run has this excuse only while its record is armed.
        """
        data = self.world.cluster.config_maps.get(self.world.cluster.record_name)
        phase = data.data.get("phase", "") if data else ""
        if phase in ("switching", "rolling-back") or (phase == "verifying" and self.scenario.mode == "cold"):
            self.waits_since.append(self.world.scheduler.now)

    def somebody_came(self) -> None:
        """A run succeeded: nothing waits for anybody any more."""
        for since in self.waits_since:
            self.world.excuse(since, self.world.scheduler.now + AFTERWARDS, "nobody came")
        self.waits_since.clear()

    def look_for_the_renamed(self, operator: Operator) -> None:
        """Whether anybody of the colour at work is left that could prove the name of its group, while the run only reads."""
        if "group renamed" not in self.schedule.climate or self.scenario.direction != "rollback":
            return
        if not any(call.writes and call.name != "put_lease" for call in operator.calls):
            self.unprovable = self.unprovable or not self.world.cluster.containers(self.scenario.source)

    def clear_up(self) -> None:
        """People remove what the runs have named."""
        self.cleared = True
        world = self.world
        for scaler in self.scalers:
            scaler.stop()
        send_away(world)
        world.app = replace(world.app, topics=world.topic_names, colours=world.colours)
        for name in [name for name in world.broker.topics if name not in world.topic_names]:
            del world.broker.topics[name]
            for group in world.broker.groups.values():
                group.offsets = {tp: known for tp, known in group.offsets.items() if tp.topic != name}


class Struck:
    """Lets every strike of a schedule happen at its call of the run under test."""

    def __init__(self, storm: Storm, strikes: t.Iterable[Strike]) -> None:
        self.storm = storm
        self.left = sorted(strikes, key=lambda strike: strike.call)
        self.now: list[t.Any] = []

    def strike(self, operator: Operator, moment: str, call: Call) -> None:
        if moment == BEFORE:
            self.now = []
            self.storm.look_for_the_renamed(operator)
            while self.left and self.left[0].call <= call.number:
                strike = self.left.pop(0)
                fault = WEATHER[strike.what].act(self.storm, random.Random(strike.chance), call)
                if fault is not None:
                    self.now.append(fault)
        for fault in self.now:
            fault.strike(operator, moment, call)


@dataclass(frozen=True)
class Weather:
    """One kind of weather. act: lets it happen at a call; returns a fault of that call where it is one."""

    act: t.Callable[[Storm, random.Random, Call], t.Any]
    weight: int = 2
    only: str = ""
    """``hot``, ``cold``, or ``contract``: for which runs; empty for all."""

    def fits(self, scenario: Scenario) -> bool:
        return self.only in ("", scenario.mode) or (self.only == "contract" and scenario.contract)


def _die(moment: str) -> t.Callable[[Storm, random.Random, Call], t.Any]:
    class Die(Kill):
        def strike(self, operator: Operator, moment: str, call: Call) -> None:
            if moment == self.moment:
                operator.world.storm.nobody_goes_on()  # type: ignore[attr-defined]
            super().strike(operator, moment, call)

    return lambda _storm, _chance, _call: Die(moment)


def _freeze(storm: Storm, chance: random.Random, call: Call) -> t.Any:
    """Kubernetes has no fence for a scale that was held up, see test_a_scale_from_the_past; nor has Kafka for an eviction."""
    if call.name in ("scale", "remove_members"):
        return None
    seconds = chance.choice((0.5, 2.8, 3.6, 9.0, 40.0))
    storm.excuse(seconds, "the operator stands still")
    storm.outages = True  # it does not read back what another changes meanwhile
    return Freeze(seconds)


def _raise(storm: Storm, chance: random.Random, call: Call) -> t.Any:
    if call.name == "event":
        return None
    errors: tuple[t.Callable[[], Exception], ...] = (
        lambda: ValueError("no JSON"),
        lambda: OSError(28, "No space left on device"),
        lambda: KeyError("items"),
        lambda: TimeoutError("timed out"),
    )
    return Raise(chance.choice(errors), chance.choice((BEFORE, AFTER)))


def _signal(storm: Storm, chance: random.Random, call: Call) -> t.Any:
    return Raise(interrupted, chance.choice((BEFORE, AFTER)))


def _away(what: t.Callable[[World, float], None]) -> t.Callable[[Storm, random.Random, Call], t.Any]:
    def act(storm: Storm, chance: random.Random, _call: Call) -> None:
        what(storm.world, chance.choice((0.3, 2.0, 6.0, 15.0, 45.0, 120.0)))
        storm.outages = True

    return act


def _trouble(name: str) -> t.Callable[[Storm, random.Random, Call], t.Any]:
    act, seconds = TROUBLES[name]

    def happen(storm: Storm, chance: random.Random, _call: Call) -> None:
        colour = chance.choice(COLOURS)
        if name == "one more pod":
            armed = _phase(storm.world) not in ("stable", "")
            if not storm.scenario.contract and (armed or colour != storm.world.record.active):
                return  # nothing tells such a pod that it shall not process
        act(storm.world, colour, chance)
        storm.excuse(seconds, name)

    return happen


def _phase(world: World) -> str:
    stored = world.cluster.config_maps.get(world.cluster.record_name)
    return stored.data.get("phase", "") if stored else ""


def _evict(storm: Storm, chance: random.Random, _call: Call) -> None:
    pods = storm.pods()
    if pods:
        storm.world.cluster.evict(chance.choice(pods))
        storm.excuse(0, "a pod was evicted")


def _add_partition(storm: Storm, _chance: random.Random, _call: Call) -> None:
    storm.world.broker.add_partition(TOPIC, storm.schedule.rate)
    storm.excuse(0, "clients notice a new partition")


def _topic_again(storm: Storm, _chance: random.Random, _call: Call) -> None:
    storm.world.broker.create_topic(TOPIC, storm.schedule.partitions, storm.schedule.rate)
    storm.topic_again = True
    storm.excuse(10, "the topic was created again")


def _retention(storm: Storm, chance: random.Random, _call: Call) -> None:
    """It passes what everybody has processed: the commits of the colour at work, which are beyond those of the other."""
    world = storm.world
    offsets = [world.broker.group(world.group(colour)).offsets for colour in COLOURS]
    tp = chance.choice(world.partitions())
    known = [found[tp].offset for found in offsets if tp in found]
    if known:
        world.broker.log(tp).trim(max(known) - chance.choice((0, 0, 1, 5)), world.scheduler.now)


def _retention_passes(storm: Storm, chance: random.Random, _call: Call) -> None:
    """It passes what nobody has processed: somebody set it too short."""
    tp = chance.choice(storm.world.partitions())
    log, now = storm.world.broker.log(tp), storm.world.scheduler.now
    log.trim(log.end(now) - chance.choice((0, 1, 5)), now)


def _pending(storm: Storm, chance: random.Random, _call: Call) -> None:
    """Somebody's transaction holds offsets of a group for a while, and is aborted."""
    world = storm.world
    group = world.broker.group(world.group(chance.choice(COLOURS)))
    partitions = set(chance.sample(world.partitions(), chance.randint(1, len(world.partitions()))))
    seconds = chance.choice((0.3, 2.0, 8.0, 30.0))
    group.pending |= partitions
    world.scheduler.after(seconds, lambda: group.pending.difference_update(partitions))
    storm.excuse(seconds, "a transaction holds offsets")
    storm.outages = True


def _marker(storm: Storm, chance: random.Random, _call: Call) -> None:
    tp = chance.choice(storm.world.partitions())
    storm.world.broker.log(tp).mark(storm.world.scheduler.now, chance.choice((1, 1, 3)))


def _record_again(storm: Storm, chance: random.Random, _call: Call) -> None:
    """Somebody deletes the record, and the play that makes it makes it again."""
    world = storm.world
    found = world.cluster.config_maps.pop(world.cluster.record_name, None)
    if found is None:
        return

    def create(operator: Operator) -> None:
        operator.ports.clock.sleep(chance.choice((0.5, 3.0, 8.0)))
        for _try in range(20):
            if world.cluster.record_name in world.cluster.config_maps:
                return  # somebody else has made it
            try:
                request = RecordRequest(world.app.name, operator.run_id, active=found.data["active"], force=True)
                set_active(operator.ports, request)
            except BlueGreenError:
                operator.ports.clock.sleep(10.0)
            else:
                return

    storm.begin(f"bootstrap-{len(world.operators)}", create)
    storm.excuse(20.0, "the record was deleted")
    storm.outages = True


def _bootstrap_again(storm: Storm, _chance: random.Random, _call: Call) -> None:
    """The play that made the record is run once more: it says active=blue."""
    request = RecordRequest(storm.world.app.name, f"bootstrap-{len(storm.world.operators)}", active="blue")
    storm.begin(request.run_id, lambda operator: set_active(operator.ports, request))


def _touch_record(storm: Storm, _chance: random.Random, _call: Call) -> None:
    """Somebody puts a label on it."""
    cluster, name = storm.world.cluster, storm.world.cluster.record_name
    if name in cluster.config_maps:
        stored = cluster.config_maps[name]
        cluster.config_maps[name] = replace(stored, resource_version=cluster.next_version())


def _edit_record(storm: Storm, chance: random.Random, _call: Call) -> None:
    cluster, name = storm.world.cluster, storm.world.cluster.record_name
    if name in cluster.config_maps:
        stored = cluster.config_maps[name]
        change = chance.choice(({"rollback-allowed": "false"}, {"rollback-window": "60"}, {"owner": "team-7"}))
        cluster.config_maps[name] = replace(
            stored, data={**stored.data, **change}, resource_version=cluster.next_version()
        )


def _delete_journal(storm: Storm, _chance: random.Random, _call: Call) -> None:
    storm.world.cluster.config_maps.pop(journal_name(storm.world.app.name), None)
    storm.outages = True  # what was journalled can't be told from it any more


def _delete_lease(storm: Storm, _chance: random.Random, _call: Call) -> None:
    storm.world.cluster.leases.pop(lock_name(storm.world.app.name), None)
    storm.outages = True


def _pause_by_hand(storm: Storm, _chance: random.Random, _call: Call) -> None:
    """Somebody pauses the active colour at the record's epoch, and has it go on three seconds later."""
    world = storm.world

    def by_hand(operator: Operator) -> None:
        record = world.record
        app = world.app.colours[record.active]
        workload = operator.ports.cluster.workload("Deployment", app.workload)
        assert workload is not None
        for command in (bg_v1.pause, bg_v1.resume):
            for _try in range(60):
                try:
                    epoch = world.record.epoch
                    pods = operator.ports.cluster.pods(workload)
                    operator.ports.consumers.send(pods, command(epoch, 0.5), 2.0)
                except BlueGreenError:
                    operator.ports.clock.sleep(3.0)
                else:
                    break
            operator.ports.clock.sleep(3.0)

    storm.begin(f"by-hand-{len(world.operators)}", by_hand)
    storm.excuse(10, "paused by hand")


def _somebody_else(storm: Storm, chance: random.Random, _call: Call) -> None:
    """Another person starts a playbook, of whatever kind."""
    mode = storm.scenario.mode
    if storm.scenario.contract and chance.random() < 0.2:
        mode = chance.choice(("hot", "cold"))
    direction = chance.choice(("switch", "switch", "rollback"))
    target = chance.choice(("", *COLOURS)) if direction == "switch" else ""
    storm.begin(f"else-{len(storm.world.operators)}", lambda operator: play(operator, direction, mode, target))


def _stranger_comes(storm: Storm, chance: random.Random, _call: Call) -> None:
    """A member that lives and holds partitions, until somebody stops it."""
    heartbeat = chance.choice((FAST_HEARTBEAT, SLOW_HEARTBEAT))
    let_in(storm.world, chance.choice(COLOURS), heartbeat, static=chance.random() < 0.3, idle=True)
    storm.waits_since.append(storm.world.scheduler.now)


def _scale(storm: Storm, chance: random.Random, _call: Call) -> None:
    """Somebody scales the active colour."""
    world = storm.world
    if _phase(world) == "stable" and world.replicas(world.record.active) > 0:
        world.cluster.scale(world.app.colours[world.record.active].workload, chance.choice((1, 2, 3, 4)))
        storm.excuse(0, "scaled")


def _woken(storm: Storm, chance: random.Random, _call: Call) -> None:
    """Something that scales by itself begins to."""
    world = storm.world
    colour = chance.choice(COLOURS)
    kind = chance.choice((Hpa, Keda))
    storm.scalers.append(kind(world, colour, least=chance.choice((1, 2, 3))))
    storm.excuse(0, "scaled")


def _gitops(storm: Storm, _chance: random.Random, _call: Call) -> None:
    wanted = {colour: storm.world.replicas(colour) for colour in COLOURS}
    storm.scalers.append(GitOps(storm.world, wanted))
    storm.waits_since.append(storm.world.scheduler.now)


WEATHER: dict[str, Weather] = {
    "killed before its effect": Weather(_die(BEFORE), 4),
    "killed after its effect": Weather(_die(AFTER), 4),
    "refused": Weather(lambda _storm, _chance, _call: Fail(BEFORE), 3),
    "answer lost": Weather(lambda _storm, _chance, _call: Fail(AFTER), 3),
    "any exception": Weather(_raise, 4),
    "a signal": Weather(_signal, 4),
    "operator stands still": Weather(_freeze, 3),
    "Kafka away": Weather(_away(kafka_away), 4),
    "API server away": Weather(_away(api_away), 4),
    "evicted": Weather(_evict, 3),
    "partition added": Weather(_add_partition, 1),
    "topic created again": Weather(_topic_again, 1),
    "retention": Weather(_retention, 2),
    "retention passes the commits": Weather(_retention_passes, 1),
    "offsets pending": Weather(_pending, 2),
    "transaction marker": Weather(_marker, 2),
    "record touched": Weather(_touch_record, 2),
    "record created again": Weather(_record_again, 1),
    "record's play once more": Weather(_bootstrap_again, 2),
    "record edited": Weather(_edit_record, 1),
    "journal deleted": Weather(_delete_journal, 1),
    "lease deleted": Weather(_delete_lease, 1),
    "paused by hand": Weather(_pause_by_hand, 2, "contract"),
    "somebody else": Weather(_somebody_else, 4),
    "a stranger comes": Weather(_stranger_comes, 2),
    "active colour scaled": Weather(_scale, 2),
    "autoscaler": Weather(_woken, 2, "contract"),
    "replicas put back": Weather(_gitops, 1, "contract"),
    **{
        name: Weather(_trouble(name), 1, "" if "lost" not in name and "held" not in name else "hot")
        for name in TROUBLES
    },
}


# --- the climate -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Climate:
    """What the world is like before a run. blocks: preflight has to refuse, and nothing may be touched."""

    begin: t.Callable[[Storm], t.Any]
    blocks: bool = False
    weight: int = 2
    only: str = ""

    def fits(self, scenario: Scenario) -> bool:
        return self.only in ("", scenario.mode) or (self.only == "contract" and scenario.contract)


def _pods_that_ended(storm: Storm) -> None:
    for colour in COLOURS:
        for pod in storm.pods(colour)[:1]:
            storm.world.cluster.evict(pod)
    storm.world.pass_time(8.0)


def _stranger(active: bool) -> t.Callable[[Storm], None]:
    def begin(storm: Storm) -> None:
        world = storm.world
        colour = world.record.active if active else other_colour(world.record.active)
        heartbeat = storm.chance.choice((FAST_HEARTBEAT, SLOW_HEARTBEAT))
        let_in(world, colour, heartbeat, static=storm.chance.random() < 0.3)
        world.pass_time(3.0)

    return begin


def _forgotten_topic(storm: Storm) -> None:
    storm.world.app = replace(storm.world.app, topics=(TOPIC,))


def _no_topics(storm: Storm) -> None:
    storm.world.app = replace(storm.world.app, topics=())


def _topic_of_the_past(storm: Storm) -> None:
    world = storm.world
    world.app = replace(world.app, topics=())
    world.broker.create_topic("order-old", 1, 0.0, first=7)
    world.broker.group(world.group(world.record.active)).offsets[TopicPartition("order-old", 0)] = CommittedOffset(7)


def _renamed_group(storm: Storm) -> None:
    """The inventory names a group in which nobody is any more."""
    world = storm.world
    active = world.record.active
    old = f"{world.group(active)}_v0"
    world.broker.group(old).offsets = dict(world.broker.group(world.group(active)).offsets)
    colours = {**world.app.colours, active: replace(world.app.colours[active], group=old)}
    world.app = replace(world.app, colours=colours)


def _autoscaler(kind: t.Any, standby: bool, paused: bool = False) -> t.Callable[[Storm], None]:
    def begin(storm: Storm) -> None:
        active = storm.world.record.active
        colour = other_colour(active) if standby else active
        storm.scalers.append(kind(storm.world, colour, least=storm.chance.choice((1, 2, 3)), paused=paused))
        storm.excuse(0, "scaled")

    return begin


def _new_protocol(storm: Storm) -> None:
    """The application sets group.protocol=consumer."""
    for colour in COLOURS:
        storm.world.broker.group(storm.world.group(colour)).kind = "consumer"


CLIMATES: dict[str, Climate] = {
    "pods that ended": Climate(_pods_that_ended, weight=4),
    "stranger in the source's group": Climate(_stranger(active=True), blocks=True),
    "stranger in the target's group": Climate(_stranger(active=False), blocks=True),
    "a topic forgotten": Climate(_forgotten_topic, blocks=True),
    "no topics named": Climate(_no_topics, weight=3),
    "a topic of the past": Climate(_topic_of_the_past, blocks=True),
    "group renamed": Climate(_renamed_group, blocks=True),
    "KEDA on the source": Climate(_autoscaler(Keda, standby=False), blocks=True, only="cold"),
    "KEDA paused": Climate(_autoscaler(Keda, standby=False, paused=True), only="cold"),
    "KEDA on both": Climate(lambda s: [_autoscaler(Keda, standby)(s) for standby in (True, False)], only="hot"),
    "HPA on the target": Climate(_autoscaler(Hpa, standby=True)),
    "HPA on the source": Climate(_autoscaler(Hpa, standby=False)),
    "replicas put back": Climate(lambda storm: _gitops(storm, storm.chance, None), weight=1, only="contract"),  # type: ignore[arg-type]
    "groups of the new protocol": Climate(_new_protocol, only="cold"),
    "another group of the pods": Climate(lambda storm: side_group(storm.world, storm.world.record.active)),
}


# --- long after --------------------------------------------------------------------------------------------------------------


def _later_scale(more: int) -> t.Callable[[Storm], None]:
    def act(storm: Storm) -> None:
        world = storm.world
        workload = world.app.colours[world.record.active].workload
        world.cluster.scale(workload, max(1, world.cluster.workloads[workload].replicas + more))

    return act


def _later_pod(act: t.Callable[[World, t.Any], None]) -> t.Callable[[Storm], None]:
    def happen(storm: Storm) -> None:
        pods = storm.pods(storm.world.record.active)
        if pods:
            act(storm.world, storm.chance.choice(pods))

    return happen


LATER: dict[str, t.Callable[[Storm], None]] = {
    "scaled up": _later_scale(1),
    "scaled down": _later_scale(-1),
    "rebalanced": lambda storm: storm.world.broker.group(
        storm.world.group(storm.world.record.active)
    ).prepare_rebalance(),
    "a pod deleted": _later_pod(lambda world, pod: world.cluster.delete_pod(pod)),
    "a pod evicted": _later_pod(lambda world, pod: world.cluster.evict(pod)),
    "a pod crashed": _later_pod(lambda world, pod: world.cluster.crash(pod)),
}


def in_virtual_time(patch: t.Any) -> None:
    """As the example's `virtual_time`; its parked pods look after their group five times as seldom, which is most of the cost."""
    virtual_time(patch)
    patch.setattr(bgconsumer.worker, "PARKED_SECONDS", 0.25)


# --- one schedule, from its beginning to its end -------------------------------------------------------------------------------


def play_out(schedule: Schedule) -> Verdict:
    """Let it happen, have somebody end it, and judge the end."""
    storm = _begin(schedule)
    world = storm.world
    story, broken = [], []
    first = world.operator("first")
    first.every_call = Struck(storm, schedule.strikes)
    outcome = _attempt(world, first, schedule.scenario.play)
    blocked = any(CLIMATES[name].blocks for name in schedule.climate)
    blocked = blocked and not ("a topic forgotten" in schedule.climate and not schedule.beside)
    blocked = blocked and not storm.unprovable
    kind = "success" if outcome.result else "killed" if outcome.died else "failed"
    if outcome.error is not None and not any(call.writes for call in first.calls):
        kind = "refused"
    story.append(f"first: {_short(outcome)}")
    _end_of_others(storm, story)
    if blocked and any(one.writes and one.service != "consumers" for one in first.calls):
        broken.append(f"something was touched in a world that has to be refused: {_short(outcome)}")
    world.pass_time(schedule.patience)
    if outcome.result is None and schedule.rolls_back:
        back = _attempt(world, world.operator("back"), lambda o: play(o, "rollback", schedule.scenario.mode))
        story.append(f"rollback: {_short(back)}")
        if back.result is not None:
            storm.somebody_came()
    last = _bring_to_an_end(storm, story)
    if last.result is None:
        return Verdict(schedule, kind, [*broken, f"it can't be ended: {_short(last, 600)}"], story)
    storm.somebody_came()
    for name in schedule.later:
        LATER[name](storm)
        storm.excuse(0, name)
        world.pass_time(4.0)
    broken += _judge(storm)
    return Verdict(schedule, kind, broken, story)


def _begin(schedule: Schedule) -> Storm:
    beside = (BESIDE,) if schedule.beside else ()
    world = schedule.scenario.world(
        schedule.seed,
        pod=PODS[schedule.kind],
        partitions=schedule.partitions,
        replicas=schedule.replicas,
        rate=schedule.rate,
        connect_seconds=schedule.connect_seconds,
        static=schedule.static,
        beside=beside,
    )
    storm = Storm(schedule, world, random.Random(schedule.seed))
    world.storm = storm  # type: ignore[attr-defined]
    world.colours = world.app.colours  # type: ignore[attr-defined]
    for name in schedule.climate:
        CLIMATES[name].begin(storm)
    return storm


def _attempt(world: World, operator: Operator, run: t.Callable[[Operator], t.Any]) -> Outcome:
    """As `attempt`; any other error than ours is an end like others here: preflight, for one, undoes nothing."""
    try:
        return attempt(world, operator, run)
    except Exception as error:
        if isinstance(error, AssertionError):
            raise
        return Outcome(error=BlueGreenError(f"{type(error).__name__}: {error}"))


def _short(outcome: Outcome, length: int = 160) -> str:
    text = outcome.error.message if outcome.error is not None else str(outcome)
    faults = [line for line in text.splitlines() if line.startswith("NO-GO")]
    return ("NO-GO " * bool(isinstance(outcome.error, NoGoError)) + ("; ".join(faults) or text))[:length]


def _end_of_others(storm: Storm, story: list[str]) -> None:
    while storm.others:
        operator, task = storm.others.pop(0)
        storm.world.finish(task)
        if task.error is not None and isinstance(task.error, AssertionError):
            raise task.error
        story.append(f"{operator.run_id}: {str(task.error or task.result)[:120]}")
        if isinstance(task.error, Killed):
            storm.nobody_goes_on()


def _bring_to_an_end(storm: Storm, story: list[str]) -> Outcome:
    """A person starts the switch to the wanted colour until it succeeds, and removes what stands in its way."""
    world, schedule = storm.world, storm.schedule
    last = Outcome()
    for number in range(TRIES):
        operator = world.operator(f"last-{number}")
        last = _attempt(world, operator, lambda o: play(o, "switch", storm.last_mode, schedule.colour))
        story.append(f"last-{number}: {_short(last)}")
        _do_as_told(storm, _short(last, 600))
        _end_of_others(storm, story)
        if last.result is not None and (number or not storm.scalers or storm.cleared):
            break
        if not storm.cleared:
            storm.clear_up()
        elif number > 2:
            _help(storm)
        away = max(world.broker.down_until, world.cluster.down_until) - world.scheduler.now
        world.pass_time(8.0 + max(0.0, away))
    return last


def _do_as_told(storm: Storm, message: str) -> None:
    """What a person does whose message names the way out."""
    if "use bg_mode=cold" in message:
        storm.last_mode = "cold"
    if epoch := re.search(r"Write it with epoch (\d+)", message):
        operator = storm.world.operator(f"by-hand-{len(storm.world.operators)}")
        active = storm.world.record.active
        request = RecordRequest(storm.world.app.name, operator.run_id, active, force=True, epoch=int(epoch[1]))
        _attempt(storm.world, operator, lambda o: set_active(o.ports, request))


def _help(storm: Storm) -> None:
    """What a person does who is told that the other colour was started by somebody or has commits of somebody else, that the
    active one has no pods or was paused by hand, that retention passed a commit, or that nobody knows how many it needs."""
    world = storm.world
    _wake(storm.world.operator(f"by-hand-{len(world.operators)}"))
    world.app = replace(world.app, replicas=storm.schedule.replicas, out_of_range="earliest")
    active = world.record.active
    if _phase(world) in ("stable", "verifying"):
        if world.replicas(active) == 0:
            world.cluster.scale(world.app.colours[active].workload, storm.schedule.replicas)
        if world.replicas(other_colour(active)) > 0:
            world.cluster.scale(world.app.colours[other_colour(active)].workload, 0)


def _wake(operator: Operator) -> None:
    """consumer_pause, state: running."""
    world = operator.world

    def resume() -> None:
        workload = operator.ports.cluster.workload("Deployment", world.app.colours[world.record.active].workload)
        assert workload is not None
        operator.ports.consumers.send(operator.ports.cluster.pods(workload), bg_v1.resume(world.record.epoch, 0.5), 2.0)

    if world.storm.scenario.contract and _phase(world) in ("stable", "verifying"):  # type: ignore[attr-defined]
        with contextlib.suppress(BlueGreenError):
            world.run(operator, resume)


def _judge(storm: Storm) -> list[str]:
    world, schedule = storm.world, storm.schedule
    storm.clear_up()
    world.scheduler.run_until(
        lambda: (
            not any(p.container and p.container.frozen for p in storm.pods())
            # A pod that is born beside an open transaction begins when it has ended.
            and not any(group.pending for group in world.broker.groups.values())
        ),
        world.scheduler.now + 60,
    )
    world.pass_time(12.0)
    colour = schedule.colour
    broken = [] if world.drain(limit=90.0) else [f"{colour} did not come to the end of the logs"]
    if not storm.topic_again:
        broken += invariants.exactly_once(world)
    broken += invariants.settled(world, colour)
    broken += invariants.at_work(world, colour)
    broken += invariants.never_scaled_down(world)
    if not storm.unprovable:
        broken += invariants.strangers_undisturbed(world)
    broken += invariants.nobody_waited(
        world, WAITS_COLD if "cold" in (schedule.scenario.mode, storm.last_mode) else WAITS_HOT
    )
    if not storm.outages:
        broken += invariants.written_by_the_holder(world)
    if not (storm.outages or storm.together):
        # A resume only wakes: one that is repeated after the run was closed, because the lock could not be given back, is fine.
        broken += [fault for fault in invariants.journalled(world) if "called resume" not in fault]
    return broken
