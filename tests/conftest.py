# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order in which files are handed to the workers of pytest-xdist."""

from __future__ import annotations

from pathlib import Path

import pytest

LONGEST_FIRST = (
    "bed/playbooks/test_failures.py",
    "bed/playbooks/test_untidy_preflight.py",
    "bed/playbooks/test_untidy_runs.py",
    "bed/playbooks/test_untidy_scaling.py",
    "bed/playbooks/test_from_the_flip_on.py",
    "bed/playbooks/test_stepwise.py",
    "bed/playbooks/test_secured_switch.py",
    "bed/playbooks/test_untidy_plain.py",
    "consumers/integration/test_switch.py",
    "bed/test_consumer_pause.py",
    "bed/test_modules.py",
    "bed/test_lag_wait.py",
    "bed/test_group_offsets.py",
)
"""Files of minutes. A worker that got one of them last would work on alone; pytest itself sorts by name."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move these files to the front; everything else stays as it is."""
    place = {Path(__file__).parent / name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))
