# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Prometheus server can answer, and how one is described."""

from __future__ import annotations

import json
import math
import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.prometheus import (
    EMPTY,
    ERROR,
    GARBAGE,
    SEVERAL,
    VALUE,
    parse_prometheus,
    read_answer,
    userinfo_in,
    without_userinfo,
)

URL = {"url": "https://prometheus.example:9090"}


def success(kind: str, result: t.Any, **more: t.Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more}).encode()


def series(value: str, **labels: str) -> dict[str, t.Any]:
    return {"metric": labels, "value": [1796049468.4, value]}


def test_one_series_is_a_value() -> None:
    answer = read_answer(200, success("vector", [series("0.25", app="a")]))
    assert (answer.kind, answer.value, answer.said) == (VALUE, 0.25, "")
    assert read_answer(200, success("scalar", [1796049468.4, "7"])).value == 7.0


def test_what_is_no_number_is_still_a_value() -> None:
    assert math.isnan(read_answer(200, success("vector", [series("NaN")])).value or 0.0)
    assert read_answer(200, success("scalar", [0, "+Inf"])).value == math.inf


def test_no_series_and_several() -> None:
    assert read_answer(200, success("vector", [])).kind == EMPTY
    several = read_answer(200, success("vector", [series("1", pod="a"), series("2", pod="b"), series("3", pod="c")]))
    assert (several.kind, several.value, several.again) == (SEVERAL, None, False)
    assert several.said == '3 series, among them {"pod": "a"}, {"pod": "b"}'


def test_warnings_of_a_part_of_the_servers_are_kept() -> None:
    answer = read_answer(200, success("vector", [series("1")], warnings=["store 2 did not answer"]))
    assert (answer.kind, answer.said) == (VALUE, "")
    assert answer.warned == "store 2 did not answer"
    assert read_answer(200, success("vector", [], warnings=["a", "b"])).warned == "a; b"
    assert read_answer(200, success("vector", [series("1"), series("2")], warnings=["a"])).warned == "a"
    assert read_answer(200, success("string", [0, "x"], warnings=["a"])).warned == "a"
    assert read_answer(503, b'{"status": "error", "error": "x", "warnings": ["a"]}').warned == "a"


@pytest.mark.parametrize(("kind", "result"), [("matrix", [{"metric": {}, "values": []}]), ("string", [0, "x"])])
def test_a_query_that_gives_something_else_than_a_number(kind: str, result: t.Any) -> None:
    answer = read_answer(200, success(kind, result))
    assert (answer.kind, answer.said) == (ERROR, f"the query gives a {kind}, and one number is wanted")
    histogram = read_answer(200, success("vector", [{"metric": {}, "histogram": [0, {}]}]))
    assert "histogram" in histogram.said


@pytest.mark.parametrize(
    ("status", "again"),
    [(400, False), (401, False), (403, False), (404, False), (422, False), (500, True), (503, True)],
)
def test_an_error_is_told_in_the_servers_words_and_asked_again_where_that_may_help(status: int, again: bool) -> None:
    body = json.dumps({"status": "error", "errorType": "bad_data", "error": "1:4: parse\nerror"}).encode()
    told = read_answer(status, body)
    assert (told.kind, told.said, told.again) == (ERROR, f"HTTP {status}, bad_data: 1:4: parse error", again)
    bare = read_answer(status, b"<h1>no</h1>")
    assert (bare.kind, bare.said, bare.again) == (ERROR, f"HTTP {status}: <h1>no</h1>", again)
    assert read_answer(status, b"").said == f"HTTP {status}: nothing"


def test_a_redirect_is_told_without_its_user() -> None:
    answer = read_answer(302, b"", "https://jane:pa55@other.example/login")
    assert (answer.kind, answer.said) == (ERROR, "HTTP 302: it redirects to https://other.example/login")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>sign in</html>",
        b"[1, 2]",
        b"null",
        b'{"status": "success"}',
        b'{"status": "fine", "data": {"resultType": "vector", "result": []}}',
        b'{"status": "success", "data": {"resultType": "vector", "result": 3}}',
        b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [0, "x"]}]}}',
        b'{"status": "success", "data": {"resultType": "scalar", "result": []}}',
        b"[" * 100_000,
        b"\xff\xfe\x00",
    ],
)
def test_anything_else_is_garbage(body: bytes) -> None:
    answer = read_answer(200, body)
    assert (answer.kind, answer.value, answer.again) == (GARBAGE, None, True)
    assert answer.said.startswith("no answer of a Prometheus: ")
    assert len(answer.said) < 400


def test_a_server() -> None:
    server, faults = parse_prometheus({"url": "http://p:9090/prefix/", "timeout": "2.5"})
    assert faults == []
    assert (server.url, server.timeout, server.max_age, server.validate_certs) == (
        "http://p:9090/prefix",
        2.5,
        150.0,
        True,
    )


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({}, "prometheus.url is missing"),
        (
            {"url": "prometheus:9090"},
            "prometheus.url is 'prometheus:9090'; it must be like https://prometheus.example:9090",
        ),
        ({"url": "ftp://p"}, "it must be like"),
        ({"url": "http://"}, "it must be like"),
        ({"url": "http://p:no"}, "it must be like"),
        ({"url": "http://p:0"}, "it must be like"),
        ({"url": "http://[::1"}, "it must be like"),
        ({"url": "http://p/api?x=1"}, "without a query"),
        ({"url": "http://p/a b"}, "without a blank"),
        ({"url": "http://jane:pa55@p"}, "prometheus.url is 'http://p' with a user in it"),
        ({**URL, "token": "t", "user": "u", "password": "p"}, "exclude each other"),
        ({**URL, "user": "u"}, "belong together"),
        ({**URL, "password": "p"}, "belong together"),
        ({**URL, "user": "u:v", "password": "p"}, "holds a ':'"),
        ({**URL, "token": "t\nX-Other: 1"}, "prometheus.token can't be sent"),
        ({"url": "http://p", "ca_cert": "/ca"}, "no effect with an http URL"),
        ({**URL, "ca_cert": "/ca", "validate_certs": False}, "no effect with prometheus.validate_certs false"),
        ({**URL, "timeout": 0}, "prometheus.timeout is 0; it must be a number from 1 to 60 seconds"),
        ({**URL, "timeout": 61}, "prometheus.timeout is 61; it must be a number from 1 to 60 seconds"),
        ({**URL, "on_no_answer": "go"}, "prometheus.on_no_answer is 'go'; it must be one of no-go, warn"),
        ({**URL, "matchers": "cluster=prod"}, "it must be matchers of labels like"),
        ({**URL, "matchers": 'a="b"} or vector(1) or {c="d"'}, "it must be matchers of labels like"),
        ({**URL, "matchers": 'a="b",'}, "it must be matchers of labels like"),
        ({**URL, "matchers": 'a="b'}, "it must be matchers of labels like"),
        ({**URL, "matchers": {"a": "b"}}, "it must be matchers of labels like"),
        ({**URL, "matchers": 'a="$app"'}, "placeholders are not known in it"),
        ({**URL, "timeout": "soon"}, "prometheus.timeout is 'soon'"),
        ({**URL, "max_age": float("nan")}, "prometheus.max_age is nan"),
        ({**URL, "max_age": 10**400}, "prometheus.max_age is 1"),
        ({**URL, "tokens": "t"}, "prometheus.tokens is unknown; known are url,"),
    ],
)
def test_a_description_with_a_fault(raw: dict[str, t.Any], told: str) -> None:
    _server, faults = parse_prometheus(raw)
    assert len(faults) == 1, faults
    assert told in faults[0]
    assert "pa55" not in faults[0]


@pytest.mark.parametrize("matchers", ["", 'cluster="prod"', """job=~"a|b$",pod!~'x{2}', c != "\\"" """])
def test_matchers_of_labels(matchers: str) -> None:
    server, faults = parse_prometheus({**URL, "matchers": matchers, "on_no_answer": "warn"})
    assert (server.matchers, server.on_no_answer, faults) == (matchers.strip(), "warn", [])


@pytest.mark.parametrize(
    ("raw", "exposes"),
    [
        ({"url": "http://p", "token": "t"}, "token"),
        ({"url": "http://p", "user": "u", "password": "p"}, "password"),
        ({"url": "http://p"}, ""),
        ({"url": "https://p", "token": "t"}, ""),
        ({"url": "http://127.0.0.1:9", "token": "t"}, ""),
        ({"url": "http://localhost:9", "token": "t"}, ""),
    ],
)
def test_a_secret_that_is_sent_unencrypted(raw: dict[str, t.Any], exposes: str) -> None:
    assert parse_prometheus(raw)[0].exposes == exposes


def test_a_long_user_is_no_part_of_what_is_shown() -> None:
    assert without_userinfo(f"http://jane:{'pa55' * 200}@p/x") == "http://p/x"


def test_every_fault_is_told_at_once() -> None:
    assert len(parse_prometheus({"url": "", "user": "u", "timeout": 0, "max_age": 0, "x": 1})[1]) == 5


@pytest.mark.parametrize(
    ("url", "shown", "secret"),
    [
        ("http://jane:pa55@p/x", "http://p/x", {"jane:pa55", "pa55"}),
        ("http://t0ken@p", "http://p", {"t0ken"}),
        ("jane:pa55@p", "p", {"jane:pa55", "pa55"}),
        ("http://a@b:pa55@p", "http://p", {"a@b:pa55", "pa55"}),
        ("http://jane:pa/55@p", "p", {"jane:pa/55", "pa/55"}),
        ("http://p", "http://p", set()),
    ],
)
def test_a_user_in_a_url_is_never_shown(url: str, shown: str, secret: set[str]) -> None:
    assert without_userinfo(url) == shown
    assert userinfo_in(url) == secret
    assert all(word not in "".join(parse_prometheus({"url": url})[1]) for word in ("pa55", "pa/55", "t0ken"))


def test_secrets_are_in_no_representation() -> None:
    server, _faults = parse_prometheus({**URL, "user": "u", "password": "pa55"})
    other, _faults = parse_prometheus({**URL, "token": "t0ken"})
    assert "pa55" not in repr(server)
    assert "t0ken" not in repr(other)
