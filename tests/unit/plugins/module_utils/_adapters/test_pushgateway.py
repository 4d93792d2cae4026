# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Pushgateway: the group of one application is read and replaced, and whatever keeps it from that is told in time."""

from __future__ import annotations

import socket
import ssl
import threading
import typing as t

import pytest
import trustme

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters import pushgateway
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.pushgateway import Gateway, Pushgateway
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    InvalidSettingsError,
    MetricsError,
    UnreadableMetricsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.samples import Sample
from ansible_collections.streamops.bluegreen.tests.unit.fakes.pushgateway import FakePushgateway, basic
from ansible_collections.streamops.bluegreen.tests.unit.waiting import NEVER, ended

MINE = {"app": "orders", "namespace": "shop"}
SAMPLES = [
    Sample("bg_epoch", MINE, 3),
    Sample("bg_phase_since_timestamp_seconds", {**MINE, "phase": "stable"}, 1767268840.123456),
    Sample("bg_colour_info", {**MINE, "consumergroup": 'job="bluegreen" \\ ä'}, 1),
    Sample("bg_switch_duration_seconds", {**MINE, "step": "flip"}, 0.0105),
]


@pytest.fixture
def gateway() -> t.Iterator[FakePushgateway]:
    with FakePushgateway() as fake:
        yield fake


def place(gateway: FakePushgateway | str, **more: t.Any) -> Pushgateway:
    url = gateway if isinstance(gateway, str) else gateway.url
    return Pushgateway(Gateway(url, **{"timeout": NEVER, **more}), "orders", "shop")


def refusal(place: Pushgateway, push: bool = False) -> str:
    with pytest.raises(MetricsError) as refused:
        ended("a request", lambda: place.replace(SAMPLES) if push else place.read())
    return refused.value.message


def test_what_is_pushed_is_what_is_read(gateway: FakePushgateway) -> None:
    assert place(gateway).read() == ""
    place(gateway).replace(SAMPLES)
    assert place(gateway).read() == place(gateway).text(SAMPLES)
    assert gateway.requests[1] == ("PUT", "/metrics/job/bluegreen/app/orders/namespace/shop")


def test_a_series_that_ended_is_gone(gateway: FakePushgateway) -> None:
    place(gateway).replace(SAMPLES)
    place(gateway).replace(SAMPLES[1:])
    assert place(gateway).read() == place(gateway).text(SAMPLES[1:])
    assert "bg_epoch" not in gateway.series("orders")


def test_groups_of_others_are_theirs(gateway: FakePushgateway) -> None:
    """Another application, another namespace, another job, one label more."""
    others: list[dict[str, str]] = [
        {"job": "bluegreen", "app": "other", "namespace": "shop"},
        {"job": "bluegreen", "app": "orders", "namespace": "elsewhere"},
        {"job": "another", "app": "orders", "namespace": "shop"},
        {"job": "bluegreen", "app": "orders", "namespace": "shop", "instance": "10.0.0.1"},
        {"job": "bluegreen"},
    ]
    for group in others:
        gateway.put(group, 'bg_epoch{myapp="orders",mynamespace="shop",myjob="bluegreen"} 99\n')
    before = dict(gateway.groups)
    assert place(gateway).read() == ""
    place(gateway).replace(SAMPLES)
    assert place(gateway).read() == place(gateway).text(SAMPLES)
    assert {key: gateway.groups[key] for key in before} == before


def test_what_others_pushed_into_our_group_is_seen(gateway: FakePushgateway) -> None:
    gateway.put({"job": "bluegreen", **MINE}, "foreign 1\n")
    assert "foreign{" in place(gateway).read()


def test_an_address_with_a_path(gateway: FakePushgateway) -> None:
    assert "answered with 404: there is no Pushgateway" in refusal(place(f"{gateway.url}/prefix/"))
    assert gateway.requests == [("GET", "/prefix/metrics")]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"user": "jane", "password": "s3cret"}, basic("jane", "s3cret")),
        ({"token": "t0ken"}, "Bearer t0ken"),
    ],
)
def test_who_pushes(gateway: FakePushgateway, given: dict[str, str], wanted: str) -> None:
    gateway.wanted = wanted
    place(gateway, **given).replace(SAMPLES)
    assert place(gateway, **given).read() == place(gateway).text(SAMPLES)
    for push in (False, True):
        assert "was answered with 401. Check user and password, or token" in refusal(place(gateway), push)


def test_a_certificate_that_a_ca_of_ours_signed(tmp_path: t.Any) -> None:
    ca, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(server)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with FakePushgateway(context=server) as gateway:
        place(gateway, ca_cert=str(tmp_path / "ca.pem")).replace(SAMPLES)
        assert place(gateway, ca_cert=str(tmp_path / "ca.pem")).read() != ""
        assert "certificate verify failed" in refusal(place(gateway))


@pytest.mark.parametrize("content", [None, "nonsense"])
def test_a_ca_that_can_t_be_read(tmp_path: t.Any, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    with pytest.raises(InvalidSettingsError, match=r"pushgateway\.ca_cert: the file .*/ca\.pem holds no CA"):
        place("https://127.0.0.1:1", ca_cert=str(path))


@pytest.mark.parametrize("push", [False, True])
def test_a_gateway_that_does_not_answer(gateway: FakePushgateway, push: bool) -> None:
    gateway.silent = True
    said = refusal(place(gateway, timeout=0.3), push)
    assert f"{gateway.url} was not answered within 0.3 s. Check that the Pushgateway runs" in said


@pytest.mark.parametrize("push", [False, True])
def test_a_gateway_that_sends_a_byte_now_and_then(gateway: FakePushgateway, push: bool) -> None:
    gateway.drip = True
    assert "was not answered within 0.3 s" in refusal(place(gateway, timeout=0.3), push)


class Prompt(threading.Thread):
    """One that has done its work before anybody else goes on."""

    def start(self) -> None:
        super().start()
        self.join()


def test_the_time_is_one_for_reading_and_pushing(gateway: FakePushgateway, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(pushgateway.time, "monotonic", lambda: now[0])
    gateway_place = place(gateway, timeout=5)
    gateway_place.read()
    now[0] += 5
    monkeypatch.setattr(pushgateway.threading, "Thread", Prompt)
    assert "was not answered within 5 s" in refusal(gateway_place, push=True)
    assert [method for method, _path in gateway.requests] == ["GET"], "what is told as late was not pushed"


@pytest.mark.parametrize("push", [False, True])
def test_nobody_listens(push: bool) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        said = refusal(place(url), push)
    assert f"{'Pushing to' if push else 'Reading'} {url} failed: [Errno 111] Connection refused. Check that" in said


def test_a_name_that_nobody_knows() -> None:
    assert "http://nowhere.invalid:9091 failed: " in refusal(place("http://nowhere.invalid:9091"))


@pytest.mark.parametrize("push", [False, True])
def test_a_redirect_is_not_followed(gateway: FakePushgateway, push: bool) -> None:
    gateway.status, gateway.location = 302, "https://jane:s3cret@elsewhere:9091/metrics?key=s3cret"
    said = refusal(place(gateway), push)
    assert "answered with 302, a redirect to https://elsewhere:9091/metrics; name the address" in said
    assert "s3cret" not in said
    assert len(gateway.requests) == 1


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("", "nowhere"),
        ("/metrics", "/metrics"),
        ("https://login/", "https://login/"),
        ("http://[", "an address that can't be read"),
        ("http://x:99999/", "an address that can't be read"),
    ],
)
def test_a_redirect_to_anything(gateway: FakePushgateway, location: str, said: str) -> None:
    gateway.status, gateway.location = 307, location
    assert f"answered with 307, a redirect to {said}; name the address" in refusal(place(gateway))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not as a Pushgateway does"),
        (
            b"<html>Welcome</html>",
            "not as a Pushgateway does (pushgateway_build_info is missing); seen: '<html>Welcome",
        ),
        (b"\xff\x00", "not as a Pushgateway does"),
        (b"up 1\n", "not as a Pushgateway does"),
        (
            b'pushgateway_build_info 1\nbg_epoch{app="orders",job="bluegreen",namespace="shop" three\n',
            "something that is not metrics",
        ),
    ],
)
def test_garbage(gateway: FakePushgateway, body: bytes, said: str) -> None:
    gateway.body = body
    assert said in refusal(place(gateway))


def test_a_server_that_does_not_speak_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

        def garbage() -> None:
            with server.accept()[0] as connection:
                connection.recv(1000)
                connection.sendall(b"220 mail ready\r\n\r\n")

        thread = threading.Thread(target=garbage, daemon=True)
        thread.start()
        assert f"Reading {url} failed: " in refusal(place(url))


def test_an_answer_without_an_end(gateway: FakePushgateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushgateway, "MOST", 1000)
    gateway.body = b"x" * 1001
    assert "the answer is longer than 1000 bytes" in refusal(place(gateway))
    with pytest.raises(UnreadableMetricsError):  # one that can be written to
        place(gateway).read()


def test_a_gateway_that_refuses_says_why(gateway: FakePushgateway) -> None:
    gateway.status, gateway.body = 400, b"text format parsing error"
    assert "answered with 400: 'text format parsing error'" in refusal(place(gateway), push=True)
