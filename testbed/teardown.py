"""Remove a bed, in whatever condition it is. Every step finds its own work, so it may be repeated after a crash."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

from testbed import cgroups, containers, control_plane, network, settings, state
from testbed.processes import run, start_time


class TeardownError(Exception):
    """Something of the bed could not be removed."""


def traces() -> list[str]:
    """What exists of a bed on this machine, in words; empty when nothing does."""
    found = []
    if settings.STATE_DIR.exists() or settings.RUN_DIR.exists():
        found.append(f"directory {settings.STATE_DIR} or {settings.RUN_DIR}")
    if cgroups.exists():
        found.append(f"control group {settings.CGROUP} with {len(cgroups.processes())} processes")
    return found + [f"network {name}" for name in network.leftovers()] + [f"mount {path}" for path in mounts()]


def remove(record: state.Record | None) -> None:
    """Remove everything, processes first: nothing can come back then."""
    if record is not None:
        _kill_recorded(record)
    cgroups.kill_all()
    sockets = containers.shim_sockets()
    unmount_all()
    network.remove()
    _unmount_namespaces()
    _remove_cgroups()
    containers.remove_traces()
    control_plane.remove_traces()
    for socket in sockets:
        socket.unlink(missing_ok=True)
    if record is not None:
        state.restore_kernel_settings(record.kernel_settings)
        _remove_new_directories(record)
    shutil.rmtree(settings.RUN_DIR, ignore_errors=True)
    # The record goes last: until everything else is gone it says whose remains these are.
    _empty_state_directory()


def mounts() -> list[str]:
    """Mount points below the bed's directories, innermost last."""
    prefixes = tuple(f"{directory}/" for directory in (settings.STATE_DIR, settings.RUN_DIR))
    return [point for point in _mount_points() if point.startswith(prefixes)]


def _mount_points() -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    # The kernel writes a blank in a path as \040.
    return [line.split()[4].replace("\\040", " ") for line in lines]


def unmount_all(timeout: float = 20) -> None:
    """Unmount everything below the bed's directories.

    Raises:
        TeardownError: a mount stays busy.
    """
    deadline = time.monotonic() + timeout
    while points := mounts():
        # All in one call, innermost first: 150 pods have 600 of them.
        run(["umount", *reversed(points)], check=False)
        if mounts() and time.monotonic() > deadline:
            raise TeardownError(f"{mounts()[-1]} stays mounted; end what uses it (fuser -vm), then try again")
        time.sleep(0.05 if mounts() else 0)


def _unmount_namespaces() -> None:
    """Undo what the first ``ip netns add`` of a machine does: mount its directory onto itself. Empty, it is no use."""
    directory = Path("/run/netns")
    if str(directory) in _mount_points() and not any(directory.iterdir()):
        run(["umount", directory])
        directory.rmdir()


def _kill_recorded(record: state.Record) -> None:
    """End recorded processes, the supervisor first so that it restarts nothing."""
    for pid, started in record.processes.items():
        if start_time(pid) == started:
            os.kill(pid, signal.SIGKILL)


def _remove_cgroups(timeout: float = 10) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            cgroups.remove()
        except OSError as error:
            # A group counts as busy for a moment after its last process ended.
            if time.monotonic() > deadline:
                raise TeardownError(f"control group {error.filename} stays busy: {error.strerror}") from error
            time.sleep(0.1)
        else:
            return


def _remove_new_directories(record: state.Record) -> None:
    """Remove directories that came with the bed, but nothing that somebody else put into them since."""
    for top in settings.FOREIGN_DIRECTORIES:
        if str(top) not in record.new_directories:
            continue
        for directory, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                Path(directory).rmdir()


def _empty_state_directory() -> None:
    if not settings.STATE_DIR.exists():
        return
    for path in settings.STATE_DIR.iterdir():
        if path != state.FILE:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(settings.STATE_DIR)
