# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Connects to a cluster: as long as it may help, and not longer than that."""

from __future__ import annotations

import socket
import time
import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters import refusal
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import causes, net, security

try:
    from kafka import errors
except ImportError:
    pass  # connection.py says so before anything here is used

BACKOFF = 0.05
"""Seconds between the first two attempts."""
MOST_BACKOFF = 0.4
"""Seconds between two attempts grow to this."""
FIRST_PATIENCE = 2.0
"""Seconds one bootstrap server has in the first round; doubled each round, because all may be slow."""
NAME_PATIENCE = 3.0
"""Seconds the name service may say that it does not know now."""
_GRACE = 0.1
"""Seconds kept for closing and telling why."""


class Deadline:
    """A point in time that everything done for one call respects."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds left, not negative."""
        return max(0.0, self._end - time.monotonic())

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return self.seconds - (self._end - time.monotonic())


class RefusedError(Exception):
    """There is no connection, and waiting will not help; the text says why."""


def servers_of(settings: t.Mapping[str, t.Any]) -> str:
    """The bootstrap servers, for messages."""
    servers = settings.get("bootstrap_servers", "localhost:9092")
    return servers if isinstance(servers, str) else ",".join(servers)


def connect(
    settings: t.Mapping[str, t.Any], request_timeout: float, deadline: Deadline, refusals: refusal.Refusals
) -> net.Connections:
    """Connections that know the brokers. refusals: of these brokers, as far as they were asked before.

    Raises ``InvalidSettingsError`` before anything is connected, ``RefusedError`` as soon as it is clear that waiting will
    not help, kafka-python's ``KafkaConnectionError`` when the time is over.
    """
    # Files are read anew each time: certificates and tokens are renewed while we run.
    prepared = security.prepare(settings, net.KNOWN_SETTINGS)
    connections = net.Connections(prepared, request_timeout, BACKOFF)
    refusals.begin()
    try:
        _bootstrap(connections, deadline, refusals)
    except BaseException:
        connections.close(0.0)
        raise
    return connections


def _bootstrap(connections: net.Connections, deadline: Deadline, refusals: refusal.Refusals) -> None:
    patience, pause, asked = FIRST_PATIENCE, BACKOFF, False
    while True:
        limit = max(0.001, min(patience, deadline.left - _GRACE))
        try:
            connections.run(lambda: connections.bootstrap(limit, causes.is_final))  # noqa: B023 - run at once
        except net.UnconnectedError as failed:
            if why := _why_not(failed, connections.settings, deadline, asked):
                raise RefusedError(why) from failed
            if refusals.seen(*failed.errors):
                said = refusal.words(servers_of(connections.settings))
                raise RefusedError(f"{said}. Check bootstrap_servers, and whether the brokers run") from failed
            asked = True
            if deadline.left - _GRACE <= pause:
                raise errors.KafkaConnectionError(str(failed)) from failed
        else:
            refusals.answered = True
            return
        time.sleep(pause)
        patience, pause = 2 * patience, min(2 * pause, MOST_BACKOFF)


def _why_not(
    failed: net.UnconnectedError, settings: t.Mapping[str, t.Any], deadline: Deadline, asked: bool
) -> str | None:
    """A reason that waiting would not change. asked: the port was asked already what it speaks."""
    if causes.is_final(failed.error):
        return causes.explain(failed.host, failed.port, failed.error, settings)
    if unknown := causes.unresolved(failed.host, failed.port):
        if unknown.errno == socket.EAI_AGAIN and deadline.spent < NAME_PATIENCE:
            return None
        return causes.explain(failed.host, failed.port, unknown, settings)
    if lapsed := causes.lapsed_token(settings):
        return lapsed
    if asked or isinstance(failed.error, errors.KafkaTimeoutError):
        return None
    return causes.wrong_protocol(failed.host, failed.port, settings)
