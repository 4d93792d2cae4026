# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of consumer_pause: all faults at once, nothing contacted."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.pause_options import parse_settings
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError

GIVEN: dict[str, t.Any] = {
    "kind": "Deployment",
    "name": "blue",
    "state": "paused",
    "dialect": "bg/v1",
    "targets": [],
    "custom_dialect": None,
    "epoch": None,
    "standby": "hot",
    "timeout": 60.0,
    "request_timeout": 5.0,
    "endpoint": None,
}
CUSTOM = {"status": {"path": "/"}, "states": {"paused": {"when": "a", "requests": [{"path": "/{target}/{epoch}"}]}}}


def faults(**options: t.Any) -> list[str]:
    with pytest.raises(InvalidSettingsError) as raised:
        parse_settings({**GIVEN, **options})
    return raised.value.faults


def test_the_dialect_decides_port_and_path() -> None:
    for dialect, targets, port, path in (
        ("bg/v1", [], 8080, "/actuator/kafka"),
        ("pause_resume", [], 8080, "/actuator/kafka"),
        ("spring_cloud_stream", ["in-0"], 8080, "/actuator/bindings"),
        ("kafka_connect", ["sink"], 8083, ""),
        ("shawarma", [], 80, "/applicationstate"),
    ):
        endpoint = parse_settings({**GIVEN, "dialect": dialect, "targets": targets, "epoch": 1})[1]
        assert (endpoint.port, endpoint.base_path) == (port, path)
    endpoint = parse_settings({**GIVEN, "dialect": "shawarma", "endpoint": {"port": 9, "base_path": "/x"}})[1]
    assert (endpoint.port, endpoint.base_path) == (9, "/x")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({}, "epoch is missing; dialect bg/v1"),
        ({"dialect": "custom", "custom_dialect": CUSTOM, "targets": ["a"]}, "epoch is missing; dialect custom"),
        ({"dialect": "custom", "custom_dialect": CUSTOM, "epoch": 1}, "targets is missing; dialect custom"),
        ({"dialect": "custom"}, "custom_dialect is missing"),
        ({"dialect": "shawarma", "custom_dialect": CUSTOM}, "custom_dialect has no effect with dialect shawarma"),
        (
            {"dialect": "shawarma", "state": "stopped"},
            "state stopped is unknown to dialect shawarma; it knows paused, running",
        ),
        ({"dialect": "pause_resume", "state": "standby"}, "state standby is unknown to dialect pause_resume"),
        ({"dialect": "kafka_connect"}, "targets is missing; dialect kafka_connect needs the names of the connectors"),
        (
            {"dialect": "spring_cloud_stream"},
            "targets is missing; dialect spring_cloud_stream needs the names of the bindings",
        ),
        ({"dialect": "shawarma", "targets": ["a"]}, "targets has no effect with dialect shawarma"),
        ({"dialect": "kafka_connect", "targets": ["a/b"]}, "target 'a/b' must have"),
        ({"dialect": "kafka_connect", "targets": ["a", "a"]}, "target 'a' is listed twice"),
        ({"epoch": 1, "timeout": 0.0}, "timeout is 0"),
        ({"epoch": 1, "request_timeout": -1.0}, "request_timeout is -1"),
        ({"epoch": 1, "endpoint": {"port": 0}}, "endpoint.port is 0"),
    ],
)
def test_one_fault(options: dict[str, t.Any], fault: str) -> None:
    found = faults(**options)
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_all_at_once() -> None:
    found = faults(
        dialect="custom",
        state="running",
        targets=["a b"],
        custom_dialect={**CUSTOM, "evidence": "a.["},
        timeout=-1.0,
        endpoint={"scheme": "ftp"},
    )
    assert len(found) == 6
