"""docs/gates.md names every gate there is, and shows the presets as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import bake
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.metric_gate import (
    DEFAULT,
    NAMES,
    PRESETS,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.preflight import preflight
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.verify import verify
from tests.simulation.world.scenario import SCENARIOS, Scenario

TEXT = (Path(__file__).parents[2] / "docs/gates.md").read_text(encoding="utf-8")
STAGES = dict(zip(("before", "verify", "bake"), re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:], strict=False))
OF_TOPICS = 4
"""Gates of the second stage that are those of the first."""


def named(stage: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", STAGES[stage].replace("\n", " ")))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_every_gate_is_named(scenario: Scenario) -> None:
    world = scenario.world()
    operator = world.operator("look")
    plan = world.run(operator, lambda: preflight(operator.ports, world.app, scenario.mode, scenario.direction))
    assert {row.name for row in plan.gates} - named("before") == set()
    _seen, rows = world.run(operator, lambda: verify(operator.ports, world.app, scenario.mode, 0.0))
    assert [row.name for row in rows[:OF_TOPICS]] == [row.name for row in plan.gates[:OF_TOPICS]]
    assert {row.name for row in rows[OF_TOPICS:]} - named("verify") == set()


def test_every_gate_of_the_bake_is_named() -> None:
    assert {row.name for row in bake.judge(bake.Watch(), bake.Limits())} <= named("bake")


def test_the_presets_are_as_they_are() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in TEXT.splitlines() if line.startswith("| `")
    ]
    shown = {row[0].strip("` "): row[2:] for row in rows if len(row) == 5}
    assert shown == {name: [gate.stage, f"`{gate.query}`", f"`{gate.wanted}`"] for name, gate in PRESETS.items()}
    assert " and ".join(f"`{name}`" for name in DEFAULT) in TEXT


def test_every_placeholder_is_told() -> None:
    told = set(re.findall(r"`\$([a-z_]+)`", TEXT))
    assert {name for name in NAMES if "_" not in name or name == "source_rate"} <= told
    assert told <= set(NAMES)
