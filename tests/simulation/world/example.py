"""The example application in the simulation: its own contract, consumer loop and HTTP answers, in virtual time.

Only what touches the outside is replaced: the group member, the processor, the reader of the record, and time.
"""

from __future__ import annotations

import json
import typing as t

import bgconsumer.record
import bgconsumer.status
import bgconsumer.worker
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)
from bgconsumer.config import Config, load
from bgconsumer.contract import Contract
from bgconsumer.http_api import BASE, Api
from bgconsumer.model import (
    ActiveRecord,
    Committed,
    ContractError,
    Handoff,
    RecordError,
    commit_epoch,
    commit_metadata,
)
from bgconsumer.ports import KafkaTemporaryError, PartitionsLostError, Record
from bgconsumer.record import RecordReader
from bgconsumer.worker import Worker
from tests.simulation.world.member import GroupMember, LostError, TemporaryError
from tests.simulation.world.pods import LEASE, RECORD_EVERY, Answer, Container
from tests.simulation.world.scheduler import Scheduler, Signal

if t.TYPE_CHECKING:
    from tests.simulation.world.world import World


class VirtualTime:
    """Stands in for the module ``time`` in the example's consumer loop. One world at a time."""

    scheduler: Scheduler

    def monotonic(self) -> float:
        return self.scheduler.now

    time = monotonic

    def sleep(self, seconds: float) -> None:
        self.scheduler.sleep(seconds)


TIME = VirtualTime()


class VirtualCondition:
    """Stands in for ``threading.Condition``: there is one thread, so only waiting means anything."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._signal = Signal(scheduler)

    def __enter__(self) -> None: ...

    def __exit__(self, *_error: object) -> None: ...

    def notify_all(self) -> None:
        self._signal.fire()

    def wait_for(self, condition: t.Callable[[], bool], timeout: float) -> bool:
        deadline = self._scheduler.now + timeout
        while not condition() and self._scheduler.now < deadline:
            self._scheduler.wait(self._signal, deadline - self._scheduler.now)
        return condition()


class VirtualEvent:
    """Stands in for ``threading.Event``."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._signal = Signal(scheduler)
        self._set = False

    def set(self) -> None:
        self._set = True
        self._signal.fire()

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float) -> bool:
        if not self._set:
            self._scheduler.wait(self._signal, timeout)
        return self._set


class ExampleMember(GroupMember):
    """`bgconsumer.ports.GroupMember` on the simulated coordinator."""

    last_error: str | None = None

    def close(self) -> None:
        if self.subscribed:
            self.leave()

    def committed(self, partitions: t.Iterable[TopicPartition]) -> dict[TopicPartition, Committed]:  # type: ignore[override]
        with _ErrorsOfTheExample():
            known = super().committed(partitions)
        return {tp: Committed(found.offset, commit_epoch(found.metadata)) for tp, found in known.items()}

    def earliest(self, partitions: t.Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        with _ErrorsOfTheExample():
            return super().earliest(partitions)

    def commit(self, offsets: t.Mapping[TopicPartition, Committed]) -> None:  # type: ignore[override]
        with _ErrorsOfTheExample():
            super().commit(
                {tp: CommittedOffset(to.offset, -1, commit_metadata(to.epoch or 0)) for tp, to in offsets.items()}
            )


class _ErrorsOfTheExample:
    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, LostError):
            raise PartitionsLostError(str(error)) from error
        if isinstance(error, TemporaryError):
            raise KafkaTemporaryError(str(error)) from error


class _Processor:
    """`bgconsumer.ports.Processor` that writes the simulated ledger."""

    def __init__(self, container: Container) -> None:
        self._container = container

    def process(self, record: Record, epoch: int) -> None:
        self._container.work(record, epoch)

    def flush(self) -> None: ...


class _Source:
    """`bgconsumer.record.RecordSource` on the simulated API server."""

    def __init__(self, container: Container) -> None:
        self._container = container

    def read(self) -> ActiveRecord:
        return ActiveRecord.from_data(self._data(self._container.world.cluster.record_name))

    def read_snapshot(self, record: ActiveRecord) -> Handoff:
        return bgconsumer.record.read_chunks(record, self._data)

    def _data(self, name: str) -> t.Mapping[str, str]:
        data = self._container.world.cluster.read_config_map_as(self._container, name)
        if data is None:
            raise RecordError("not read")
        return data


class ExamplePod(Container):
    """One life of a pod of the example application."""

    def __init__(self, world: World, colour: str, name: str) -> None:
        super().__init__(world, colour, name)
        TIME.scheduler = world.scheduler
        self._config = _config(colour, name, world)
        self.contract = Contract(colour, True, LEASE, clock=lambda: world.scheduler.now)
        self.contract._changed = VirtualCondition(world.scheduler)
        self.contract.read_wanted = VirtualEvent(world.scheduler)
        self._reader = RecordReader(self.contract, colour, _Source(self), lambda _text: None)
        self._worker = Worker(self.contract, self.member, _Processor(self))
        self._api = Api(self._config, self.contract, lambda: None)

    def make_member(self) -> GroupMember:
        return ExampleMember(self.world.broker, self.world.group(self.colour), self.world.topic_names, self, self.wake)

    def boot(self) -> None:
        self.spawn(self._watch_record, f"{self.name} record")
        self.spawn(self._consume, f"{self.name} consumer")

    def terminate(self) -> None:
        self._worker.stop(within=20.0)
        self.wake.fire()

    def handle(self, command: str, body: t.Mapping[str, t.Any] | None) -> Answer | None:
        try:
            if command == "status":
                return self._api.get(f"{BASE}/status")
            answer = self._api.post(f"{BASE}/{command}", json.dumps(body).encode(), None, None)
        except ContractError as error:
            answer = self._api.refuse(error)
        return answer

    def _watch_record(self) -> None:
        while True:
            started = self.scheduler.now
            self._reader.read_once()
            self.wake.fire()
            if not self.ready and self.contract.snapshot().record is not None:
                self.ready = True
                self.world.cluster.container_ready(self)
            rest = max(0.01, RECORD_EVERY - (self.scheduler.now - started))
            if self.contract.read_wanted.wait(rest):
                self.contract.read_wanted.clear()

    def _consume(self) -> None:
        try:
            while not self._worker.step():
                pass
        except TimeoutError:
            # Told to stop, and its commits could not be written in time: the process ends without them.
            self.world.cluster.crash(next(pod for pod in self.world.cluster.pods.values() if pod.container is self))
            return
        self.member.close()
        self.exited()

    @property
    def in_flight(self) -> int:
        return self.contract.snapshot().view.in_flight


def virtual_time(patch: t.Any) -> None:
    """Let the example's modules live in virtual time; ``patch`` is pytest's monkeypatch."""
    patch.setattr(bgconsumer.worker, "time", TIME)
    patch.setattr(bgconsumer.record, "time", TIME)
    patch.setattr(bgconsumer.status, "time", TIME)
    patch.setattr(bgconsumer.status, "STARTED", 0.0)


def _config(colour: str, name: str, world: World) -> Config:
    return load(
        {
            "KAFKA_BOOTSTRAP_SERVERS": "simulated:9092",
            "KAFKA_CONSUMER_GROUP": world.group(colour),
            "KAFKA_TOPICS": ",".join(world.topic_names),
            "KAFKA_LEDGER_TOPIC": "order-ledger",
            "BG_COLOUR": colour,
            "BG_APP": world.app.name,
            "BG_NAMESPACE": world.app.namespace,
            "BG_API_SERVER": "https://simulated",
            "POD_NAME": name,
        }
    )
