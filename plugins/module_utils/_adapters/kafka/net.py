# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The network layer of kafka-python: everything used of it that is no documented interface is in this file.

kafka-python's admin client is not used: it connects inside its constructor and hides why it cannot, waits for ever in
a TLS handshake that nobody answers, keeps a coordinator for ever, and retries nothing. Below it are a manager of
connections and an event loop, which have none of that. Unit tests fail when the library changes what is used here.
"""

from __future__ import annotations

import collections
import random
import threading
import time
import typing as t
import weakref

try:
    from kafka import errors
    from kafka.net.manager import KafkaConnectionManager
    from kafka.net.selector import NetworkSelector
    from kafka.protocol.metadata import MetadataRequest

    KNOWN_SETTINGS = frozenset(KafkaConnectionManager.DEFAULT_CONFIG)
except ImportError:
    pass  # connection.py says so before anything here is used

T = t.TypeVar("T")

PAUSE = 0.02
"""Seconds between two looks whether a broker takes requests again."""


class UnconnectedError(Exception):
    """A broker was not reached, or not as far as to answer requests. error: why, as kafka-python or Python said it.

    errors: why each of the servers that were asked was not, this one the last.
    """

    def __init__(self, host: str, port: int, error: BaseException, errors: t.Sequence[BaseException] = ()) -> None:
        super().__init__(f"{host}:{port}: {error}")
        self.host = host
        self.port = port
        self.error = error
        self.errors = errors


def keep_what_came(transport: t.Any) -> t.Any:
    """Let a transport deliver what it received before the peer closed the connection.

    The library throws an answer away when the end of the connection is read together with it. That is how brokers refuse
    credentials: the reason, and then the end.
    """
    receive = transport._sock_recv  # noqa: SLF001

    def patient() -> tuple[bytes, BaseException | None]:
        received, error = receive()
        return received, None if received else error  # the next read tells the end once more

    transport._sock_recv = patient  # noqa: SLF001
    return transport


def _manager_class() -> t.Any:
    class Manager(KafkaConnectionManager):  # type: ignore[misc, unused-ignore]
        async def _build_transport(self, *given: t.Any, **named: t.Any) -> t.Any:
            return keep_what_came(await super()._build_transport(*given, **named))

    return Manager


class Connections:
    """Connections to all brokers of one cluster, on an event loop in a thread of their own.

    settings: kafka-python's names. request_timeout: seconds for connecting to a broker, TLS and SASL included, and for
    its answer to one request; then the connection is given up.
    """

    def __init__(self, settings: t.Mapping[str, t.Any], request_timeout: float, backoff: float) -> None:
        self.settings = settings
        self._timeout = request_timeout
        self._net = NetworkSelector(client_id=settings.get("client_id", ""))
        self._manager = _manager_class()(
            self._net,
            **settings,
            request_timeout_ms=int(request_timeout * 1000),
            reconnect_backoff_ms=int(backoff * 1000),
            reconnect_backoff_max_ms=1000,
            receive_message_max_bytes=100_000_000,
            # Requests above this number are refused instead of queued.
            max_in_flight_requests_per_connection=100,
        )
        self._watched: weakref.WeakSet[t.Any] = weakref.WeakSet()
        self._failed: collections.deque[UnconnectedError] = collections.deque(maxlen=20)
        self._net.start()

    def run(self, work: t.Callable[[], t.Awaitable[T]]) -> T:
        """Run a coroutine on the event loop and wait for it; its exceptions are raised here."""
        return t.cast(T, self._manager.run(work))

    def failure_of(self, error: BaseException) -> UnconnectedError | None:
        """Which broker could not be connected to, if that is what the error came from."""
        return next((failed for failed in reversed(self._failed) if failed.error is error), None)

    # The following run on the event loop.

    async def bootstrap(self, patience: float, is_final: t.Callable[[BaseException], bool]) -> None:
        """Learn the brokers of the cluster from any of the bootstrap servers, asking one after another.

        patience: seconds for each. Raises ``UnconnectedError`` with what the last one failed with, or with the first error
        that is final.
        """
        servers = list(self._manager.cluster.bootstrap_brokers())
        random.shuffle(servers)
        failures: list[BaseException] = []
        for server in servers:
            try:
                await self._introduce(server.node_id, patience)
            except Exception as error:
                failures.append(error)
                if server is servers[-1] or is_final(error):
                    raise UnconnectedError(server.host, server.port, error, failures) from error
            else:
                return

    async def _introduce(self, node: t.Any, patience: float) -> None:
        self._manager.reset_backoff(node)  # how often to try is decided by whoever calls
        connection = self._open(node, patience)
        try:
            await connection.init_future
            answer = await connection.send_request(_no_topics(), request_timeout_ms=int(patience * 1000))
            self._learn(answer)
        finally:
            connection.close()

    async def refresh(self) -> None:
        """Read the list of brokers again."""
        self._learn(await self.send(_no_topics()))

    def _learn(self, answer: t.Any) -> None:
        if not answer.brokers:
            raise errors.MetadataEmptyBrokerList("the server does not know any broker yet")
        self._manager.cluster.update_metadata(answer)

    def send(self, request: t.Any, node: int | None = None) -> t.Awaitable[t.Any]:
        """Send now, await the answer later; without a node to the least busy broker.

        The library refuses requests while a broker asks for a pause (quotas) and in a back-off after a failed connection.
        Here they wait for that, because a retry would read everything else again, and earn the next pause by it.
        """
        try:
            return self._sent(request, node)
        except errors.NodeNotReadyError:
            return t.cast("t.Awaitable[t.Any]", self._manager.call_soon(self._send_later, request, node))

    async def _send_later(self, request: t.Any, node: int | None) -> t.Any:
        until = time.monotonic() + self._timeout
        while True:
            await self._net.sleep(PAUSE)
            try:
                return await self._sent(request, node)
            except errors.NodeNotReadyError:
                if time.monotonic() > until:
                    raise

    def _sent(self, request: t.Any, node: int | None) -> t.Awaitable[t.Any]:
        connection = self._open(self._manager.least_loaded_node() if node is None else node, self._timeout)
        if connection.paused:
            raise errors.NodeNotReadyError(f"broker {node} takes no requests now ({', '.join(connection.paused)})")
        return t.cast("t.Awaitable[t.Any]", connection.send_request(request))

    def _open(self, node: t.Any, patience: float) -> t.Any:
        connection = self._manager.get_connection(
            node, timeout_ms=patience * 1000, refresh_metadata_on_err=False, reset_backoff_on_connect=True
        )
        if connection.initializing and connection not in self._watched:
            self._watched.add(connection)
            broker = self._manager.cluster.broker_metadata(node)
            connection.close_future.add_errback(
                lambda error: self._failed.append(UnconnectedError(broker.host, broker.port, error))
            )
            # A TLS handshake has no time limit of its own, and requests wait for it without one.
            self._net.call_at(time.monotonic() + patience, lambda: self._give_up(node, connection, patience))
        return connection

    def _give_up(self, node: t.Any, connection: t.Any, patience: float) -> None:
        if connection.initializing:
            self._manager.update_backoff(node)  # so that the next request for any broker goes to another one
            connection.close(errors.KafkaTimeoutError(f"no connection after {patience:.1f} s"))

    def close(self, wait: float) -> None:
        """Close everything. wait: seconds; closing hangs when the event loop does."""
        closing = threading.Thread(target=self._close, name="bg-kafka-close", daemon=True)
        closing.start()
        closing.join(timeout=wait)

    def _close(self) -> None:
        self._manager.close()
        self._net.close()


def _no_topics() -> t.Any:
    return MetadataRequest(topics=[], allow_auto_topic_creation=False, min_version=4)
