# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Long work of a module in slices, with a line between them of where it stands. What a slice does is in the module."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

display = Display()


class SlicedAction(ActionBase):
    """Calls the module of the same name until it has ended.

    The module's option ``_slice`` is a dictionary of ``seconds``, after which it returns, and ``resume``. A result with ``resume``
    is not the end: it goes into the next call, and ``line`` is shown.
    """

    DEFAULT: float
    """The module's default of ``progress``, in seconds."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """The module's result, as if it had worked in one go."""
        super().run(tmp, task_vars)
        in_background = bool(self._task.async_val and not self._connection.has_native_async)
        if in_background:
            started: dict[str, t.Any] = self._execute_module(task_vars=task_vars, wrap_async=True)
            return started
        try:
            return self._slices(task_vars or {})
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)  # noqa: SLF001 - as Ansible's own action plugins do

    def first(self, interval: float) -> float:
        """Seconds of the first slice."""
        return interval

    def _slices(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        interval = self._interval()
        seconds = self.first(interval)
        result: dict[str, t.Any] = {}
        resume = None
        while True:
            part = {"_slice": {"seconds": seconds, "resume": resume}} if interval > 0 else {}
            # What a slice could not see, because somebody did not answer, stays as it was last seen.
            result.update(self._execute_module(module_args={**self._task.args, **part}, task_vars=task_vars))
            _forget_slice(result)
            resume, line = result.pop("resume", None), result.pop("line", "")
            if resume is None:
                return result
            if not self._task.no_log:
                display.display(f"{task_vars.get('inventory_hostname', 'localhost')}: {line}")
            seconds = interval

    def _interval(self) -> float:
        try:
            return float(self._task.args.get("progress", self.DEFAULT))
        except (TypeError, ValueError):
            return 0.0  # the module says what is wrong with it


def _forget_slice(result: t.Mapping[str, t.Any]) -> None:
    """Nobody set this option."""
    invocation = result.get("invocation")
    if isinstance(invocation, dict) and isinstance(invocation.get("module_args"), dict):
        invocation["module_args"].pop("_slice", None)
