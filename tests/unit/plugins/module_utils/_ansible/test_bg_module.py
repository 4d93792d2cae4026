# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the bg_ modules refuse before they contact anything, beside the faults of the description."""

from __future__ import annotations

import socket
import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters import refusal
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible import bg_module
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.bg_module import WORDS
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    ClusterError,
    InvalidSettingsError,
    NoGoError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run import hand_over
from ansible_collections.streamops.bluegreen.plugins.modules import bg_info as module
from ansible_collections.streamops.bluegreen.plugins.modules import bg_run
from ansible_collections.streamops.bluegreen.tests.unit.fakes.modules import RunModule

APPLICATION = {"name": "app", "namespace": "n", "blue": {"group": "b"}, "green": {"group": "g"}}


@pytest.mark.parametrize(
    "secrets",
    [
        {"sasl_plain_password": "green"},
        {"sasl_plain_password": "ree"},
        {"application": {**APPLICATION, "endpoint": {"token": "stable"}}},
        {"kubeconfig": {"users": [{"user": {"password": "blue"}}]}},
    ],
)
def test_a_secret_that_is_a_word_of_results_is_told_at_the_first_step(
    run_module: RunModule, secrets: dict[str, t.Any]
) -> None:
    """Ansible would hide the colours, and a later task would be told of one that nobody knows."""
    result = run_module(module, **{"application": APPLICATION, **secrets})
    assert result["failed"] is True
    assert len(result["faults"]) == 1
    assert (
        "Ansible hides it wherever it occurs, so that nobody could read them. Choose a longer secret" in result["msg"]
    )


def test_the_words_that_tasks_take_from_each_other() -> None:
    assert {"blue", "green", "start", "abort", "clean_up", "stable", "verifying", "GO", "NO-GO", "hot"} <= set(WORDS)


def test_a_lock_that_is_shorter_than_a_request(run_module: RunModule) -> None:
    result = run_module(module, application={**APPLICATION, "lock_ttl": 10}, api_server_timeout=10)
    assert "lock_ttl is 10 s and api_server_timeout 10 s; the lock must last longer than one request" in result["msg"]


@pytest.mark.parametrize("goes_on", [{}, {"judged": True}, {"only": "settle"}, {"only": "go_on"}], ids=str)
def test_who_refuses_a_later_step_of_a_run_is_being_restarted(
    run_module: RunModule, monkeypatch: pytest.MonkeyPatch, goes_on: dict[str, t.Any]
) -> None:
    """The source may be paused by then: the time of a first contact is too short to give up."""
    monkeypatch.setattr(refusal, "FIRST_CONTACT", 0.0)
    monkeypatch.setattr(hand_over, "PATIENCE", 0.0)
    made = []
    build = bg_module.build_ports
    monkeypatch.setattr(
        bg_module, "build_ports", lambda *given, **named: made.append(build(*given, **named)) or made[0]
    )
    with socket.create_server(("127.0.0.1", 0)) as peer:
        port = peer.getsockname()[1]
    run = {"target": "green", "run_id": "r", "expected_epoch": 1, "application": APPLICATION}
    cluster = {"host": f"http://127.0.0.1:{port}", "api_key": "of-nobody", "api_server_timeout": 0.5}
    kafka = {"bootstrap_servers": [f"127.0.0.1:{port}"], "default_api_timeout_ms": 500}
    done = run_module(bg_run, **run, **cluster, **kafka, **goes_on)
    assert "no answer from the Kubernetes API server" in done["msg"]
    made[0].kafka.close()
    assert made[0].kafka._made._kafka._refusals.answered is bool(goes_on)
    with pytest.raises(ClusterError) as raised:
        made[0].cluster.config_map("x")
    assert ("refused every connection" in raised.value.message) is (not goes_on)


@pytest.mark.parametrize("part", [None, {"seconds": 5, "resume": None}, {"seconds": 5, "resume": "eJw="}], ids=str)
def test_so_is_who_refuses_a_later_slice_of_a_bake(
    run_module: RunModule, monkeypatch: pytest.MonkeyPatch, part: dict[str, t.Any] | None
) -> None:
    asked = []

    def build(*_given: t.Any, answered: bool, **_named: t.Any) -> t.NoReturn:
        asked.append(answered)
        raise InvalidSettingsError(["far enough"])

    monkeypatch.setattr(bg_module, "build_ports", build)
    run_module(bg_run, application=APPLICATION, bake=30, **({"_slice": part} if part else {}))
    assert asked == [bool(part and part["resume"])]


def test_a_failed_run_does_not_return_what_only_its_diff_needs(
    run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_given: t.Any, **_named: t.Any) -> t.NoReturn:
        raise NoGoError("no", {"record_before": {"active": "blue"}, "record": {"active": "green"}})

    monkeypatch.setattr(bg_module, "build_ports", lambda *_given, **_named: None)
    monkeypatch.setattr(bg_run, "run", fails)
    done = run_module(bg_run, application=APPLICATION)
    assert (done["failed"], done["record"], "record_before" in done) == (True, {"active": "green"}, False)


# --- gates from Prometheus


SERVER = {"url": "https://prometheus.example:9090"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[t.Any]:
    """What a run is asked for, and the server that its ports know."""
    seen: list[t.Any] = []
    monkeypatch.setattr(bg_module, "build_ports", lambda *_given, prometheus, **_named: seen.append(prometheus))

    def run(_ports: t.Any, _app: t.Any, request: t.Any, *_given: t.Any, **_named: t.Any) -> dict[str, t.Any]:
        seen.append(request.metrics)
        return {"changed": False}

    monkeypatch.setattr(bg_run, "run", run)
    for name in ("URL", "CA_CERT", "TOKEN", "USER", "PASSWORD"):
        monkeypatch.delenv(f"PROMETHEUS_{name}", raising=False)
    return seen


def test_without_prometheus_nothing_of_it_is_known(run_module: RunModule, asked: list[t.Any], monkeypatch) -> None:
    monkeypatch.setenv("PROMETHEUS_URL", "http://of-somebody-else:9090")
    run_module(bg_run, application=APPLICATION)
    server, request = asked
    assert (server, request.gates) == (None, ())


def test_with_it_the_default_set_is_asked(run_module: RunModule, asked: list[t.Any]) -> None:
    run_module(bg_run, application=APPLICATION, prometheus={**SERVER, "timeout": 3, "max_age": "20"})
    server, request = asked
    assert (server.url, server.timeout) == (SERVER["url"], 3.0)
    assert (len(request.gates), request.url, request.timeout, request.max_age) == (1, SERVER["url"], 3.0, 20.0)


def test_the_rest_may_come_from_the_environment(
    run_module: RunModule, asked: list[t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"URL": "http://p:9090", "USER": "jane", "PASSWORD": "pa55word"}.items():
        monkeypatch.setenv(f"PROMETHEUS_{name}", value)
    result = run_module(bg_run, application=APPLICATION, prometheus={}, metric_gates=[])
    assert "pa55word" not in str(result)
    server, request = asked
    assert (server.url, server.user, server.password, request.gates) == ("http://p:9090", "jane", "pa55word", ())


def test_gates_without_a_server_are_a_fault(run_module: RunModule, asked: list[t.Any]) -> None:
    result = run_module(bg_run, application=APPLICATION, metric_gates=["consumer_error_ratio"])
    assert result["failed"] is True
    assert result["faults"] == [
        "metric_gates needs prometheus: set its url (bg_prometheus in the inventory), or leave the gates out"
    ]
    assert asked == []


@pytest.mark.parametrize("tool", [bg_run, module])
def test_every_fault_is_told_before_anything_is_contacted(
    run_module: RunModule, asked: list[t.Any], tool: t.Any
) -> None:
    result = run_module(
        tool,
        application=APPLICATION,
        prometheus={"url": "http://jane:pa55word@p", "timeout": "soon"},
        metric_gates=["nope", {"name": "x"}],
    )
    assert (result["failed"], result["rc"], len(result["faults"])) == (True, 1, 2 + 1 + 4)
    assert "pa55word" not in str(result), "not even in what Ansible shows of the options"
    assert asked == []


@pytest.mark.parametrize("tool", [bg_run, module])
@pytest.mark.parametrize("wrong", [{"prometheus": {"url": "nonsense", "timeout": 0}}, {"metric_gates": ["nope"]}])
def test_nothing_of_it_holds_up_a_rollback(
    run_module: RunModule, asked: list[t.Any], monkeypatch: pytest.MonkeyPatch, tool: t.Any, wrong: dict[str, t.Any]
) -> None:
    monkeypatch.setattr(
        module, "look", lambda given, *_ports: asked.append(bg_module.metrics_of(given.params)[1]) or {}
    )
    result = run_module(tool, application=APPLICATION, direction="rollback", **wrong)
    assert (asked[0], asked[1].gates) == (None, ()), result


@pytest.mark.parametrize(("url", "told"), [("http://prometheus.example", True), ("https://prometheus.example", False)])
def test_a_secret_without_tls_is_warned_of(run_module: RunModule, asked: list[t.Any], url: str, told: bool) -> None:
    result = run_module(bg_run, application=APPLICATION, prometheus={"url": url, "token": "t0ken12"})
    assert len(asked) == 2
    warned = f"prometheus.token is sent to {url} unencrypted"
    assert (warned in str(result.get("warnings"))) is told
    assert "t0ken12" not in str(result)


def test_what_is_sent_is_hidden(run_module: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is no Prometheus may answer with what we sent."""
    made: list[t.Any] = []
    build = bg_module.build_ports
    monkeypatch.setattr(
        bg_module, "build_ports", lambda *given, **named: made.append(build(*given, **named)) or made[0]
    )

    def run(ports: t.Any, *_given: t.Any, **_named: t.Any) -> dict[str, t.Any]:
        sent = ports.metrics._headers if hasattr(ports.metrics, "_headers") else {}
        return {"changed": False, "seen": sent["Authorization"]}

    monkeypatch.setattr(bg_run, "run", run)
    result = run_module(bg_run, application=APPLICATION, prometheus={**SERVER, "user": "jane", "password": "pa55word"})
    assert "amFuZTpwYTU1d29yZA==" not in str(result)
    assert result["seen"] in ("Basic $REDACTED$", f"Basic {'*' * 8}"), result["seen"]
