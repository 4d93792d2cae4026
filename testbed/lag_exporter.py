"""Lag of consumer groups for Prometheus: a stand-in, for tests, for danielqsj/kafka_exporter, with its names and its -1.

Like it, a partition that its group has no commit for has a lag and an offset of -1 once the group has a commit for another partition
of the topic, and a group of the new protocol (KIP-848) has 0 members, because the exporter asks for them in the old way. Unlike
it, everything is read anew for each scrape. Started by its file, so it imports nothing of the test bed.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

NONE = -1
"""Offset and lag of a partition without a commit."""


class LagCollector(Collector):
    """Reads groups, commits and ends of the log whenever it is asked."""

    def __init__(self, servers: str) -> None:
        # Made when it is needed, and again after an error: a broker that was away must not end the exporter.
        self._servers = servers.split(",")
        self._admin: KafkaAdminClient | None = None
        self._lock = threading.Lock()  # of two scrapes at once, one waits

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        with self._lock:
            try:
                self._admin = self._admin or KafkaAdminClient(bootstrap_servers=self._servers)
                families = _read(self._admin)
            except BaseException:
                if self._admin is not None:
                    self._admin.close()
                self._admin = None
                raise  # the scrape fails, and Prometheus says that the exporter is down
        yield from families


def _read(admin: KafkaAdminClient) -> list[GaugeMetricFamily]:
    groups = sorted({group["group_id"] for group in admin.list_groups(types_filter=["consumer", "classic"])})
    commits = admin.list_group_offsets(groups) if groups else {}
    topics = {tp.topic for found in commits.values() for tp in found}
    partitions = {
        topic["name"]: sorted(row["partition_index"] for row in topic["partitions"])
        for topic in (admin.describe_topics(sorted(topics)) if topics else [])
    }
    wanted = {TopicPartition(topic, number): OffsetSpec.LATEST for topic in partitions for number in partitions[topic]}
    ends = {tp: row.offset for tp, row in admin.list_partition_offsets(wanted).items()} if wanted else {}
    members = {group["group_id"]: len(group["members"]) for group in _described(admin, groups)}
    offsets = {group: {tp: row.offset for tp, row in found.items()} for group, found in commits.items()}
    return families(offsets, ends, members)


def _described(admin: KafkaAdminClient, groups: list[str]) -> list[dict[str, Any]]:
    return list(admin.describe_groups(groups).values()) if groups else []


def families(
    commits: dict[str, dict[TopicPartition, int]], ends: dict[TopicPartition, int], members: dict[str, int]
) -> list[GaugeMetricFamily]:
    """The metrics of what was read."""
    log = GaugeMetricFamily(
        "kafka_topic_partition_current_offset", "End of the log of a partition", labels=["topic", "partition"]
    )
    keys = ["consumergroup", "topic", "partition"]
    current = GaugeMetricFamily("kafka_consumergroup_current_offset", "Commit of a group, -1 for none", labels=keys)
    lag = GaugeMetricFamily(
        "kafka_consumergroup_lag", "Records behind the end of the log, -1 for no commit", labels=keys
    )
    count = GaugeMetricFamily(
        "kafka_consumergroup_members", "Members of a group of the old protocol", labels=["consumergroup"]
    )
    for tp, end in sorted(ends.items()):
        log.add_metric([tp.topic, str(tp.partition)], end)
    for group, found in sorted(commits.items()):
        topics = {tp.topic for tp in found}
        for tp in sorted(tp for tp in ends if tp.topic in topics):
            offset = found.get(tp, NONE)
            labels = [group, tp.topic, str(tp.partition)]
            current.add_metric(labels, offset)
            lag.add_metric(labels, NONE if offset == NONE else max(0, ends[tp] - offset))
    for group, number in sorted(members.items()):
        count.add_metric([group], number)
    return [log, current, lag, count]


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", required=True, help="bootstrap servers")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    registry = CollectorRegistry()
    registry.register(LagCollector(options.servers))
    server, thread = start_http_server(options.port, options.address, registry)
    try:
        thread.join()
    finally:
        server.shutdown()


if __name__ == "__main__":
    main()
