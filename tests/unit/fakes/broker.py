# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A broker of one topic partition log each, on a local port, that speaks Kafka's protocol through kafka-python's codec.

It keeps offsets, counts requests, and answers with errors when told to. It is for what a real broker does not do on
demand: moving coordinators, lost leaders, limits, silence.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import typing as t
import uuid
from collections import Counter, defaultdict, deque

from kafka.protocol.admin import (
    DeleteGroupsRequest,
    DeleteGroupsResponse,
    DescribeConfigsRequest,
    DescribeConfigsResponse,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
    DescribeProducersRequest,
    DescribeProducersResponse,
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    ListGroupsRequest,
    ListGroupsResponse,
    ListTransactionsRequest,
    ListTransactionsResponse,
)
from kafka.protocol.consumer import (
    LeaveGroupRequest,
    LeaveGroupResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetFetchRequest,
    OffsetFetchResponse,
)
from kafka.protocol.metadata import (
    ApiVersionsRequest,
    ApiVersionsResponse,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
    MetadataRequest,
    MetadataResponse,
)

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import messages

Partition = tuple[str, int]


class WireBroker:
    """Start with ``with WireBroker() as broker``. errors: error codes for the next requests, by name of the request."""

    def __init__(self) -> None:
        self.logs: dict[Partition, tuple[int, int]] = {}
        self.offsets: dict[str, dict[Partition, tuple[int, int, str]]] = defaultdict(dict)
        self.groups: dict[str, tuple[str, str]] = {}
        self.producers: dict[Partition, list[tuple[int, int, int, int]]] = {}
        """By partition: producer id, epoch, timestamp of its last record, start of its open transaction or -1."""
        self.pending: dict[str, set[Partition]] = defaultdict(set)
        """Partitions of a group that have an offset in an open transaction."""
        self.coordinated: dict[str, tuple[int, int, str, int, int]] = {}
        """By transactional id: producer id, epoch, state, begin and timeout."""
        self.errors: dict[str, deque[int]] = defaultdict(deque)
        self.requests: Counter[str] = Counter()
        self.most_bytes = 10**9
        self.epoch = 0
        self.silent = False
        self.consumer_groups = True
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._socket]
        describe, answer = messages.consumer_group_describe()
        self._known: dict[int, tuple[t.Any, t.Callable[[t.Any], t.Any]]] = {
            request.API_KEY: (request, handler)
            for request, handler in (
                (ApiVersionsRequest, self._api_versions),
                (MetadataRequest, self._metadata),
                (FindCoordinatorRequest, self._find_coordinator),
                (OffsetFetchRequest, self._offset_fetch),
                (OffsetCommitRequest, self._offset_commit),
                (OffsetDeleteRequest, self._offset_delete),
                (DeleteGroupsRequest, self._delete_groups),
                (ListOffsetsRequest, self._list_offsets),
                (DescribeGroupsRequest, self._describe_groups),
                (describe, lambda asked: self._describe_consumer(asked, answer)),
                (ListGroupsRequest, self._list_groups),
                (LeaveGroupRequest, self._leave_group),
                (DescribeConfigsRequest, self._describe_configs),
                (DescribeProducersRequest, self._describe_producers),
                (ListTransactionsRequest, self._list_transactions),
                (DescribeTransactionsRequest, self._describe_transactions),
            )
        }

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> WireBroker:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.drop_connections()
        self._socket.close()

    def drop_connections(self) -> None:
        """Close what is open; the port stays."""
        for opened in self._open[1:]:
            with contextlib.suppress(OSError):  # the client closed it already
                opened.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._socket.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        try:
            while size := stream.read(4):
                frame = stream.read(struct.unpack(">i", size)[0])
                key, version, correlation = struct.unpack(">hhi", frame[:8])
                request_class, handler = self._known[key]
                asked = request_class.decode(frame, version=version, header=True)
                self.requests[asked.name] += 1
                if self.silent:
                    continue
                answer = handler(asked)
                answer.API_VERSION = version
                answer.with_header(correlation_id=correlation)
                connection.sendall(answer.encode(header=True, framed=True))
        except OSError:
            pass  # the client, or the end of the test, closed the connection
        finally:
            stream.close()
            connection.close()

    def _error(self, asked: t.Any) -> int:
        planned = self.errors[asked.name]
        return planned.popleft() if planned else 0

    def _api_versions(self, asked: t.Any) -> t.Any:
        key = ApiVersionsResponse.ApiVersion
        known = {k: request for k, (request, handler) in self._known.items() if k != 69 or self.consumer_groups}
        keys = [key(api_key=k, min_version=0, max_version=request.max_version) for k, request in known.items()]
        return ApiVersionsResponse(error_code=0, api_keys=keys)

    def _metadata(self, asked: t.Any) -> t.Any:
        topic = MetadataResponse.MetadataResponseTopic
        host, port = self.address.split(":")
        brokers = [MetadataResponse.MetadataResponseBroker(node_id=1, host=host, port=int(port), rack=None)]
        names = [row.name for row in asked.topics or []]
        topics = []
        for name in names:
            numbers = [number for known, number in self.logs if known == name]
            partitions = [
                topic.MetadataResponsePartition(
                    error_code=0,
                    partition_index=number,
                    leader_id=-1 if self.errors["leader"] and self.errors["leader"].popleft() else 1,
                    leader_epoch=0,
                    replica_nodes=[1],
                    isr_nodes=[1],
                    offline_replicas=[],
                )
                for number in numbers
            ]
            code = self._error(asked) or (0 if numbers else 3)
            topics.append(
                topic(error_code=code, name=name, topic_id=uuid.uuid4(), is_internal=False, partitions=partitions)
            )
        return MetadataResponse(brokers=brokers, cluster_id="c", controller_id=1, topics=topics)

    def _find_coordinator(self, asked: t.Any) -> t.Any:
        host, port = self.address.split(":")
        row = FindCoordinatorResponse.Coordinator
        code = self._error(asked)
        return FindCoordinatorResponse(
            coordinators=[
                row(key=key, node_id=1, host=host, port=int(port), error_code=code, error_message=None)
                for key in asked.coordinator_keys
            ]
        )

    def _offset_fetch(self, asked: t.Any) -> t.Any:
        group = OffsetFetchResponse.OffsetFetchResponseGroup
        topic = group.OffsetFetchResponseTopics
        code = self._error(asked)
        groups = []
        for wanted in asked.groups:
            stored = self.offsets[wanted.group_id]
            if wanted.topics is None:
                partitions = sorted(stored)
            else:
                partitions = [(row.name, number) for row in wanted.topics for number in row.partition_indexes]
            by_topic: dict[str, list[t.Any]] = defaultdict(list)
            for name, number in partitions:
                offset, epoch, metadata = stored.get((name, number), (-1, -1, None))
                unstable = asked.require_stable and (name, number) in self.pending[wanted.group_id]
                refusal = code or (88 if unstable else 0)
                by_topic[name].append(
                    topic.OffsetFetchResponsePartitions(
                        partition_index=number,
                        committed_offset=-1 if refusal else offset,
                        committed_leader_epoch=epoch,
                        metadata=metadata,
                        error_code=refusal,
                    )
                )
            topics = [topic(name=name, partitions=rows) for name, rows in by_topic.items()]
            groups.append(group(group_id=wanted.group_id, topics=topics, error_code=0))
        return OffsetFetchResponse(groups=groups)

    def _offset_commit(self, asked: t.Any) -> t.Any:
        topic = OffsetCommitResponse.OffsetCommitResponseTopic
        code = self._error(asked)
        if not code and len(asked.encode(version=8)) > self.most_bytes:
            code = -1
        topics = []
        for row in asked.topics:
            answers = []
            for wanted in row.partitions:
                found = 0 if (row.name, wanted.partition_index) in self.logs else 3
                answers.append(
                    topic.OffsetCommitResponsePartition(
                        partition_index=wanted.partition_index, error_code=code or found
                    )
                )
                if not (code or found):
                    self.offsets[asked.group_id][(row.name, wanted.partition_index)] = (
                        wanted.committed_offset,
                        wanted.committed_leader_epoch,
                        wanted.committed_metadata,
                    )
            topics.append(topic(name=row.name, partitions=answers))
        return OffsetCommitResponse(topics=topics)

    def _offset_delete(self, asked: t.Any) -> t.Any:
        topic = OffsetDeleteResponse.OffsetDeleteResponseTopic
        code = self._error(asked)
        topics = []
        for row in asked.topics:
            numbers = [wanted.partition_index for wanted in row.partitions]
            for number in numbers:
                if not code:
                    self.offsets[asked.group_id].pop((row.name, number), None)
            partition = topic.OffsetDeleteResponsePartition
            rows = [partition(partition_index=number, error_code=0) for number in numbers]
            topics.append(topic(name=row.name, partitions=[] if code else rows))
        return OffsetDeleteResponse(error_code=code, topics=topics)

    def _delete_groups(self, asked: t.Any) -> t.Any:
        code = self._error(asked)
        rows = []
        for group_id in asked.groups_names:
            found = code or (0 if group_id in self.groups else 69)
            if not found:
                del self.groups[group_id]
            rows.append(DeleteGroupsResponse.DeletableGroupResult(group_id=group_id, error_code=found))
        return DeleteGroupsResponse(results=rows)

    def _list_offsets(self, asked: t.Any) -> t.Any:
        topic = ListOffsetsResponse.ListOffsetsTopicResponse
        code = self._error(asked)
        topics = []
        for row in asked.topics:
            answers = []
            for wanted in row.partitions:
                first, end = self.logs[(row.name, wanted.partition_index)]
                offset = {-2: first, -1: end - asked.isolation_level}.get(wanted.timestamp, -1)
                answers.append(
                    topic.ListOffsetsPartitionResponse(
                        partition_index=wanted.partition_index,
                        error_code=code,
                        offset=offset,
                        timestamp=-1,
                        leader_epoch=self.epoch,
                    )
                )
            topics.append(topic(name=row.name, partitions=answers))
        return ListOffsetsResponse(topics=topics)

    def _describe_groups(self, asked: t.Any) -> t.Any:
        group = DescribeGroupsResponse.DescribedGroup
        code = self._error(asked)
        rows = []
        for group_id in asked.groups:
            kind, state = self.groups.get(group_id, ("absent", "Dead"))
            classic = kind == "classic"
            members = [_member(group)] if classic and state == "Stable" else []
            rows.append(
                group(
                    error_code=code or (0 if classic else 69),
                    group_id=group_id,
                    group_state=state if classic else "Dead",
                    protocol_type="consumer",
                    protocol_data="range",
                    members=members,
                )
            )
        return DescribeGroupsResponse(groups=rows)

    def _describe_consumer(self, asked: t.Any, answer: t.Any) -> t.Any:
        group = answer.DescribedGroup
        member, assignment = group.Member, group.Member.Assignment
        rows = []
        for group_id in asked.group_ids:
            kind, state = self.groups.get(group_id, ("absent", "Dead"))
            owned = assignment(
                topic_partitions=[assignment.TopicPartitions(topic_id=uuid.uuid4(), topic_name="t", partitions=[0, 1])]
            )
            members = [
                member(
                    member_id="m1",
                    instance_id="static-1",
                    rack_id=None,
                    member_epoch=3,
                    client_id="c1",
                    client_host="/10.0.0.1",
                    subscribed_topic_names=["t"],
                    subscribed_topic_regex=None,
                    assignment=owned,
                    target_assignment=owned,
                )
            ]
            rows.append(
                group(
                    error_code=0 if kind == "consumer" else 69,
                    group_id=group_id,
                    group_state=state,
                    group_epoch=1,
                    assignment_epoch=1,
                    assignor_name="uniform",
                    members=members if state == "Stable" else [],
                )
            )
        return answer(groups=rows)

    def _describe_producers(self, asked: t.Any) -> t.Any:
        topic = DescribeProducersResponse.TopicResponse
        partition = topic.PartitionResponse
        code = self._error(asked)
        topics = []
        for row in asked.topics:
            answers = []
            for number in row.partition_indexes:
                states = [
                    partition.ProducerState(
                        producer_id=producer,
                        producer_epoch=epoch,
                        last_sequence=1,
                        last_timestamp=last,
                        coordinator_epoch=0,
                        current_txn_start_offset=start,
                    )
                    for producer, epoch, last, start in self.producers.get((row.name, number), [])
                ]
                answers.append(
                    partition(
                        partition_index=number,
                        error_code=code,
                        error_message=None,
                        active_producers=[] if code else states,
                    )
                )
            topics.append(topic(name=row.name, partitions=answers))
        return DescribeProducersResponse(topics=topics)

    def _list_transactions(self, asked: t.Any) -> t.Any:
        row = ListTransactionsResponse.TransactionState
        rows = [
            row(transactional_id=name, producer_id=producer, transaction_state=state)
            for name, (producer, _epoch, state, _began, _timeout) in self.coordinated.items()
            if producer in asked.producer_id_filters
        ]
        return ListTransactionsResponse(
            error_code=self._error(asked), unknown_state_filters=[], transaction_states=rows
        )

    def _describe_transactions(self, asked: t.Any) -> t.Any:
        rows = []
        code = self._error(asked)
        for name in asked.transactional_ids:
            producer, epoch, state, began, timeout = self.coordinated[name]
            rows.append(
                DescribeTransactionsResponse.TransactionState(
                    error_code=code,
                    transactional_id=name,
                    transaction_state=state,
                    transaction_timeout_ms=timeout,
                    transaction_start_time_ms=began,
                    producer_id=producer,
                    producer_epoch=epoch,
                    topics=[],
                )
            )
        return DescribeTransactionsResponse(transaction_states=rows)

    def _list_groups(self, asked: t.Any) -> t.Any:
        group = ListGroupsResponse.ListedGroup
        rows = [
            group(group_id=group_id, protocol_type="consumer", group_state=state, group_type=kind)
            for group_id, (kind, state) in self.groups.items()
        ]
        return ListGroupsResponse(error_code=self._error(asked), groups=rows)

    def _leave_group(self, asked: t.Any) -> t.Any:
        member = LeaveGroupResponse.MemberResponse
        code = self._error(asked)
        rows = [member(member_id=m.member_id, group_instance_id=None, error_code=code) for m in asked.members]
        return LeaveGroupResponse(error_code=0, members=rows)

    def _describe_configs(self, asked: t.Any) -> t.Any:
        result = DescribeConfigsResponse.DescribeConfigsResult
        config = result.DescribeConfigsResourceResult
        rows = []
        code = self._error(asked)
        for row in asked.resources:
            there = row.resource_type == 4 or any(name == row.resource_name for name, number in self.logs)
            key, value = row.configuration_keys[0], "2" if row.resource_type == 2 else "10080"
            configs = [config(name=key, value=value, read_only=False, config_source=5, is_sensitive=False)]
            rows.append(
                result(
                    error_code=code or (0 if there else 3),
                    error_message=None,
                    resource_type=row.resource_type,
                    resource_name=row.resource_name,
                    configs=configs if there and not code else [],
                )
            )
        return DescribeConfigsResponse(results=rows)


def _member(group: t.Any) -> t.Any:
    from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment, ConsumerProtocolSubscription

    topic = ConsumerProtocolAssignment.TopicPartition
    assignment = ConsumerProtocolAssignment(assigned_partitions=[topic(topic="t", partitions=[0, 1])], user_data=b"")
    subscription = ConsumerProtocolSubscription(topics=["t", "u"], user_data=None, owned_partitions=[])
    return group.DescribedGroupMember(
        member_id="m1",
        group_instance_id=None,
        client_id="c1",
        client_host="/10.0.0.1",
        member_metadata=subscription.encode(version=1),
        member_assignment=assignment.encode(version=0),
    )
