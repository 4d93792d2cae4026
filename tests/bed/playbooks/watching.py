# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests look at beside the audit: stored state as the API server has it, processes of pods and playbooks."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from demo.application import APP
from demo.environment import ROOT
from demo.sandbox import Sandbox
from tests.unit.waiting import gone, until

RECORD = f"{APP}-active-version"
JOURNAL = f"{APP}-bg-journal"
RATE = 30
"""Records a second: each of twelve partitions gets some in every second. More would take processors from what is tested."""


def written(sandbox: Sandbox) -> dict[str, object]:
    """Everything a run could change: the version of every object, and the offsets of both groups.

    Of a Deployment everything but its status, which Kubernetes itself writes whenever a pod is slow to answer a probe.
    """
    found: dict[str, object] = {}
    for api_version, kind in (("v1", "ConfigMap"), ("coordination.k8s.io/v1", "Lease")):
        for item in sandbox.app.listed(api_version, kind):
            found[f"{kind} {item['metadata']['name']}"] = item["metadata"]["resourceVersion"]
    for item in sandbox.app.listed("apps/v1", "Deployment"):
        metadata = {key: item["metadata"].get(key) for key in ("uid", "generation", "labels", "annotations")}
        found[f"Deployment {item['metadata']['name']}"] = (metadata, item["spec"])
    found["green's offsets"] = sandbox.audits.committed("green")
    return found


def said_of(output: str) -> dict[str, str]:
    """What a run said of each host, without line breaks and with single spaces."""
    said: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=[a-z]+: \[|(?:TASK|PLAY|\[ERROR\])\b|\n)", output):
        if found := re.match(r"[a-z]+: \[([^\]]+)\]", block):
            said.setdefault(found[1], []).extend(block.split())
    return {host: " ".join(words) for host, words in said.items()}


def recap(output: str, host: str = APP) -> dict[str, int]:
    """The numbers at the end of a run for one host."""
    line = next(line for line in reversed(output.splitlines()) if line.split()[:1] == [host] and "changed=" in line)
    return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", line)}


class PlaybookRun:
    """A playbook in the background that can be killed with everything it started."""

    def __init__(self, sandbox: Sandbox, playbook: str, *arguments: str) -> None:
        command = sandbox.operator.command(playbook, "-e", f"bg_confirm={APP}", *arguments)
        self._log = (sandbox.out / "killed.log").open("ab")
        self._begin = self._log.tell()
        self._process = subprocess.Popen(
            command, env=sandbox.operator.env, cwd=ROOT, stdout=self._log, stderr=self._log
        )

    def __enter__(self) -> PlaybookRun:
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()

    def wait_for(self, what: str, condition: Callable[[], bool]) -> None:
        """Look quickly until the condition holds; a playbook that has ended will not show it any more."""

        def seen() -> bool:
            found = condition()
            assert found or self._process.poll() is None, f"the run ended before {what} was seen; see {self._log.name}"
            return found

        until(what, seen, every=0.02)

    def wait(self) -> tuple[int, str]:
        """Until it has ended by itself; exit code and output."""
        return gone(self._process, self._output), self._output()

    def _output(self) -> str:
        return Path(self._log.name).read_text(encoding="utf-8")[self._begin :]

    def kill(self) -> None:
        """SIGKILL to the playbook and to every process below it: workers put themselves into sessions of their own."""
        for pid in [self._process.pid, *descendants(self._process.pid)]:
            with_signal(pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()


def descendants(pid: int) -> list[int]:
    """Every process below ``pid``, by the kernel's own book-keeping."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text(encoding="utf-8").split()):
            found += [child, *descendants(child)]
    return found


def with_signal(pid: int, number: signal.Signals) -> None:
    """Signal one process that may be gone already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def process_of(pod: str) -> int:
    """The consumer process of a pod, as the host sees it; the test fails when there is none."""
    found = find_process(pod)
    assert found, f"pod {pod} has no consumer process on this machine"
    return found


def find_process(pod: str) -> int | None:
    """The consumer process of a pod, or None."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
            command = (entry / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if f"POD_NAME={pod}".encode() in environment and b"bgconsumer" in command:
            return int(entry.name)
    return None
