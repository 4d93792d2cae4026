# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The application's description: what is taken as given, and every fault at once."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import (
    Application,
    Endpoint,
    Timeouts,
    parse_application,
)

LEAST: dict[str, t.Any] = {
    "name": "shop",
    "namespace": "orders",
    "blue": {"group": "shop_blue"},
    "green": {"group": "shop_green"},
}


def faults_of(**changes: t.Any) -> list[str]:
    with pytest.raises(InvalidSettingsError) as caught:
        parse_application({**LEAST, **changes})
    return caught.value.faults


def test_the_least_that_is_needed() -> None:
    found = parse_application(LEAST)
    assert found == Application("shop", "orders", found.colours)
    assert {name: (c.group, c.workload) for name, c in found.colours.items()} == {
        "blue": ("shop_blue", "shop-blue"),
        "green": ("shop_green", "shop-green"),
    }


def test_everything_given() -> None:
    found = parse_application(
        {
            **LEAST,
            "topics": "a, b,a,",
            "workload_kind": "StatefulSet",
            "max_lag": "5",
            "max_transaction_age": "60",
            "replicas": 3,
            "lock_ttl": 20,
            "blue": {"group": "g1", "workload": "w1"},
            "endpoint": {"port": "9090", "base_path": "/x/", "transport": "pod_ip", "token": "secret"},
            "timeouts": {"start": 1, "pause": "2", "activate": 3, "lock": 4, "request": 5},
        }
    )
    assert found.topics == ("a", "b")
    assert (found.workload_kind, found.max_lag, found.replicas, found.lock_ttl) == ("StatefulSet", 5, 3, 20)
    assert found.max_transaction_age == 60
    assert found.colours["blue"].workload == "w1"
    assert found.endpoint == Endpoint(9090, "/x", "pod_ip", "secret")
    assert found.timeouts == Timeouts(1.0, 2.0, 3.0, 4.0, 5.0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": ""}, "name is missing"),
        ({"name": "Shop_1"}, "name is 'Shop_1'"),
        ({"name": "x" * 64}, "at most 63"),
        ({"namespace": None}, "namespace is missing"),
        ({"blue": {}}, "blue.group is missing"),
        ({"blue": {"group": " a"}}, "no blank at either end"),
        ({"blue": {"group": "shop_blue\n"}}, "take the blank or line break off its end"),
        ({"blue": {"group": "a\nb"}}, "none of them a line break"),
        ({"name": "shop\n"}, "take the blank or line break off its end"),
        ({"topics": ["orders\n"]}, "take the blank or line break off its end"),
        ({"topics": [1]}, "YAML reads it as a number, put it in quotes"),
        ({"topics": [False]}, "YAML reads it as a boolean, put it in quotes"),
        ({"blue": {"group": "g", "workload": "shop..blue"}}, "blue.workload is 'shop..blue'"),
        ({"blue": "x"}, "blue is 'x'; it must be a dictionary"),
        ({"blue": {"group": "g", "replicas": 3}}, "blue.replicas is unknown"),
        ({"blue": {"group": "shop_green"}}, "share the group shop_green"),
        ({"blue": {"group": "g", "workload": "shop-green"}}, "share the workload shop-green"),
        ({"topics": ["a b"]}, "topic 'a b' is not a topic name"),
        ({"topics": 3}, "topics is 3"),
        ({"workload_kind": "Job"}, "one of Deployment, StatefulSet"),
        ({"max_lag": -1}, "max_lag is -1"),
        ({"max_transaction_age": "x"}, "max_transaction_age is 'x'"),
        ({"replicas": "many"}, "replicas is 'many'"),
        ({"lock_ttl": 1}, "from 5 to"),
        ({"endpoint": {"port": 70000}}, "port is 70000"),
        ({"endpoint": {"transport": "pigeon"}}, "one of api_proxy, pod_ip"),
        ({"endpoint": {"base_path": "x"}}, "must begin with '/'"),
        ({"endpoint": {"tls": True}}, "endpoint.tls is unknown"),
        ({"timeouts": {"pause": 0}}, "pause is 0"),
        ({"timeouts": {"stop": 1}}, "timeouts.stop is unknown"),
        ({"colour": "blue"}, "colour is unknown; known are name"),
    ],
)
def test_one_fault(changes: dict[str, t.Any], says: str) -> None:
    faults = faults_of(**changes)
    assert any(says in fault for fault in faults), faults
    assert all(fault.startswith("application ") for fault in faults)


def test_every_fault_at_once() -> None:
    faults = faults_of(name="X", namespace="", blue={}, topics=[""], max_lag="x", extra=1)
    assert len(faults) >= 6


@pytest.mark.parametrize(
    ("mode", "target", "says"), [("tail", "", "mode 'tail' is unknown"), ("hot", "red", "colour 'red' is unknown")]
)
def test_mode_and_target(mode: str, target: str, says: str) -> None:
    with pytest.raises(InvalidSettingsError, match=says):
        parse_application(LEAST, mode, target)


def test_what_kafka_and_kubernetes_allow_works() -> None:
    blue = {"group": "order consumer (blue) ü", "workload": "orders.v1.blue"}
    app = parse_application({"name": "shop", "namespace": "shop", "blue": blue, "green": {"group": "g"}})
    assert (app.colours["blue"].group, app.colours["blue"].workload) == (blue["group"], blue["workload"])
