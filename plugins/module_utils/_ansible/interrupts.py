# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""A signal ends a module as an error does, so that what it began is undone before the process is gone."""

from __future__ import annotations

import contextlib
import signal
import threading
import types
import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InterruptedRunError

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What Ctrl-C, a cancelled job, a task's timeout and a closed terminal send."""


@contextlib.contextmanager
def signals_as_errors() -> t.Iterator[None]:
    """Raise InterruptedRunError in the main thread at the first signal; later ones are ignored while it is dealt with."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return

    def interrupt(number: int, _frame: types.FrameType | None) -> t.NoReturn:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise InterruptedRunError(f"Interrupted by {signal.Signals(number).name}")

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
