"""Produce numbered records evenly over all partitions: ``python3 -m bgtools.producer``.

Prints (and with ``--json`` writes) ``{"topic", "records", "failed", "seconds", "perSecond",
"partitions": {"0": {"records", "firstOffset", "lastOffset"}}}``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from bgtools.kafka import ToolError, create_topic, partitions_of, reader, say

TICK_SECONDS = 0.01
TICKS = 10
"""How often the clock is read, at most, while a batch waits: a tick costs more than the record that it sends."""
VARY_SECONDS = 7.0


@dataclass
class Count:
    """What the brokers acknowledged for one partition."""

    records: int = 0
    first: int | None = None
    last: int | None = None

    def add(self, offset: int) -> None:
        self.records += 1
        self.first = offset if self.first is None else min(self.first, offset)
        self.last = offset if self.last is None else max(self.last, offset)


@dataclass
class Tally:
    """Delivery reports, by partition."""

    partitions: dict[int, Count] = field(default_factory=dict)
    failed: int = 0

    def delivered(self, error: KafkaError | None, message: Message) -> None:
        partition, offset = message.partition(), message.offset()
        if error is not None or partition is None or offset is None:
            self.failed += 1
        else:
            self.partitions.setdefault(partition, Count()).add(offset)

    def report(self, topic: str, seconds: float) -> dict[str, Any]:
        records = sum(count.records for count in self.partitions.values())
        return {
            "topic": topic,
            "records": records,
            "failed": self.failed,
            "seconds": round(seconds, 3),
            "perSecond": round(records / seconds, 1) if seconds else 0.0,
            "partitions": {
                str(number): {"records": count.records, "firstOffset": count.first, "lastOffset": count.last}
                for number, count in sorted(self.partitions.items())
            },
        }


def due(elapsed: float, rate: float, limit: int | None, vary: float = 0.0) -> int:
    """How many records should have been sent ``elapsed`` seconds after the start.

    vary: the share by which the rate is above and below its mean, each for VARY_SECONDS.
    """
    into = elapsed % (2 * VARY_SECONDS)
    ahead = into if into < VARY_SECONDS else 2 * VARY_SECONDS - into
    wanted = int(rate * (elapsed + vary * ahead))
    return wanted if limit is None else min(wanted, limit)


def produce(options: argparse.Namespace, stop: threading.Event) -> dict[str, Any]:
    """Send at the rate until the time or the number is up or ``stop`` is set; wait for every acknowledgement."""
    consumer = reader(options.bootstrap)
    numbers = partitions_of(consumer, options.topic)
    consumer.close()
    producer = Producer(
        {"bootstrap.servers": options.bootstrap, "enable.idempotence": True, "acks": "all", "linger.ms": options.linger}
    )
    tick = max(TICK_SECONDS, options.linger / 1000 / TICKS)
    tally, sent, started = Tally(), 0, time.monotonic()
    while not stop.is_set():
        elapsed = time.monotonic() - started
        if options.seconds is not None and elapsed >= options.seconds:
            break
        while sent < due(elapsed, options.rate, options.records, options.vary):
            value = json.dumps({"n": sent, "ns": time.time_ns(), "pad": "x" * options.padding})
            producer.produce(options.topic, value, partition=numbers[sent % len(numbers)], on_delivery=tally.delivered)
            sent += 1
        if options.records is not None and sent >= options.records:
            break
        producer.poll(tick)
    seconds = time.monotonic() - started
    while producer.flush(1.0) > 0:
        pass
    return tally.report(options.topic, seconds)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m bgtools.producer", description=__doc__)
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    parser.add_argument("--bootstrap", default=servers, required=servers is None, help="host:port[,host:port]")
    parser.add_argument("--topic", default="order-events")
    parser.add_argument("--rate", type=float, default=100.0, help="records a second over all partitions")
    parser.add_argument("--vary", type=float, default=0.0, help="share by which the rate rises and falls, 0 to 1")
    parser.add_argument("--linger", type=int, default=50, help="milliseconds a record waits for others of its batch")
    parser.add_argument("--seconds", type=float, help="how long; default until SIGTERM or --records")
    parser.add_argument("--records", type=int, help="how many in all")
    parser.add_argument("--padding", type=int, default=0, help="extra bytes in each record")
    parser.add_argument("--create", action="store_true", help="create the topic and the ledger topic first")
    parser.add_argument("--ledger-topic", help="also create this topic, with --create")
    parser.add_argument("--partitions", type=int, default=12, help="of both topics, with --create")
    parser.add_argument("--replicas", type=int, default=3, help="replication factor, with --create")
    parser.add_argument("--json", type=Path, help="write the report to this file as well")
    return parser.parse_args(arguments)


def main() -> int:
    """Run the tool; 1 when a record was not acknowledged or Kafka could not be used."""
    options = parse()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        if options.create:
            for topic in filter(None, (options.topic, options.ledger_topic)):
                created = create_topic(options.bootstrap, topic, options.partitions, options.replicas)
                say(f"topic {topic}: {'created' if created else 'exists'}")
        report = produce(options, stop)
    except ToolError as error:
        say(str(error))
        return 1
    text = json.dumps(report, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
