"""The consumer thread: the only one that touches Kafka. It makes the pod what the contract wants it to be.

Invariant between two steps: every record that was processed is committed. So a revocation, which happens inside
a poll, never finds anything left to commit, in any state.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass

from bgconsumer.contract import Contract
from bgconsumer.model import Committed, State, TopicPartition, counts, start_offset
from bgconsumer.ports import GroupMember, KafkaTemporaryError, PartitionsLostError, Processor
from bgconsumer.view import REBALANCING, STABLE, UNJOINED, Desired, MemberView, PartitionView

BATCH_RECORDS = 50
BATCH_SECONDS = 0.04
"""The shortest time from one batch to the next while there is no backlog. Each batch costs a replicated commit and a
ledger write, so this, not the rate of records, decides what the brokers have to bear. A decision ends it at once."""
POLL_SECONDS = 0.01
PARKED_SECONDS = 0.05
RETRY_SECONDS = 0.1


@dataclass
class Partition:
    """Book-keeping of one assigned partition; ``epoch`` is the activation that started it here, if any."""

    position: int
    committed: Committed | None
    epoch: int | None = None
    start: int | None = None
    first: int | None = None
    last: int | None = None
    last_at: float | None = None
    processed: int = 0

    def advance(self, offset: int) -> None:
        self.position = offset + 1
        self.first = offset if self.first is None else self.first
        self.last, self.last_at = offset, time.time()
        self.processed += 1


class Worker(threading.Thread):
    """Runs `step` until `stop`; ``failure`` holds what ended it otherwise."""

    def __init__(self, contract: Contract, member: GroupMember, processor: Processor) -> None:
        super().__init__(name="consumer", daemon=True)
        self._contract = contract
        self._member = member
        self._processor = processor
        self._partitions: dict[TopicPartition, Partition] = {}
        self._topic_ids: dict[str, str] = {}
        self._generation = member.generation
        self._want = contract.desired
        self._adopted = False
        self._joined = False
        self._running: int | None = None  # serial of the decision whose records are being fetched
        self._proven = -1  # serial of the decision for which all positions were committed
        self._in_flight = 0
        self._pending_commits = 0
        self._processed_total = self._failed_total = 0
        self._last_rebalance_at: float | None = None
        self._last_error: str | None = None
        self._give_up_at: float | None = None
        self.last_step = time.monotonic()
        self.failure: Exception | None = None

    def stop(self, within: float) -> None:
        """Drain, commit and leave the group; give up after ``within`` seconds."""
        self._give_up_at = time.monotonic() + within
        self._contract.terminate()

    def run(self) -> None:
        try:
            while not self.step():
                pass
            self._member.close()
        except Exception as error:  # noqa: BLE001  the process must end, not linger without its consumer
            self.failure = error

    def step(self) -> bool:
        """Act once; `True` when the pod was told to stop and has left its group."""
        want = self._want = self._contract.desired
        reached = False
        try:
            self._follow_group()
            reached = self._work(want) if want.target is State.ACTIVE else self._rest(want)
        except KafkaTemporaryError as error:
            self._last_error = str(error)
            if self._running is None:
                self._member.poll(RETRY_SECONDS)
        except PartitionsLostError as error:
            self._last_error = str(error)
            self._member.drop()
        self._in_flight = self._pending_commits = 0
        self._publish(reached)
        self.last_step = time.monotonic()
        if self._give_up_at is None:
            if reached and want.target is not State.ACTIVE and self._settled:
                # A parked pod has nothing to fetch: it sleeps until the next decision and looks after its group meanwhile.
                # After the report, never before it: an operator waits for that, and nobody processes meanwhile.
                self._contract.await_decision(want.serial, PARKED_SECONDS)
            return False
        if time.monotonic() > self._give_up_at:
            raise TimeoutError(f"not drained in time: {self._last_error or 'no error reported'}")
        return reached and not self._joined

    # --- group ---------------------------------------------------------------------------------------------------

    def _follow_group(self) -> None:
        """Take over a new assignment: find the position of each partition, fetch nothing yet."""
        if self._member.generation != self._generation:
            self._generation = self._member.generation
            self._last_rebalance_at = time.time()
            self._partitions, self._topic_ids = {}, {}
            self._adopted, self._running = False, None
            if self._member.assigned is not None:
                self._contract.assigned()
        if self._adopted or self._member.assigned is None:
            return
        committed = self._member.committed(self._member.assigned)
        earliest = self._member.earliest(tp for tp in self._member.assigned if tp not in committed)
        partitions = {}
        for tp in self._member.assigned:
            known = committed.get(tp)
            partitions[tp] = Partition(position=known.offset if known else earliest[tp], committed=known)
        self._member.park({tp: part.position for tp, part in partitions.items()})
        self._partitions, self._adopted = partitions, True
        if self._want.target is State.STANDBY:
            # In good time: a colour that becomes active has to know them. One that is active begins at its commits.
            with contextlib.suppress(KafkaTemporaryError):
                self._topic_ids = self._member.topic_ids({tp.topic for tp in partitions})

    def _set_joined(self, joined: bool) -> None:
        if joined and not self._joined:
            self._member.join()
        elif self._joined and not joined:
            self._member.leave()
        self._joined = joined

    # --- not processing ------------------------------------------------------------------------------------------

    def _rest(self, want: Desired) -> bool:
        if self._running is not None:
            self._halt()
        if want.target is State.DRAINED:
            # Each partition this pod worked on is committed once more: an answer from the broker, made after the
            # decision, that the pod still owns it. Other partitions keep their commit, and with it the epoch that
            # tells whose progress it is; only one that has none is given one.
            proven = self._proven == want.serial
            owed = {tp: p for tp, p in self._partitions.items() if not p.committed or (p.epoch and not proven)}
            self._commit(owed)
            self._proven = want.serial
        self._set_joined(want.joined)
        if want.target is State.FENCED:
            self._member.close()
        # Outside of the group too: a client that is told to leave while it joins leaves in a later poll, or never.
        self._member.poll(0 if self._settled else POLL_SECONDS)
        return True

    @property
    def _settled(self) -> bool:
        """The group has nothing under way for this pod: an assignment was taken over, or none is wanted."""
        return self._adopted or not self._joined

    def _halt(self) -> None:
        self._running = None
        self._member.halt()

    # --- processing ----------------------------------------------------------------------------------------------

    def _work(self, want: Desired) -> bool:
        self._set_joined(True)
        allowed = self._contract.may_process(want.serial)
        if self._running is not None and not (allowed and self._running == want.serial):
            self._halt()
        if self._running is None and allowed and self._adopted and self._contract.may_start(want.serial):
            self._start(want)
        if self._running is None:
            self._member.poll(POLL_SECONDS)
            return False
        self._batch(want)
        return True

    def _start(self, want: Desired) -> None:
        """Commit where this activation starts, then fetch from there. Nothing is processed before the commit.

        The broker's answer proves besides that the partitions are still this pod's: it may have stood still for minutes.
        """
        handed = self._handed(want)
        if handed is None:
            self._last_error = "where to begin is not known: the snapshot of the active record was not read yet"
            return
        for tp, part in self._partitions.items():
            start = start_offset(part.committed, handed.get(tp), want.reign, part.position)
            if part.epoch != want.epoch:
                part.start, part.first = start, None
            part.position, part.epoch = start, want.epoch
        self._commit(self._partitions)
        self._member.start({tp: part.position for tp, part in self._partitions.items()})
        self._running = want.serial
        self._last_error = None
        self._publish(reached=True)

    def _handed(self, want: Desired) -> dict[TopicPartition, int] | None:
        """Where the snapshot lets those partitions begin whose commit does not count; `None` while it was not read."""
        new = [tp for tp, part in self._partitions.items() if not counts(part.committed, want.reign)]
        handoff = self._contract.handoff(want.reign)
        if not new:
            return {}
        if handoff is None:
            return None
        known = {tp.topic: handoff.topic_id(tp.topic) for tp in new}
        if any(was not in (None, self._topic_ids.get(topic)) for topic, was in known.items()):
            # Not known yet, or the topic was created again while this pod stood by.
            self._topic_ids = self._member.topic_ids(known)
        for topic, was in known.items():
            if was is not None and topic not in self._topic_ids:
                raise KafkaTemporaryError(
                    f"where to begin is not known: the broker does not tell the id of topic {topic}"
                )
        starts = {tp: handoff.start(tp, self._topic_ids.get(tp.topic)) for tp in new}
        # Of a topic that was created again since, whatever a commit of an older reign says was never read by this colour: it is
        # one of the old topic that the broker has not dropped yet, or one of a pod that was paused.
        again = [tp for tp, start in starts.items() if start is None and tp in handoff.offsets]
        return {tp: start for tp, start in starts.items() if start is not None} | self._member.earliest(again)

    def _batch(self, want: Desired) -> None:
        began = time.monotonic()
        records = self._member.fetch(BATCH_RECORDS, POLL_SECONDS)
        if self._member.generation != self._generation:
            return  # a rebalance came first: these records belong to whoever owns them now
        self._in_flight = len(records)
        if records:
            self._publish(reached=True)
        processed = False
        for record in records:
            part = self._partitions.get(record.tp)
            if part is None or record.offset < part.position:
                continue
            if not self._contract.may_process(want.serial):
                self._halt()  # what is left of the batch is fetched again from the positions
                break
            if self._processor.process(record, want.epoch) is False:
                self._failed_total += 1
            part.advance(record.offset)
            self._processed_total += 1
            processed = True
        if processed:
            decision = self._contract.desired.serial
            self._processor.flush()
            self._commit(self._partitions)
            self._proven = decision
        if processed and len(records) < BATCH_RECORDS:
            self._in_flight = self._pending_commits = 0
            self._publish(reached=True)
            self._contract.await_decision(want.serial, BATCH_SECONDS - (time.monotonic() - began))

    def _commit(self, partitions: dict[TopicPartition, Partition]) -> None:
        """Commit the positions and wait for the broker, as long as it takes while the partitions are ours."""
        offsets = {tp: _progress(part) for tp, part in partitions.items()}
        self._pending_commits = len(offsets)
        while offsets:
            try:
                self._member.commit(offsets)
                break
            except KafkaTemporaryError as error:
                self._last_error = str(error)
                if self._give_up_at is not None and time.monotonic() > self._give_up_at:
                    raise TimeoutError(f"positions not committed in time: {error}") from error
                self.last_step = time.monotonic()
                self._publish(reached=False)
                time.sleep(RETRY_SECONDS)
        self._pending_commits = 0
        for tp, part in partitions.items():
            part.committed = offsets[tp]

    # --- report --------------------------------------------------------------------------------------------------

    def _publish(self, reached: bool) -> None:
        member = self._member
        if not self._joined:
            member_state = UNJOINED
        else:
            current = self._adopted and member.generation == self._generation
            member_state = STABLE if current else REBALANCING
        paused = self._running is None
        view = MemberView(
            member_state=member_state,
            member_id=member.member_id,
            generation=member.generation,
            partitions=tuple(_view(tp, part, paused) for tp, part in sorted(self._partitions.items()))
            if member_state == STABLE
            else (),
            in_flight=self._in_flight,
            pending_commits=self._pending_commits,
            processed_total=self._processed_total,
            failed_total=self._failed_total,
            last_rebalance_at=self._last_rebalance_at,
            last_poll=time.monotonic(),
            last_error=self._last_error or member.last_error,
        )
        self._contract.publish(view, self._want.serial, reached)


def _progress(part: Partition) -> Committed:
    """What a commit of the partition says. Epoch 0 = no pod was active here yet, so it can never be the
    progress of an activation."""
    return Committed(part.position, part.epoch or 0)


def _view(tp: TopicPartition, part: Partition, paused: bool) -> PartitionView:
    return PartitionView(
        tp=tp,
        paused=paused,
        position=part.position,
        committed=part.committed,
        start_offset=part.start,
        first_processed=part.first,
        last_processed=part.last,
        last_processed_at=part.last_at,
        processed_total=part.processed,
    )
