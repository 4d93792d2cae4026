"""The control group of the bed: every process of it, pods included, is in there and in nothing else.

That makes cleaning up exact. A process is ours because the kernel says so, not because of its name, and a child that
outlived its parent is still found.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from testbed import settings

ROOT = Path("/sys/fs/cgroup")


class CgroupError(Exception):
    """Processes of the bed could not be ended."""


def hierarchies() -> list[Path]:
    """Mount points of the cgroup hierarchies: one for cgroup v2, one for each controller for cgroup v1."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    # A symbolic link (cpu -> cpu,cpuacct) is a second name of the same hierarchy.
    return sorted(path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink())


def is_v2() -> bool:
    """Whether this machine has the unified hierarchy only."""
    return hierarchies() == [ROOT]


def create() -> None:
    """Create the group in every hierarchy, and within it ``host`` for the processes that are not in pods."""
    for hierarchy in hierarchies():
        (hierarchy / settings.CGROUP / "host").mkdir(parents=True, exist_ok=True)
        if is_v2():
            # Pods are limited and counted in groups below ours, so the controllers must reach down to there.
            for group in (hierarchy, hierarchy / settings.CGROUP):
                (group / "cgroup.subtree_control").write_text("+cpu +cpuset +memory +pids")
        if hierarchy.name == "cpuset":
            # A new cpuset of cgroup v1 is empty, and then no process can enter it.
            for group in (hierarchy / settings.CGROUP, hierarchy / settings.CGROUP / "host"):
                for name in ("cpuset.cpus", "cpuset.mems"):
                    (group / name).write_text((group.parent / name).read_text())


def entering(command: list[str]) -> list[str]:
    """``command`` preceded by a shell that enters the group before it becomes the program."""
    files = [str(hierarchy / settings.CGROUP / "host" / "cgroup.procs") for hierarchy in hierarchies()]
    script = "for file in " + " ".join(files) + '; do echo $$ > "$file" || exit 1; done; exec "$@"'
    return ["/bin/sh", "-c", script, "enter", *command]


def processes() -> set[int]:
    """Pids of all processes of the bed."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        for group in _groups(hierarchy):
            try:
                found.update(int(line) for line in (group / "cgroup.procs").read_text().split())
            except (FileNotFoundError, OSError):
                continue  # a container's group vanished while we were reading
    return found


def kill_all(timeout: float = 20) -> None:
    """End every process of the bed and wait until all are gone.

    Raises:
        CgroupError: some are left after ``timeout`` seconds.
    """
    _thaw()
    deadline = time.monotonic() + timeout
    while left := processes():
        if time.monotonic() > deadline:
            raise CgroupError(
                f"processes {sorted(left)} of the test bed do not end; look at them with ps, then try again"
            )
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.1)


def _thaw() -> None:
    """Unfreeze containers: a frozen process of cgroup v1 does not take its SIGKILL."""
    for hierarchy in hierarchies():
        for group in _groups(hierarchy):
            for name, word in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
                if (group / name).exists() and hierarchy.name in ("freezer", ROOT.name):
                    (group / name).write_text(word)


def remove() -> None:
    """Remove the empty groups, innermost first."""
    for hierarchy in hierarchies():
        for group in sorted(_groups(hierarchy), key=lambda path: len(path.parts), reverse=True):
            group.rmdir()


def exists() -> bool:
    """Whether a group of a bed is there."""
    return any((hierarchy / settings.CGROUP).is_dir() for hierarchy in hierarchies())


def memory_bytes() -> int | None:
    """Memory the bed uses without page cache that could be dropped, or None when it is not there."""
    name, inactive = (
        ("memory.current", "inactive_file") if is_v2() else ("memory.usage_in_bytes", "total_inactive_file")
    )
    group = (ROOT if is_v2() else ROOT / "memory") / settings.CGROUP
    if not (group / name).exists():
        return None
    statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    return int((group / name).read_text()) - int(statistics.get(inactive, 0))


def _groups(hierarchy: Path) -> list[Path]:
    top = hierarchy / settings.CGROUP
    if not top.is_dir():
        return []
    return [Path(directory) for directory, _, _ in os.walk(top)]
