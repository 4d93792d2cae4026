# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin that tells where a bake stands."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.streamops.bluegreen.plugins.action import bg_run
from ansible_collections.streamops.bluegreen.plugins.plugin_utils import slices


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., tuple[dict[str, t.Any], list[t.Any], list[str]]]:
    """Runs the plugin with a module that returns as scripted: the result, the slices it was called with, and the lines."""

    def run(answers: list[dict[str, t.Any]], **args: t.Any) -> tuple[dict[str, t.Any], list[t.Any], list[str]]:
        made = bg_run.ActionModule(
            task=SimpleNamespace(args=args, async_val=0, check_mode=False, no_log=False),
            connection=SimpleNamespace(has_native_async=False, _shell=SimpleNamespace(tmpdir="/tmp/x")),
            play_context=None,
            loader=None,
            templar=None,
            shared_loader_obj=None,
        )
        called, said = [], []

        def execute(module_args: dict[str, t.Any], **_more: t.Any) -> dict[str, t.Any]:
            called.append(module_args.get("_slice"))
            return dict(answers.pop(0))

        monkeypatch.setattr(made, "_execute_module", execute)
        monkeypatch.setattr(made, "_remove_tmp_path", lambda _path: None)
        monkeypatch.setattr(slices.display, "display", said.append)
        return made.run(task_vars={"inventory_hostname": "orders"}), called, said

    return run


def test_a_run_without_a_bake_is_one_call(play: t.Any) -> None:
    result, called, said = play([{"changed": True, "settled": True}])
    assert (result, said) == ({"changed": True, "settled": True}, [])
    assert called == [{"seconds": 5.0, "resume": None}]


def test_a_bake_is_told_between_its_slices(play: t.Any) -> None:
    answers = [
        {"changed": True, "settled": False, "resume": {"n": 1}, "line": "bake: 5 of 30 s"},
        {"changed": True, "settled": False, "resume": {"n": 2}, "line": "bake: 15 of 30 s"},
        {"changed": True, "settled": True},
    ]
    result, called, said = play(answers, progress=10)
    assert result == {"changed": True, "settled": True}
    assert [part["resume"] for part in called] == [None, {"n": 1}, {"n": 2}]
    assert {part["seconds"] for part in called} == {10.0}
    assert said == ["orders: bake: 5 of 30 s", "orders: bake: 15 of 30 s"]


def test_without_lines_there_are_no_slices(play: t.Any) -> None:
    _result, called, _said = play([{"changed": True}], progress=0)
    assert called == [None]
