"""The option that replays one random schedule."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--schedule w2:12345``: play this schedule of test_weather.py and nothing else of it."""
    parser.addoption("--schedule", default=None, help="replay one schedule of the simulation's random weather")
