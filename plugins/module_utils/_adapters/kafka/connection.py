# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The one connection to Kafka: hard deadlines, our own retries, our own coordinator and leader caches."""

from __future__ import annotations

import collections
import logging
import re
import sys
import threading
import time
import traceback
import typing as t
from importlib import metadata

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import causes, net, security
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.bootstrap import (
    BACKOFF,
    MOST_BACKOFF,
    Deadline,
    RefusedError,
    connect,
    servers_of,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.refusal import Refusals
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import KafkaError, MissingLibraryError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition

try:
    from kafka import errors
    from kafka.protocol.metadata import FindCoordinatorRequest, MetadataRequest

    KAFKA_IMPORT_ERROR = ""
except ImportError:
    KAFKA_IMPORT_ERROR = traceback.format_exc()

T = t.TypeVar("T")

LIBRARY = "kafka-python >= 3.0.12, < 3.1"
_LEAST, _BELOW = (3, 0, 12), (3, 1)
UNKNOWN_TOPIC_PATIENCE = 5.0
"""Seconds a broker may not know a topic that exists (it learns of new topics a moment later than the client)."""
_GRACE = 0.2
"""Seconds an attempt is given to notice the deadline by itself, so that its own words reach the user."""
PASSING = frozenset({3, 5, 6, 7, 13, 14, 15, 16, 56, 72, 74, 75, 78, 89, 100, 103})
"""Error codes that may pass: coordinators and leaders that move or load (14-16, 3, 5, 6, 56, 72, 74, 75, 78, 100, 103),
time limits, lost connections and throttling between brokers (7, 13, 89). An open transaction (88) may last for ever."""
UNKNOWN_TOPIC = 3
DENIED = {29: "topic", 30: "group", 31: "cluster", 53: "transactional id"}
"""Error codes of a missing ACL, and what the ACL is for."""


def _check_version() -> None:
    """Raise KafkaError that names version and place of a kafka-python this was not written for: it fails later, and obscurely."""
    package = "kafka-python"
    try:
        found = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return  # e.g. a package of a distribution by another name: it could be imported
    version = tuple(int(part) for part in re.findall(r"\d+", found.version)[:3])
    if not _LEAST <= version < _BELOW:
        raise KafkaError(
            f"{package} {found.version} in {found.locate_file('')} is not one of {LIBRARY}. Install one for {sys.executable}, "
            "or name another Python with ansible_python_interpreter"
        )


class KafkaConnection:
    """Sends protocol messages to the brokers. Safe to use from several threads.

    settings: kafka-python's own names (``bootstrap_servers``, ``security_protocol``, ``ssl_*``, ``sasl_*``,
    ``client_id``). timeout: seconds for one call, connecting and retries included. request_timeout: seconds a broker has
    to answer one request before the connection is given up and the request sent again. answered: see Refusals.
    """

    def __init__(
        self, settings: t.Mapping[str, t.Any], timeout: float, request_timeout: float, answered: bool = False
    ) -> None:
        if KAFKA_IMPORT_ERROR:
            raise MissingLibraryError(LIBRARY, KAFKA_IMPORT_ERROR)
        _check_version()
        self._settings = dict(settings)
        self._timeout = timeout
        self._request_timeout = request_timeout
        self._connections: net.Connections | None = None
        self._connecting = threading.Lock()
        self._refusals = Refusals(answered)
        self._coordinators: dict[str, int] = {}
        self._leaders: dict[TopicPartition, int] = {}
        self._seen = ""
        # Without a handler Python would print the library's complaints; we tell the cause in our own message.
        logging.getLogger("kafka").addHandler(logging.NullHandler())

    @property
    def servers(self) -> str:
        """The bootstrap servers, for messages."""
        return servers_of(self._settings)

    def call(self, what: str, work: t.Callable[[], t.Awaitable[T]]) -> T:
        """Run a coroutine that uses ``send`` on the connection, again and again while the error may pass.

        Raises KafkaError, at the latest when the timeout is over even if the library hangs. what: for messages
        (``read the committed offsets of group g``).
        """
        deadline = Deadline(self._timeout)
        results: list[T] = []
        failures: list[Exception] = []
        done = threading.Event()

        def attempts() -> None:
            try:
                results.append(self._attempts(work, deadline))
            except Exception as error:  # noqa: BLE001 - handed to the calling thread
                failures.append(error)
            finally:
                done.set()

        threading.Thread(target=attempts, name="bg-kafka-call", daemon=True).start()
        if not done.wait(deadline.left + _GRACE):
            failure = KafkaError(self._message(what))
            # Whatever hangs in there must not block the next call.
            self._connecting = threading.Lock()
            self._close(wait=0.0)
            raise failure
        if failures:
            raise self._translate(what, failures[0]) from failures[0]
        return results[0]

    def _attempts(self, work: t.Callable[[], t.Awaitable[T]], deadline: Deadline) -> T:
        pause = BACKOFF
        while True:
            connections = self._connected(deadline)
            try:
                return connections.run(work)
            except Exception as error:  # noqa: BLE001 - most are raised again
                # When another call gave these connections up, the error says nothing about the brokers.
                if self._connections is connections or not deadline.left:
                    self._wait_or_raise(connections, error, pause, deadline)
            time.sleep(min(pause, deadline.left))
            pause = min(2 * pause, MOST_BACKOFF)

    def _wait_or_raise(self, connections: net.Connections, error: Exception, pause: float, deadline: Deadline) -> None:
        """Return when the work should be tried again after a pause."""
        failed = connections.failure_of(error)
        if failed and causes.is_final(error):
            # The library remembers refused credentials; new ones need a new client.
            self._give_up(connections)
            raise RefusedError(causes.explain(failed.host, failed.port, error, connections.settings)) from error
        if isinstance(error, errors.KafkaConnectionError) and (lapsed := causes.lapsed_token(connections.settings)):
            raise RefusedError(lapsed) from error
        self._seen = str(failed or error)
        patience = UNKNOWN_TOPIC_PATIENCE if _code(error) == UNKNOWN_TOPIC else self._timeout
        if not may_pass(error) or deadline.left <= pause or deadline.spent + pause > patience:
            raise error
        self._forget(connections, error)

    def _connected(self, deadline: Deadline) -> net.Connections:
        """The connections, made at the first call. Callers in other threads wait here, within their own deadlines."""
        lock = self._connecting
        if not lock.acquire(timeout=deadline.left):
            raise errors.KafkaTimeoutError("another call is still connecting")
        try:
            if self._connections is None:
                connections = connect(self._settings, self._request_timeout, deadline, self._refusals)
                if self._connecting is not lock:  # the call was given up meanwhile
                    connections.close(0.0)
                    raise errors.KafkaTimeoutError("connected too late")
                self._connections = connections
            return self._connections
        finally:
            lock.release()

    def _forget(self, connections: net.Connections, error: Exception) -> None:
        """What we believed about coordinators and leaders is in doubt after any error that may pass."""
        self._coordinators = {}
        self._leaders = {}
        if isinstance(error, errors.UnknownBrokerIdError):
            connections.run(connections.refresh)

    # The following run inside ``work``, on kafka-python's own event loop.

    def send(self, request: t.Any, node: int | None = None) -> t.Awaitable[t.Any]:
        """Send now, await the answer later; without a node to any broker."""
        connections = self._connections
        if connections is None:  # only after another call gave up on these connections
            raise errors.KafkaConnectionError("the connections were given up")
        return connections.send(request, node)

    async def coordinators(self, groups: t.Collection[str]) -> dict[str, int]:
        """Broker ids of the groups' coordinators; one request for all that are not known yet."""
        unknown = [group for group in groups if group not in self._coordinators]
        if unknown:
            answer = await self.send(FindCoordinatorRequest(key_type=0, coordinator_keys=unknown, min_version=4))
            for row in answer.coordinators:
                if row.error_code:
                    raise errors.for_code(row.error_code)(f"coordinator of group {row.key}")
                self._coordinators[row.key] = row.node_id
        return {group: self._coordinators[group] for group in groups}

    async def metadata(self, topics: t.Collection[str]) -> t.Any:
        """Fresh metadata of the topics; remembers their leaders."""
        topic = MetadataRequest.MetadataRequestTopic
        answer = await self.send(
            MetadataRequest(
                topics=[topic(name=name) for name in topics], allow_auto_topic_creation=False, min_version=4
            )
        )
        denied = [row.name for row in answer.topics if DENIED.get(row.error_code) == "topic"]
        if denied:
            raise errors.TopicAuthorizationFailedError(", ".join(sorted(denied)))
        for row in answer.topics:
            for partition in row.partitions:
                self._leaders[TopicPartition(row.name, partition.partition_index)] = partition.leader_id
        return answer

    async def by_leader(self, partitions: t.Collection[TopicPartition]) -> dict[int, list[TopicPartition]]:
        """The partitions grouped by the broker that leads them."""
        unknown = sorted({tp.topic for tp in partitions if tp not in self._leaders})
        if unknown:
            answer = await self.metadata(unknown)
            for row in answer.topics:
                if row.error_code:
                    raise errors.for_code(row.error_code)(f"topic {row.name}")
        grouped: dict[int, list[TopicPartition]] = collections.defaultdict(list)
        for tp in partitions:
            leader = self._leaders.get(tp)
            if leader is None:
                raise errors.UnknownTopicOrPartitionError(f"partition {tp}")
            if leader < 0:
                raise errors.LeaderNotAvailableError(f"partition {tp}")
            grouped[leader].append(tp)
        return grouped

    def close(self) -> None:
        """Close the connections. Not needed before a process ends."""
        self._close(wait=2.0)

    def _close(self, wait: float) -> None:
        connections, self._connections = self._connections, None
        if connections is not None:
            connections.close(wait)

    def _give_up(self, connections: net.Connections) -> None:
        if self._connections is connections:
            self._connections = None
        connections.close(0.0)

    def _translate(self, what: str, error: Exception) -> Exception:
        """kafka-python's error as ours, in Kafka's words; anything unexpected stays what it is."""
        if isinstance(error, RefusedError):
            return KafkaError(f"Could not {what}: {error}")
        if not isinstance(error, errors.KafkaError):
            return error
        if isinstance(error, errors.IncompatibleBrokerVersion):
            return KafkaError(
                f"Could not {what}: the brokers at {self.servers} are too old, 3.0 or newer is needed ({error.args[0]})"
            )
        if isinstance(error, errors.BrokerResponseError) and not isinstance(error, errors.RequestTimedOutError):
            code: t.Any = error.errno
            name, description = error_name(code), getattr(error, "description", None) or ""
            about = f" ({error.args[0]})" if error.args else ""
            who = security.principal(self._settings)
            hint = f" {missing_acl(code, what)}, and is {who}" if code in DENIED else ""
            return KafkaError(
                f"Could not {what}: Kafka at {self.servers} answered {name}{about}. {description}{hint}".rstrip()
            )
        return KafkaError(self._message(what, f" ({error})"))

    def _message(self, what: str, detail: str = "") -> str:
        seen = "no connection to" if self._connections is None else "no usable answer from"
        said = f"; seen last: {self._seen}" if self._seen and self._seen not in detail else ""
        return (
            f"Could not {what}: {seen} Kafka at {self.servers} within {self._timeout:g} s{detail}{said}. "
            "Check bootstrap_servers, security_protocol and the network"
        )


def may_pass(error: BaseException) -> bool:
    """Whether the same request may succeed in a moment."""
    if isinstance(error, errors.BrokerResponseError):
        return error.errno in PASSING
    # Lost and refused connections, back-offs, throttling, and brokers we have not heard of yet.
    return isinstance(error, errors.RetriableError | errors.UnknownBrokerIdError)


def missing_acl(code: int, what: str) -> str:
    """Which ACL an error of authorization asks for. what: as for ``KafkaConnection.call``."""
    operation = "DESCRIBE"
    if what.startswith(("commit", "evict", "delete", "find the open transactions")):
        operation = "DELETE" if what.startswith("delete") and DENIED[code] == "group" else "READ"
    return f"The principal needs an ACL that allows {operation} on the {DENIED[code]}"


def _code(error: BaseException) -> int:
    return t.cast(int, error.errno) if isinstance(error, errors.BrokerResponseError) else 0


def error_name(code: int) -> str:
    """Kafka's name of an error code (``UNKNOWN_MEMBER_ID``)."""
    return str(errors.for_code(code).message) if code in errors.kafka_errors else f"error {code}"


def check(code: int, about: str) -> None:
    """Raise kafka-python's exception for an error code. about: what the code was for."""
    if code:
        raise errors.for_code(code)(about)
