# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens from a file and from an identity provider that speaks TLS, on a local port."""

from __future__ import annotations

import base64
import http.server
import json
import ssl
import threading
import typing as t
import urllib.parse
from pathlib import Path

import pytest
import trustme

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import tokens
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.tokens import (
    ClientCredentials,
    TokenFile,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import KafkaError
from ansible_collections.streamops.bluegreen.tests.unit.waiting import joined

SECRET = "s:e/c%ret"


class Provider(http.server.ThreadingHTTPServer):
    """Identity provider; answers are given in order, the last one again and again."""

    daemon_threads = True

    def __init__(self, certificate: trustme.LeafCert) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.answers: list[tuple[int, t.Any]] = []
        self.asked: list[tuple[str, dict[str, list[str]]]] = []

    @property
    def url(self) -> str:
        """Where tokens are."""
        return f"https://127.0.0.1:{self.server_address[1]}/token"


class Answer(http.server.BaseHTTPRequestHandler):
    """One request."""

    server: Provider

    def do_POST(self) -> None:
        """Note what was asked, answer as planned."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        kind, _space, secret = self.headers.get("Authorization", "").partition(" ")
        assert kind == "Basic"
        self.server.asked.append((base64.b64decode(secret).decode(), urllib.parse.parse_qs(body)))
        code, said = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        content = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: t.Any) -> None:
        """Say nothing."""


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, str]:
    """An authority and its file."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca"))
    return made, str(tmp_path / "ca")


@pytest.fixture
def provider(authority: tuple[trustme.CA, str]) -> t.Iterator[Provider]:
    """See Provider."""
    server = Provider(authority[0].issue_cert("127.0.0.1"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    joined(thread)


@pytest.fixture
def client(provider: Provider, authority: tuple[trustme.CA, str]) -> ClientCredentials:
    """Under test."""
    return ClientCredentials(provider.url, "me", SECRET, "kafka", authority[1])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[float], None]:
    """Moves the clock by seconds."""
    now = [1000.0]
    monkeypatch.setattr(tokens.time, "monotonic", lambda: now[0])

    def forward(seconds: float) -> None:
        now[0] += seconds

    return forward


def test_a_token_is_asked_for_as_the_standard_says_and_kept(
    provider: Provider, client: ClientCredentials, clock: t.Callable[[float], None]
) -> None:
    provider.answers = [(200, {"access_token": f"t{i}", "expires_in": 100}) for i in range(2)]
    assert client.token() == "t0"
    clock(79)
    assert client.token() == "t0"
    clock(2)
    assert client.token() == "t1", "80 % of the lifetime are over"
    identity = f"me:{urllib.parse.quote(SECRET, safe='')}"
    assert provider.asked[0] == (identity, {"grant_type": ["client_credentials"], "scope": ["kafka"]})
    assert len(provider.asked) == 2


def test_a_token_without_lifetime_is_used_once(provider: Provider, client: ClientCredentials) -> None:
    provider.answers = [(200, {"access_token": "t0"}), (200, {"access_token": "t1", "expires_in": "soon"})]
    assert (client.token(), client.token()) == ("t0", "t1")


def test_a_provider_that_is_away_for_a_moment(provider: Provider, client: ClientCredentials) -> None:
    provider.answers = [(503, b""), (200, {"access_token": "t", "expires_in": 9})]
    assert client.token() == "t"


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (
            (401, {"error": "invalid_client", "error_description": "unknown", "hint": "h"}),
            "HTTP 401 (invalid_client unknown)",
        ),
        ((500, b"<html>"), "HTTP 500"),
        ((200, {"token": "t"}), "an answer without access_token"),
        ((302, b""), "HTTP 302"),
    ],
)
def test_a_refusal_tells_why_and_never_the_secret(
    provider: Provider, client: ClientCredentials, answer: tuple[int, t.Any], seen: str
) -> None:
    provider.answers = [answer]
    with pytest.raises(KafkaError) as caught:
        client.token()
    assert f"No token from {provider.url} for client me: {seen}. Check" in caught.value.message
    assert SECRET not in caught.value.message
    assert urllib.parse.quote(SECRET, safe="") not in caught.value.message


def test_a_provider_that_cannot_be_trusted(provider: Provider, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other"))
    with pytest.raises(KafkaError, match="certificate verify failed"):
        ClientCredentials(provider.url, "me", SECRET, None, str(tmp_path / "other")).token()
    assert provider.asked == []


def test_a_provider_that_is_not_there(provider: Provider) -> None:
    with pytest.raises(KafkaError, match=r"No token from https://127.0.0.1:1/.*refused"):
        ClientCredentials("https://127.0.0.1:1/", "me", SECRET).token()


def test_a_token_file_is_read_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    tokens = TokenFile(str(file))
    assert tokens.token() == "one"
    file.write_text("two")
    assert tokens.token() == "two"
    file.write_text(" \n")
    with pytest.raises(KafkaError, match=f"{file} .* is empty"):
        tokens.token()
    file.unlink()
    with pytest.raises(KafkaError, match=f"{file} .* cannot be read"):
        tokens.token()


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        ({"exp": 1000000000}, "expired at 2001-09-09T01:46:40Z"),
        ({"exp": 9000000000}, None),
        ({"sub": "me"}, None),
        ({"exp": "soon"}, None),
        (None, None),
    ],
)
def test_a_token_that_says_it_has_expired(tmp_path: Path, content: t.Any, seen: str | None) -> None:
    file = tmp_path / "token"
    claims = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
    file.write_text(f"e30.{claims}.sig" if content else "opaque")
    told = TokenFile(str(file)).lapsed()
    assert told is None if seen is None else seen in str(told)
