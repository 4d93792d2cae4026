# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The machine: its clocks and its threads."""

from __future__ import annotations

import datetime
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux' monotonic clock stands still while the machine is suspended."""


class SystemClock:
    """Port ``Clock`` on the machine's clocks."""

    def monotonic(self) -> float:
        """Seconds, never going back. They pass while the machine sleeps, too: a lock ages meanwhile."""
        return time.clock_gettime(CLOCK)

    def now(self) -> str:
        """RFC 3339 UTC with microseconds."""
        return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class ThreadParallel:
    """Port ``Parallel``: one thread per call, made for the occasion so that a call may itself run others."""

    def run(self, calls: t.Mapping[str, t.Callable[[], t.Any]]) -> dict[str, t.Any]:
        """All results by name; the first exception (in the order of the names) once all calls have ended."""
        if not calls:
            return {}
        with ThreadPoolExecutor(max_workers=len(calls), thread_name_prefix="bg") as pool:
            futures = {name: pool.submit(call) for name, call in calls.items()}
        return {name: future.result() for name, future in futures.items()}
