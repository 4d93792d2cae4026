"""Clients of the tools, and the little they need to know about topics."""

from __future__ import annotations

import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

REQUEST_SECONDS = 10.0
KNOWN_SECONDS = 3.0
Ends = dict[int, tuple[int, int]]


class ToolError(Exception):
    """What a tool could not do, for the person who runs it."""


def say(message: str) -> None:
    """Progress for a person; standard output is for results."""
    print(message, file=sys.stderr, flush=True)


def create_topic(bootstrap: str, topic: str, partitions: int, replicas: int) -> bool:
    """Create ``topic``; `False` when it exists already with that many partitions."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    future = admin.create_topics([NewTopic(topic, partitions, replicas)])[topic]
    try:
        future.result(timeout=30)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise ToolError(f"topic {topic} not created: {error.args[0].str()}") from error
        found = len(partitions_of(admin, topic))
        if found != partitions:
            raise ToolError(f"topic {topic} exists with {found} partitions, wanted {partitions}") from error
        return False
    _wait_for_leaders(admin, topic, partitions)
    return True


def _wait_for_leaders(admin: AdminClient, topic: str, partitions: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        metadata = admin.list_topics(topic, timeout=REQUEST_SECONDS).topics[topic]
        if metadata.error is None and sum(part.leader >= 0 for part in metadata.partitions.values()) == partitions:
            return
        if time.monotonic() > deadline:
            raise ToolError(f"topic {topic}: not every partition has a leader after 30 s")
        time.sleep(0.1)


def partitions_of(client: AdminClient | Consumer, topic: str) -> list[int]:
    """Partition numbers of ``topic``. A broker may hear of a new one a little later than the others."""
    deadline = time.monotonic() + KNOWN_SECONDS
    while True:
        metadata = client.list_topics(topic, timeout=REQUEST_SECONDS).topics[topic]
        if metadata.error is None:
            return sorted(metadata.partitions)
        unknown = metadata.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
        if not unknown or time.monotonic() > deadline:
            raise ToolError(f"topic {topic}: {metadata.error.str()}")
        time.sleep(0.1)


def reader(bootstrap: str) -> Consumer:
    """A consumer without a group: it assigns its partitions by hand and commits nothing."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bgtools-without-group",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )


def log_ends(consumer: Consumer, topic: str) -> Ends:
    """Log start and end offset of each partition; the end is the next offset to be written."""
    ends = {}
    for partition in partitions_of(consumer, topic):
        low, high = consumer.get_watermark_offsets(
            TopicPartition(topic, partition), timeout=REQUEST_SECONDS, cached=False
        )
        ends[partition] = (low, high)
    return ends
