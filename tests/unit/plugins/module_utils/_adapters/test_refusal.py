# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A port where nothing listens is told soon at the first contact; one that comes up, or had answered before, is waited for."""

from __future__ import annotations

import contextlib
import errno
import gc
import socket
import ssl
import threading
import time
import typing as t
import warnings
from types import SimpleNamespace

import pytest
import urllib3

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters import refusal
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.adapter import KafkaAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.api_server import ApiServer
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import ClusterError, KafkaError
from ansible_collections.streamops.bluegreen.tests.unit.fakes.broker import WireBroker
from ansible_collections.streamops.bluegreen.tests.unit.fakes.http_server import HttpServer
from ansible_collections.streamops.bluegreen.tests.unit.waiting import NEVER, ended

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

PATH = "/api/v1/namespaces/n/configmaps/x"
TIMEOUT = float(NEVER)


@pytest.fixture(scope="module", autouse=True)
def _sockets_of_clients_that_gave_up() -> t.Iterator[None]:
    """kafka-python does not close them when a connection cannot be made."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds of a first contact, fewer than a user has."""
    monkeypatch.setattr(refusal, "FIRST_CONTACT", 1.0)
    return 1.0


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as peer:
        return int(peer.getsockname()[1])


@contextlib.contextmanager
def kafka_at(port: int, *more: str) -> t.Iterator[KafkaAdapter]:
    adapter = KafkaAdapter({"bootstrap_servers": [f"127.0.0.1:{port}", *more]}, TIMEOUT)
    yield adapter
    adapter.close()


def api_at(port: int) -> ApiServer:
    return ApiServer({"host": f"http://127.0.0.1:{port}", "api_key": "x"}, TIMEOUT)


def test_brokers_that_all_refuse_are_told_soon() -> None:
    first, second = closed_port(), closed_port()
    with kafka_at(first, f"127.0.0.1:{second}") as kafka, pytest.raises(KafkaError) as raised:
        ended("a call", lambda: kafka.groups(["g"]))
    assert f"127.0.0.1:{first},127.0.0.1:{second}" in raised.value.message
    assert "refused every connection for 1 s: nothing listens there" in raised.value.message
    assert "bootstrap_servers" in raised.value.message


def test_an_api_server_that_refuses_is_told_soon() -> None:
    port = closed_port()
    with pytest.raises(
        ClusterError, match=rf"http://127.0.0.1:{port} refused every connection for 1 s: nothing listens"
    ):
        ended("a call", lambda: api_at(port).read("ConfigMap n/x", PATH))


@pytest.mark.parametrize(
    "wrong",
    [
        {"proxy": "/"},
        {"proxy": "http://[::"},
        {"host": "https://127.0.0.1:{port}"},
        {"host": "https://127.0.0.1:{port}", "ca_cert": "/does/not/exist"},
        {"host": "https://127.0.0.1:{port}", "client_cert": "/does/not/exist", "client_key": "/nor/this"},
    ],
    ids=str,
)
def test_what_stays_wrong_is_told_at_once(wrong: dict[str, str]) -> None:
    """An address that is none, a server that speaks no TLS, certificates that are not there."""
    with HttpServer() as server:
        given = {"host": f"http://127.0.0.1:{server.port}", "api_key": "x", **wrong}
        given["host"] = given["host"].format(port=server.port)
        with pytest.raises(ClusterError, match="Check the options host, proxy, ca_cert"):
            ended("a read", lambda: ApiServer(given, TIMEOUT).read("ConfigMap n/x", PATH))


def test_a_broker_that_may_only_be_slow_is_waited_for() -> None:
    """One of two says nothing, so it may be starting."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        adapter = KafkaAdapter({"bootstrap_servers": [f"127.0.0.1:{closed_port()}", address]}, 4.0)
        with pytest.raises(KafkaError, match="within 4 s"):
            adapter.groups(["g"])
        adapter.close()


def test_a_broker_that_comes_up_is_waited_for() -> None:
    with WireBroker() as broker, kafka_at(port := closed_port()) as kafka:
        relayed = threading.Timer(0.5, relay, (port, int(broker.address.split(":")[1])))
        relayed.start()
        assert kafka.groups(["g"])["g"].kind == "absent"


def test_an_api_server_that_comes_up_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    port = closed_port()
    with HttpServer() as server:
        server.answers[f"GET {PATH}"] = [(200, {"kind": "ConfigMap"})]
        threading.Timer(0.5, relay, (port, server.port)).start()
        assert api_at(port).read("it", PATH) == {"kind": "ConfigMap"}


def test_who_answered_before_is_waited_for(patience: float) -> None:
    """It is being restarted: the address is right."""
    with WireBroker() as broker, kafka_at(port := closed_port()) as kafka:
        relay(port, int(broker.address.split(":")[1]), connections=2)
        assert kafka.groups(["g"])["g"].kind == "absent"
        kafka.close()
        threading.Timer(2 * patience, relay, (port, int(broker.address.split(":")[1]))).start()
        assert kafka.groups(["g"])["g"].kind == "absent"
    with HttpServer() as server:
        server.answers[f"GET {PATH}"] = [(200, {})]
        api = api_at(port := closed_port())
        relay(port, server.port, connections=1)
        api.read("it", PATH)
        time.sleep(0.5)
        threading.Timer(2 * patience, relay, (port, server.port)).start()
        assert api.read("it", PATH) == {}


def test_who_answered_an_earlier_process_is_waited_for() -> None:
    port = closed_port()
    kafka = KafkaAdapter({"bootstrap_servers": [f"127.0.0.1:{port}"]}, 2.5, answered=True)
    with pytest.raises(KafkaError, match=r"within 2\.5 s"):
        kafka.groups(["g"])
    with pytest.raises(ClusterError, match=r"within 2\.5 s"):
        ApiServer({"host": f"http://127.0.0.1:{port}", "api_key": "x"}, 2.5, answered=True).read("it", PATH)


@pytest.mark.parametrize(
    "cause",
    [
        ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"),
        FileNotFoundError(errno.ENOENT, "No such file"),
    ],
    ids=lambda cause: type(cause).__name__,
)
def test_errors_of_tls_and_files_pass_at_a_server_that_answered_before(
    cause: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that restarts may say anything, and certificates are renewed under way. At the first contact they stay."""

    def at(answered: bool) -> ApiServer:
        api, answers = ApiServer({"host": "https://h", "api_key": "x"}, TIMEOUT, answered), iter([cause, b"{}"])

        def send(*_given: t.Any, **_named: t.Any) -> tuple[int, bytes]:
            if isinstance(answer := next(answers), OSError):
                raise urllib3.exceptions.SSLError(answer)
            return 200, answer

        monkeypatch.setattr(api, "send", send)
        return api

    assert at(answered=True).read("it", PATH) == {}
    with pytest.raises(ClusterError, match="Check the options host, proxy, ca_cert"):
        at(answered=False).read("it", PATH)


def test_refusals_of_an_earlier_call_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows what was between them."""
    clock = [0.0]
    monkeypatch.setattr(refusal, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    port = closed_port()
    api = ApiServer({"host": f"http://127.0.0.1:{port}", "api_key": "x"}, 0.5)
    kafka = KafkaAdapter({"bootstrap_servers": [f"127.0.0.1:{port}"]}, 0.5)
    for _call in range(2):
        with pytest.raises(ClusterError, match=r"within 0\.5 s"):
            api.read("it", PATH)
        with pytest.raises(KafkaError, match=r"within 0\.5 s"):
            kafka.groups(["g"])
        clock[0] += 100.0


def test_a_proxy_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusal, "FIRST_CONTACT", 0.0)
    port = closed_port()
    for scheme in ("http", "https"):
        auth = {"host": f"{scheme}://127.0.0.2:1", "api_key": "x", "proxy": f"http://me:hush@127.0.0.1:{port}"}
        with pytest.raises(ClusterError) as raised:
            ended("a read", lambda auth=auth: ApiServer(auth, TIMEOUT).read("it", PATH))
        proxy = f"the proxy http://127.0.0.1:{port} before the Kubernetes API server {scheme}://127.0.0.2:1"
        assert f"{proxy} refused every connection" in raised.value.message
        assert raised.value.message.endswith("Check the proxy option")
        assert "hush" not in raised.value.message


def relay(port: int, target: int, connections: int = 100) -> None:
    """Listen at ``port`` and pass so many connections on to ``target``; then the port is closed again."""
    listening = socket.create_server(("127.0.0.1", port))

    def serve() -> None:
        with listening:
            for _number in range(connections):
                ours = listening.accept()[0]
                theirs = socket.create_connection(("127.0.0.1", target))
                for source, sink in ((ours, theirs), (theirs, ours)):
                    threading.Thread(target=copy, args=(source, sink, connections == 1), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


def copy(source: socket.socket, sink: socket.socket, once: bool) -> None:
    """once: the connection ends a moment after the answer, as that of a server that goes away does."""
    source.settimeout(0.3 if once else None)
    with contextlib.suppress(OSError):
        while received := source.recv(65536):
            sink.sendall(received)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
