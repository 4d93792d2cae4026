"""The group member on confluent-kafka (librdkafka), classic protocol, eager assignment.

Two things differ from a plain consumer. A new assignment is acknowledged with nothing to fetch: the consumer
thread first looks up where each partition starts, so a position is never left to ``auto.offset.reset``. And
processing (re)starts with ``assign`` at explicit offsets: librdkafka notices that at once, a bare ``resume`` only
on its one-second tick.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message, TopicCollection
from confluent_kafka import TopicPartition as Tp
from confluent_kafka.admin import AdminClient

from bgconsumer.model import NO_TOPIC_ID, Committed, TopicPartition, commit_epoch, commit_metadata
from bgconsumer.ports import KafkaTemporaryError, PartitionsLostError, Record

_CONNECTION = ("bootstrap.", "client.id", "security.", "ssl.", "sasl.", "socket.")
REQUEST_SECONDS = 5.0
LEAVE_SECONDS = 5.0
KNOWN_SECONDS = 15.0
"""Until the coordinator has given a member id, which it does at once, whatever the group waits for. librdkafka 2.16 forgets its
question for the coordinator when that went to a bootstrap address it is just replacing, and then waits for ever."""

# The broker's ways of saying that another generation of the group owns the partitions now.
_LOST = {
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError._ASSIGNMENT_LOST,  # noqa: SLF001  librdkafka's public name
    KafkaError._MAX_POLL_EXCEEDED,  # noqa: SLF001
}


def consumer_config(bootstrap: str, group: str, client_id: str) -> dict[str, object]:
    """Settings that the contract depends on."""
    return {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "client.id": client_id,
        # Only the eager protocol was measured to restart without a pause; range keeps it plain.
        "partition.assignment.strategy": "range",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        # A request to a broker that hangs must not hold a hand-over for librdkafka's default minute.
        "socket.timeout.ms": 10_000,
        # A partition that starts while another one's empty fetch waits at the same broker has to wait it out.
        "fetch.wait.max.ms": 100,
        "socket.nagle.disable": True,
    }


class ConfluentMember:
    """`bgconsumer.ports.GroupMember` on a real broker. One thread only."""

    def __init__(self, config: Mapping[str, object], topics: list[str]) -> None:
        self._config = dict(config)
        self._consumer = Consumer(self._config)
        self._admin: AdminClient | None = None
        self._topics = topics
        self._unknown_since: float | None = None
        self._fetching = False
        self._closed = False
        self.generation = 0
        self.assigned: tuple[TopicPartition, ...] | None = None
        self.last_error: str | None = None
        self.member_id = ""

    # --- membership ----------------------------------------------------------------------------------------------

    def join(self) -> None:
        """Subscribe; the assignment arrives in a later poll."""
        self._unknown_since = time.monotonic()
        self._consumer.subscribe(
            self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def _renew_unknown(self) -> None:
        """Begin anew with another client when this one does not become known to the group."""
        if self._unknown_since is None:
            return
        if self._consumer.memberid():
            self._unknown_since = None
        elif time.monotonic() - self._unknown_since > KNOWN_SECONDS:
            self.last_error = f"no member id within {KNOWN_SECONDS:.0f} s; joining with a new client"
            # It may never end to close.
            threading.Thread(target=self._consumer.close, name="given-up", daemon=True).start()
            self._consumer = Consumer(self._config)
            self.join()

    def leave(self) -> None:
        """Leave the group; the broker gives the partitions to others or sees an empty group."""
        deadline = time.monotonic() + LEAVE_SECONDS
        self._unknown_since = None
        self._consumer.unsubscribe()
        while self.assigned is not None and time.monotonic() < deadline:
            self._consumer.poll(0.01)  # serves the revocation that precedes the LeaveGroup request
        self._forget()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._consumer.close()
            self._forget()

    def drop(self) -> None:
        """Stop fetching partitions that are no longer ours; the group's next assignment follows by itself."""
        self._consumer.unassign()
        self._forget()

    def _on_assign(self, consumer: Consumer, partitions: list[Tp]) -> None:
        if consumer is not self._consumer:
            consumer.unassign()  # given up, and heard all the same while it is closed
            return
        consumer.assign([])  # fetch nothing until the consumer thread has found out from where
        self._forget()
        self.member_id = consumer.memberid() or ""
        self.assigned = tuple(sorted(TopicPartition(tp.topic, tp.partition) for tp in partitions))

    def _on_revoke(self, consumer: Consumer, partitions: list[Tp]) -> None:
        consumer.unassign()
        if consumer is self._consumer:
            self._forget()

    def _forget(self) -> None:
        self.generation += 1
        self.assigned = None
        self._fetching = False

    # --- fetching ------------------------------------------------------------------------------------------------

    def poll(self, timeout: float) -> None:
        """Serve the group while nothing is fetched."""
        assert not self._fetching, "a record polled here would be lost; use fetch()"
        if not self._closed:
            self._note(self._consumer.poll(timeout))
            self._renew_unknown()

    def fetch(self, limit: int, timeout: float) -> list[Record]:
        """Up to ``limit`` records; waits for the first one only."""
        first = self._consumer.poll(timeout)
        if first is None:
            return []
        messages = [first, *self._consumer.consume(num_messages=limit - 1, timeout=0)]
        records = []
        for message in messages:
            topic, partition, offset = message.topic(), message.partition(), message.offset()
            if message.error() is not None or topic is None or partition is None or offset is None:
                self._note(message)
            else:
                records.append(Record(TopicPartition(topic, partition), offset, message.value()))
        return records

    def park(self, positions: Mapping[TopicPartition, int]) -> None:
        """Hold the partitions at ``positions`` without fetching, also after librdkafka's own resets."""
        self._fetching = False
        self._consumer.assign(_at(positions))
        self._consumer.pause(_at(positions))

    def halt(self) -> None:
        """Deliver no further record. What was delivered and not processed is fetched again by `start`."""
        self._fetching = False
        self._consumer.pause(self._consumer.assignment())

    def start(self, positions: Mapping[TopicPartition, int]) -> None:
        """Fetch from exactly ``positions``."""
        self._consumer.resume(_at(positions))
        self._consumer.assign(_at(positions))
        self._fetching = True

    def _note(self, message: Message | None) -> None:
        error = message.error() if message is not None else None
        if error is not None:
            self.last_error = error.str()

    # --- offsets -------------------------------------------------------------------------------------------------

    def committed(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, Committed]:
        """Committed offsets of those partitions that have one."""
        wanted = [Tp(tp.topic, tp.partition) for tp in tps]
        if not wanted:
            return {}
        try:
            answers = self._consumer.committed(wanted, timeout=REQUEST_SECONDS)
        except (KafkaException, UnicodeDecodeError) as error:
            # The client takes metadata that does not end with a zero byte for text up to the next one in memory.
            raise KafkaTemporaryError(f"committed offsets not read: {error}") from error
        result = {}
        for answer in answers:
            if answer.error is not None:
                raise KafkaTemporaryError(f"committed offset of {answer.topic}-{answer.partition}: {answer.error}")
            if answer.offset >= 0:
                tp = TopicPartition(answer.topic, answer.partition)
                result[tp] = Committed(answer.offset, commit_epoch(answer.metadata))
        return result

    def earliest(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Log start offsets."""
        result = {}
        for tp in tps:
            try:
                low, _high = self._consumer.get_watermark_offsets(
                    Tp(tp.topic, tp.partition), timeout=REQUEST_SECONDS, cached=False
                )
            except KafkaException as error:
                raise KafkaTemporaryError(f"log start of {tp.topic}-{tp.partition} not read: {error}") from error
            result[tp] = low
        return result

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """Ids of the topics, by which one that was created again is known; brokers before 2.8 have none."""
        wanted = sorted(topics)
        if not wanted:
            return {}
        if self._admin is None:
            self._admin = AdminClient(
                {key: str(value) for key, value in self._config.items() if key.startswith(_CONNECTION)}
            )
        found = {}
        try:
            for name, answer in self._admin.describe_topics(
                TopicCollection(wanted), request_timeout=REQUEST_SECONDS
            ).items():
                topic_id = id_text(str(answer.result().topic_id))
                if topic_id != NO_TOPIC_ID:
                    found[name] = topic_id
        except KafkaException as error:
            raise KafkaTemporaryError(f"topics not described: {error}") from error
        return found

    def commit(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        """Commit and wait for the broker's answer for every partition."""
        wanted = [
            Tp(tp.topic, tp.partition, to.offset, metadata=commit_metadata(to.epoch or 0)) for tp, to in offsets.items()
        ]
        try:
            answers = self._consumer.commit(offsets=wanted, asynchronous=False)
            errors = [answer.error for answer in answers or [] if answer.error is not None]
        except KafkaException as error:
            errors = [error.args[0]]
        if any(error.code() in _LOST for error in errors):
            raise PartitionsLostError(f"commit refused: {errors[0].str()}")
        if errors:
            raise KafkaTemporaryError(f"commit not acknowledged: {errors[0].str()}")


def id_text(librdkafka: str) -> str:
    """A topic id as Kafka's tools and the snapshot write it: librdkafka takes the other two characters of base64."""
    return librdkafka.translate(str.maketrans("+/", "-_"))


def _at(positions: Mapping[TopicPartition, int]) -> list[Tp]:
    assert OFFSET_INVALID not in positions.values()
    return [Tp(tp.topic, tp.partition, offset) for tp, offset in positions.items()]
