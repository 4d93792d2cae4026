# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""How long a server that refuses connections is waited for: the one rule for Kafka and Kubernetes.

Where nothing listens the system refuses at once. At the first contact that is a wrong port more often than a server that is
being started, so it is told after FIRST_CONTACT seconds. A server that answered before is being restarted: its address is
right, and it is waited for within the timeout of the call; so is one that answered an earlier process of the same run.
"""

from __future__ import annotations

import ssl
import time

FIRST_CONTACT = 3.0
"""Seconds for which a server that never answered may refuse every connection."""


def root(error: BaseException) -> BaseException:
    """The TLS or system error that an error of a library hides, or the error itself."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError):
            return seen
        hidden = next((part for part in seen.args if isinstance(part, BaseException)), None)
        seen = hidden or seen.__cause__ or seen.__context__
    return error


def is_cut_off(error: ssl.SSLError) -> bool:
    """The peer went away in the middle of a handshake."""
    return isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError) or "EOF" in str(error)


def is_refused(error: BaseException) -> bool:
    """Whether the system refused a connection because nobody listens; kafka-python tells it in words only."""
    return isinstance(root(error), ConnectionRefusedError) or "ECONNREFUSED" in str(error)


class Refusals:
    """Counts how long one server, or all of several, refused every connection, until one answers.

    answered: whether one did so already, if only to an earlier process.
    """

    def __init__(self, answered: bool = False) -> None:
        self.answered = answered
        self._since: float | None = None

    def begin(self) -> None:
        """A call begins: what an earlier one saw says nothing about the time between them."""
        self._since = None

    def seen(self, *errors: BaseException) -> bool:
        """Whether waiting on is of no use. errors: what the latest attempts failed with, one of each server."""
        if self.answered or not all(map(is_refused, errors)):
            self._since = None
            return False
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        return now - self._since >= FIRST_CONTACT


def words(server: str) -> str:
    """What there is to say of it."""
    return f"{server} refused every connection for {FIRST_CONTACT:g} s: nothing listens there"
