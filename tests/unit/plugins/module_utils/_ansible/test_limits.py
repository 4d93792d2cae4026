# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible import argspec, limits

MODULES = sorted(path.stem for path in (Path(argspec.__file__).parents[2] / "modules").glob("*.py"))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, 1e300])
def test_no_number_of_time_is_endless(value: float) -> None:
    [fault] = limits.out_of_limits({"timeout": value, "group_id": "g", "evict": True, "sleep": None})
    assert fault == f"timeout is {value}; it must be a number from 0 to 2.592e+06 seconds"


def test_the_limits_themselves_are_allowed() -> None:
    for name, (least, most, _unit) in limits.LIMITS.items():
        assert limits.out_of_limits({name: least}) == []
        assert limits.out_of_limits({name: most}) == []
        assert len(limits.out_of_limits({name: least - 1})) == 1, name
        assert len(limits.out_of_limits({name: most * 2 + 10})) == 1, name


@pytest.mark.parametrize("name", MODULES)
def test_every_option_that_is_a_number_has_limits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"ansible_collections.streamops.bluegreen.plugins.modules.{name}")
    seen: dict[str, Any] = {}

    class AskedError(Exception):
        pass

    def ask(argument_spec: dict[str, Any], **_others: Any) -> None:
        seen.update(argument_spec)
        raise AskedError

    if not hasattr(module, "Module"):
        return  # an action plugin does its work
    monkeypatch.setattr(module, "Module", ask)
    with pytest.raises(AskedError):
        module.main()
    numbers = {option for option, spec in seen.items() if spec.get("type") in ("int", "float")}
    foreign = set(argspec.AUTH_ARG_SPEC)
    assert numbers - foreign <= set(limits.LIMITS)
