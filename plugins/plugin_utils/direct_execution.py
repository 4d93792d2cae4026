# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Runs a module in the worker of its task where that makes no difference but time.

Ansible packs a module and what it imports into an archive, starts a Python, and that unpacks and imports all of it again: a
second for each task on a busy control node. A worker is a copy of the controller, which has imported everything already.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import sys
import types
import typing as t
from pathlib import Path

from ansible import constants
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.utils.display import Display
from ansible.vars.clean import remove_internal_keys

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters import kafka_package

try:
    from ansible.module_utils.common.json import Direction, get_module_decoder, get_module_encoder

    # Ansible made this hook for collections that run modules in the worker.
    POSSIBLE = hasattr(AnsibleModule, "_record_module_result")
except ImportError:
    POSSIBLE = False

PROFILE = "legacy"
"""How Ansible writes what it hands to modules in Python, and what these answer."""
SWITCH = "bg_direct_execution"
"""Variable that turns it off."""
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
            and boolean(self._templar.template(variables.get(SWITCH, True)))
            and is_this_python(self._interpreter(variables))
        )

    def _interpreter(self, variables: Variables) -> t.Any:
        host = self._task.delegate_to
        if host is not None:
            variables = variables.get("ansible_delegated_vars", {}).get(host, {})
        return self._templar.template(constants.config.get_config_value("INTERPRETER_PYTHON", variables=variables))

    def _execute_directly(self, module_args: Variables | None, variables: Variables) -> Result:
        name = self._task.action
        display.vvv(f"{name} runs in the worker of its task", host=variables.get("inventory_hostname"))
        options = dict(self._task.args if module_args is None else module_args)
        self._update_module_args(name, options, variables)
        result = run_in_this_process(self.module, options)
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


def run_in_this_process(module: types.ModuleType, options: Variables) -> Result:
    """What the module answers to these options, which are Ansible's own as well.

    Both ways take the form they have between processes, so that neither side sees an object of the other.
    """
    answers: list[Result] = []
    received = _as_received(options, "CONTROLLER_TO_MODULE")

    class Module(AnsibleModule):
        def _load_params(self) -> None:
            self.params = received

        def _record_module_result(self, o: Result) -> None:
            answers.append(_as_received(o, "MODULE_TO_CONTROLLER"))

    with _replaced(module, "AnsibleModule", Module), _unheard(), contextlib.suppress(SystemExit):
        module.main()
    return answers[0]


def _as_received(data: Variables, direction: str) -> Result:
    way = Direction[direction]
    text = json.dumps(dict(data), cls=get_module_encoder(PROFILE, way))
    received: Result = json.loads(text, cls=get_module_decoder(PROFILE, way))
    return received


@contextlib.contextmanager
def _replaced(module: types.ModuleType, name: str, value: t.Any) -> t.Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


@contextlib.contextmanager
def _unheard() -> t.Iterator[None]:
    """What libraries log or complain of in a process of a module's own, nobody hears. Here Ansible's log would take it."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)


def _import_libraries() -> None:
    """Once in the controller, not once in each worker. What is missing or broken the module meets again, and says so."""
    kafka_package.postpone()
    for name in ADAPTERS:
        with contextlib.suppress(Exception):
            importlib.import_module(f"{kafka_package.__name__.rpartition('.')[0]}.{name}")


_import_libraries()
