# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the demonstration runs: on the test bed, or on a cluster and a Kafka that the user brings."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
OUT = BUILD / "demo"
IMAGE = "order-consumer:demo"


class DemoError(Exception):
    """The demonstration can't go on; the message says why and what to do."""


@dataclass(frozen=True)
class Names:
    """Names of everything the demonstration creates. All its own, so that nothing of the user's is ever touched."""

    tag: str

    @property
    def namespace(self) -> str:
        return f"bg-demo-{self.tag}"

    @property
    def topic(self) -> str:
        return f"bg-demo-{self.tag}-events"

    @property
    def ledger(self) -> str:
        return f"bg-demo-{self.tag}-ledger"

    def group(self, colour: str) -> str:
        return f"cc_order_demo-{self.tag}_{colour}"


@dataclass(frozen=True)
class Environment:
    """The cluster and the Kafka in use. tools: class path of Kafka's command line tools, empty where there are none."""

    kubeconfig: str
    bootstrap: str
    image: str
    pull_policy: str
    tools: str
    own_bed: bool


def find_environment(bring_up: bool = True) -> Environment:
    """The user's cluster when KUBECONFIG and KAFKA_BOOTSTRAP_SERVERS are set, else the test bed, brought up if need be."""
    kubeconfig, bootstrap = os.environ.get("KUBECONFIG"), os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if bool(kubeconfig) != bool(bootstrap):
        missing = "KAFKA_BOOTSTRAP_SERVERS" if kubeconfig else "KUBECONFIG"
        raise DemoError(
            f"Nothing was changed. {missing} is not set: set both to use your own cluster, or none for the test bed"
        )
    if kubeconfig and bootstrap and not _is_our_bed(kubeconfig):
        image = os.environ.get("BG_DEMO_IMAGE", "")
        if not image:
            raise DemoError(
                "Nothing was changed. BG_DEMO_IMAGE is not set: build consumers/python into an image that your cluster "
                "can pull, and name it there"
            )
        return Environment(
            kubeconfig, bootstrap, image, "IfNotPresent", os.environ.get("KAFKA_TOOLS_CLASSPATH", ""), own_bed=False
        )
    import testbed

    if bring_up:
        testbed.up()
    env = testbed.env()
    run([sys.executable, "-m", "testbed", "image", str(ROOT / "consumers/python"), IMAGE])
    return Environment(
        env["KUBECONFIG"], env["KAFKA_BOOTSTRAP_SERVERS"], IMAGE, "Never", env["KAFKA_TOOLS_CLASSPATH"], own_bed=True
    )


def _is_our_bed(kubeconfig: str) -> bool:
    """True when the variables were set from ``testbed env``: then the bed is in use, not a cluster of the user's."""
    import testbed

    try:
        return testbed.env()["KUBECONFIG"] == kubeconfig
    except Exception:  # noqa: BLE001  no bed is up, for whatever reason, so it is not ours
        return False


def new_names() -> Names:
    """Names nobody else uses."""
    return Names(secrets.token_hex(3))


def python_environment(environment: Environment) -> dict[str, str]:
    """Environment of the tools of the example application."""
    path = os.pathsep.join([str(ROOT / "consumers/python"), str(ROOT)])
    return {**os.environ, "PYTHONPATH": path, "KAFKA_BOOTSTRAP_SERVERS": environment.bootstrap}


def run(command: list[str], env: dict[str, str] | None = None) -> str:
    """Run a program to its end and answer its output; DemoError with all it said when it fails."""
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        raise DemoError(f"{' '.join(command[:4])} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
