"""Many random schedules in several processes: ``python -m tests.simulation.sweep --count 100000 --workers 2 --first 0``.

Prints how many of them ended how, the string of every failure, and at the end with 1 when there was any.
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import sys
import time
import traceback
import typing as t
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATHS = (".", ".cache/collections", "consumers/python", "scripts")
"""As pytest's own ``pythonpath`` in pyproject.toml."""
CHUNK = 50


def play(seed: int) -> tuple[str, str]:
    """How the schedule of a seed ended, in a word, and what was wrong with it."""
    from tests.simulation.world import weather

    schedule = weather.draw(seed)
    try:
        verdict = weather.play_out(schedule)
    except Exception:  # noqa: BLE001  a crash of the simulator is a failure of this schedule
        return "crashed", f"--schedule {weather.VERSION}:{seed}  {schedule}\n{traceback.format_exc(limit=-4)}"
    return verdict.kind, str(verdict) if verdict.broken else ""


def _begin() -> None:
    sys.path[:0] = [str(ROOT / path) for path in PATHS]
    from tests.simulation.world.weather import in_virtual_time

    in_virtual_time(_Patch())


class _Patch:
    """Stands in for pytest's monkeypatch: nothing has to be put back in a process that only does this."""

    @staticmethod
    def setattr(target: t.Any, name: str, value: t.Any) -> None:
        setattr(target, name, value)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  a command's output


def main(arguments: t.Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="schedules to play (default 1000)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first failure")
    wanted = parser.parse_args(arguments)
    _begin()  # here too: a pool whose processes can't begin makes new ones for ever
    began, ends, failures = time.monotonic(), collections.Counter[str](), 0
    with multiprocessing.Pool(wanted.workers, _begin, maxtasksperchild=200) as pool:
        seeds = range(wanted.first, wanted.first + wanted.count)
        for number, (kind, wrong) in enumerate(pool.imap_unordered(play, seeds, CHUNK), 1):
            ends[kind] += 1
            if wrong:
                failures += 1
                _say(wrong)
                if wanted.fail_fast:
                    break
            if number % 5000 == 0:
                _say(f"{number} played, {number / (time.monotonic() - began):.0f} a second, {failures} failed")
    seconds = time.monotonic() - began
    played = sum(ends.values())
    told = ", ".join(f"{count} {kind}" for kind, count in ends.most_common())
    _say(f"{played} schedules in {seconds:.0f} s ({played / seconds:.0f} a second): {told}; {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
