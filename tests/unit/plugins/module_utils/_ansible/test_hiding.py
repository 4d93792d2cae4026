# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets are hidden the way of the ansible-core at hand: the module masks up to 2.21, the controller from 2.22 on."""

from __future__ import annotations

import importlib.util
import types
import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible import hiding
from ansible_collections.streamops.bluegreen.tests.unit.fakes.modules import RunModule

HUSH = "hush-of-a-secret"


def test_the_module_and_the_controller_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[set[str]] = []
    monkeypatch.setattr(hiding, "register_secrets", told.append)
    module = t.cast(t.Any, types.SimpleNamespace(no_log_values={"before"}))
    hiding.hide(module, [HUSH, ""])
    assert module.no_log_values == {"before", HUSH}, "an empty one would mask everything"
    assert told == [{HUSH}]


def test_the_controller_is_told_where_it_listens() -> None:
    listens = importlib.util.find_spec("ansible.module_utils.secrets") is not None
    assert (hiding.register_secrets is not None) is listens


def test_nobody_sees_it(run_module: RunModule) -> None:
    module = types.ModuleType("module")

    def main() -> None:
        from ansible.module_utils.basic import AnsibleModule

        running = AnsibleModule({})
        hiding.hide(running, [HUSH])
        running.exit_json(changed=False, seen=f"it is {HUSH}", rows=[{"header": HUSH}])

    module.main = main  # type: ignore[attr-defined]
    done = run_module(module)
    assert done["seen"].startswith("it is "), done
    assert HUSH not in str(done)
