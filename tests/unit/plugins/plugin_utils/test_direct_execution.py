# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules that run in a fork of the worker: when, and that they behave as in a process that Ansible started."""

from __future__ import annotations

import atexit
import gc
import importlib.util
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import types
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from ansible.errors import AnsibleValueOmittedError
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.streamops.bluegreen.plugins.plugin_utils import direct_execution
from ansible_collections.streamops.bluegreen.plugins.plugin_utils.direct_execution import (
    DirectAction,
    is_this_python,
    run_in_a_fork,
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
    made.main = lambda: main(made.AnsibleModule(argument_spec=options, supports_check_mode=True))  # type: ignore[attr-defined]
    return made


def add_check_mode(self: t.Any, name: str, options: dict[str, t.Any], variables: dict[str, t.Any]) -> None:
    """What Ansible does there, in short."""
    options["_ansible_check_mode"] = True


def template(value: t.Any) -> t.Any:
    """A variable of ours, one that is omitted, and everything else as it is."""
    if value == "{{ omit }}":
        raise AnsibleValueOmittedError
    return sys.executable if value == "{{ ours }}" else value


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
            loader=SimpleNamespace(get_basedir=lambda: "/playbooks"),
            templar=SimpleNamespace(template=template),
            shared_loader_obj=None,
        )
        self.ran = ""
        self.variables = {"ansible_python_interpreter": sys.executable, **(variables or {})}
        monkeypatch.setattr(direct_execution.ActionBase, "_execute_module", lambda self, **call: self.note("packed"))
        monkeypatch.setattr(direct_execution, "run_in_a_fork", self.run_here)
        monkeypatch.setattr(Action, "_update_module_args", add_check_mode)

    def run_here(self, module: types.ModuleType, options: dict[str, t.Any], folder: str) -> dict[str, t.Any]:
        assert (module, folder) == (Action.module, "/playbooks")
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
        {"variables": {"ansible_python_interpreter": "{{ omit }}"}},
        {"variables": {"bg_direct_execution": "{{ omit }}"}},
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


def test_an_ansible_that_lacks_a_name_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ansible-core 2.21, of which the whole playbook ended when this file was imported."""
    alone = importlib.util.spec_from_file_location("alone", direct_execution.__file__)
    assert alone is not None
    assert alone.loader is not None
    for lacking, possible in (("", True), ("remove_internal_keys", False)):
        if lacking:
            monkeypatch.delattr(f"ansible.vars.clean.{lacking}")
        loaded = importlib.util.module_from_spec(alone)
        alone.loader.exec_module(loaded)
        assert possible is loaded.POSSIBLE


def test_another_environment_of_the_same_python_is_another_python(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to(sys.executable)
    assert not is_this_python(tmp_path / "python")
    (tmp_path / "bin").symlink_to(Path(sys.executable).parent)
    assert is_this_python(tmp_path / "bin" / Path(sys.executable).name)
    assert not is_this_python(None)


def run_here(main: t.Callable[[AnsibleModule], None], /, **options: t.Any) -> dict[str, t.Any]:
    """What a module with this main() and the option ``given`` answers."""
    spec = {"given": {"type": "raw"}, "password": {"type": "str", "no_log": True}}
    answer = run_in_a_fork(module_of(main, **spec), options, "/")
    answer.pop("invocation", None)
    return answer


def test_the_answer_has_the_form_it_has_between_processes() -> None:
    def main(made: AnsibleModule) -> None:
        made.warn("be careful")
        made.exit_json(changed=True, offsets={0: 5}, pods=("a", "b"), seen=made.params["password"])

    answer = run_here(main, password="geheim")
    [warning] = answer.pop("warnings")
    assert warning.event.msg == "be careful"
    assert answer == {
        "changed": True,
        "offsets": {"0": 5},
        "pods": ["a", "b"],
        "seen": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER",
    }


def test_a_failure_is_an_answer() -> None:
    answer = run_here(lambda made: made.fail_json(msg="no", changed=True))
    assert {"failed": True, "msg": "no", "changed": True}.items() <= answer.items()


def test_an_unexpected_error_is_an_answer() -> None:
    def main(made: AnsibleModule) -> None:
        raise ZeroDivisionError("by what?")

    answer = run_here(main)
    assert (answer["failed"], answer["msg"]) == (True, "ZeroDivisionError: by what?")
    assert "in main" in answer["exception"]


def test_a_module_that_dies_is_told_as_such() -> None:
    answer = run_here(lambda made: os.kill(os.getpid(), signal.SIGKILL))
    assert answer["failed"] is True
    assert answer["msg"].startswith("Module made ended without an answer (exit code -9): it was killed")
    assert "run the same again" in answer["msg"]


def test_the_options_are_plain_and_stay_the_callers() -> None:
    options: dict[str, t.Any] = {"given": ["a"], "_ansible_check_mode": True, "_ansible_diff": True}

    def main(made: AnsibleModule) -> None:
        made.params["given"].append("b")
        made.exit_json(seen=made.params["given"], check=made.check_mode, diff=made._diff)

    answer = run_here(main, **options)
    assert (answer["check"], answer["diff"], answer["seen"]) == (True, True, ["a", "b"])
    assert options == {"given": ["a"], "_ansible_check_mode": True, "_ansible_diff": True}


def test_each_run_is_a_process_of_its_own(tmp_path: Path) -> None:
    """Folder, exit functions, threads, signals: what a module does there ends with it."""
    key = tmp_path / "key"

    def main(made: AnsibleModule) -> None:
        key.write_text("secret")
        atexit.register(key.unlink)
        threading.Thread(target=time.sleep, args=(60,)).start()
        Path("relative").write_text("")
        signals = [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
        made.exit_json(pid=os.getpid(), signals=signals, there=key.exists(), frozen=gc.get_freeze_count() > 0)

    began = time.monotonic()
    module = module_of(main)
    # A worker has handlers of its own for these.
    before = {number: signal.signal(number, print) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        answers = [run_in_a_fork(module, {}, str(tmp_path)) for attempt in range(2)]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    usual = [str(signal.default_int_handler), str(signal.SIG_DFL)]
    assert time.monotonic() - began < 30  # nobody waited for the thread
    assert len({os.getpid(), *(answer["pid"] for answer in answers)}) == 3
    assert [(a["there"], a["signals"], a["frozen"]) for a in answers] == [(True, usual, True)] * 2
    assert [path.name for path in tmp_path.iterdir()] == ["relative"]
    assert module.AnsibleModule is AnsibleModule


def test_exit_functions_of_the_controller_are_not_the_modules(tmp_path: Path) -> None:
    called = tmp_path / "called"
    atexit.register(called.touch)
    try:
        run_here(lambda made: made.exit_json())
    finally:
        atexit.unregister(called.touch)
    assert not called.exists()


def test_a_task_whose_time_is_over_takes_its_module_along(tmp_path: Path) -> None:
    late = tmp_path / "late"

    def over(number: int, frame: t.Any) -> None:
        raise TimeoutError

    def main(made: AnsibleModule) -> None:
        (tmp_path / "pid").write_text(str(os.getpid()))
        os.kill(os.getppid(), signal.SIGUSR1)
        time.sleep(60)
        late.touch()

    before = signal.signal(signal.SIGUSR1, over)
    try:
        with pytest.raises(TimeoutError):
            run_here(main)
    finally:
        signal.signal(signal.SIGUSR1, before)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert not late.exists()


def test_libraries_are_not_heard(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("kafka.conn")
    handler = logging.StreamHandler()  # as that of Ansible's log_path

    def main(made: AnsibleModule) -> None:
        log.error("connecting")
        sys.stderr.write("InsecureRequestWarning")
        made.exit_json()

    log.addHandler(handler)
    try:
        run_here(main)
        log.error("heard again")
    finally:
        log.removeHandler(handler)
    assert capfd.readouterr().err == "heard again\n"


def test_a_process_of_ten_thousand_partitions_looks_for_no_garbage() -> None:
    module = types.ModuleType("made")
    vars(module).update(AnsibleModule=AnsibleModule)
    vars(module)["main_of_a_process"] = lambda: module.AnsibleModule(argument_spec={}).exit_json(alone=True)
    vars(module)["main"] = lambda: module.AnsibleModule(argument_spec={}).exit_json(alone=False)
    assert run_in_a_fork(module, {}, "/")["alone"] is True


MODULES = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py") if path.stem != "bg_report")


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_its_action(name: str) -> None:
    """All but bg_report, which is an action and nothing else."""
    action = importlib.import_module(f"{PREFIX}.action.{name}").ActionModule
    assert issubclass(action, direct_execution.DirectExecution)
    assert action.module is importlib.import_module(f"{PREFIX}.modules.{name}")
    assert action.module.AnsibleModule is AnsibleModule
    assert action._supports_async


ORDERS = {"name": "orders", "namespace": "n", "blue": {"group": "b"}, "green": {"group": "g"}}
CREDENTIALS = {"client-certificate-data": "Y2VydA==", "client-key-data": "a2V5"}
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": CREDENTIALS}],
}


def both_ways(number: int, options: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """The same task twice, once direct and once packed."""
    task = {"streamops.bluegreen.bg_info": options, "ignore_errors": True}
    return [
        {**task, "register": f"direct{number}"},
        {**task, "register": f"packed{number}", "vars": {"bg_direct_execution": False}},
    ]


def test_both_ways_answer_the_same(tmp_path: Path) -> None:
    """With the real Ansible, started in another folder than the playbook's. Failures need no service.

    A templated name has to arrive as plain text, a relative path to begin at the playbook, and no key to stay behind.
    """
    folder, temporary = tmp_path / "playbooks", tmp_path / "tmp"
    folder.mkdir()
    temporary.mkdir()
    tasks = [
        *both_ways(1, {"application": {"name": "{{ 'Orders' }}"}, "sasl_plain_password": "geheim"}),
        *both_ways(2, {"application": ORDERS, "kubeconfig": "kube.yml"}),
    ]
    seen = "{{ [direct1, packed1, direct2, packed2] | to_json }}"
    show = {"ansible.builtin.copy": {"content": seen, "dest": str(tmp_path / "seen.json")}}
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [*tasks, show]}
    (folder / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    (folder / "kube.yml").write_text(yaml.safe_dump(KUBECONFIG), encoding="utf-8")
    env = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(PLUGINS.parents[3]),
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(temporary),
    }
    command = [sys.executable, "-m", "ansible.cli.playbook", "-vvv", "playbooks/play.yml"]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("bg_info runs in a fork of the worker") == 2
    direct1, packed1, direct2, packed2 = json.loads((tmp_path / "seen.json").read_text(encoding="utf-8"))
    assert direct1 == packed1
    assert "name is 'Orders'" in direct1["msg"]
    assert "geheim" not in json.dumps(direct1)
    assert direct2 == packed2
    assert list(temporary.iterdir()) == []
