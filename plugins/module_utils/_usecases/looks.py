# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The loop of a wait."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Clock


def looks(
    clock: Clock, seconds: float, every: float, hold: t.Callable[[], None] = lambda: None, *, until: float | None = None
) -> t.Iterator[None]:
    """Go round a ``for`` loop once at least, and again until the time is over, which counts from the call.

    The body returns when what is waited for is so; what follows the loop says that it was not. A look that began in time counts,
    however long it takes.

    every: seconds between two looks. hold: called before each look, for a run that has to keep its lock; what it raises ends the
    wait. until: the end on the clock's monotonic time, for several loops with one end; ``seconds`` counts no more then.
    """
    return _rounds(clock, clock.monotonic() + seconds if until is None else until, every, hold)


def _rounds(clock: Clock, end: float, every: float, hold: t.Callable[[], None]) -> t.Iterator[None]:
    while True:
        hold()
        yield
        if clock.monotonic() >= end:
            return
        clock.sleep(every)
