"""The example's work: write down each processed record, so that an audit can prove what happened to it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from confluent_kafka import KafkaError, Message, Producer

from bgconsumer.ports import Record


class LedgerError(Exception):
    """A ledger message could not be written; the record counts as not processed."""


@dataclass(frozen=True)
class Entry:
    """Who writes: constant for the life of the pod."""

    colour: str
    pod: str


def producer_config(bootstrap: str, client_id: str) -> dict[str, object]:
    """Every message acknowledged by all in-sync replicas, exactly once and in order per partition."""
    return {
        "bootstrap.servers": bootstrap,
        "client.id": client_id,
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 1,
        "socket.nagle.disable": True,
    }


class Ledger:
    """`bgconsumer.ports.Processor` that produces one message per record.

    Message: ``{"t": topic, "p": partition, "o": offset, "c": colour, "pod": name, "e": epoch, "ns": time}`` with
    the wall clock in nanoseconds; the key is ``topic-partition``, so a partition's history stays in order.
    """

    def __init__(self, producer: Producer, topic: str, entry: Entry, processing_seconds: float = 0.0) -> None:
        self._producer = producer
        self._topic = topic
        self._entry = entry
        self._processing_seconds = processing_seconds
        self._error: KafkaError | None = None

    def process(self, record: Record, epoch: int) -> None:
        """Simulate the work, then hand the ledger message to the producer."""
        if self._processing_seconds:
            time.sleep(self._processing_seconds)
        message = {
            "t": record.tp.topic,
            "p": record.tp.partition,
            "o": record.offset,
            "c": self._entry.colour,
            "pod": self._entry.pod,
            "e": epoch,
            "ns": time.time_ns(),
        }
        key = f"{record.tp.topic}-{record.tp.partition}"
        value = json.dumps(message, separators=(",", ":"))
        self._producer.produce(self._topic, key=key, value=value, on_delivery=self._delivered)

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._error = error

    def flush(self) -> None:
        """Wait until the brokers have every message; raise `LedgerError` when one was given up."""
        while self._producer.flush(1.0) > 0:
            pass
        if self._error is not None:
            raise LedgerError(f"ledger topic {self._topic}: message not delivered: {self._error.str()}")
