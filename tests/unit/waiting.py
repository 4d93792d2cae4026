# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a test waits, in every suite: for a condition, and with one bound that only a hang reaches.

The bound is there to end a hang. It says nothing about how fast a machine is, and no test does. It is below tests/unit
because `ansible-test units` has nothing else of tests/; the other suites import it from here as well.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import traceback
import typing as t

T = t.TypeVar("T")

HANG = 300
"""Seconds after which something hangs: a hundred times of what anything waited for takes on a machine that is busy."""
NEVER = 2 * HANG
"""A timeout in seconds for what nobody may wait for: who does is met by ``HANG`` first."""


def until(what: str, look: t.Callable[[], T], enough: t.Callable[[T], object] = bool, every: float = 0.05) -> T:
    """Look again and again until what is seen is enough, and return it. The test fails with what was seen last."""
    end = time.monotonic() + HANG
    while not enough(seen := look()):
        assert time.monotonic() < end, f"not within {HANG:g} s: {what}; seen last: {seen!r}"
        time.sleep(every)
    return seen


def stays(
    what: str, look: t.Callable[[], T], enough: t.Callable[[T], object] = bool, looks: int = 20, every: float = 0.05
) -> None:
    """Look so many times. The test fails as soon as what is seen is not enough."""
    for number in range(looks):
        if number:
            time.sleep(every)
        seen = look()
        assert enough(seen), f"no longer at look {number + 1} of {looks}: {what}; seen: {seen!r}"


def ended(what: str, work: t.Callable[[], T]) -> T:
    """Do what has to end by itself and return its result, or raise its exception. The test fails with where it hangs."""
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)

    thread = threading.Thread(target=run, name=what, daemon=True)
    thread.start()
    joined(thread)
    if failures:
        raise failures[0]
    return results[0]


def joined(*threads: threading.Thread) -> None:
    """Wait for the end of threads. The test fails with where one of them hangs."""
    for thread in threads:
        thread.join(HANG)
        if thread.is_alive():
            frame = sys._current_frames().get(thread.ident or 0)
            where = "".join(traceback.format_stack(frame)) if frame else "it ended just now"
            raise AssertionError(f"not over within {HANG:g} s: {thread.name}; it is at:\n{where}")


def finished(command: t.Sequence[t.Any], **named: t.Any) -> subprocess.CompletedProcess[t.Any]:
    """``subprocess.run``. The test fails with what the program has said when it does not end.

    It gets more time than HANG: where it waits with that bound itself, it knows better what for.
    """
    try:
        return subprocess.run(command, timeout=NEVER, check=named.pop("check", False), **named)
    except subprocess.TimeoutExpired as late:
        said = f"{late.stdout!r} {late.stderr!r}"
        raise AssertionError(f"not over within {NEVER:g} s: {' '.join(map(str, command))}; it said: {said}") from None


def gone(process: subprocess.Popen[t.Any], log: t.Callable[[], str] = lambda: "nothing that is kept") -> int:
    """Wait for the end of a process and return its exit code. The test fails with what it wrote. log: reads that."""
    try:
        return process.wait(NEVER)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"not over within {NEVER:g} s: {process.args!r}; it said: {log()}") from None
