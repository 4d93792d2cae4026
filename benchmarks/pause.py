# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long it takes to pause N real pods through the API server's pod proxy, and to prove it; a naive loop beside it.

The pods are stand-ins that speak bg/v1 and consume nothing: what is measured is the fan-out, not Kafka. Writes
build/bench/pause.json. Needs the test bed; takes about three minutes.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import yaml

import testbed
from benchmarks.spread import spread

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build/bench/pause.json"
PROGRAM = ROOT / "tests/unit/fakes/endpoints.py"
NAIVE = ROOT / "benchmarks/pause_naive.yml"
SIZES = (10, 25, 50, 100)
NAIVE_SIZES = (10, 100)
BOUND = 1.0
"""Seconds inside the module for the largest size."""
WORKLOAD = "light"


class Bench:
    """The pods in a namespace of their own."""

    def __init__(self) -> None:
        self.namespace = f"bench-pause-{uuid.uuid4().hex[:6]}"
        self._epoch = 1
        self._environment = {
            **os.environ,
            **testbed.env(),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache/collections"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "LC_ALL": "C.UTF-8",
        }

    def run(self, *command: str, stdin: str | None = None) -> str:
        """Output of a command that must not fail."""
        ended = subprocess.run(
            command,
            env=self._environment,
            cwd=ROOT,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        if ended.returncode:
            raise SystemExit(
                f"{' '.join(command)[:300]} ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}"
            )
        return ended.stdout

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Output of kubectl in the namespace."""
        return self.run("kubectl", "--namespace", self.namespace, *arguments, stdin=stdin)

    def deploy(self) -> None:
        """The workload, with no pods yet."""
        labels = {"app": WORKLOAD}
        container = {
            "name": "endpoint",
            "image": "testbed.invalid/base:1",
            "imagePullPolicy": "Never",
            "command": ["python3", "-I", "-c", PROGRAM.read_text(encoding="utf-8")],
        }
        spec = {
            "dnsPolicy": "Default",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "containers": [container],
        }
        manifest = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": WORKLOAD},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        }
        self.kubectl("create", "namespace", self.namespace)
        self.kubectl("apply", "--filename=-", stdin=yaml.safe_dump(manifest))

    def scale(self, pods: int) -> None:
        """Until so many pods answer."""
        self.kubectl("scale", f"deployment/{WORKLOAD}", f"--replicas={pods}")
        self.kubectl("rollout", "status", f"deployment/{WORKLOAD}", "--timeout=600s")
        self.module("running", timeout=120)

    def module(self, state: str, timeout: float = 30.0) -> dict[str, Any]:
        """The module's result in a state that it has to bring about, with ``seconds`` for the whole process."""
        self._epoch += 1
        options = {
            "namespace": self.namespace,
            "name": WORKLOAD,
            "state": state,
            "epoch": self._epoch,
            "timeout": timeout,
        }
        command = ["ansible", "localhost", "--connection=local", "--module-name=streamops.bluegreen.consumer_pause"]
        began = time.monotonic()
        output = self.run(*command, f"--args={json.dumps(options)}")
        seconds = time.monotonic() - began
        return {**json.loads("{" + output.partition("=> {")[2]), "seconds": seconds}

    def naive(self, directory: Path) -> float:
        """Seconds of a playbook that sends the command and reads the state with one task and one request a pod."""
        self._epoch += 1
        config = yaml.safe_load(Path(self._environment["KUBECONFIG"]).read_text(encoding="utf-8"))
        user, cluster = config["users"][0]["user"], config["clusters"][0]["cluster"]
        given: dict[str, Any] = {"bench_epoch": self._epoch, "bench_host": cluster["server"]}
        for name, data in (
            ("bench_cert", user.get("client-certificate-data")),
            ("bench_key", user.get("client-key-data")),
            ("bench_ca", cluster.get("certificate-authority-data")),
        ):
            path = directory / name
            path.write_bytes(base64.b64decode(data) if data else Path(_file(user, cluster, name)).read_bytes())
            given[name] = str(path)
        given |= {"bench_namespace": self.namespace, "bench_selector": f"app={WORKLOAD}"}
        began = time.monotonic()
        self.run("ansible-playbook", str(NAIVE), f"--extra-vars={json.dumps(given)}")
        return time.monotonic() - began

    def remove(self) -> None:
        """Everything."""
        self.kubectl("delete", "namespace", self.namespace, "--timeout=300s")


def _file(user: dict[str, Any], cluster: dict[str, Any], name: str) -> str:
    return str(
        {"bench_cert": user, "bench_key": user, "bench_ca": cluster}[name][
            {"bench_cert": "client-certificate", "bench_key": "client-key", "bench_ca": "certificate-authority"}[name]
        ]
    )


def measure(bench: Bench, pods: int, runs: int) -> dict[str, Any]:
    """Pause and resume so many pods, several times."""
    bench.scale(pods)
    inside, whole = [], []
    for _run in range(runs):
        paused = bench.module("paused")
        proven = [pod for pod in paused["pods"] if pod["in_state"] and pod["commanded"] and pod["proof"] == "drained"]
        if len(proven) != pods:
            raise SystemExit(f"{len(proven)} of {pods} pods were paused and proven")
        inside.append(paused["elapsed"])
        whole.append(paused["seconds"])
        bench.module("running")
    return {"pods": pods, "module_seconds": spread(inside), "process_seconds": spread(whole)}


def main() -> int:
    """Measure; 0 when the bound holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pause", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs for each number of pods")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of pods")
    parser.add_argument(
        "--naive", type=int, nargs="*", default=NAIVE_SIZES, help="numbers of pods for the naive loop, once each"
    )
    options = parser.parse_args()
    bench = Bench()
    result: dict[str, Any] = {
        "bound_seconds": BOUND,
        "transport": "api_proxy",
        "dialect": "bg/v1",
        "cpus": os.cpu_count(),
    }
    try:
        bench.deploy()
        rows = []
        for pods in options.sizes:
            row = measure(bench, pods, options.runs)
            if pods in options.naive:
                with tempfile.TemporaryDirectory() as directory:
                    row["naive_process_seconds"] = round(bench.naive(Path(directory)), 1)
            rows.append(row)
            print(json.dumps(row), flush=True)
    finally:
        bench.remove()
    result["sizes"] = rows
    last = rows[-1]
    result["met"] = last["module_seconds"]["median"] <= BOUND
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{last['pods']} pods: {last['module_seconds']} s inside the module, bound {BOUND} s; written to {OUT}")
    return 0 if result["met"] else 1


if __name__ == "__main__":
    sys.exit(main())
