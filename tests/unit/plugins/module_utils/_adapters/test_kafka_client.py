# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What we use of kafka-python beyond its public interface: these tests fail when the library changes."""

from __future__ import annotations

import inspect
import logging

from kafka import KafkaAdminClient, errors
from kafka.net.manager import KafkaConnectionManager
from kafka.protocol.api_message import ApiMessage

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters import kafka_client, kafka_messages
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import CommittedOffset, TopicPartition


def test_the_manager_is_there_and_takes_what_we_give_it() -> None:
    source = inspect.getsource(KafkaAdminClient.__init__)
    assert "self._manager = " in source, "kafka_client.manager_of reads this attribute"
    assert "self._net.start()" in source, "calls run on a thread of the client's own"
    assert list(inspect.signature(KafkaConnectionManager.send).parameters)[:3] == ["self", "request", "node_id"]
    assert list(inspect.signature(KafkaConnectionManager.run).parameters)[:2] == ["self", "coro"]


def test_the_cluster_can_be_read_again() -> None:
    from kafka.cluster import ClusterMetadata

    assert inspect.iscoroutinefunction(ClusterMetadata.refresh_metadata)
    assert "self.cluster = ClusterMetadata(" in inspect.getsource(KafkaConnectionManager.__init__)


def test_errors_say_themselves_whether_they_may_pass() -> None:
    passing = [3, 5, 6, 7, 14, 15, 16, 56, 74, 75, 78, 88, 89]
    final = [12, 22, 25, 27, 28, 29, 30, 31, 35, 53, 58, 68, 69, 82, 110, 111, 113]
    assert [code for code in passing if not errors.for_code(code).retriable] == []
    assert [code for code in final if errors.for_code(code).retriable] == []
    for error in (errors.KafkaConnectionError, errors.NodeNotReadyError, errors.KafkaTimeoutError):
        assert error.retriable


def test_error_names_are_those_of_kafka() -> None:
    assert kafka_client.error_name(25) == "UNKNOWN_MEMBER_ID"
    assert kafka_client.error_name(-1) == "UNKNOWN"
    assert kafka_client.error_name(9999) == "error 9999"


def test_the_schema_of_consumer_group_describe_is_ours() -> None:
    request, response = kafka_messages.consumer_group_describe()
    assert (request.API_KEY, response.API_KEY, request.max_version) == (69, 69, 0)
    assert issubclass(request, ApiMessage)
    sent = kafka_messages.describe_consumer(["g"])
    assert request.decode(sent.encode(version=0), version=0).group_ids == ["g"]
    # The message we borrowed the name of is untouched.
    from kafka.protocol.admin import DescribeGroupsRequest

    assert (DescribeGroupsRequest.name, DescribeGroupsRequest.API_KEY) == ("DescribeGroupsRequest", 15)


def test_requests_keep_what_they_were_given() -> None:
    tp = TopicPartition("t", 3)
    commit = kafka_messages.offset_commit("g", {tp: CommittedOffset(7, 2, "bg:1")})
    seen = type(commit).decode(commit.encode(version=8), version=8)
    assert (seen.generation_id_or_member_epoch, seen.member_id, seen.group_instance_id) == (-1, "", None)
    (partition,) = seen.topics[0].partitions
    assert (partition.committed_offset, partition.committed_leader_epoch, partition.committed_metadata) == (
        7,
        2,
        "bg:1",
    )
    fetch = kafka_messages.offset_fetch("g", None)
    seen = type(fetch).decode(fetch.encode(version=8), version=8)
    assert (seen.require_stable, seen.groups[0].topics) == (True, None)


def test_kafka_pythons_complaints_are_kept_for_messages() -> None:
    connection = kafka_client.KafkaConnection({"bootstrap_servers": "b:1"}, 1.0, 1.0)
    log = logging.getLogger("kafka.net.manager")
    log.error("Connection failed: certificate verify failed")
    log.error("Connection failed: Connection timed out")
    log.error("Bootstrap failed: no brokers")
    log.warning("something harmless")
    assert "certificate verify failed" in connection._message("read")
    connection.close()
    assert connection._last_words not in logging.getLogger("kafka").handlers
