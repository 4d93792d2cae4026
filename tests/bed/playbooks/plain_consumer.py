# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A consumer application without the contract, for pods: its text is given to the Python of the example's image.

Takes the example's environment. Commits what it wrote to the ledger, also on SIGTERM. ``PLAIN_ASSIGN=1``: it takes every
partition with ``assign()`` and so is never a member of its group.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from confluent_kafka import OFFSET_STORED, Consumer, Message, Producer, TopicPartition


def row(message: Message) -> bytes:
    """A line of the ledger. There are no epochs here."""
    known = {"c": os.environ["BG_COLOUR"], "pod": os.environ["POD_NAME"], "e": 0, "ns": time.time_ns()}
    return json.dumps({"t": message.topic(), "p": message.partition(), "o": message.offset(), **known}).encode()


def main() -> int:
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda received, _frame: ended.append(received))
    servers = {"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"]}
    group = {"group.id": os.environ["KAFKA_CONSUMER_GROUP"], "client.id": f"plain-{os.environ['POD_NAME']}"}
    consumer = Consumer({**servers, **group, "enable.auto.commit": False, "auto.offset.reset": "earliest"})
    ledger = Producer({**servers, "enable.idempotence": True, "linger.ms": 1})
    topic = os.environ["KAFKA_TOPICS"]
    if os.environ.get("PLAIN_ASSIGN"):
        numbers = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, OFFSET_STORED) for number in numbers])
    else:
        consumer.subscribe([topic])
    while not ended:
        messages = [message for message in consumer.consume(50, 0.2) if message.error() is None]
        for message in messages:
            key = f"{message.topic()}-{message.partition()}"
            ledger.produce(os.environ["KAFKA_LEDGER_TOPIC"], key=key, value=row(message))
        while ledger.flush(1.0):
            pass
        if messages:
            consumer.commit(asynchronous=False)
    consumer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
