# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a module's main() in this process, with ports of our choice, and read its answer."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports


class RunModule(t.Protocol):
    """Arguments of ``run_module``."""

    def __call__(self, module: t.Any, ports: Ports | None = None, **options: t.Any) -> dict[str, t.Any]:
        """The module's answer, with its exit code as ``rc``."""


def make_runner(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> RunModule:
    """check=True and diff=True among the options switch check and diff mode on."""

    def run(module: t.Any, ports: Ports | None = None, **options: t.Any) -> dict[str, t.Any]:
        if ports is not None:
            monkeypatch.setattr(module, "build_ports", lambda params, *given, **named: ports)
        arguments = {f"_ansible_{name}": options.pop(name, False) for name in ("diff",)}
        arguments["_ansible_check_mode"] = options.pop("check", False)
        with patch_module_args({**options, **arguments}), pytest.raises(SystemExit) as ended:
            module.main()
        return {**seen_by_people(json.loads(capfd.readouterr().out)), "rc": ended.value.code}

    return run


HANDED_OVER: set[str] = set()


def seen_by_people(printed: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """A result as the controller shows it: from 2.22 on a module hands it the secrets, each once in a process, and it masks them."""
    HANDED_OVER.update(printed.get("_ansible_new_secrets") or [])
    shown = {key: value for key, value in printed.items() if not key.startswith("_ansible_")}
    return t.cast("dict[str, t.Any]", _masked(shown))


def as_shown(text: str) -> str:
    """A text as the controller shows it. The address of a Pushgateway is an option that hides its value: up to 2.21 the module shows
    one without a user in it all the same, and from 2.22 on ansible-core has it masked before the module begins.
    """
    return str(_masked(text))


def _masked(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: _masked(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    if isinstance(value, str):
        for secret in sorted(HANDED_OVER, key=len, reverse=True):
            value = value.replace(secret, "$REDACTED$")
    return value
