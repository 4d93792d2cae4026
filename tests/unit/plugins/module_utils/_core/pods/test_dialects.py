# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dialects as data: the rows that ship, what a custom one may be, and that nothing missing is read as good."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.dialect_reader import (
    Dialect,
    filled,
    of_target,
    parse_dialect,
    state_in,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.dialects import CUSTOM, DIALECTS
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.http import HttpCall


def known(name: str) -> Dialect:
    dialect, faults = parse_dialect(name, DIALECTS[name])
    assert faults == []
    return dialect


def binding(*states: str) -> list[dict[str, str]]:
    return [{"bindingName": "b", "state": state} for state in states]


def connector(state: str, *tasks: str) -> dict[str, t.Any]:
    return {"connector": {"state": state}, "tasks": [{"id": n, "state": task} for n, task in enumerate(tasks)]}


@pytest.mark.parametrize(
    ("name", "answer", "state"),
    [
        ("pause_resume", {"paused": True}, "paused"),
        ("pause_resume", {"paused": False, "assignedPartitions": [0]}, "running"),
        ("pause_resume", {"paused": "true"}, ""),
        ("pause_resume", {}, ""),
        ("spring_cloud_stream", binding("paused"), "paused"),
        ("spring_cloud_stream", binding("paused", "running"), ""),
        ("spring_cloud_stream", binding("stopped"), "stopped"),
        ("spring_cloud_stream", binding("running", "running"), "running"),
        ("spring_cloud_stream", binding("paused", "paused", "running"), ""),
        ("spring_cloud_stream", [], ""),
        ("spring_cloud_stream", binding("N/A"), ""),
        ("kafka_connect", connector("PAUSED", "PAUSED", "PAUSED"), "paused"),
        ("kafka_connect", connector("PAUSED", "PAUSED", "RUNNING"), ""),
        ("kafka_connect", connector("PAUSED", "FAILED"), ""),
        ("kafka_connect", connector("STOPPED"), "stopped"),
        ("kafka_connect", connector("STOPPED", "RUNNING"), ""),
        ("kafka_connect", connector("RUNNING", "RUNNING"), "running"),
        ("kafka_connect", connector("RUNNING"), ""),
        ("kafka_connect", connector("RUNNING", "FAILED"), ""),
        ("kafka_connect", {"error_code": 404}, ""),
    ],
)
def test_what_an_answer_shows(name: str, answer: t.Any, state: str) -> None:
    assert state_in(known(name), answer, "paused")[0] == state


def test_a_row_of_spring_is_known_by_the_first_name_it_has() -> None:
    """In Spring Cloud Stream 2 by name alone; later that is the destination, which several bindings may have."""
    spring = known("spring_cloud_stream")
    old, new = {"name": "orders", "state": "paused"}, {"bindingName": "in-0", "name": "orders", "state": "running"}
    assert of_target(spring, [old, new, "no row"], "orders") == [old]
    assert of_target(spring, [old, new], "in-0") == [new]
    assert spring.evidence is not None
    shown = spring.evidence.search([old, new])
    assert [row["binding"] for row in shown] == ["orders", "in-0"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["state", "tasks", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(answer=JSON, name=st.sampled_from(["pause_resume", "spring_cloud_stream", "kafka_connect"]))
def test_nonsense_never_fails_and_never_looks_paused_by_accident(answer: t.Any, name: str) -> None:
    state, why = state_in(known(name), answer, "paused")
    if state == "paused":
        rows = answer if isinstance(answer, list) else [answer]
        assert name == "spring_cloud_stream", "the others need keys that are not drawn"
        assert any(isinstance(row, dict) and row.get("state") == "paused" for row in rows)
    else:
        assert bool(why) is (not state)


def test_every_dialect_that_ships_is_sound() -> None:
    for name in DIALECTS:
        dialect = known(name)
        assert {"paused", "running"} <= set(dialect.states)
        assert all(state.requests for state in dialect.states.values())
        assert ("target" in dialect.fields) is bool(dialect.targets)


GOOD: dict[str, t.Any] = {
    "status": {"path": "/consumer"},
    "states": {
        "paused": {"when": "hold", "requests": [{"method": "put", "path": "/consumer", "body": {"hold": True}}]}
    },
}


def test_a_custom_dialect() -> None:
    dialect, faults = parse_dialect(CUSTOM, {**GOOD, "retry_on": [409], "commands_to": "one"})
    assert faults == []
    assert dialect.status == HttpCall("GET", "/consumer")
    assert dialect.states["paused"].requests == (HttpCall("PUT", "/consumer", {"hold": True}),)
    assert (dialect.to_one, 409 in dialect.passing) == (True, True)


def test_every_fault_is_listed_at_once() -> None:
    raw = {
        "status": {"path": "consumer", "verb": "GET"},
        "evidence": "a.[",
        "retry_on": [500],
        "colour": "blue",
        "states": {
            "paused": {"requests": [{"method": "HOP", "path": "/a b"}, "x"]},
            "running": {"when": "a ==", "requests": "y", "then": 1},
            "asleep": {"when": "a", "requests": [{"path": "/{pod}"}]},
            "stopped": 5,
        },
    }
    faults = parse_dialect(CUSTOM, raw)[1]
    for expected in (
        "custom_dialect.status.path is 'consumer'",
        "custom_dialect.status.verb is unknown",
        "custom_dialect.evidence is 'a.[', which is not a JMESPath expression",
        "custom_dialect.retry_on is [500]",
        "custom_dialect.colour is unknown",
        "custom_dialect.states.paused.when is missing",
        "custom_dialect.states.paused.requests[0].method is 'HOP'",
        "custom_dialect.states.paused.requests[0].path is '/a b'",
        "custom_dialect.states.paused.requests[1] is 'x'",
        "custom_dialect.states.running.when is 'a =='",
        "custom_dialect.states.running.requests is 'y'",
        "custom_dialect.states.running.then is unknown",
        "custom_dialect.states.asleep is unknown",
        "custom_dialect.states.asleep.requests[0] holds the field {pod}",
        "custom_dialect.states.stopped is 5",
    ):
        assert sum(fault.startswith(expected) for fault in faults) == 1, (expected, faults)
    assert len(faults) == 15


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        ({}, "states is None"),
        ({"states": []}, "states is []"),
        ({"states": {"paused": {"when": "a", "requests": [{"path": "/"}]}}}, "states.paused.when has nothing to read"),
        ({**GOOD, "commands_to": "some"}, "commands_to is 'some'"),
        ({**GOOD, "weakness": "none at all"}, "weakness is unknown"),
    ],
)
def test_what_a_custom_dialect_may_not_be(raw: dict[str, t.Any], fault: str) -> None:
    assert [found.removeprefix("custom_dialect.").startswith(fault) for found in parse_dialect(CUSTOM, raw)[1]] == [
        True
    ]


def test_only_true_is_true() -> None:
    states = {"paused": {"when": "hold", "requests": [{"path": "/"}]}}
    dialect = parse_dialect(CUSTOM, {"status": {"path": "/"}, "states": states})[0]
    assert state_in(dialect, {"hold": True}, "paused") == ("paused", "")
    assert state_in(dialect, {"hold": "yes"}, "paused") == (
        "",
        "the expression for paused must say true or false, and said 'yes'",
    )
    assert "shows none of the states" in state_in(dialect, {"hold": False}, "paused")[1]
    broken = {"paused": {"when": "length(hold) == `0`", "requests": [{"path": "/"}]}}
    dialect = parse_dialect(CUSTOM, {"status": {"path": "/"}, "states": broken})[0]
    assert "expression for paused fails" in state_in(dialect, {"hold": 5}, "paused")[1]


def test_fields_are_filled_in() -> None:
    call = HttpCall("PUT", "/c/{target}/at/{epoch}", {"epoch": "{epoch}", "who": ["{target}!"], "n": 1})
    assert filled(call, "a:b ü", 7) == HttpCall(
        "PUT", "/c/a%3Ab%20%C3%BC/at/7", {"epoch": 7, "who": ["a:b ü!"], "n": 1}
    )
