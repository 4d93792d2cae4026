"""Random weather: what happens in the world and when, drawn by a seed, and what the end of it has to look like.

A failing schedule prints one string: ``pytest tests/simulation/test_weather.py --schedule w2:12345`` plays it alone.
``python -m tests.simulation.sweep`` plays many.
"""

import pytest

from tests.simulation.world import weather
from tests.simulation.world.scenario import RUNS, part_of

SAMPLE, PARTS = 120, 4
"""Schedules of every `make test`, in so many tests."""


@pytest.fixture(autouse=True)
def _in_virtual_time(monkeypatch):
    weather.in_virtual_time(monkeypatch)


def seeds_of(part):
    """Every part has its own seeds; with SIMULATION_RUNS there are 25 times as many of them as that."""
    return range(part, (RUNS * 25 or part_of(SAMPLE)), PARTS)


@pytest.mark.parametrize("part", range(PARTS))
def test_schedules(part, request):
    if request.config.getoption("--schedule"):
        pytest.skip("one schedule is asked for")
    wrong = [verdict for verdict in map(_verdict, seeds_of(part)) if verdict.broken]
    assert wrong == [], "\n".join(map(str, wrong))


def test_one_schedule(request):
    text = request.config.getoption("--schedule")
    if not text:
        pytest.skip("no --schedule")
    verdict = _verdict(weather.parse(text))
    print(verdict)  # noqa: T201  it is what was asked for
    assert verdict.broken == []


def _verdict(seed):
    return weather.play_out(weather.draw(seed))


def test_a_seed_draws_the_same_schedule_and_the_same_end():
    for seed in (3, 17):
        assert weather.draw(seed) == weather.draw(seed)
        assert str(_verdict(seed)) == str(_verdict(seed))


def test_every_kind_of_weather_and_climate_is_drawn():
    drawn = [weather.draw(seed) for seed in range(1500)]
    assert {strike.what for schedule in drawn for strike in schedule.strikes} == set(weather.WEATHER)
    assert {name for schedule in drawn for name in schedule.climate} == set(weather.CLIMATES)
    assert {name for schedule in drawn for name in schedule.later} == set(weather.LATER)
    assert {schedule.kind for schedule in drawn} == set(weather.PODS)


def test_a_schedule_of_another_version_is_refused():
    with pytest.raises(ValueError, match="no schedule of this version"):
        weather.parse("w0:12")
