# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The one connection to Kafka: hard deadlines, our own retries, our own coordinator and leader caches.

kafka-python's admin layer itself is not used, because it keeps a coordinator for
ever, retries nothing, can hang without end on a peer that accepts a connection and stays silent, and reads one broker
after another.
"""

from __future__ import annotations

import collections
import logging
import threading
import time
import traceback
import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import KafkaError, MissingLibraryError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import TopicPartition

try:
    from kafka import KafkaAdminClient, errors
    from kafka.protocol.metadata import FindCoordinatorRequest, MetadataRequest

    KAFKA_IMPORT_ERROR = ""
except ImportError:
    KAFKA_IMPORT_ERROR = traceback.format_exc()

T = t.TypeVar("T")

LIBRARY = "kafka-python >= 3.0.12, < 3.1"
BACKOFF = 0.05
"""Seconds between two attempts."""
UNKNOWN_TOPIC_PATIENCE = 5.0
"""Seconds a broker may not know a topic that exists (it learns of new topics a moment later than the client)."""
_GRACE = 0.1
"""Seconds kafka-python is given to notice a deadline by itself, so that its own words reach the user."""


class Deadline:
    """A point in time that everything done for one call respects."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds left, not negative."""
        return max(0.0, self._end - time.monotonic())

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return self.seconds - (self._end - time.monotonic())


class _LastWords(logging.Handler):
    """Keeps what kafka-python last complained about: its exceptions often hide the cause (TLS, SASL, DNS)."""

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self._said: collections.deque[str] = collections.deque(maxlen=20)

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging."""
        if record.levelno >= logging.ERROR or "failed" in record.getMessage():
            self._said.append(record.getMessage())

    def cause(self) -> str:
        """The last complaint that says more than that the time was over."""
        said = [text for text in self._said if not text.startswith("Bootstrap failed")]
        telling = [text for text in said if "timed out" not in text]
        return (telling or said or [""])[-1]


class KafkaConnection:
    """Sends protocol messages to the brokers. Safe to use from several threads.

    settings: kafka-python's own names (``bootstrap_servers``, ``security_protocol``, ``ssl_*``, ``sasl_*``,
    ``client_id``). timeout: seconds for one call, connecting and retries included. request_timeout: seconds a broker has
    to answer one request before the connection is given up and the request sent again.
    """

    def __init__(self, settings: t.Mapping[str, t.Any], timeout: float, request_timeout: float) -> None:
        if KAFKA_IMPORT_ERROR:
            raise MissingLibraryError(LIBRARY, KAFKA_IMPORT_ERROR)
        self._settings = dict(settings)
        self._timeout = timeout
        self._request_timeout = request_timeout
        self._admin: KafkaAdminClient | None = None
        self._connecting = threading.Lock()
        self._coordinators: dict[str, int] = {}
        self._leaders: dict[TopicPartition, int] = {}
        self._last_words = _LastWords()
        logging.getLogger("kafka").addHandler(self._last_words)

    @property
    def servers(self) -> str:
        """The bootstrap servers, for messages."""
        servers = self._settings.get("bootstrap_servers", "localhost:9092")
        return servers if isinstance(servers, str) else ",".join(servers)

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
        if not done.wait(deadline.left + 2 * _GRACE):
            failure = KafkaError(self._message(what))
            # Whatever hangs in there must not block the next call.
            self._connecting = threading.Lock()
            self._close(wait=0.0)
            raise failure
        if failures:
            raise self._translate(what, failures[0]) from failures[0]
        return results[0]

    def _attempts(self, work: t.Callable[[], t.Awaitable[T]], deadline: Deadline) -> T:
        while True:
            try:
                return t.cast(T, manager_of(self._connected(deadline)).run(work))
            except errors.KafkaError as error:
                patience = (
                    UNKNOWN_TOPIC_PATIENCE if isinstance(error, errors.UnknownTopicOrPartitionError) else self._timeout
                )
                passes = error.retriable or isinstance(error, errors.UnknownBrokerIdError)
                if not passes or deadline.left <= BACKOFF or deadline.spent + BACKOFF > patience:
                    raise
                self._forget(error)
                time.sleep(BACKOFF)

    def _connected(self, deadline: Deadline) -> KafkaAdminClient:
        """The client, made at the first call. Callers in other threads wait here, within their own deadlines."""
        lock = self._connecting
        if not lock.acquire(timeout=deadline.left):
            raise errors.KafkaTimeoutError("another call is still connecting")
        try:
            if self._admin is None:
                self._admin = KafkaAdminClient(
                    **self._settings,
                    bootstrap_timeout_ms=max(1, int((deadline.left - _GRACE) * 1000)),
                    request_timeout_ms=int(self._request_timeout * 1000),
                    retry_backoff_ms=int(BACKOFF * 1000),
                    reconnect_backoff_max_ms=1000,
                    # kafka-python refuses requests above this number instead of queueing them.
                    max_in_flight_requests_per_connection=100,
                )
            return self._admin
        finally:
            lock.release()

    def _forget(self, error: Exception) -> None:
        """What we believed about coordinators and leaders is in doubt after any error that may pass."""
        self._coordinators = {}
        self._leaders = {}
        if isinstance(error, errors.UnknownBrokerIdError) and self._admin is not None:
            manager = manager_of(self._admin)
            manager.run(manager.cluster.refresh_metadata)

    # The following run inside ``work``, on kafka-python's own event loop.

    def send(self, request: t.Any, node: int | None = None) -> t.Awaitable[t.Any]:
        """Send now, await the answer later; without a node to any broker."""
        if self._admin is None:  # only after another call gave up on this client
            raise errors.KafkaConnectionError("the client was given up")
        return t.cast("t.Awaitable[t.Any]", manager_of(self._admin).send(request, node_id=node))

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
        logging.getLogger("kafka").removeHandler(self._last_words)
        self._close(wait=2.0)

    def _close(self, wait: float) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            closing = threading.Thread(target=admin.close, name="bg-kafka-close", daemon=True)
            closing.start()
            closing.join(timeout=wait)  # it hangs when a broker does

    def _translate(self, what: str, error: Exception) -> Exception:
        """kafka-python's error as ours, in Kafka's words; anything unexpected stays what it is."""
        if not isinstance(error, errors.KafkaError):
            return error
        if isinstance(error, errors.IncompatibleBrokerVersion):
            return KafkaError(
                f"Could not {what}: the brokers at {self.servers} are too old, 3.0 or newer is needed ({error.args[0]})"
            )
        if isinstance(error, errors.BrokerResponseError):
            code: t.Any = error.errno
            name, description = error_name(code), getattr(error, "description", None) or ""
            about = f" ({error.args[0]})" if error.args else ""
            return KafkaError(
                f"Could not {what}: Kafka at {self.servers} answered {name}{about}. {description}".rstrip()
            )
        if isinstance(error, errors.KafkaConfigurationError):
            return KafkaError(f"Could not {what}: {error}")
        return KafkaError(self._message(what, f" ({error})"))

    def _message(self, what: str, detail: str = "") -> str:
        seen = "no connection to" if self._admin is None else "no usable answer from"
        cause = self._last_words.cause()
        said = f"; the client last said: {cause}" if cause else ""
        return (
            f"Could not {what}: {seen} Kafka at {self.servers} within {self._timeout:g} s{detail}{said}. "
            "Check bootstrap_servers, security_protocol, credentials and the network"
        )


def manager_of(admin: KafkaAdminClient) -> t.Any:
    """The one part of kafka-python that we use and that is not public; a unit test fails when it changes."""
    return admin._manager  # noqa: SLF001


def error_name(code: int) -> str:
    """Kafka's name of an error code (``UNKNOWN_MEMBER_ID``)."""
    return str(errors.for_code(code).message) if code in errors.kafka_errors else f"error {code}"


def check(code: int, about: str) -> None:
    """Raise kafka-python's exception for an error code. about: what the code was for."""
    if code:
        raise errors.for_code(code)(about)
