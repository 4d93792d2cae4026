# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What we use of kafka-python beyond its public interface: these tests fail when the library changes."""

from __future__ import annotations

import inspect
import re
import socket
import typing as t
from pathlib import Path

import pytest
from kafka import errors
from kafka.cluster import ClusterMetadata
from kafka.net.connection import KafkaConnection
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.net.transport import KafkaTCPTransport
from kafka.protocol.api_message import ApiMessage

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import connection, messages, net
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import KafkaError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)


def parameters(function: t.Any) -> set[str]:
    return set(inspect.signature(function).parameters)


def test_the_network_layer_takes_what_we_give_it() -> None:
    """net.py is the one file that uses it; each assertion is one thing it relies on."""
    assert list(inspect.signature(KafkaConnectionManager.__init__).parameters)[:2] == ["self", "net"]
    wanted = {"request_timeout_ms", "reconnect_backoff_ms", "reconnect_backoff_max_ms", "receive_message_max_bytes"}
    assert wanted | {"max_in_flight_requests_per_connection", "ssl_context"} <= net.KNOWN_SETTINGS
    assert {"timeout_ms", "refresh_metadata_on_err", "reset_backoff_on_connect"} <= parameters(
        KafkaConnectionManager.get_connection
    )
    for method in ("run", "call_soon", "least_loaded_node", "reset_backoff", "update_backoff", "close"):
        assert callable(getattr(KafkaConnectionManager, method))
    assert list(inspect.signature(NetworkSelector.call_at).parameters) == ["self", "when", "task"]
    assert callable(NetworkSelector.sleep)
    assert "request_timeout_ms" in parameters(KafkaConnection.send_request)
    assert "self.paused = set()" in inspect.getsource(KafkaConnection.__init__)
    for attribute in ("init_future", "close_future"):
        assert isinstance(getattr(KafkaConnection, attribute), property)
    assert callable(ClusterMetadata.update_metadata)
    assert callable(ClusterMetadata.bootstrap_brokers)
    assert callable(ClusterMetadata.broker_metadata)
    assert "self.cluster = ClusterMetadata(" in inspect.getsource(KafkaConnectionManager.__init__)
    assert "self.initializing = True" in inspect.getsource(KafkaConnection.__init__)


def test_a_failed_connection_fails_everything_that_waits_for_it_with_the_same_error() -> None:
    """This is how the error of a request leads to the broker that could not be reached."""
    source = inspect.getsource(KafkaConnection)
    assert "self._close_future.add_both(self.fail_in_flight_requests)" in source
    assert "self._init_future.failure(error)" in source
    net = NetworkSelector()
    connection = KafkaConnection(net)
    answer, seen = connection.send_request(object()), []
    connection.close_future.add_errback(seen.append)
    error = errors.KafkaConnectionError("why")
    connection.close(error)
    assert (answer.exception, seen) == (error, [error])
    net.close()


def test_an_answer_that_comes_with_the_end_of_the_connection_is_not_lost() -> None:
    """The two inner names that net.py changes, and that it still needs to."""
    assert "transport = await self._build_transport(" in inspect.getsource(KafkaConnectionManager._connect)
    assert "self._sock_recv()" in inspect.getsource(KafkaTCPTransport._read_from_sock)

    def read_twice(change: t.Callable[[t.Any], t.Any]) -> list[tuple[bytes, bool]]:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        transport = change(KafkaTCPTransport(None, ours))
        theirs.sendall(b"why")
        theirs.close()
        read = [transport._sock_recv() for _time in range(2)]
        ours.close()
        return [(received, error is not None) for received, error in read]

    assert read_twice(net.keep_what_came) == [(b"why", False), (b"", True)]
    assert read_twice(lambda transport: transport)[0] == (b"why", True), (
        "the library throws it away: see _read_from_sock"
    )
    assert "if err:\n                return self.abort(error=err)" in inspect.getsource(
        KafkaTCPTransport._read_from_sock
    )


def test_nothing_else_uses_what_is_no_interface_of_the_library() -> None:
    kafka = Path(inspect.getfile(net)).parent
    for file in kafka.parent.rglob("*.py"):
        text = file.read_text()
        if file.parent != kafka or file.name != "net.py":
            inner = re.findall(r"(?:from|import) kafka\.(?:net|future|cluster)\S*.*", text)
            assert [line for line in inner if "AbstractTokenProvider" not in line] == [], file
        if file.parent == kafka and file.name != "net.py":
            assert (
                re.findall(r"(?<!self)(?<!cls)\._[a-z]\w*", re.sub(r"plugins\.module_utils\._\S+", "", text)) == []
            ), file


def test_the_table_of_errors_that_may_pass() -> None:
    passing = [3, 5, 6, 7, 14, 15, 16, 56, 74, 75, 78, 89]
    final = [-1, 12, 22, 25, 27, 28, 29, 30, 31, 33, 34, 35, 53, 58, 68, 69, 82, 88, 110, 111, 113]
    assert [code for code in passing if not connection.may_pass(errors.for_code(code)())] == []
    assert [code for code in final if connection.may_pass(errors.for_code(code)())] == []
    for error in (errors.KafkaConnectionError, errors.NodeNotReadyError, errors.KafkaTimeoutError):
        assert connection.may_pass(error())
    assert connection.may_pass(errors.UnknownBrokerIdError(7))
    assert not connection.may_pass(errors.KafkaConfigurationError("x"))


@pytest.mark.parametrize(
    ("code", "what", "needed"),
    [
        (29, "read the log offsets of t", "DESCRIBE on the topic"),
        (30, "read the committed offsets of group g", "DESCRIBE on the group"),
        (30, "commit 3 offsets to group g", "READ on the group"),
        (30, "evict 1 members of group g", "READ on the group"),
        (30, "delete 3 offsets of group g", "DELETE on the group"),
        (29, "delete 3 offsets of group g", "READ on the topic"),
    ],
)
def test_a_missing_acl_is_named(code: int, what: str, needed: str) -> None:
    assert needed in connection.missing_acl(code, what)


def test_error_names_are_those_of_kafka() -> None:
    assert connection.error_name(25) == "UNKNOWN_MEMBER_ID"
    assert connection.error_name(-1) == "UNKNOWN"
    assert connection.error_name(9999) == "error 9999"


def test_the_schema_of_consumer_group_describe_is_ours() -> None:
    request, response = messages.consumer_group_describe()
    assert (request.API_KEY, response.API_KEY, request.max_version) == (69, 69, 0)
    assert issubclass(request, ApiMessage)
    sent = messages.describe_consumer(["g"])
    assert request.decode(sent.encode(version=0), version=0).group_ids == ["g"]
    # The message we borrowed the name of is untouched.
    from kafka.protocol.admin import DescribeGroupsRequest

    assert (DescribeGroupsRequest.name, DescribeGroupsRequest.API_KEY) == ("DescribeGroupsRequest", 15)


def test_requests_keep_what_they_were_given() -> None:
    tp = TopicPartition("t", 3)
    commit = messages.offset_commit("g", {tp: CommittedOffset(7, 2, "bg:1")})
    seen = type(commit).decode(commit.encode(version=8), version=8)
    assert (seen.generation_id_or_member_epoch, seen.member_id, seen.group_instance_id) == (-1, "", None)
    (partition,) = seen.topics[0].partitions
    assert (partition.committed_offset, partition.committed_leader_epoch, partition.committed_metadata) == (
        7,
        2,
        "bg:1",
    )
    fetch = messages.offset_fetch("g", None)
    seen = type(fetch).decode(fetch.encode(version=8), version=8)
    assert (seen.require_stable, seen.groups[0].topics) == (True, None)


def test_what_is_given_as_tuples_arrives_in_its_fields_in_every_version() -> None:
    """The order in the tuples is that of the message; a new version may have another one."""
    tps = [TopicPartition("t", 3), TopicPartition("u", 0), TopicPartition("t", 1)]
    commit = messages.offset_commit("g", {tp: CommittedOffset(7 + tp.partition, 2, "bg:1") for tp in tps})
    assert (commit._min_version, commit._max_version) == (6, 7)
    for version in (6, 7, 8):
        seen = type(commit).decode(commit.encode(version=version), version=version)
        assert [(topic.name, [row.partition_index for row in topic.partitions]) for topic in seen.topics] == [
            ("t", [3, 1]),
            ("u", [0]),
        ]
        row = seen.topics[0].partitions[0]
        assert (row.committed_offset, row.committed_leader_epoch, row.committed_metadata) == (10, 2, "bg:1")
    asked = messages.list_offsets(tps, messages.EARLIEST, 1, 500)
    assert (asked._min_version, asked._max_version) == (4, 5)
    assert messages.list_offsets(tps, 1795507200000, 1, 500)._max_version is None
    for version in range(4, asked.max_version + 1):
        seen = type(asked).decode(asked.encode(version=version), version=version)
        assert [topic.name for topic in seen.topics] == ["t", "u"]
        assert [
            (row.partition_index, row.current_leader_epoch, row.timestamp) for row in seen.topics[0].partitions
        ] == [
            (3, -1, -2),
            (1, -1, -2),
        ]


@pytest.mark.parametrize(
    ("version", "fits"), [("2.0.2", False), ("3.0.0", False), ("3.0.12", True), ("3.0.99", True), ("3.1.0", False)]
)
def test_a_version_it_was_not_written_for_is_named(version: str, fits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Found:
        def __init__(self) -> None:
            self.version = version

        def locate_file(self, _path: str) -> str:
            return "/usr/lib/python3/dist-packages"

    monkeypatch.setattr(connection.metadata, "distribution", lambda _name: Found())
    if fits:
        connection.KafkaConnection({}, 1.0, 1.0)
        return
    with pytest.raises(
        KafkaError, match=rf"kafka-python {version} in /usr/lib/python3/dist-packages is not one of .* >= 3.0.12, < 3.1"
    ):
        connection.KafkaConnection({}, 1.0, 1.0)
