# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Kafka protocol messages: builders for those kafka-python has, and ConsumerGroupDescribe (KIP-848), which it lacks."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)

try:
    from kafka.protocol.admin import (
        DeleteGroupsRequest,
        DescribeGroupsRequest,
        ListGroupsRequest,
    )
    from kafka.protocol.api_message import ApiMessage
    from kafka.protocol.consumer import (
        LeaveGroupRequest,
        ListOffsetsRequest,
        OffsetCommitRequest,
        OffsetDeleteRequest,
        OffsetFetchRequest,
    )
except ImportError:
    pass  # connection.py says so before anything here is used

if t.TYPE_CHECKING:
    from kafka.protocol.admin import (
        DescribeConfigsRequest,
        DescribeProducersRequest,
        DescribeTransactionsRequest,
        ListTransactionsRequest,
    )

LATEST = -1
EARLIEST = -2
NO_EPOCH = -1
PLAIN_COMMIT = 7
PLAIN_LIST_OFFSETS = 5
"""Newest versions whose rows end without tagged fields. There are none to send, and kafka-python looks for them in every row,
which takes as long as everything else of it. Later versions add nothing to a commit, nor to the ends of a log."""
TOPIC_RESOURCE = 2
BROKER_RESOURCE = 4

Rows = dict[str, list[t.Any]]
"""A tuple for each partition, by topic. kafka-python takes tuples in the order of a message's fields instead of its objects with
names, which take five times as long to make; the versions that we send have one order."""


def by_topic(partitions: t.Iterable[TopicPartition]) -> dict[str, list[int]]:
    """Partition numbers by topic."""
    grouped: dict[str, list[int]] = {}
    for name, number in partitions:
        grouped.setdefault(name, []).append(number)
    return grouped


def offset_fetch(
    group_id: str, partitions: t.Collection[TopicPartition] | None, stable: bool = True
) -> OffsetFetchRequest:
    """Committed offsets of the named partitions, or of all the broker lets us see (None). Names, not topic ids: v8."""
    group = OffsetFetchRequest.OffsetFetchRequestGroup
    topics = None
    if partitions is not None:
        topic = group.OffsetFetchRequestTopics
        topics = [topic(name=name, partition_indexes=numbers) for name, numbers in by_topic(partitions).items()]
    return OffsetFetchRequest(
        groups=[group(group_id=group_id, topics=topics)], require_stable=stable, min_version=8, max_version=8
    )


def offset_commit(group_id: str, offsets: t.Mapping[TopicPartition, CommittedOffset]) -> OffsetCommitRequest:
    """A commit by nobody (generation -1, no member id), which the broker takes only for a group without members."""
    rows: Rows = {}
    for (name, number), committed in offsets.items():
        row = (number, committed.offset, committed.leader_epoch, committed.metadata)
        rows.setdefault(name, []).append(row)
    topic = OffsetCommitRequest.OffsetCommitRequestTopic
    topics = [topic(name=name, partitions=partitions) for name, partitions in rows.items()]
    return OffsetCommitRequest(
        group_id=group_id,
        generation_id_or_member_epoch=-1,
        member_id="",
        group_instance_id=None,
        topics=topics,
        min_version=6,
        max_version=PLAIN_COMMIT,
    )


def offset_delete(group_id: str, partitions: t.Collection[TopicPartition]) -> OffsetDeleteRequest:
    """Removal of committed offsets."""
    topic = OffsetDeleteRequest.OffsetDeleteRequestTopic
    partition = topic.OffsetDeleteRequestPartition
    topics = [
        topic(name=name, partitions=[partition(partition_index=number) for number in numbers])
        for name, numbers in by_topic(partitions).items()
    ]
    return OffsetDeleteRequest(group_id=group_id, topics=topics)


def list_offsets(
    partitions: t.Collection[TopicPartition], timestamp: int, isolation: int, timeout_ms: int
) -> ListOffsetsRequest:
    """First offset at or after a time (ms), or LATEST or EARLIEST."""
    rows: Rows = {}
    for name, number in partitions:
        rows.setdefault(name, []).append((number, NO_EPOCH, timestamp))
    topic = ListOffsetsRequest.ListOffsetsTopic
    topics = [topic(name=name, partitions=asked) for name, asked in rows.items()]
    # Only from version 10 on a broker is told how long it may look for a time in remote storage.
    newest = PLAIN_LIST_OFFSETS if timestamp in (EARLIEST, LATEST) else None
    return ListOffsetsRequest(
        isolation_level=isolation, topics=topics, timeout_ms=timeout_ms, min_version=4, max_version=newest
    )


def describe_producers(partitions: t.Collection[TopicPartition]) -> DescribeProducersRequest:
    """Every producer the leader of these partitions remembers, with the start of its open transaction."""
    from kafka.protocol.admin.transactions import DescribeProducersRequest  # late, see lazy_import.py

    topic = DescribeProducersRequest.TopicRequest
    topics = [topic(name=name, partition_indexes=numbers) for name, numbers in by_topic(partitions).items()]
    return DescribeProducersRequest(topics=topics)


def list_transactions(producers: t.Collection[int]) -> ListTransactionsRequest:
    """Transactional ids of these producers, of those that one broker coordinates and we may describe."""
    from kafka.protocol.admin.transactions import ListTransactionsRequest  # late, see lazy_import.py

    # The first version is all we need, and every broker that has this request knows it.
    return ListTransactionsRequest(state_filters=[], producer_id_filters=list(producers), max_version=0)


def describe_transactions(transactional_ids: t.Collection[str]) -> DescribeTransactionsRequest:
    """State, begin and timeout of transactions; their coordinator knows."""
    from kafka.protocol.admin.transactions import DescribeTransactionsRequest  # late, see lazy_import.py

    return DescribeTransactionsRequest(transactional_ids=list(transactional_ids))


def leave_group(group_id: str, members: t.Collection[str], reason: str) -> LeaveGroupRequest:
    """Eviction of members by member id."""
    member = LeaveGroupRequest.MemberIdentity
    listed = [member(member_id=member_id, group_instance_id=None, reason=reason) for member_id in members]
    return LeaveGroupRequest(group_id=group_id, members=listed, min_version=3)


def describe_configs(kind: int, names: t.Collection[str], key: str) -> DescribeConfigsRequest:
    """One configuration value of each topic or broker. kind: TOPIC_RESOURCE or BROKER_RESOURCE."""
    from kafka.protocol.admin.configs import DescribeConfigsRequest  # late, see lazy_import.py

    resource = DescribeConfigsRequest.DescribeConfigsResource
    resources = [resource(resource_type=kind, resource_name=name, configuration_keys=[key]) for name in names]
    return DescribeConfigsRequest(resources=resources, min_version=1)


def describe_classic(group_ids: t.Collection[str]) -> DescribeGroupsRequest:
    """Classic groups; any other is answered as unknown."""
    return DescribeGroupsRequest(groups=list(group_ids), include_authorized_operations=False)


def list_groups() -> ListGroupsRequest:
    """Every group one broker coordinates."""
    return ListGroupsRequest()


def delete_group(group_id: str) -> DeleteGroupsRequest:
    """Removal of a group with its offsets."""
    return DeleteGroupsRequest(groups_names=[group_id])


def describe_consumer(group_ids: t.Collection[str]) -> t.Any:
    """KIP-848 groups; any other is answered as unknown."""
    return consumer_group_describe()[0](group_ids=list(group_ids), include_authorized_operations=False)


_ASSIGNMENT = [
    {
        "name": "TopicPartitions",
        "type": "[]TopicPartitions",
        "versions": "0+",
        "fields": [
            {"name": "TopicId", "type": "uuid", "versions": "0+"},
            {"name": "TopicName", "type": "string", "versions": "0+"},
            {"name": "Partitions", "type": "[]int32", "versions": "0+"},
        ],
    }
]
_MEMBER = [
    {"name": "MemberId", "type": "string", "versions": "0+"},
    {"name": "InstanceId", "type": "string", "versions": "0+", "nullableVersions": "0+", "default": "null"},
    {"name": "RackId", "type": "string", "versions": "0+", "nullableVersions": "0+", "default": "null"},
    {"name": "MemberEpoch", "type": "int32", "versions": "0+"},
    {"name": "ClientId", "type": "string", "versions": "0+"},
    {"name": "ClientHost", "type": "string", "versions": "0+"},
    {"name": "SubscribedTopicNames", "type": "[]string", "versions": "0+"},
    {"name": "SubscribedTopicRegex", "type": "string", "versions": "0+", "nullableVersions": "0+", "default": "null"},
    {"name": "Assignment", "type": "Assignment", "versions": "0+", "fields": _ASSIGNMENT},
    {"name": "TargetAssignment", "type": "Assignment", "versions": "0+", "fields": _ASSIGNMENT},
]
_GROUP = [
    {"name": "ErrorCode", "type": "int16", "versions": "0+"},
    {"name": "ErrorMessage", "type": "string", "versions": "0+", "nullableVersions": "0+", "default": "null"},
    {"name": "GroupId", "type": "string", "versions": "0+"},
    {"name": "GroupState", "type": "string", "versions": "0+"},
    {"name": "GroupEpoch", "type": "int32", "versions": "0+"},
    {"name": "AssignmentEpoch", "type": "int32", "versions": "0+"},
    {"name": "AssignorName", "type": "string", "versions": "0+"},
    {"name": "Members", "type": "[]Member", "versions": "0+", "fields": _MEMBER},
    {"name": "AuthorizedOperations", "type": "int32", "versions": "0+", "default": "-2147483648"},
]
_CLASSES: list[t.Any] = []


def consumer_group_describe() -> list[t.Any]:
    """Request and response class of ConsumerGroupDescribe (api key 69, version 0)."""
    if not _CLASSES:
        _CLASSES.append(
            _message(
                "DescribeGroupsRequest",
                "ConsumerGroupDescribeRequest",
                "request",
                [
                    {"name": "GroupIds", "type": "[]string", "versions": "0+"},
                    {"name": "IncludeAuthorizedOperations", "type": "bool", "versions": "0+"},
                ],
            )
        )
        _CLASSES.append(
            _message(
                "DescribeGroupsResponse",
                "ConsumerGroupDescribeResponse",
                "response",
                [
                    {"name": "ThrottleTimeMs", "type": "int32", "versions": "0+"},
                    {"name": "Groups", "type": "[]DescribedGroup", "versions": "0+", "fields": _GROUP},
                ],
            )
        )
    return _CLASSES


def _message(borrowed: str, name: str, kind: str, fields: list[dict[str, t.Any]]) -> t.Any:
    """A message class from a schema in Python.

    kafka-python reads schemas from JSON files named after the class, and lets a class patch what was read. Ansible ships
    only Python files to where a module runs, so we borrow an existing file's name and replace all of it.
    """
    schema = {
        "apiKey": 69,
        "type": kind,
        "name": name,
        "validVersions": "0",
        "flexibleVersions": "0+",
        "fields": fields,
    }
    patch = classmethod(lambda cls, json: schema)
    metaclass: t.Any = type(ApiMessage)
    made = metaclass(borrowed, (ApiMessage,), {"json_patch": patch, "__module__": __name__})
    made.__name__ = made.__qualname__ = name
    return made
