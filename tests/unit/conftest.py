# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the unit tests."""

from __future__ import annotations

import pytest
from hypothesis import settings

from ansible_collections.streamops.bluegreen.tests.unit.fakes.modules import RunModule, make_runner
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World

# A busy machine must not fail a test.
settings.register_profile("unit", deadline=None)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def _in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules never share a process with the controller, whose parts the tests of action plugins import."""
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False)


@pytest.fixture
def world() -> World:
    """Kafka, Kubernetes, pods and time in memory."""
    return World()


@pytest.fixture
def run_module(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> RunModule:
    """Runs a module's main()."""
    return make_runner(monkeypatch, capfd)
