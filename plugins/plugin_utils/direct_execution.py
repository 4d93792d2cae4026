# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Runs a module in a fork of Ansible's worker, where that makes no difference but time.

Ansible packs a module and what it imports into an archive, starts a Python, and that unpacks and imports all of it again: a
second for each task on a busy control node. A worker is a fork of the controller, which has imported everything already, and so
is a fork of the worker. It is a process of the module's own all the same: whatever a module leaves behind ends with it.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import json
import logging
import multiprocessing
import os
import signal
import sys
import traceback
import types
import typing as t
from multiprocessing.connection import Connection
from pathlib import Path

from ansible import constants
from ansible.errors import AnsibleError
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.utils.display import Display

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters import kafka_package

try:
    from ansible.module_utils import _internal
    from ansible.module_utils.common.json import Direction, get_module_decoder, get_module_encoder
    from ansible.vars.clean import remove_internal_keys  # gone in 2.21, and there a module reads more of its own start

    # Ansible made the hook for collections that run modules without packing them.
    POSSIBLE = hasattr(AnsibleModule, "_record_module_result") and hasattr(_internal, "is_controller")
except ImportError:
    POSSIBLE = False

PROFILE = "legacy"
"""How Ansible writes what it hands to modules in Python, and what these answer."""
SWITCH = "bg_direct_execution"
"""Variable that turns it off."""
DIED = (
    "Module {} ended without an answer (exit code {}): it was killed, perhaps because memory ran out. What it had done by then "
    "is not known; run the same again, it begins with what it finds"
)
ADAPTERS = ("kafka", "api_server", "kubernetes", "pods")

Result = dict[str, t.Any]
Variables = t.Mapping[str, t.Any]

display = Display()


class DirectExecution(ActionBase):
    """For action plugins that call a module of this collection, perhaps more than once."""

    module: types.ModuleType
    """Its ``main`` makes the one AnsibleModule, by that name."""

    def _execute_module(self, **call: t.Any) -> Result:  # type: ignore[override]
        """See ActionBase; every argument is named."""
        variables = call.get("task_vars") or {}
        if self._may_be_direct(variables):
            return self._execute_directly(call.get("module_args"), variables)
        packed: Result = super()._execute_module(**call)
        return packed

    def _may_be_direct(self, variables: Variables) -> bool:
        """Whether the module would be started here, by this user, with this Python and this environment anyway."""
        task = self._task
        return (
            POSSIBLE
            and self._connection.transport == "local"
            and not self._connection.become
            and not task.async_val
            and not any(task.environment or ())
            and not constants.config.get_config_value("DEFAULT_KEEP_REMOTE_FILES")  # somebody wants to see the archive
            and self._is_wanted(variables)
        )

    def _is_wanted(self, variables: Variables) -> bool:
        try:
            wanted = boolean(self._templar.template(variables.get(SWITCH, True)))
            return wanted and is_this_python(self._interpreter(variables))
        except AnsibleError:
            return False  # e.g. default(omit), for which Ansible has a meaning when it packs

    def _interpreter(self, variables: Variables) -> t.Any:
        host = self._task.delegate_to
        if host is not None:
            variables = variables.get("ansible_delegated_vars", {}).get(host, {})
        return self._templar.template(constants.config.get_config_value("INTERPRETER_PYTHON", variables=variables))

    def _execute_directly(self, module_args: Variables | None, variables: Variables) -> Result:
        name = self._task.action
        display.vvv(f"{name} runs in a fork of the worker", host=variables.get("inventory_hostname"))
        options = dict(self._task.args if module_args is None else module_args)
        self._update_module_args(name, options, variables)
        # Ansible starts a local module in the folder of the playbook.
        result = run_in_a_fork(self.module, options, self._loader.get_basedir())
        remove_internal_keys(result)
        return result


class DirectAction(DirectExecution, NormalAction):
    """The action of a module that needs nothing else of Ansible."""


def is_this_python(interpreter: t.Any) -> bool:
    """Whether this path is the Python that runs us, in the same (virtual) environment."""
    path, own = Path(str(interpreter)), Path(sys.executable)
    try:
        return path.samefile(own) and path.parent.samefile(own.parent)
    except OSError:
        return False


def run_in_a_fork(module: types.ModuleType, options: Variables, folder: str) -> Result:
    """What the module answers to these options, which are Ansible's own as well.

    Both ways take the form they have between processes, so that neither side sees an object of the other. folder: where its
    relative paths begin.
    """
    forks = multiprocessing.get_context("fork")
    answers, answering = forks.Pipe(duplex=False)
    process = forks.Process(
        target=_be_the_module, args=(module, _as_text(options, "CONTROLLER_TO_MODULE"), folder, answering)
    )
    process.start()
    answering.close()
    try:
        answer = answers.recv_bytes()
    except EOFError:
        process.join()
        return {"failed": True, "msg": DIED.format(module.__name__.rpartition(".")[2], process.exitcode)}
    finally:
        # A task whose time is over leaves by an exception; the module must not go on behind its back.
        process.terminate()
        process.join()
        answers.close()
    return _as_received(answer, "MODULE_TO_CONTROLLER")


def _be_the_module(module: types.ModuleType, options: bytes, folder: str, answering: Connection) -> t.NoReturn:
    """All that a process of the module's own would do, and nothing that the worker would do at its end."""
    answers: list[bytes] = []

    class Module(AnsibleModule):
        def _load_params(self) -> None:
            self.params = _as_received(options, "CONTROLLER_TO_MODULE")

        def _record_module_result(self, o: Result) -> None:
            answers.append(_as_text(o, "MODULE_TO_CONTROLLER"))

    try:
        _forget_the_controller()
        vars(module)["AnsibleModule"] = Module
        os.chdir(folder)
        with contextlib.suppress(SystemExit):
            getattr(module, "main_of_a_process", module.main)()
    except Exception as error:  # noqa: BLE001  the process must answer, as one that Ansible started
        failed = {"failed": True, "msg": f"{type(error).__name__}: {error}", "exception": traceback.format_exc()}
        answers.append(_as_text(failed, "MODULE_TO_CONTROLLER"))
    finally:
        try:
            # Here files go that hold keys for as long as a connection may need them.
            atexit._run_exitfuncs()  # noqa: SLF001
            if answers:
                answering.send_bytes(answers[0])
        finally:
            # Threads that still wait for somebody's answer end here, too, and also when the worker is gone.
            os._exit(0 if answers else 1)


def _forget_the_controller() -> None:
    """Neither its signal handlers nor its exit functions are the module's, and nobody hears what libraries complain of."""
    _internal.is_controller = False  # so that warnings go into the answer
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    atexit._clear()  # noqa: SLF001 - as multiprocessing does since Python 3.14
    gc.freeze()  # to look for garbage in what the controller made would copy it
    logging.disable(logging.CRITICAL)  # Ansible's own log would take it
    sys.stdout = sys.stderr = io.StringIO()


def _as_text(data: Variables, direction: str) -> bytes:
    return json.dumps(dict(data), cls=get_module_encoder(PROFILE, Direction[direction])).encode()


def _as_received(text: bytes, direction: str) -> Result:
    received: Result = json.loads(text, cls=get_module_decoder(PROFILE, Direction[direction]))
    return received


def _import_libraries() -> None:
    """Once in the controller, not once in each worker. What is missing or broken the module meets again, and says so."""
    kafka_package.postpone()
    for name in ADAPTERS:
        with contextlib.suppress(Exception):
            importlib.import_module(f"{kafka_package.__name__.rpartition('.')[0]}.{name}")


_import_libraries()
