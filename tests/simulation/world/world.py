"""One simulated world: Kafka, Kubernetes, an application in two colours, and whoever operates it."""

from __future__ import annotations

import random
import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import (
    COLOURS,
    ActiveRecord,
    record_name,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Journal, journal_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import (
    Application,
    Colour,
    Timeouts,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.run_lock import lock_name
from tests.simulation.world.broker import SimBroker
from tests.simulation.world.cluster import ApiServer, SimWorkload
from tests.simulation.world.ledger import Entry, Ledger
from tests.simulation.world.pods import Container, Illness, ModelPod, PlainPod
from tests.simulation.world.ports import Call, Mishap, Operator, SimPrometheus
from tests.simulation.world.scheduler import Scheduler, Task

TOPIC = "order-events"
APP = "order-consumer"


@dataclass(frozen=True)
class Write:
    """A call that changed something, and what was stored at that moment. replicas: of the workload, where it scales."""

    call: Call
    when: float
    lock_holder: str
    journalled: bool
    active: str
    phase: str
    replicas: int


@dataclass(frozen=True)
class Before:
    """What the playbook under test found."""

    active: str
    activated_epoch: int
    replicas: t.Mapping[str, int]


class World:
    """Blue is active with ``replicas`` pods and works; green is deployed with ``standby`` pods.

    contract False: the application does not speak the contract (cold mode only); ``pod`` is then what it is. rate: records
    per second and partition. connect_seconds: longest time between a pod's decision to join its group and its request to.
    static: pods are static members. beside: topics that the pods read beside TOPIC. named: topics that the inventory names
    (None: all that the pods read). groups: where the pods use another group than the inventory says, by colour.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        partitions: int = 4,
        replicas: int = 2,
        standby: int = 0,
        contract: bool = True,
        rate: float = 8.0,
        connect_seconds: float = 0.05,
        pod: type[Container] | None = None,
        static: bool = False,
        beside: tuple[str, ...] = (),
        named: tuple[str, ...] | None = None,
        groups: t.Mapping[str, str] | None = None,
    ) -> None:
        self.rng = random.Random(seed)
        self.scheduler = Scheduler()
        self.broker = SimBroker(self.scheduler, self.rng)
        self.ledger = Ledger()
        self.contract = contract
        self.rate = rate
        self.connect_seconds = connect_seconds
        self.topic_names = (TOPIC, *beside)
        self.lives = 0
        self.static = static
        self.mishaps: dict[str, Mishap] = {}
        self.illness: dict[str, Illness] = {}
        self.prometheus: SimPrometheus | None = None
        self.writes: list[Write] = []
        self.before = Before("", 0, {})
        self.operators: list[Operator] = []
        self.strangers: list[Container] = []
        self.excused: list[tuple[float, float, str]] = []
        """Times in which records may wait, and why: somebody took the API server away, or killed who was to go on."""
        self._pod = pod or (ModelPod if contract else PlainPod)
        self.cluster = ApiServer(self.scheduler, self.rng, self._make_container)
        self.app = application(self.topic_names if named is None else named)
        self._groups = {colour: self.app.colours[colour].group for colour in COLOURS} | dict(groups or {})
        self._set_up(partitions, {"blue": replicas, "green": standby})

    def _set_up(self, partitions: int, replicas: dict[str, int]) -> None:
        for name in self.topic_names:
            self.broker.create_topic(name, partitions, self.rate, first=100)
        self.cluster.record_name = record_name(APP)
        self.cluster.create(record_name(APP), ActiveRecord.first("blue").to_data())
        for colour in COLOURS:
            name = self.app.colours[colour].workload
            self.cluster.workloads[name] = SimWorkload(name, colour, 0)
            self.cluster.scale(name, replicas[colour])
        ready = self.scheduler.run_until(self._blue_works, 12.0)
        assert ready, "the application did not start"

    def _blue_works(self) -> bool:
        if len({entry.tp for entry in self.ledger.entries}) < len(self.partitions()):
            return False
        blue = self.broker.group(self.group("blue"))
        stable = not self._pod.joins or (blue.state == "Stable" and len(blue.members) == self.replicas("blue"))
        busy = not self._pod.joins or all(one.member.fetching for one in self.cluster.containers("blue"))
        return stable and busy and all(pod.shown.ready for pod in self.cluster.pods.values())

    def _make_container(self, colour: str, name: str) -> Container:
        self.lives += 1
        container = self._pod(self, colour, name)
        if not self.contract:
            container.member.client_id = "consumer"  # what a client is called that nobody gave a name
        if self.static:
            container.member.instance_id = name.rsplit(".", 1)[0]
        return container

    # --- what the parts need from the whole --------------------------------------------------------------------------

    def group(self, colour: str) -> str:
        """The group that the colour's pods use."""
        return self._groups[colour]

    def partitions(self) -> list[TopicPartition]:
        """Every partition that the pods read."""
        return [tp for tp in self.broker.partitions() if tp.topic in self.topic_names]

    def latency(self) -> float:
        return 0.0005 + self.rng.random() * 0.002

    def mishap(self, pod: str, command: str) -> Mishap | None:
        """What the network does to the next command for this pod, once."""
        return self.mishaps.pop(pod, None)

    def processed(self, container: Container, entry: Entry) -> None:
        """A container processed a record."""
        self.ledger.add(entry)
        group = self.broker.group(self.group(container.colour))
        member_id = container.member.member_id
        if member_id not in group.members and all(one.member_id != member_id for one in group.evicted):
            # It was thrown out of the group while it stood still, and learns of it with its next commit.
            self.ledger.forgive(entry.process, entry.topic_id, entry.tp, entry.offset)

    def forgive(self, container: Container) -> None:
        """A container died: note what it had processed and not committed."""
        group = self.broker.group(self.group(container.colour))
        for entry in self.ledger.entries:
            committed = group.offsets.get(entry.tp)
            if entry.process == container.name and (committed is None or entry.offset >= committed.offset):
                self.ledger.forgive(entry.process, entry.topic_id, entry.tp, entry.offset)

    def before_effect(self, call: Call) -> None:
        """Write down what the stored state was when a write took effect."""
        if call.writes:
            unfinished = '"status": "running"' in self._stored_run()
            stored = self.cluster.config_maps.get(self.cluster.record_name)
            active, phase = (stored.data.get("active", ""), stored.data.get("phase", "")) if stored else ("blue", "")
            workload = self.cluster.workloads[call.arguments[0]] if call.name == "scale" else None
            replicas = workload.replicas if workload else 0
            self.writes.append(Write(call, self.scheduler.now, self.lock_holder, unfinished, active, phase, replicas))

    def had_no_effect(self, call: Call) -> None:
        """The service refused it."""
        if self.writes and self.writes[-1].call is call:
            self.writes.pop()

    def excuse(self, start: float, end: float, why: str) -> None:
        """Records may wait in this time."""
        self.excused.append((start, end, why))

    def _stored_run(self) -> str:
        stored = self.cluster.config_maps.get(journal_name(APP))
        return stored.data["run"] if stored else ""

    def remember(self) -> None:
        """From here on the playbook under test runs: what it finds is what an abort has to restore."""
        record = self.record
        self.before = Before(record.active, record.activated_epoch, {c: self.replicas(c) for c in COLOURS})
        self.writes.clear()

    # --- who operates it ---------------------------------------------------------------------------------------------

    def operator(self, run_id: str) -> Operator:
        """A new operator's process."""
        operator = Operator(self, run_id)
        self.operators.append(operator)
        return operator

    def start(self, operator: Operator, run: t.Callable[[], t.Any]) -> Task:
        """Let the operator begin; run the world to see it go on."""
        return operator.process.spawn(run)

    def finish(self, *tasks: Task, limit: float = 2000.0) -> None:
        """Let the world run until the tasks ended."""
        done = self.scheduler.finish(tasks, self.scheduler.now + limit)
        assert done, f"{[task.name for task in tasks if not task.done]} did not end within {limit:.0f} s"

    def run(self, operator: Operator, run: t.Callable[[], t.Any]) -> t.Any:
        """Let the operator run to its end; returns its result or raises what ended it (Killed when it died)."""
        task = self.start(operator, run)
        self.finish(task)
        if task.error is not None:
            raise task.error
        return task.result

    def pass_time(self, seconds: float) -> None:
        self.scheduler.run_for(seconds)

    def drain(self, limit: float = 60.0) -> bool:
        """Stop the producer and let the consumers come to the end of every log; False when they don't."""
        self.broker.stop_production()
        return self.scheduler.run_until(self._all_committed, self.scheduler.now + limit)

    def _all_committed(self) -> bool:
        offsets = self.broker.group(self.group(self.record.active)).offsets
        ends = {tp: self.broker.log(tp).end_of_records(self.scheduler.now) for tp in self.partitions()}
        return all(tp in offsets and offsets[tp].offset >= end for tp, end in ends.items())

    # --- what is stored ----------------------------------------------------------------------------------------------

    @property
    def record(self) -> ActiveRecord:
        name = record_name(APP)
        return ActiveRecord.parse(name, self.cluster.config_maps[name].data)

    @property
    def journal(self) -> Journal:
        stored = self.cluster.config_maps.get(journal_name(APP))
        return Journal.parse(journal_name(APP), stored.data) if stored else Journal()

    @property
    def lock_holder(self) -> str:
        lease = self.cluster.leases.get(lock_name(APP))
        return lease.holder if lease else ""

    def replicas(self, colour: str) -> int:
        return self.cluster.workloads[self.app.colours[colour].workload].replicas


def application(topics: tuple[str, ...] = (TOPIC,)) -> Application:
    """The application's description, with timeouts that suit virtual pods."""
    return Application(
        name=APP,
        namespace="orders",
        colours={colour: Colour(f"cc_order_sim_{colour}", f"{APP}-{colour}") for colour in COLOURS},
        topics=topics,
        max_lag=1000,
        replicas=None,
        lock_ttl=2,
        timeouts=Timeouts(start=20, pause=8, activate=8, lock=20, request=1),
    )
