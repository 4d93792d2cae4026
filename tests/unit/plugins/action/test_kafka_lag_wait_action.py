# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin that cuts a wait in slices: what it hands on, tells and returns."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.streamops.bluegreen.plugins.action import kafka_lag_wait
from ansible_collections.streamops.bluegreen.plugins.plugin_utils import slices

INVOCATION = {"module_args": {"group_id": "g", "_slice": {}}}


class Action:
    """The plugin with a module that answers as scripted; every call of it is kept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answers: list[dict[str, t.Any]], **task: t.Any) -> None:
        self.calls: list[dict[str, t.Any]] = []
        self.said: list[str] = []
        self.removed = 0
        settings = {"args": {"group_id": "g"}, "async_val": 0, "check_mode": False, "no_log": False, **task}
        made = kafka_lag_wait.ActionModule(
            task=SimpleNamespace(**settings),
            connection=SimpleNamespace(has_native_async=False, _shell=SimpleNamespace(tmpdir="/tmp/x")),
            play_context=None,
            loader=None,
            templar=None,
            shared_loader_obj=None,
        )

        def execute(**call: t.Any) -> dict[str, t.Any]:
            self.calls.append(call)
            return dict(answers.pop(0))

        def remove(path: str) -> None:
            self.removed += 1

        monkeypatch.setattr(made, "_execute_module", execute)
        monkeypatch.setattr(made, "_remove_tmp_path", remove)
        monkeypatch.setattr(slices.display, "display", self.said.append)
        self.run = lambda: made.run(task_vars={"inventory_hostname": "orders"})

    @property
    def slices(self) -> list[t.Any]:
        """What each call was told of its slice."""
        return [call["module_args"].get("_slice") for call in self.calls]


def test_the_state_goes_from_slice_to_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [
        {"satisfied": False, "total_lag": 9, "resume": {"n": 1}, "line": "group g: lag 9"},
        {"satisfied": False, "resume": {"n": 2}, "line": "group g: lag 9; the last poll failed"},
        {"satisfied": False, "failed": True, "msg": "too late", "invocation": INVOCATION},
    ]
    action = Action(monkeypatch, answers)
    result = action.run()
    assert action.slices == [
        {"seconds": 3.0, "resume": None},
        {"seconds": 10.0, "resume": {"n": 1}},
        {"seconds": 10.0, "resume": {"n": 2}},
    ]
    assert action.said == ["orders: group g: lag 9", "orders: group g: lag 9; the last poll failed"]
    # What was last seen is there, what was between the slices is not.
    assert result == {
        "satisfied": False,
        "total_lag": 9,
        "failed": True,
        "msg": "too late",
        "invocation": {"module_args": {"group_id": "g"}},
    }
    assert action.removed == 1


def test_a_wait_for_an_empty_group_is_not_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    action = Action(monkeypatch, [{"satisfied": True}], args={"group_id": "g", "until": "empty", "progress": "20"})
    assert action.run() == {"satisfied": True}
    assert action.slices == [{"seconds": 20.0, "resume": None}]
    assert action.said == []


@pytest.mark.parametrize("progress", [0, "nonsense"])
def test_without_progress_the_module_waits_in_one_go(monkeypatch: pytest.MonkeyPatch, progress: t.Any) -> None:
    action = Action(monkeypatch, [{"satisfied": True}], args={"group_id": "g", "progress": progress})
    action.run()
    assert action.slices == [None]


def test_nothing_is_told_of_a_task_with_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    action = Action(monkeypatch, [{"resume": {}, "line": "secret"}, {"satisfied": True}], no_log=True)
    action.run()
    assert action.said == []


def test_in_the_background_the_module_waits_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    action = Action(monkeypatch, [{"started": 1}], async_val=60)
    assert action.run() == {"started": 1}
    assert action.calls == [{"task_vars": {"inventory_hostname": "orders"}, "wrap_async": True}]
    assert action.removed == 0, "the module still needs its files"
