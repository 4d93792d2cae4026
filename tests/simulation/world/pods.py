"""A container of the application in virtual time: a small reference implementation of the contract bg/v1.

It is written from the contract's text and shares no code with the example application, which can be simulated in its
place (``example.py``).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import (
    HandoffSnapshot,
    chunk_name,
    from_chunks,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.handoff import commit_epoch
from tests.simulation.world.ledger import Entry
from tests.simulation.world.member import Fetched, GroupMember, LostError, TemporaryError
from tests.simulation.world.scheduler import Process, Signal

if t.TYPE_CHECKING:
    from tests.simulation.world.world import World

RECORD_EVERY = 1.0
LEASE = 4.0
BATCH = 20
PROCESSING = 0.002
"""Seconds of work per record."""

Answer = tuple[int, dict[str, t.Any]]


@dataclass(frozen=True)
class Illness:
    """What is wrong with a version. fails_each: every so many records; seconds: of each record; stuck: a partition's number."""

    fails_each: int = 0
    seconds: float = 0.0
    stuck: int | None = None


HEALTHY = Illness()


class Container(Process):
    """One life of a container: it boots, serves its control endpoint, and can be told to stop."""

    ready = False
    joins = True
    """Whether its group has it as a member."""

    def __init__(self, world: World, colour: str, name: str) -> None:
        super().__init__(world.scheduler, name)
        self.world = world
        self.colour = colour
        self.wake = Signal(world.scheduler)
        self.member = self.make_member()
        self.member.on_removal = lambda: self.world.forgive(self)
        self.member.connect_seconds = world.rng.random() * world.connect_seconds
        self.worked = self.failed = 0

    def make_member(self) -> GroupMember:
        """The process's consumer."""
        return GroupMember(self.world.broker, self.world.group(self.colour), self.world.topic_names, self, self.wake)

    def boot(self) -> None:
        """Start every task of the process."""
        raise NotImplementedError

    def handle(self, command: str, body: t.Mapping[str, t.Any] | None) -> Answer | None:
        """Answer one request; runs in a task of this process and may wait. None: nothing listens."""
        raise NotImplementedError

    def terminate(self) -> None:
        """SIGTERM."""
        raise NotImplementedError

    def exited(self) -> None:
        """The process ended by itself."""
        self.kill()
        self.world.cluster.container_exited(self)

    def kill(self) -> None:
        """The process ends at once: what it had processed and not committed is written down as such."""
        if not self.alive:
            return
        super().kill()
        self.wake.fire()
        self.member.stopped_heartbeating()
        self.world.forgive(self)

    def freeze(self) -> None:
        super().freeze()
        self.member.stopped_heartbeating()

    def thaw(self) -> None:
        super().thaw()
        if self.member.subscribed:
            self.member.heartbeat()

    def work(self, record: Fetched, epoch: int) -> None:
        """Process one record: it takes time and leaves an entry in the ledger, also where it fails."""
        illness = self.world.illness.get(self.colour, HEALTHY)
        self.scheduler.sleep(max(PROCESSING, illness.seconds))
        self.worked += 1
        self.failed += bool(illness.fails_each and self.worked % illness.fails_each == 0)
        topic = self.world.broker.topics[record.tp.topic]
        entry = Entry(self.scheduler.now, record.tp, topic.topic_id, record.offset, self.colour, self.name, epoch)
        self.world.processed(self, entry)


@dataclass
class Partition:
    """Book-keeping of one assigned partition."""

    position: int
    committed: CommittedOffset | None
    start: int | None = None
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True)
class Want:
    """What the process shall be; ``serial`` changes with every decision. reign: the epoch at which its colour became active."""

    state: str
    epoch: int
    joined: bool
    serial: int
    by_record: bool = False
    reign: int = 0


@dataclass
class Seen:
    """What the process knows of the record and of commands."""

    epoch: int = 0
    command: tuple[int, str, t.Any] | None = None
    decided: bool = False
    lease_until: float = 0.0
    reign: int = 0
    snapshot: HandoffSnapshot | None = None
    """What was handed over at the beginning of the reign; None where nothing was."""
    asked_at: float = -1.0
    """When somebody asked for a look at the record."""
    activated_epoch: int | None = None
    cleared_at: float = -1.0
    """When the last read began that said: this colour is active, no hand-over is under way."""


class ModelPod(Container):
    """The contract as its text says. hot_standby: joins its group while it stands by."""

    def __init__(self, world: World, colour: str, name: str, hot_standby: bool = True) -> None:
        super().__init__(world, colour, name)
        self.hot_standby = hot_standby
        self.state = "STARTING"
        self.seen = Seen()
        self.want = Want("STANDBY", 0, False, 0)
        self.changed = Signal(world.scheduler)
        self.read_now = Signal(world.scheduler)
        self.partitions: dict[TopicPartition, Partition] = {}
        self.adopted = False
        self.adopted_at = 0.0
        self.proven = -1
        self.generation = -1
        self.running: int | None = None
        self.in_flight = 0
        self.pending = 0
        self.joined = False
        self.terminating = False
        self.last_error = ""

    def boot(self) -> None:
        self.spawn(self._watch_record, f"{self.name} record")
        self.spawn(self._consume, f"{self.name} consumer")

    def terminate(self) -> None:
        self.terminating = True
        self._set("DRAINED", self.seen.epoch, joined=False)

    # --- decisions ---------------------------------------------------------------------------------------------------

    def _set(self, state: str, epoch: int, joined: bool, by_record: bool = False) -> None:
        self.want = Want(state, epoch, joined, self.want.serial + 1, by_record, self.seen.reign)
        if state == "ACTIVE":
            self.state = "ACTIVATING"
        elif state == "DRAINED" or self.state in ("ACTIVE", "ACTIVATING"):
            self.state = "PAUSING"
        self.wake.fire()

    def _watch_record(self) -> None:
        while True:
            started = self.scheduler.now
            data = self.world.cluster.read_record_as(self)
            if data is not None and self._has_handed(data):
                self._observe(data, started)
            self.scheduler.wait(self.read_now, max(0.01, RECORD_EVERY - (self.scheduler.now - started)))

    def _has_handed(self, data: t.Mapping[str, str]) -> bool:
        """Read the snapshot that the record names for this colour, once a reign; False when it can't be read."""
        reign = int(data["activated-epoch"])
        if data["active"] != self.colour or reign == self.seen.reign:
            return True
        name = data.get("snapshot", "")
        chunks: list[t.Mapping[str, str]] = []
        while name and len(chunks) < int(chunks[0]["chunks"] if chunks else 1):
            part = self.world.cluster.read_config_map_as(self, chunk_name(name, len(chunks)))
            if part is None:
                return False
            chunks.append(part)
        found = from_chunks(name, chunks) if name else None
        if found is not None and (found.epoch, found.target) != (reign, self.colour):
            return False
        self.seen.reign, self.seen.snapshot = reign, found
        return True

    def _observe(self, data: t.Mapping[str, str], started: float) -> None:
        epoch, mine = int(data["epoch"]), data["active"] == self.colour
        if epoch < self.seen.epoch:
            return
        self.seen.epoch = epoch
        lapsed = self.scheduler.now >= self.seen.lease_until
        self.seen.lease_until = started + LEASE
        if lapsed or self.want.by_record:
            self.wake.fire()
        up = mine and data["phase"] in ("stable", "verifying")
        if up:
            self.seen.cleared_at = started
        asked = 0 <= self.seen.asked_at <= started
        if asked:
            self.seen.asked_at = -1.0
        if not self.seen.decided:
            self.seen.decided = True
            if not self.terminating:
                self._set("ACTIVE" if up else "STANDBY", epoch, joined=up or self.hot_standby, by_record=True)
            self.ready = True
            self.world.cluster.container_ready(self)
        elif not self.terminating:
            self._follow_record(epoch, mine, up, asked)

    def _follow_record(self, epoch: int, mine: bool, up: bool, asked: bool) -> None:
        wanted, newer = self.want.state, epoch > self.want.epoch
        if not mine:
            if wanted == "ACTIVE" or (wanted == "DRAINED" and newer):
                self._set("STANDBY", epoch, joined=self.hot_standby, by_record=True)
        elif up:
            idle = wanted == "STANDBY" and (newer or asked or self.want.by_record)
            idle = idle or (wanted == "DRAINED" and (newer or asked))
            if idle or (wanted == "ACTIVE" and self.want.reign != self.seen.reign):
                self._set("ACTIVE", epoch, joined=True, by_record=True)
        elif self.want.by_record and wanted == "ACTIVE" and self.proven != self.want.serial:
            # A hand-over began before this pod had started: it must not become one more source.
            self._set("STANDBY", epoch, joined=self.hot_standby, by_record=True)

    # --- control endpoint --------------------------------------------------------------------------------------------

    def handle(self, command: str, body: t.Mapping[str, t.Any] | None) -> Answer | None:
        if command == "status":
            return 200, self.status()
        body = body or {}
        refused = self._submit(command, body)
        if refused is not None:
            return refused
        deadline = self.scheduler.now + body.get("waitMs", 0) / 1000
        while not self._done(command) and self.scheduler.now < deadline:
            self.scheduler.wait(self.changed, deadline - self.scheduler.now)
        return (200 if self._done(command) else 202), self.status()

    def _refuse(self, code: int, error: str, message: str) -> Answer:
        return code, {"error": error, "message": message, "epoch": self.seen.epoch}

    def _submit(self, command: str, body: t.Mapping[str, t.Any]) -> Answer | None:
        epoch = int(body["epoch"])
        if epoch < self.seen.epoch:
            return self._refuse(409, "stale_epoch", f"{command} carries {epoch}, seen {self.seen.epoch}")
        refused = self._check(command)
        if refused is not None:
            return refused
        self.seen.epoch = epoch
        if command == "resume":
            self.seen.asked_at = self.scheduler.now
            self.read_now.fire()
            return None
        if self.seen.command == (epoch, command, body.get("standby")) and not self.want.by_record:
            return None
        self.seen.command, self.seen.decided = (epoch, command, body.get("standby")), True
        if not self.ready:
            self.ready = True
            self.world.cluster.container_ready(self)
        if command == "pause":
            self._set("DRAINED", epoch, joined=self.want.joined and not body.get("leaveGroup"))
        else:
            self._set("STANDBY", epoch, joined=body.get("standby", "hot") == "hot")
        return None

    def _check(self, command: str) -> Answer | None:
        if command == "pause":
            return None
        if self.terminating:
            return self._refuse(503, "terminating", f"{command}: shutting down")
        if command == "prepare" and not self.seen.decided:
            return self._refuse(503, "starting", f"{command}: the record was not read yet")
        if command == "prepare" and (self.want.state == "ACTIVE" or self.state == "PAUSING"):
            return self._refuse(409, "conflict", f"prepare: this pod is {self.state}")
        return None

    def _done(self, command: str) -> bool:
        if command == "pause":
            return self.state == "DRAINED" and self.in_flight == self.pending == 0
        if command == "prepare":
            return self.state == "STANDBY"
        works = self.state == "ACTIVE" and self.member_state == "stable" and self.running is not None
        return works and self.seen.asked_at < 0

    # --- consumer ----------------------------------------------------------------------------------------------------

    @property
    def member_state(self) -> str:
        if not self.joined:
            return "unjoined"
        current = self.adopted and self.member.generation == self.generation
        return "stable" if current else "rebalancing"

    def _consume(self) -> None:
        while True:
            want = self.want
            reached = False
            try:
                self._follow_group()
                reached = self._work(want) if want.state == "ACTIVE" else self._rest(want)
            except TemporaryError as error:
                self.last_error = str(error)
                self.scheduler.sleep(0.1)
            except LostError as error:
                self.last_error = str(error)
                self.running = None
                self.member.drop()
            self.in_flight = self.pending = 0
            if reached and want is self.want and (self.seen.decided or self.terminating):
                self.state = want.state
            self.changed.fire()
            if reached and self.terminating and not self.joined:
                self.exited()
                self.scheduler.sleep(0)

    def _follow_group(self) -> None:
        if self.member.generation != self.generation:
            self.generation = self.member.generation
            self.partitions, self.adopted, self.running = {}, False, None
        if self.adopted or self.member.assigned is None:
            return
        assigned = self.member.assigned
        committed = self.member.committed(assigned)
        earliest = self.member.earliest([tp for tp in assigned if tp not in committed])
        self.partitions = {
            tp: Partition(committed[tp].offset if tp in committed else earliest[tp], committed.get(tp))
            for tp in assigned
        }
        self.member.park({tp: part.position for tp, part in self.partitions.items()})
        self.adopted = True
        self.adopted_at = self.scheduler.now

    def _set_joined(self, joined: bool) -> None:
        if joined and not self.joined:
            self.joined = True
            self.member.join()
        elif self.joined and not joined:
            self.member.leave()
            self.joined = False

    def _rest(self, want: Want) -> bool:
        if self.running is not None:
            self.running = None
            self.member.halt()
        if want.state == "DRAINED" and self.seen.activated_epoch is not None:
            owed = [tp for tp, part in self.partitions.items() if not _written(part)]
            self._commit(owed)
        self._set_joined(want.joined)
        if self.want is not want:
            return True
        if not (self.terminating and not self.joined):
            if self.state != want.state and (self.seen.decided or self.terminating):
                self.state = want.state
                self.changed.fire()
            self.member.poll(5.0)
        return True

    def _may_process(self, want: Want) -> bool:
        return self.want is want and self.scheduler.now < self.seen.lease_until

    def _work(self, want: Want) -> bool:
        self._set_joined(True)
        if not self._may_process(want):
            if self.running is not None:
                self.running = None
                self.member.halt()
        elif self.running != want.serial and self.adopted and self._still_ours(want):
            self._start(want)
        if self.running != want.serial:
            self.member.poll(0.5)
            return False
        self._batch(want)
        return True

    def _still_ours(self, want: Want) -> bool:
        """A pod asks once more after its partitions came.

        A hand-over that began in between did not see it in its group, so it must see the hand-over.
        """
        if self.proven == want.serial or self.seen.cleared_at > self.adopted_at:
            self.proven = want.serial
            return True
        self.read_now.fire()
        return False

    def _start_of(self, tp: TopicPartition, part: Partition) -> int:
        mark = commit_epoch(part.committed) if part.committed else -1
        if part.committed is not None and (mark is None or mark >= self.seen.reign):
            return part.committed.offset
        handed = self.seen.snapshot
        if handed is None or tp not in handed.offsets:
            return part.position
        if handed.topic_ids.get(tp.topic) != self.world.broker.topics[tp.topic].topic_id:
            return self.world.broker.log(tp).start
        return handed.offsets[tp].offset

    def _start(self, want: Want) -> None:
        """Commit where the work begins, then fetch from there."""
        for tp, part in self.partitions.items():
            part.position = part.start = self._start_of(tp, part)
            part.first = None
        self.seen.activated_epoch = want.epoch
        self._commit([tp for tp, part in self.partitions.items() if not _written(part, want.epoch)], want.epoch)
        self.member.start({tp: part.position for tp, part in self.partitions.items()})
        self.running = want.serial
        self.state = "ACTIVE" if self.want is want else self.state
        self.changed.fire()

    def _batch(self, want: Want) -> None:
        records = self.member.fetch(BATCH, 0.01)
        if self.member.generation != self.generation:
            return
        self.in_flight = len(records)
        worked: set[TopicPartition] = set()
        for record in records:
            part = self.partitions.get(record.tp)
            if part is None or record.offset < part.position or self._is_stuck(record.tp):
                continue
            if not self._may_process(want):
                self.running = None
                self.member.halt()
                break
            self.work(record, want.epoch)
            part.position = record.offset + 1
            part.first = record.offset if part.first is None else part.first
            part.last = record.offset
            worked.add(record.tp)
        self._commit(sorted(worked), want.epoch)

    def _is_stuck(self, tp: TopicPartition) -> bool:
        return self.world.illness.get(self.colour, HEALTHY).stuck == tp.partition

    def _commit(self, partitions: list[TopicPartition], epoch: int | None = None) -> None:
        """Commit positions and wait for the broker, as long as it takes while the partitions are ours."""
        mark = f"bg:{epoch if epoch is not None else self.seen.activated_epoch};"
        offsets = {tp: CommittedOffset(self.partitions[tp].position, -1, mark) for tp in partitions}
        self.pending = len(offsets)
        while offsets:
            try:
                self.member.commit(offsets)
                break
            except TemporaryError as error:
                self.last_error = str(error)
                self.scheduler.sleep(0.1)
        self.pending = 0
        for tp, written in offsets.items():
            self.partitions[tp].committed = written

    # --- report ------------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, t.Any]:
        """The body of a status answer."""
        leased = self.scheduler.now < self.seen.lease_until
        stable = self.member_state == "stable"
        return {
            "apiVersion": "bg/v1",
            "color": self.colour,
            "state": self.state,
            "epoch": self.seen.epoch,
            "activatedEpoch": self.seen.activated_epoch,
            "groupId": self.member.group.group_id,
            "memberId": self.member.member_id,
            "memberState": self.member_state,
            "inFlightRecords": self.in_flight,
            "queuedRecords": 0,
            "pendingCommits": self.pending,
            "processing": self.state == "ACTIVE" and leased and stable,
            "lastError": self.last_error,
            "processedRecords": self.worked - self.failed,
            "failedRecords": self.failed,
            "partitions": [self._row(tp, part) for tp, part in sorted(self.partitions.items())] if stable else [],
        }

    def _row(self, tp: TopicPartition, part: Partition) -> dict[str, t.Any]:
        return {
            "topic": tp.topic,
            "partition": tp.partition,
            "paused": self.running is None,
            "position": part.position,
            "committed": part.committed.offset if part.committed else None,
            "startOffset": part.start,
            "firstProcessedOffset": part.first,
            "lastProcessedOffset": part.last,
        }


class PlainPod(Container):
    """An application that knows nothing of the contract: it consumes while it runs, and stops on SIGTERM."""

    stopping = False

    def boot(self) -> None:
        self.spawn(self._consume, f"{self.name} consumer")

    def handle(self, command: str, body: t.Mapping[str, t.Any] | None) -> Answer | None:
        return None

    def terminate(self) -> None:
        self.stopping = True
        self.wake.fire()

    def _consume(self) -> None:
        self.member.join()
        self.ready = True
        self.world.cluster.container_ready(self)
        generation = -1
        while not self.stopping:
            try:
                if self.member.assigned is None:
                    self.member.poll(1.0)
                elif self.member.generation != generation:
                    self._adopt()
                    generation = self.member.generation
                else:
                    self._batch()
            except TemporaryError:
                self.scheduler.sleep(0.1)
                generation = -1
            except LostError:
                self.member.drop()
        self.member.leave()
        self.exited()

    def _adopt(self) -> None:
        assigned = self.member.assigned or ()
        committed = self.member.committed(assigned)
        earliest = self.member.earliest([tp for tp in assigned if tp not in committed])
        self.member.start({tp: committed[tp].offset if tp in committed else earliest[tp] for tp in assigned})

    def _batch(self) -> None:
        generation = self.member.generation
        records = self.member.fetch(BATCH, 0.01)
        if self.member.generation != generation:
            return
        done: dict[TopicPartition, CommittedOffset] = {}
        for record in records:
            if self.stopping:
                break
            self.work(record, 0)
            done[record.tp] = CommittedOffset(record.offset + 1)
        while done:
            try:
                self.member.commit(done)
                break
            except TemporaryError:
                self.scheduler.sleep(0.1)


def _written(part: Partition, epoch: int | None = None) -> bool:
    """True when the broker holds the position, and (``epoch``) a mark of this epoch beside it."""
    if part.committed is None or part.committed.offset != part.position:
        return False
    return epoch is None or commit_epoch(part.committed) == epoch
