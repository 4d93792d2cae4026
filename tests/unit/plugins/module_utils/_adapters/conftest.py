# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the adapters' tests."""

from __future__ import annotations

import gc
import typing as t
import warnings

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.api_server import ApiServer
from ansible_collections.streamops.bluegreen.tests.unit.fakes.http_server import HttpServer
from ansible_collections.streamops.bluegreen.tests.unit.waiting import HANG


@pytest.fixture(scope="module", autouse=True)
def _sockets_of_clients_that_gave_up() -> t.Iterator[None]:
    """kafka-python does not close its sockets when a connection cannot be made; that is not what is tested here."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[HttpServer]:
    """An API server as scripted, and no other cluster anywhere."""
    for variable in ("KUBECONFIG", "K8S_AUTH_KUBECONFIG", "K8S_AUTH_HOST", "K8S_AUTH_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    with HttpServer() as started:
        yield started


@pytest.fixture
def api(server: HttpServer) -> ApiServer:
    """A connection to it."""
    return ApiServer({"host": f"http://127.0.0.1:{server.port}", "api_key": "secret"}, timeout=HANG)
