# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A signal ends a module as an error does."""

from __future__ import annotations

import signal
import threading

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.interrupts import (
    SIGNALS,
    signals_as_errors,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InterruptedRunError


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_is_an_error_and_later_ones_wait_for_its_end(number: signal.Signals) -> None:
    before = {each: signal.getsignal(each) for each in SIGNALS}
    with signals_as_errors():
        with pytest.raises(InterruptedRunError, match=f"Interrupted by {number.name}"):
            signal.raise_signal(number)
        for again in SIGNALS:
            signal.raise_signal(again)
    assert {each: signal.getsignal(each) for each in SIGNALS} == before


def test_other_threads_set_no_handlers() -> None:
    seen = []

    def call() -> None:
        with signals_as_errors():
            seen.append({each: signal.getsignal(each) for each in SIGNALS})

    before = {each: signal.getsignal(each) for each in SIGNALS}
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert seen == [before]
