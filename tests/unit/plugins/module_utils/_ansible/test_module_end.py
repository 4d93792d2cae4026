# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a use case ends a module."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.module_end import run, secrets_of
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import KafkaError, MissingLibraryError
from ansible_collections.streamops.bluegreen.tests.unit.fakes.modules import seen_by_people


@dataclass
class Result:
    """A use case's result."""

    changed: bool
    diff: dict[str, str]


KUBECONFIG = {"users": [{"name": "u", "user": {"token": "s3cret", "username": "u"}}]}


@pytest.fixture
def end(capfd: pytest.CaptureFixture[str]) -> t.Callable[..., dict[str, t.Any]]:
    """Runs a use case in a module and returns what the module said."""

    def call(use_case: t.Callable[[], t.Any], diff: bool = False) -> dict[str, t.Any]:
        with patch_module_args({"kubeconfig": KUBECONFIG, "_ansible_diff": diff}), pytest.raises(SystemExit):
            run(AnsibleModule({"kubeconfig": {"type": "raw"}}), use_case)
        return seen_by_people(json.loads(capfd.readouterr().out))

    return call


def fail(error: Exception) -> t.Callable[[], t.Any]:
    def use_case() -> None:
        raise error

    return use_case


def test_the_diff_is_shown_in_diff_mode_only(end: t.Callable[..., dict[str, t.Any]]) -> None:
    result = Result(True, {"before": "a", "after": "b"})
    assert "diff" not in end(lambda: result)
    assert end(lambda: result, diff=True)["diff"] == {"before": "a", "after": "b"}


def test_a_diff_is_made_in_diff_mode_only(end: t.Callable[..., dict[str, t.Any]]) -> None:
    made = []
    result = {"changed": True, "diff": lambda: made.append(1) or {"before": "a", "after": "b"}}
    assert "diff" not in end(lambda: result)
    assert made == []
    assert end(lambda: result, diff=True)["diff"] == {"before": "a", "after": "b"}
    assert "diff" not in end(fail(KafkaError("no", result)))


def test_warnings_are_warnings(end: t.Callable[..., dict[str, t.Any]]) -> None:
    assert "be careful" in json.dumps(end(lambda: {"changed": False, "warnings": ["be careful"]})["warnings"])


def test_an_expected_error_keeps_its_result(end: t.Callable[..., dict[str, t.Any]]) -> None:
    answer = end(fail(KafkaError("Kafka does not answer", {"seen": 1, "changed": True})))
    assert (answer["failed"], answer["msg"], answer["seen"], answer["changed"]) == (
        True,
        "Kafka does not answer",
        1,
        True,
    )
    assert end(fail(KafkaError("no")))["changed"] is False


def test_a_missing_library_is_named(end: t.Callable[..., dict[str, t.Any]]) -> None:
    answer = end(fail(MissingLibraryError("kafka-python >= 3", "Traceback ...")))
    assert "kafka-python >= 3" in answer["msg"]


def test_an_unexpected_error_is_left_to_ansible() -> None:
    with patch_module_args({"kubeconfig": None}), pytest.raises(ZeroDivisionError):
        run(AnsibleModule({"kubeconfig": {"type": "raw"}}), lambda: 1 // 0)


def test_secrets_of_a_kubeconfig_are_hidden(end: t.Callable[..., dict[str, t.Any]]) -> None:
    assert secrets_of(KUBECONFIG) == {"s3cret"}
    assert secrets_of("/path/to/config") == set()
    assert "s3cret" not in json.dumps(end(lambda: {"changed": False, "text": "it is s3cret"}))
