# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Kafka adapter against a broker that fails on demand, and against peers that are none."""

from __future__ import annotations

import dataclasses
import socket
import threading
import typing as t

import pytest
from kafka.protocol.consumer.metadata import ConsumerProtocolSubscription

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import commits, connection, groups
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.adapter import KafkaAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    GroupNotEmptyError,
    InvalidSettingsError,
    KafkaError,
    OffsetsError,
    PendingOffsetsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.transactions import (
    OFFSETS_TOPIC,
    OpenTransaction,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    LogRange,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.tests.unit.fakes.broker import WireBroker
from ansible_collections.streamops.bluegreen.tests.unit.waiting import HANG, NEVER, ended, joined

# kafka-python leaves sockets of failed connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

T0, T1, T2 = (TopicPartition("t", number) for number in range(3))
NOT_COORDINATOR, LOADING, NOT_LEADER, UNKNOWN_MEMBER, DENIED = 16, 14, 6, 25, 29


@pytest.fixture
def broker() -> t.Iterator[WireBroker]:
    """A broker with one topic of two partitions."""
    with WireBroker() as started:
        started.logs = {("t", 0): (5, 100), ("t", 1): (0, 50)}
        yield started


class Connect(t.Protocol):
    """Makes adapters that are closed when the test ends."""

    def __call__(
        self, address: str, timeout: float = HANG, request_timeout: float = HANG, **settings: t.Any
    ) -> KafkaAdapter:
        """timeouts in seconds; settings in kafka-python's names."""


@pytest.fixture
def connect() -> t.Iterator[Connect]:
    """See Connect."""
    made: list[KafkaAdapter] = []

    def connect(address: str, timeout: float = HANG, request_timeout: float = HANG, **settings: t.Any) -> KafkaAdapter:
        made.append(KafkaAdapter({"bootstrap_servers": [address], **settings}, timeout, request_timeout))
        return made[-1]

    yield connect
    for adapter in made:
        adapter.close()


@pytest.fixture
def kafka(broker: WireBroker, connect: Connect) -> KafkaAdapter:
    """An adapter connected to the broker."""
    return connect(broker.address)


def test_a_round_trip_of_offsets(kafka: KafkaAdapter, broker: WireBroker) -> None:
    offsets = {T0: CommittedOffset(7, 3, "bg:4")}
    assert kafka.commit("g", offsets) == {}
    assert kafka.committed("g", [T0, T1]) == offsets
    assert kafka.committed_topics("g") == {"t"}
    assert kafka.committed_topics("other") == set()


def test_nothing_asked_is_nothing_sent(kafka: KafkaAdapter, broker: WireBroker) -> None:
    assert kafka.topics([]) == {}
    assert kafka.groups([]) == {}
    assert kafka.committed("g", []) == {}
    assert kafka.log_ranges([]) == {}
    assert kafka.open_transactions([]) == []
    assert kafka.commit("g", {}) == {}
    assert kafka.delete_offsets("g", []) == {}
    assert kafka.min_insync_replicas([]) == {}
    kafka.remove_members("g", [])
    assert not broker.requests


@pytest.mark.parametrize("code", [NOT_COORDINATOR, LOADING, 15])
def test_a_coordinator_that_moved_is_looked_up_again(kafka: KafkaAdapter, broker: WireBroker, code: int) -> None:
    kafka.committed("g", [T0])
    broker.errors["OffsetFetchRequest"].append(code)
    assert kafka.committed("g", [T0]) == {}
    broker.errors["OffsetCommitRequest"].append(code)
    assert kafka.commit("g", {T0: CommittedOffset(7)}) == {}
    assert broker.requests["FindCoordinatorRequest"] == 3, "once for each error, and never otherwise"


def test_offsets_of_an_open_transaction_are_told_at_once(kafka: KafkaAdapter, broker: WireBroker) -> None:
    """Who may wait asks again; who only looks gets what was decided before, with one more request."""
    broker.offsets["g"] = {("t", 0): (7, 0, ""), ("t", 1): (8, 0, "")}
    assert kafka.committed_or_pending("g", [T0, T1]) == (kafka.committed("g", [T0, T1]), frozenset())
    broker.requests.clear()
    broker.pending["g"] = {("t", 0), ("t", 2)}
    for read in (lambda: kafka.committed("g", [T0, T1, T2]), lambda: kafka.all_committed("g")):
        with pytest.raises(PendingOffsetsError, match="group g are part of an open transaction") as raised:
            read()
        assert raised.value.group_id == "g"
    assert broker.requests["OffsetFetchRequest"] == 2, "it is not tried again"
    with pytest.raises(PendingOffsetsError, match=r"for 2 partitions \(t-0, t-2\)"):
        kafka.committed("g", [T0, T1, T2])
    assert kafka.committed("g", [T1]) == {T1: CommittedOffset(8, 0, "")}, "the others are known"

    broker.requests.clear()
    known = {T0: CommittedOffset(7, 0, ""), T1: CommittedOffset(8, 0, "")}
    assert kafka.committed_or_pending("g", [T0, T1, T2]) == (known, {T0, T2})
    assert broker.requests["OffsetFetchRequest"] == 2
    assert kafka.committed_or_pending("g", None) == (known, {T0})
    assert kafka.committed_topics("g") == {"t"}
    assert kafka.committed_or_pending("g", []) == ({}, frozenset())
    assert broker.requests["OffsetFetchRequest"] == 5


def test_transactions_that_may_hold_offsets_of_a_group(kafka: KafkaAdapter, broker: WireBroker) -> None:
    """Those on the group's partition of the offsets topic; begin and timeout are their coordinators' to tell."""
    for number in range(5):
        broker.logs[(OFFSETS_TOPIC, number)] = (0, 50)
    where = TopicPartition(OFFSETS_TOPIC, 3)  # "g" is 103 to Java
    broker.producers = {
        (OFFSETS_TOPIC, 3): [(9, 1, 1700, 30), (8, 0, 1800, 40), (7, 0, 1500, -1)],
        (OFFSETS_TOPIC, 2): [(6, 0, 1500, 3)],
    }
    plain = [OpenTransaction(where, 9, 1, 30, 1700), OpenTransaction(where, 8, 0, 40, 1800)]
    assert kafka.transactions_beside("g") == plain, "who may not describe them gets no details"
    broker.coordinated = {"app-1": (9, 1, "Ongoing", 1600, 60_000), "app-2": (8, 0, "CompleteAbort", 1600, 60_000)}
    assert kafka.transactions_beside("g") == [dataclasses.replace(
        plain[0], transactional_id="app-1", began=1600, timeout=60_000), plain[1]]  # fmt: skip
    broker.errors["DescribeTransactionsRequest"].append(53)
    assert kafka.transactions_beside("g") == plain
    broker.errors["DescribeProducersRequest"].append(DENIED)
    with pytest.raises(KafkaError, match=r"find the open transactions on __consumer_offsets.*READ on the topic"):
        kafka.transactions_beside("g")


def test_a_partition_that_may_not_be_read_is_an_error(kafka: KafkaAdapter, broker: WireBroker) -> None:
    broker.errors["OffsetFetchRequest"].append(DENIED)
    with pytest.raises(KafkaError, match="TOPIC_AUTHORIZATION_FAILED \\(partition t-0\\)"):
        kafka.committed("g", [T0])
    assert broker.requests["OffsetFetchRequest"] == 1, "it is not tried again"


def test_log_ranges(kafka: KafkaAdapter, broker: WireBroker) -> None:
    assert kafka.log_ranges([T0, T1]) == {T0: LogRange(5, 100, 0), T1: LogRange(0, 50, 0)}
    assert kafka.log_ranges([T0], read_committed=True) == {T0: LogRange(5, 99, 0)}
    assert kafka.offsets_for_time([T0], 1234) == {}
    asked = broker.requests["MetadataRequest"]
    broker.errors["ListOffsetsRequest"].append(NOT_LEADER)
    assert kafka.log_ranges([T0]) == {T0: LogRange(5, 100, 0)}
    assert broker.requests["MetadataRequest"] == asked + 1, "a lost leader is looked up again"
    kafka.log_ranges([T0])
    assert broker.requests["MetadataRequest"] == asked + 1, "a known leader is not"


def test_open_transactions(kafka: KafkaAdapter, broker: WireBroker) -> None:
    """Of everybody who writes to the partitions only those who have a transaction open; one request for a leader."""
    broker.producers = {
        ("t", 1): [(9, 0, 1700, 30), (8, 2, 1600, 0), (7, 0, 1500, -1)],
        ("t", 0): [(9, 0, 1800, 77), (6, 0, -1, -1)],
    }
    found = [
        OpenTransaction(T0, 9, 0, 77, 1800),
        OpenTransaction(T1, 8, 2, 0, 1600),
        OpenTransaction(T1, 9, 0, 30, 1700),
    ]
    assert kafka.open_transactions([T1, T0]) == found
    assert kafka.open_transactions([T1]) == found[1:]
    assert broker.requests["DescribeProducersRequest"] == 2
    asked = broker.requests["MetadataRequest"]
    broker.errors["DescribeProducersRequest"].append(NOT_LEADER)
    assert kafka.open_transactions([T1, T0]) == found
    assert broker.requests["MetadataRequest"] == asked + 1, "a lost leader is looked up again"


def test_open_transactions_that_may_not_be_read(kafka: KafkaAdapter, broker: WireBroker) -> None:
    broker.errors["DescribeProducersRequest"].append(DENIED)
    with pytest.raises(
        KafkaError, match=r"find the open transactions on t.*needs an ACL that allows READ on the topic"
    ):
        kafka.open_transactions([T0])
    assert broker.requests["DescribeProducersRequest"] == 1, "it is not tried again"


def test_a_partition_without_leader_is_waited_for(kafka: KafkaAdapter, broker: WireBroker) -> None:
    broker.errors["leader"].append(1)
    assert kafka.log_ranges([T0]) == {T0: LogRange(5, 100, 0)}


def test_a_partition_that_does_not_exist_is_named(kafka: KafkaAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "UNKNOWN_TOPIC_PATIENCE", 0.5)
    with pytest.raises(KafkaError, match="UNKNOWN_TOPIC_OR_PARTITION \\(partition t-9\\)"):
        kafka.log_ranges([TopicPartition("t", 9)])


def test_topics(kafka: KafkaAdapter, broker: WireBroker) -> None:
    found = kafka.topics(["t", "nope"])
    assert list(found) == ["t"]
    assert (found["t"].partitions[0].leader, found["t"].partitions[0].isr) == (1, (1,))
    assert kafka.min_insync_replicas(["t", "nope"]) == {"t": 2}


@pytest.mark.parametrize("kind", ["classic", "consumer"])
def test_groups_with_members(kafka: KafkaAdapter, broker: WireBroker, kind: str) -> None:
    broker.groups["g"] = (kind, "Stable")
    group = kafka.groups(["g"])["g"]
    assert (group.kind, group.state, group.is_empty) == (kind, "Stable", False)
    assert (group.members[0].client_id, group.members[0].host) == ("c1", "10.0.0.1")
    assert group.members[0].assignment == {T0, T1}
    assert group.members[0].subscribed == ({"t", "u"} if kind == "classic" else {"t"})
    assert group.members[0].instance_id == ("static-1" if kind == "consumer" else None)
    assert broker.requests["ListGroupsRequest"] == 0


@pytest.mark.parametrize(
    ("protocol_type", "subscription"),
    [
        ("consumer", b""),
        ("consumer", b"\x00"),
        ("consumer", b"\x00\x09nonsense"),
        ("consumer", b"\x00\x01\xff\xff\xff\xff"),
        ("consumer", b"\x00\x01\x00\x00\x00\x01\xff\xfft"),
        ("consumer", b"\x00\x01\x00\x00\x00\x01\x00\x02t"),
        ("consumer", b"\x00\x01\x00\x00\x00\x01\x00\x01\xff"),
        ("connect", b"\x00\x01"),
    ],
)
def test_a_subscription_that_cannot_be_read_is_not_known(protocol_type: str, subscription: bytes) -> None:
    assert groups._subscribed(protocol_type, subscription) is None


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_only_the_topics_of_a_subscription_are_read(version: int) -> None:
    """The partitions that come after them are many, and nobody uses them."""
    owned = [ConsumerProtocolSubscription.TopicPartition(topic="t", partitions=[0, 1, 2])]
    written = ConsumerProtocolSubscription(topics=["t", "ü"], user_data=b"x", owned_partitions=owned).encode(
        version=version
    )
    for subscription in (written, written[:-1]):
        assert groups._subscribed("consumer", subscription) == {"t", "ü"}
    assert groups._subscribed("consumer", memoryview(written)) == {"t", "ü"}


def test_groups_without_members(kafka: KafkaAdapter, broker: WireBroker) -> None:
    broker.groups = {"c": ("classic", "Empty"), "n": ("consumer", "Empty"), "s": ("Share", "Stable")}
    found = kafka.groups(["c", "n", "s", "nobody"])
    assert {name: (g.kind, g.state, g.is_empty) for name, g in found.items()} == {
        "c": ("classic", "Empty", True),
        "n": ("consumer", "Empty", True),
        "s": ("share", "Stable", False),
        "nobody": ("absent", "Dead", True),
    }


def test_groups_of_a_broker_before_kip_848(broker: WireBroker, connect: Connect) -> None:
    broker.consumer_groups = False
    broker.groups["g"] = ("classic", "Stable")
    assert connect(broker.address).groups(["g"])["g"].kind == "classic"


def test_members_refuse_a_commit_and_are_named(kafka: KafkaAdapter, broker: WireBroker) -> None:
    broker.groups["g"] = ("classic", "Stable")
    broker.errors["OffsetCommitRequest"].append(UNKNOWN_MEMBER)
    with pytest.raises(GroupNotEmptyError, match=r"1: m1 \(client c1 at 10.0.0.1\)") as raised:
        kafka.commit("g", {T0: CommittedOffset(7)})
    assert raised.value.result["members"] == ["m1"]


def test_a_refused_partition_is_an_answer(kafka: KafkaAdapter, broker: WireBroker) -> None:
    gone = TopicPartition("gone", 0)
    assert kafka.commit("g", {T0: CommittedOffset(7), gone: CommittedOffset(1)}) == {gone: "UNKNOWN_TOPIC_OR_PARTITION"}
    assert broker.offsets["g"] == {("t", 0): (7, -1, "")}
    assert broker.requests["OffsetCommitRequest"] == 1


def test_a_negative_offset_is_never_sent(kafka: KafkaAdapter, broker: WireBroker) -> None:
    with pytest.raises(OffsetsError, match="negative offset for t-1"):
        kafka.commit("g", {T0: CommittedOffset(7), T1: CommittedOffset(-1)})
    assert not broker.requests


def test_a_commit_too_large_for_the_broker_is_split(kafka: KafkaAdapter, broker: WireBroker) -> None:
    broker.logs = {("t", number): (0, 10) for number in range(100)}
    broker.most_bytes = 700
    offsets = {TopicPartition("t", number): CommittedOffset(number % 10, 0, "") for number in range(100)}
    assert kafka.commit("g", offsets) == {}
    assert kafka.committed("g", list(offsets)) == offsets
    assert broker.requests["OffsetCommitRequest"] == 7, "100, 2 of 50, 4 of 25"


def test_one_offset_that_is_too_large_is_refused(kafka: KafkaAdapter, broker: WireBroker) -> None:
    broker.most_bytes = 10
    assert kafka.commit("g", {T0: CommittedOffset(7), T1: CommittedOffset(8)}) == {T0: "UNKNOWN", T1: "UNKNOWN"}


def test_commits_are_cut_by_bytes() -> None:
    offsets = {TopicPartition("t", number): CommittedOffset(number, 0, "ü" * 10) for number in range(10)}
    size = commits.PARTITION_BYTES + len("group") + len("t") + 20
    chunks = commits.commit_chunks("group", offsets, limit=3 * size)
    assert [len(chunk) for chunk in chunks] == [3, 3, 3, 1]
    assert {tp: offset for chunk in chunks for tp, offset in chunk.items()} == offsets
    assert [len(chunk) for chunk in commits.commit_chunks("group", offsets, limit=1)] == [1] * 10
    assert commits.commit_chunks("group", {}) == []


def test_members_that_are_gone_already_are_no_error(kafka: KafkaAdapter, broker: WireBroker) -> None:
    kafka.remove_members("g", ["m1"])
    broker.errors["LeaveGroupRequest"].append(UNKNOWN_MEMBER)
    kafka.remove_members("g", ["m1"])
    broker.errors["LeaveGroupRequest"].append(30)
    with pytest.raises(KafkaError, match="GROUP_AUTHORIZATION_FAILED \\(member m1\\)"):
        kafka.remove_members("g", ["m1"])


def test_a_lost_connection_is_made_again(kafka: KafkaAdapter, broker: WireBroker) -> None:
    kafka.committed("g", [T0])
    broker.drop_connections()
    assert kafka.committed("g", [T0]) == {}


def test_a_broker_that_falls_silent(broker: WireBroker, connect: Connect) -> None:
    kafka = connect(broker.address, request_timeout=0.3)
    kafka.committed("g", [T0])
    broker.silent = True
    kafka._kafka._timeout = 1.0
    with pytest.raises(KafkaError, match=f"no usable answer from Kafka at {broker.address} within 1 s"):
        ended("a call", lambda: kafka.committed("g", [T0]))
    broker.silent = False
    kafka._kafka._timeout = HANG
    assert kafka.committed("g", [T0]) == {}, "the adapter recovers"


def test_many_calls_at_once(kafka: KafkaAdapter, broker: WireBroker) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _round in range(5):
                kafka.groups(["g"])
                kafka.log_ranges([T0, T1])
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    threads = [threading.Thread(target=work) for _number in range(16)]
    for thread in threads:
        thread.start()
    joined(*threads)
    assert failures == []
    assert broker.requests["ApiVersionsRequest"] <= 3, "one client for all"


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
def test_a_peer_that_accepts_and_says_nothing(protocol: str, connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as peer:
        address = f"127.0.0.1:{peer.getsockname()[1]}"
        kafka = connect(address, timeout=1.0, request_timeout=NEVER, security_protocol=protocol)
        for _attempt in range(2):
            with pytest.raises(KafkaError, match=f"no connection to Kafka at {address} within 1 s"):
                ended("a call", lambda: kafka.groups(["g"]))


def test_a_closed_port_says_why(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as peer:
        address = f"127.0.0.1:{peer.getsockname()[1]}"
    with pytest.raises(KafkaError, match=rf"no connection to Kafka at {address} within 1 s.*ECONNREFUSED"):
        connect(address, timeout=1.0).groups(["g"])


def test_settings_that_kafka_python_does_not_know(connect: Connect) -> None:
    with pytest.raises(InvalidSettingsError, match="nonsense"):
        connect("127.0.0.1:1", nonsense=1).groups(["g"])


def test_a_broker_that_is_too_old(broker: WireBroker, connect: Connect) -> None:
    with pytest.raises(KafkaError, match="or newer is needed"):
        connect(broker.address, api_version=(2, 3)).committed("g", [T0])


def test_the_leader_epoch_of_a_log_is_read(kafka: KafkaAdapter, broker: WireBroker) -> None:
    broker.epoch = 7
    assert kafka.log_ranges([T0])[T0].epoch == 7


def test_all_committed_offsets(kafka: KafkaAdapter, broker: WireBroker) -> None:
    broker.offsets["g"] = {("t", 1): (7, 3, "m"), ("t", 0): (1, -1, "")}
    assert kafka.all_committed("g") == {T0: CommittedOffset(1), T1: CommittedOffset(7, 3, "m")}
    assert kafka.all_committed("nobody") == {}


def test_offsets_are_deleted(kafka: KafkaAdapter, broker: WireBroker) -> None:
    broker.offsets["g"] = {("t", 1): (7, 3, "m"), ("t", 0): (1, -1, "")}
    assert kafka.delete_offsets("g", [T0]) == {}
    assert list(broker.offsets["g"]) == [("t", 1)]
    broker.errors["OffsetDeleteRequest"].append(NOT_COORDINATOR)
    assert kafka.delete_offsets("g", [T1]) == {}, "a coordinator that moved is looked up again"
    broker.errors["OffsetDeleteRequest"].append(69)
    assert kafka.delete_offsets("g", [T1]) == {}, "a group that does not exist has no offsets"
    broker.errors["OffsetDeleteRequest"].append(30)
    assert kafka.delete_offsets("g", [T1]) == {T1: "GROUP_AUTHORIZATION_FAILED"}
    broker.groups["g"] = ("classic", "Stable")
    broker.errors["OffsetDeleteRequest"].append(68)
    with pytest.raises(GroupNotEmptyError, match="cannot be deleted"):
        kafka.delete_offsets("g", [T1])


def test_a_group_is_deleted(kafka: KafkaAdapter, broker: WireBroker) -> None:
    broker.groups["g"] = ("classic", "Empty")
    kafka.delete_group("g")
    assert broker.groups == {}
    kafka.delete_group("g")
    broker.groups["g"] = ("classic", "Stable")
    broker.errors["DeleteGroupsRequest"].append(68)
    with pytest.raises(GroupNotEmptyError, match="client c1"):
        kafka.delete_group("g")
    broker.errors["DeleteGroupsRequest"].append(30)
    with pytest.raises(KafkaError, match="GROUP_AUTHORIZATION_FAILED"):
        kafka.delete_group("g")


def test_the_list_of_groups(kafka: KafkaAdapter, broker: WireBroker) -> None:
    broker.groups = {"s": ("Share", "Stable"), "c": ("Classic", "Empty"), "n": ("Consumer", "Stable")}
    assert [(group.group_id, group.kind, group.state) for group in kafka.list_groups()] == [
        ("c", "classic", "Empty"),
        ("n", "consumer", "Stable"),
        ("s", "share", "Stable"),
    ]


def test_the_retention_of_offsets(kafka: KafkaAdapter, broker: WireBroker) -> None:
    assert kafka.offsets_retention() == 10080
    broker.errors["DescribeConfigsRequest"].append(31)
    assert kafka.offsets_retention() is None, "it may not be read"


def test_a_commit_in_parts(broker: WireBroker, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits.commit_chunks, "__defaults__", (200,))
    broker.logs = {("t", number): (0, 10) for number in range(10)}
    offsets = {TopicPartition("t", number): CommittedOffset(number) for number in range(10)}
    assert connect(broker.address).commit("g", offsets) == {}
    assert broker.requests["OffsetCommitRequest"] == 4
    assert {number: row[0] for (topic, number), row in broker.offsets["g"].items()} == {n: n for n in range(10)}
