# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Questions to a Prometheus server: every way it can answer, or not."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import socket
import ssl
import threading
import typing as t
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import trustme

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters import prometheus
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.prometheus import PrometheusAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import MissingLibraryError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.prometheus import (
    EMPTY,
    ERROR,
    GARBAGE,
    TIMEOUT,
    VALUE,
    Answer,
    Prometheus,
)
from ansible_collections.streamops.bluegreen.tests.unit.waiting import HANG, NEVER, ended

ONE = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "0.5"]}]}}
SOON = 1.5
"""Seconds that a server has which does not answer."""


@dataclass
class Server:
    """Answers every request alike, and keeps what came. rest: between two bytes of the answer's head or body."""

    status: int = 200
    body: bytes = json.dumps(ONE).encode()
    headers: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    rest: float = 0.0
    drips: str = ""
    silent: bool = False
    came: list[tuple[str, str, dict[str, str], str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Server:
        script = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                script.came.append((self.command, self.path, dict(self.headers), sent))
                with contextlib.suppress(OSError):
                    script.answer(self)

            do_GET = do_POST  # noqa: N815 - http.server's name

            def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002 - http.server's name
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if self.tls:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        if self.silent:
            self.over.wait(NEVER)
            return
        headers = {"Content-Length": str(len(self.body)), **self.headers}
        head = f"HTTP/1.0 {self.status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        for part, sent in (("head", f"{head}\r\n".encode()), ("body", self.body)):
            step = 1 if self.drips == part else len(sent)
            for at in range(0, len(sent), step or 1):
                handler.wfile.write(sent[at : at + step])
                handler.wfile.flush()
                if self.drips == part and self.over.wait(self.rest):
                    return

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"


def ask(url: str, query: str = "up", **settings: t.Any) -> Answer:
    adapter = PrometheusAdapter(Prometheus(url, **{"timeout": HANG, **settings}))
    return ended("a question to Prometheus", lambda: adapter.instant(query))


def test_a_question_and_its_answer() -> None:
    query = 'sum(a{b="é+&="}) / 2 # why not\n'
    with Server() as server:
        assert ask(f"{server.url}/prefix", query) == Answer(VALUE, 0.5)
    [(method, path, headers, sent)] = server.came
    assert (method, path) == ("POST", "/prefix/api/v1/query")
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(sent, strict_parsing=True) == {"query": [query], "timeout": ["300"], "nocache": ["1"]}
    assert "Authorization" not in headers


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        ({"token": "t0ken"}, "Bearer t0ken"),
        ({"user": "jane", "password": "pa:ßword"}, "Basic " + base64.b64encode("jane:pa:ßword".encode()).decode()),
    ],
)
def test_who_asks(settings: dict[str, str], sent: str) -> None:
    with Server() as server:
        assert ask(server.url, **settings).kind == VALUE
    assert server.came[0][2]["Authorization"] == sent


def test_no_series() -> None:
    with Server(body=b'{"status": "success", "data": {"resultType": "vector", "result": []}}') as server:
        assert ask(server.url) == Answer(EMPTY)


@pytest.mark.parametrize(
    ("status", "body", "said", "again"),
    [
        (
            400,
            {"status": "error", "errorType": "bad_data", "error": "parse error"},
            "HTTP 400, bad_data: parse error",
            False,
        ),
        (
            422,
            {"status": "error", "errorType": "execution", "error": "too many"},
            "HTTP 422, execution: too many",
            False,
        ),
        (503, {"status": "error", "errorType": "timeout", "error": "slow"}, "HTTP 503, timeout: slow", True),
        (401, "who are you?", 'HTTP 401: "who are you?"', False),
    ],
)
def test_a_refusal_in_the_servers_words(status: int, body: t.Any, said: str, again: bool) -> None:
    with Server(status, json.dumps(body).encode()) as server:
        assert ask(server.url, token="wr0ng") == Answer(ERROR, said=said, again=again)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Server() as other, Server(status, b"", {"Location": f"{other.url}/api"}) as server:
        answer = ask(server.url, token="t0ken")
        assert (answer.kind, answer.said) == (ERROR, f"HTTP {status}: it redirects to {other.url}/api")
    assert other.came == []


@pytest.mark.parametrize("body", [b"", b"<html>sign in</html>", b"\x00\xff", b'{"status": "success"}'])
def test_garbage(body: bytes) -> None:
    with Server(body=body) as server:
        assert ask(server.url).kind == GARBAGE


def test_a_compressed_answer_that_nobody_asked_for_is_not_unpacked() -> None:
    with Server(body=b"\x1f\x8b" + bytes(40), headers={"Content-Encoding": "gzip"}) as server:
        assert ask(server.url).kind == GARBAGE
    assert server.came[0][2]["Accept-Encoding"] == "identity"


def test_an_answer_without_an_end_is_read_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "MOST", 1000)
    with Server(body=b" " * 1_000_000) as server:
        assert ask(server.url) == Answer(GARBAGE, said="more than 1000 bytes", again=True)
    with Server(body=b" " * 1000) as server:
        assert ask(server.url).said == "no answer of a Prometheus: nothing"


def test_an_answer_that_breaks_off() -> None:
    with Server(headers={"Content-Length": "5000"}) as server:
        answer = ask(server.url)
    assert (answer.kind, answer.again) == (ERROR, True)
    assert answer.said.startswith("no answer: ")


def test_no_http_at_all() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hello() -> None:
            with listening.accept()[0] as peer:
                peer.recv(10)
                peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        threading.Thread(target=hello, daemon=True).start()
        assert ask(f"http://127.0.0.1:{listening.getsockname()[1]}").kind == ERROR


def test_down() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        answer = ask(f"http://127.0.0.1:{bound.getsockname()[1]}")
    assert (answer.kind, answer.again) == (ERROR, True)
    assert "refused" in answer.said


def test_slow() -> None:
    """Sixty seconds or sixty hours: who asks is back when its own time is over."""
    with Server(silent=True) as server:
        assert ask(server.url, timeout=SOON) == Answer(TIMEOUT, said="nothing within 1.5 s", again=True)


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_byte_now_and_then_does_not_extend_the_time(part: str) -> None:
    with Server(drips=part, rest=SOON / 3) as server:
        assert ask(server.url, timeout=SOON).kind == TIMEOUT


def test_nobody_accepts() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
        where = deaf.getsockname()
        waiting = [socket.socket() for _one in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(where)
        assert ask(f"http://127.0.0.1:{where[1]}", timeout=SOON).kind == TIMEOUT
        for one in waiting:
            one.close()


# --- TLS ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_a_certificate_is_checked(tls: ssl.SSLContext, authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "stranger.pem"))
    with Server(tls=tls) as server:
        assert ask(server.url, ca_cert=str(tmp_path / "ca.pem")).kind == VALUE
        assert ask(server.url, validate_certs=False).kind == VALUE
        for other in ({}, {"ca_cert": str(tmp_path / "stranger.pem")}):
            answer = ask(server.url, token="t0ken", **other)
            assert answer.kind == ERROR
            assert "certificate verify failed" in answer.said
    assert [headers for _method, _path, headers, _sent in server.came if "Authorization" in headers] == []


def test_a_certificate_of_another_name(authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example").configure_cert(context)
    with Server(tls=context) as server:
        assert "certificate verify failed" in ask(server.url, ca_cert=str(tmp_path / "ca.pem")).said


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_is_none_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    answer = ask("https://127.0.0.1:1", ca_cert=str(path))
    assert (answer.kind, answer.again) == (ERROR, False)
    assert answer.said.startswith(f"prometheus.ca_cert {path} holds no CA certificates: ")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "MISSING", "Traceback")
    with pytest.raises(MissingLibraryError, match="urllib3"):
        PrometheusAdapter(Prometheus("http://p"))


def test_what_nobody_foresaw_is_raised_where_it_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_given: t.Any) -> t.NoReturn:
        raise LookupError("no")

    monkeypatch.setattr(PrometheusAdapter, "_ask", fails)
    with pytest.raises(LookupError):
        ask("http://p")
