# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules that run in the worker of their task: when, and that nobody can tell from what they answer."""

from __future__ import annotations

import importlib
import json
import logging
import os
import subprocess
import sys
import types
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.streamops.bluegreen.plugins.plugin_utils import direct_execution
from ansible_collections.streamops.bluegreen.plugins.plugin_utils.direct_execution import (
    DirectAction,
    is_this_python,
    run_in_this_process,
)

PLUGINS = Path(direct_execution.__file__).parents[1]
PREFIX = "ansible_collections.streamops.bluegreen.plugins"


@pytest.fixture(autouse=True)
def _in_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is a part of the controller, and where no module has warned of anything yet."""
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", True)
    monkeypatch.setattr("ansible.module_utils.common.warnings._global_warnings", {})


def module_of(main: t.Callable[[AnsibleModule], None], **options: t.Any) -> types.ModuleType:
    """A module whose main() makes its AnsibleModule as ours do."""
    made = types.ModuleType("made")
    made.AnsibleModule = AnsibleModule  # type: ignore[attr-defined]
    made.main = lambda: main(made.AnsibleModule(argument_spec=options))  # type: ignore[attr-defined]
    return made


def add_check_mode(self: t.Any, name: str, options: dict[str, t.Any], variables: dict[str, t.Any]) -> None:
    """What Ansible does there, in short."""
    options["_ansible_check_mode"] = True


class Action(DirectAction):
    """A plugin whose module is packed, or runs here; ``ran`` says which."""

    module = types.ModuleType("none")

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        transport: str = "local",
        become: t.Any = None,
        variables: dict[str, t.Any] | None = None,
        **task: t.Any,
    ) -> None:
        settings = {"args": {}, "action": "x", "async_val": 0, "environment": [], "delegate_to": None, **task}
        super().__init__(
            task=SimpleNamespace(**settings),
            connection=SimpleNamespace(transport=transport, become=become),
            play_context=None,
            loader=None,
            templar=SimpleNamespace(template=lambda value: {"{{ ours }}": sys.executable}.get(value, value)),
            shared_loader_obj=None,
        )
        self.ran = ""
        self.variables = {"ansible_python_interpreter": sys.executable, **(variables or {})}
        monkeypatch.setattr(direct_execution.ActionBase, "_execute_module", lambda self, **call: self.note("packed"))
        monkeypatch.setattr(direct_execution, "run_in_this_process", self.run_here)
        monkeypatch.setattr(Action, "_update_module_args", add_check_mode)

    def run_here(self, module: types.ModuleType, options: dict[str, t.Any]) -> dict[str, t.Any]:
        assert module is Action.module
        return {**self.note("here"), "options": options, "_ansible_parsed": True, "_ansible_x": 1}

    def note(self, how: str) -> dict[str, t.Any]:
        self.ran = how
        return {}

    def go(self) -> str:
        self._execute_module(task_vars=self.variables)
        return self.ran


def test_on_the_control_node_it_runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Action(monkeypatch).go() == "here"
    assert Action(monkeypatch, environment=[{}, None]).go() == "here"
    assert Action(monkeypatch, variables={"bg_direct_execution": "yes"}).go() == "here"
    assert Action(monkeypatch, variables={"ansible_python_interpreter": "{{ ours }}"}).go() == "here"


def test_the_module_is_given_what_ansible_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    action = Action(monkeypatch, args={"group_id": "g"})
    answer = action._execute_module(task_vars=action.variables)
    assert answer == {"options": {"group_id": "g", "_ansible_check_mode": True}, "_ansible_parsed": True}
    sliced = action._execute_module(module_args={"group_id": "g", "_slice": 1}, task_vars=action.variables)
    assert sliced["options"] == {"group_id": "g", "_slice": 1, "_ansible_check_mode": True}
    assert action._task.args == {"group_id": "g"}


@pytest.mark.parametrize(
    "different",
    [
        {"transport": "ssh"},
        {"become": "sudo"},
        {"async_val": 60},
        {"environment": [{}, {"KUBECONFIG": "/elsewhere"}]},
        {"environment": ["{{ proxy_env }}"]},
        {"variables": {"bg_direct_execution": False}},
        {"variables": {"bg_direct_execution": "no"}},
        {"variables": {"ansible_python_interpreter": "/nowhere/python"}},
        {"variables": {"ansible_python_interpreter": "auto"}},
        {"delegate_to": "bastion"},
        {"delegate_to": "b", "variables": {"ansible_delegated_vars": {"b": {"ansible_python_interpreter": "/b"}}}},
    ],
    ids=str,
)
def test_where_it_would_make_a_difference_it_is_packed(
    monkeypatch: pytest.MonkeyPatch, different: dict[str, t.Any]
) -> None:
    assert Action(monkeypatch, **different).go() == "packed"


def test_the_interpreter_is_that_of_the_host_delegated_to(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"ansible_delegated_vars": {"b": {"ansible_python_interpreter": sys.executable}}}
    variables = {"ansible_python_interpreter": "/nowhere/python", **there}
    assert Action(monkeypatch, delegate_to="b", variables=variables).go() == "here"


def test_who_keeps_remote_files_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_KEEP_REMOTE_FILES", "1")
    assert Action(monkeypatch).go() == "packed"


def test_an_ansible_without_the_hook_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_execution, "POSSIBLE", False)
    assert Action(monkeypatch).go() == "packed"


def test_another_environment_of_the_same_python_is_another_python(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to(sys.executable)
    assert not is_this_python(tmp_path / "python")
    (tmp_path / "bin").symlink_to(Path(sys.executable).parent)
    assert is_this_python(tmp_path / "bin" / Path(sys.executable).name)
    assert not is_this_python(None)


def test_the_answer_has_the_form_it_has_between_processes() -> None:
    module = module_of(
        lambda made: made.exit_json(changed=True, offsets={0: 5}, pods=("a", "b"), seen=made.params["password"]),
        password={"type": "str", "no_log": True},
    )
    answer = run_in_this_process(module, {"password": "geheim", "_ansible_check_mode": False})
    assert answer.pop("invocation") == {"module_args": {"password": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"}}
    assert answer == {
        "changed": True,
        "offsets": {"0": 5},
        "pods": ["a", "b"],
        "seen": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER",
    }


def test_a_failure_is_an_answer() -> None:
    module = module_of(lambda made: made.fail_json(msg="no", changed=True))
    assert {"failed": True, "msg": "no", "changed": True}.items() <= run_in_this_process(module, {}).items()


def test_the_options_stay_the_callers() -> None:
    options: dict[str, t.Any] = {"topics": ["a"], "_ansible_diff": True}
    seen: dict[str, t.Any] = {}

    def main(made: AnsibleModule) -> None:
        seen.update(diff=made._diff)
        made.params["topics"].append("b")
        made.exit_json()

    run_in_this_process(module_of(main, topics={"type": "list", "elements": "str"}), options)
    assert options == {"topics": ["a"], "_ansible_diff": True}
    assert seen == {"diff": True}


def test_an_unexpected_error_is_ansibles() -> None:
    def main(made: AnsibleModule) -> None:
        raise ZeroDivisionError

    module = module_of(main)
    with pytest.raises(ZeroDivisionError):
        run_in_this_process(module, {})
    assert module.AnsibleModule is AnsibleModule


def test_libraries_are_not_heard(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    def main(made: AnsibleModule) -> None:
        logging.getLogger("kafka.conn").error("connecting")
        sys.stderr.write("InsecureRequestWarning")
        made.exit_json()

    run_in_this_process(module_of(main), {})
    logging.getLogger("kafka.conn").error("heard again")
    assert capfd.readouterr().err == ""
    assert [record.message for record in caplog.records] == ["heard again"]


MODULES = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py") if path.stem != "bg_report")


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_its_action(name: str) -> None:
    """All but bg_report, which is an action and nothing else."""
    action = importlib.import_module(f"{PREFIX}.action.{name}").ActionModule
    assert issubclass(action, direct_execution.DirectExecution)
    assert action.module is importlib.import_module(f"{PREFIX}.modules.{name}")
    assert action.module.AnsibleModule is AnsibleModule
    assert action._supports_async


def test_both_ways_answer_the_same(tmp_path: Path) -> None:
    """With the real Ansible; settings that are wrong need no service. A templated name must arrive as plain text."""
    task: dict[str, t.Any] = {
        "streamops.bluegreen.bg_info": {"application": {"name": "{{ 'Orders' }}"}, "sasl_plain_password": "geheim"},
        "ignore_errors": True,
    }
    here = {**task, "register": "here"}
    packed = {**task, "register": "packed", "vars": {"bg_direct_execution": False}}
    show = {"ansible.builtin.copy": {"content": "{{ [here, packed] | to_json }}", "dest": str(tmp_path / "seen.json")}}
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [here, packed, show],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    env = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(PLUGINS.parents[3]),
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "LC_ALL": "C.UTF-8",
    }
    command = [sys.executable, "-m", "ansible.cli.playbook", "-vvv", "play.yml"]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("bg_info runs in the worker of its task") == 1
    answers = json.loads((tmp_path / "seen.json").read_text(encoding="utf-8"))
    assert answers[0] == answers[1]
    assert "name is 'Orders'" in answers[0]["msg"]
    assert "geheim" not in json.dumps(answers)
