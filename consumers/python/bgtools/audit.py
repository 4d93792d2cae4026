"""Audit a ledger against its input topics: ``python3 -m bgtools.audit``.

Says how many records were lost, duplicated or processed out of order, and for each change of colour the gap per
partition. Exit code 0 = nothing lost or duplicated, 1 = something was, 2 = the audit could not be made.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as Tp

from bgtools.kafka import ToolError, log_ends, reader, say
from bgtools.ledger_report import Findings, Row, RowError, TopicPartition, Window, examine, missing, report

Offsets = Mapping[str, Mapping[str, int]]
IDLE_SECONDS = 15.0


def offsets_from(path: Path | None) -> Offsets:
    """Offsets in the contract's shape, ``{"topic": {"0": 1234}}``; empty without a file."""
    if path is None:
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return {topic: {number: int(offset) for number, offset in parts.items()} for topic, parts in value.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ToolError(f"{path}: expected {{'topic': {{'0': 1234}}}}: {error}") from error


def window_of(
    consumer: Consumer, topics: list[str], start: Offsets, end: Offsets
) -> dict[TopicPartition, tuple[int, int]]:
    """What to audit: log start to log end as they are now, narrowed to ``start`` and ``end`` where given."""
    window = {}
    for topic in topics:
        for number, (low, high) in log_ends(consumer, topic).items():
            first = start.get(topic, {}).get(str(number), low)
            last = end.get(topic, {}).get(str(number), high)
            if first < low or last > high:
                raise ToolError(f"{topic}-{number} holds {low} to {high}, asked to audit {first} to {last}")
            window[(topic, number)] = (first, last)
    return window


def read_until_end(consumer: Consumer, positions: dict[TopicPartition, int], take: Callable[[Message], None]) -> None:
    """Read every partition from its position to its log end; ``positions`` move along."""
    consumer.assign([Tp(topic, number, offset) for (topic, number), offset in positions.items()])
    waiting, quiet_since = set(positions), time.monotonic()
    while waiting:
        messages = consumer.consume(num_messages=1000, timeout=0.5)
        if messages:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > IDLE_SECONDS:
            raise ToolError(f"no answer from Kafka for {IDLE_SECONDS:g} s while reading {sorted(waiting)}")
        for message in messages:
            tp = (str(message.topic()), int(message.partition() or 0))
            error = message.error()
            if error is None:
                positions[tp] = int(message.offset() or 0) + 1
                take(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's public name
                positions[tp] = int(message.offset() or 0)
                waiting.discard(tp)
            else:
                raise ToolError(f"{tp[0]}-{tp[1]}: {error.str()}")
    consumer.unassign()


class LedgerReader:
    """Reads the ledger topic from its start, and later what was added since."""

    def __init__(self, consumer: Consumer, topic: str) -> None:
        self._consumer = consumer
        self._positions = {(topic, number): low for number, (low, _) in log_ends(consumer, topic).items()}
        self.rows: list[Row] = []

    def read(self) -> list[Row]:
        read_until_end(
            self._consumer, self._positions, lambda message: self.rows.append(Row.parse(message.value() or b""))
        )
        return self.rows


def held(consumer: Consumer, tp: TopicPartition, ranges: list[tuple[int, int]]) -> list[int]:
    """Offsets inside the ascending ``ranges`` at which the input topic holds a record.

    One pass from the first to the last: a topic with transactions has a short range after each of them.
    """
    wanted = [offset for first, last in ranges for offset in range(first, last + 1)]
    present: set[int] = set()
    position = wanted[0]
    consumer.assign([Tp(tp[0], tp[1], position)])
    quiet_since = time.monotonic()
    while position <= wanted[-1]:
        messages = consumer.consume(num_messages=1000, timeout=0.2)
        if messages:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > IDLE_SECONDS:
            raise ToolError(f"no answer from Kafka for {IDLE_SECONDS:g} s while reading {tp[0]}-{tp[1]}@{position}")
        for message in messages:
            error = message.error()
            if error is None:
                present.add(int(message.offset() or 0))
                position = int(message.offset() or 0) + 1
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's public name
                position = wanted[-1] + 1
            else:
                raise ToolError(f"{tp[0]}-{tp[1]}: {error.str()}")
    consumer.unassign()
    return [offset for offset in wanted if offset in present]


def lost_offsets(consumer: Consumer, findings: Findings, window: Window) -> dict[TopicPartition, list[int]]:
    """Offsets nobody processed although there is a record."""
    lost = {tp: held(consumer, tp, ranges) for tp, ranges in missing(findings, window).items()}
    return {tp: offsets for tp, offsets in lost.items() if offsets}


def audit(options: argparse.Namespace) -> dict[str, Any]:
    """Read, wait up to ``--wait`` seconds for the ledger to become complete, judge."""
    consumer = reader(options.bootstrap)
    try:
        window = window_of(
            consumer, options.topic, offsets_from(options.from_offsets), offsets_from(options.to_offsets)
        )
        ledger = LedgerReader(consumer, options.ledger_topic)
        deadline = time.monotonic() + options.wait
        while True:
            findings = examine(ledger.read(), window)
            lost = lost_offsets(consumer, findings, window)
            if not lost or time.monotonic() >= deadline:
                return report(findings, window, lost)
            say(f"{sum(map(len, lost.values()))} records not in the ledger yet, waiting")
            time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))
    finally:
        consumer.close()


def table(result: Mapping[str, Any]) -> str:
    """The verdict for a person."""
    lines = [
        f"{'offsets':<18}{result['offsets']:>12}",
        f"{'processed':<18}{result['processed']:>12}",
        f"{'without a record':<18}{result['emptyOffsets']:>12}",
        f"{'lost':<18}{result['lost']['count']:>12}",
        f"{'duplicated':<18}{result['duplicated']['count']:>12}   by both colours {result['duplicated']['bothColours']}",
        f"{'out of order':<18}{result['outOfOrder']['count']:>12}",
    ]
    for kind in ("lost", "duplicated", "outOfOrder"):
        lines += [f"  {kind}: {sample}" for sample in result[kind]["samples"]]
    if result["changes"]:
        lines += ["", f"{'change':<16}{'epoch':>6}{'partitions':>12}{'gap p50 ms':>12}{'p99 ms':>10}{'max ms':>10}"]
    for change in result["changes"]:
        gap = change["gapMs"]
        lines.append(
            f"{change['from'] + ' > ' + change['to']:<16}{change['epoch']:>6}{change['partitions']:>12}"
            f"{gap['p50']:>12.1f}{gap['p99']:>10.1f}{gap['max']:>10.1f}"
        )
    return "\n".join(lines)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m bgtools.audit", description=__doc__)
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    parser.add_argument("--bootstrap", default=servers, required=servers is None, help="host:port[,host:port]")
    parser.add_argument("--topic", action="append", help="input topic, may be repeated; default order-events")
    parser.add_argument("--ledger-topic", default="order-ledger")
    parser.add_argument("--from-offsets", type=Path, help="JSON file, audit from these offsets only")
    parser.add_argument("--to-offsets", type=Path, help="JSON file, audit up to these offsets (exclusive) only")
    parser.add_argument("--wait", type=float, default=0.0, help="seconds to wait for a complete ledger")
    parser.add_argument("--json", type=Path, help="write the report to this file")
    options = parser.parse_args(arguments)
    options.topic = options.topic or ["order-events"]
    return options


def main() -> int:
    """Run the tool."""
    options = parse()
    try:
        result = audit(options)
    except (ToolError, RowError, KafkaException) as error:
        say(f"audit not possible: {error}")
        return 2
    print(table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
