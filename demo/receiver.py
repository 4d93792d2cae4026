# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The monitoring of the test bed as the demonstration uses it, and the rulebook that receives its alerts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from demo.environment import DemoError

RULEBOOK = "streamops.bluegreen.rollback_on_alert"
VARIABLES = (
    "BG_WEBHOOK_HOST",
    "BG_WEBHOOK_PORT",
    "BG_WEBHOOK_TOKEN",
    "BG_WEBHOOK_CERTFILE",
    "BG_WEBHOOK_KEYFILE",
)
STARTS_WITHIN = 60.0
"""Seconds for a Java virtual machine, and for Ansible to find the collection."""


def wait_for(what: str, condition: Callable[[], Any], seconds: float, every: float = 0.2) -> Any:
    """What the condition returns once that is something; DemoError when it does not come."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise DemoError(f"{what} was not seen within {seconds:.0f} s")
        time.sleep(every)
    return found


class Monitoring:
    """Prometheus and Alertmanager over HTTP. ``env`` is what ``testbed.env()`` says."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Result of an instant query."""
        asked = urllib.parse.urlencode({"query": expression})
        found = self._get(f"{self._env['PROMETHEUS_URL']}/api/v1/query?{asked}")
        return list(found["data"]["result"])

    def firing_since(self, matchers: str, after: float) -> float | None:
        """Unix time of the first evaluation after ``after`` in which an alert fires; None when it does not."""
        series = self.query(f'ALERTS{{alertstate="firing",{matchers}}}[15m]')
        moments = [moment for row in series for moment, _value in row["values"] if moment > after]
        return min(moments, default=None)

    def groups(self, namespace: str) -> list[Any]:
        """What Alertmanager still has of the alerts of a namespace, those that ended included."""
        asked = urllib.parse.urlencode({"filter": f'namespace="{namespace}"'})
        return list(self._get(f"{self._env['ALERTMANAGER_URL']}/api/v2/alerts/groups?{asked}"))

    @contextlib.contextmanager
    def published(self, app: str, namespace: str) -> Iterator[None]:
        """Removes afterwards what was published of an application: a Pushgateway keeps it for ever."""
        try:
            yield
        finally:
            url = f"{self._env['PUSHGATEWAY_URL']}/metrics/job/bluegreen/app/{app}/namespace/{namespace}"
            with self._opener.open(urllib.request.Request(url, method="DELETE"), timeout=10):
                pass

    def reload(self) -> None:
        """Let Prometheus read its rules again."""
        with self._opener.open(
            urllib.request.Request(f"{self._env['PROMETHEUS_URL']}/-/reload", method="POST"), timeout=10
        ):
            pass

    def _get(self, url: str) -> Any:
        with self._opener.open(url, timeout=10) as answer:
            return json.load(answer)


class Receiver:
    """ansible-rulebook with the rulebook of the collection, where the Alertmanager of the bed sends to. A context manager."""

    def __init__(self, env: Mapping[str, str], operator: Mapping[str, str], inventory: Path, log: Path) -> None:
        self._bed = env
        self._token = Path(env["TESTBED_WEBHOOK_TOKEN_FILE"]).read_text(encoding="utf-8")
        self._context = ssl.create_default_context(cafile=env["TESTBED_WEBHOOK_CA"])
        self._inventory = inventory
        self.log = log
        self._env = {
            **operator,
            # ansible-playbook and ansible-galaxy of this environment; its own has none.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "JAVA_HOME": env["TESTBED_RULEBOOK_JAVA_HOME"],
            "ANSIBLE_LOG_PATH": str(log.with_suffix(".times.log")),  # the same with times
            "BG_WEBHOOK_HOST": env["TESTBED_WEBHOOK_HOST"],
            "BG_WEBHOOK_PORT": env["TESTBED_WEBHOOK_PORT"],
            "BG_WEBHOOK_TOKEN": self._token,
            "BG_WEBHOOK_CERTFILE": env["TESTBED_WEBHOOK_CERTFILE"],
            "BG_WEBHOOK_KEYFILE": env["TESTBED_WEBHOOK_KEYFILE"],
        }

    def __enter__(self) -> Receiver:
        command = ["nsenter", f"--net=/run/netns/{self._bed['TESTBED_MONITORING_NETNS']}"]
        command += [self._bed["TESTBED_RULEBOOK_PYTHON"], "-m", "ansible_rulebook", "--rulebook", RULEBOOK]
        command += ["--inventory", str(self._inventory), "--env-vars", ",".join(VARIABLES), "--print-events"]
        with self.log.open("w") as output:
            # A session of its own: it starts playbooks, and all of them end with it.
            self._process = subprocess.Popen(
                command, env=self._env, stdout=output, stderr=output, cwd=self.log.parent, start_new_session=True
            )
        try:
            wait_for("an answer of the rulebook", self._answers, STARTS_WITHIN)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def post(self, message: Mapping[str, Any], token: str | None = None) -> int:
        """Send a message as Alertmanager would; the HTTP status."""
        request = urllib.request.Request(
            f"https://{self._bed['TESTBED_WEBHOOK_HOST']}:{self._bed['TESTBED_WEBHOOK_PORT']}/alertmanager",
            data=json.dumps(message).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {token or self._token}"},
        )
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context)
        )
        try:
            with opener.open(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise DemoError(f"ansible-rulebook ended with {self._process.returncode}:\n{self.said()[-3000:]}")
        try:
            return self.post({}, token="nobody") == 401
        except urllib.error.URLError:
            return False

    def said(self) -> str:
        """All that it and its playbooks have written so far."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text(encoding="utf-8"))

    def played(self) -> int:
        """How many playbooks have ended."""
        return self.said().count("PLAY RECAP")

    def received(self) -> list[str]:
        """When it received each message, RFC 3339."""
        return re.findall(r"'received_at': '([^']+)'", self.said())
