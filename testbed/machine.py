"""Can this machine carry the bed? Looks only, changes nothing, and reports everything missing at once."""

from __future__ import annotations

import ipaddress
import json
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from testbed import cgroups, control_plane, packages, settings
from testbed.processes import CommandError, run
from testbed.settings import Settings

MEMORY_MIB = 3072
DISK_WARM_MIB = 3072
# Sources and the build cache of the Go tool chain take most of this.
DISK_COLD_MIB = 10240
CAP_NET_ADMIN = 12
CAP_SYS_ADMIN = 21
NEEDED_CONTROLLERS = {"cpu", "cpuset", "memory", "pids"}


@dataclass(frozen=True)
class Facts:
    """What was seen of the machine; sizes in MiB."""

    system: str
    architecture: str
    distribution: str
    release: str
    python: tuple[int, int]
    root: bool
    capabilities: int
    memory_available: int
    disk_free: dict[str, int]
    disk_needed: int
    controllers: set[str]
    file_systems: set[str]
    has_apt: bool
    packages_missing: list[str]
    routes_in_the_way: list[str]
    other_kubelet: bool


def missing(facts: Facts) -> list[str]:
    """Everything that is missing, one sentence each; empty when the bed can run."""
    # A machine that is not Linux has none of the files that the other facts come from.
    if facts.system != "Linux":
        return [f"Linux: this is {facts.system}; use a Debian 12 machine or virtual machine"]
    return [*_missing_system(facts), *_missing_rights(facts), *_missing_room(facts)]


def _missing_system(facts: Facts) -> list[str]:
    found = []
    if facts.architecture != "x86_64":
        found.append(f"an x86_64 processor: this is {facts.architecture}")
    if (facts.distribution, facts.release) != ("debian", "12"):
        found.append(f"Debian 12: this is {facts.distribution} {facts.release}")
    if facts.python < (3, 11):
        found.append(f"Python 3.11: this is {'.'.join(map(str, facts.python))}")
    if absent := NEEDED_CONTROLLERS - facts.controllers:
        found.append(f"the cgroup controllers {', '.join(sorted(absent))} below {cgroups.ROOT}")
    if "overlay" not in facts.file_systems:
        found.append("the overlay file system of the kernel (modprobe overlay)")
    if facts.packages_missing and not facts.has_apt:
        found.append(f"apt-get, to install the Debian packages {', '.join(facts.packages_missing)}")
    return found


def _missing_rights(facts: Facts) -> list[str]:
    if not facts.root:
        return ["root: network namespaces, containers and packages need it (run with sudo)"]
    absent = [
        name
        for name, number in (("CAP_NET_ADMIN", CAP_NET_ADMIN), ("CAP_SYS_ADMIN", CAP_SYS_ADMIN))
        if not facts.capabilities >> number & 1
    ]
    return [f"the capabilities {' and '.join(absent)}: root has them not, as in a plain container"] if absent else []


def _missing_room(facts: Facts) -> list[str]:
    found = []
    if facts.memory_available < MEMORY_MIB:
        found.append(f"{MEMORY_MIB} MiB of free memory: {facts.memory_available} MiB are free")
    for place, free in sorted(facts.disk_free.items()):
        if free < facts.disk_needed:
            found.append(f"{facts.disk_needed} MiB of free disk at {place}: {free} MiB are free")
    if facts.other_kubelet:
        found.append(f"a machine without another kubelet: one answers at {settings.KUBELET_SOCKET}")
    for route in facts.routes_in_the_way:
        found.append(f"a free address range: {route} is in use here (choose another /22 with TESTBED_SUBNET)")
    return found


def message(found: list[str]) -> str:
    """One message about everything missing."""
    lines = "".join(f"\n  - {line}" for line in found)
    return f"The test bed cannot run on this machine. Missing:{lines}\nNothing was changed."


def look(chosen: Settings, *, cold: bool, own_bed: bool) -> Facts:
    """Look at this machine.

    Args:
        cold: the long build is still to be done, which needs more disk.
        own_bed: a bed occupies memory and addresses already; they will be reused.
    """
    system = platform.system()
    release = platform.freedesktop_os_release() if system == "Linux" else {}
    status = _proc_table(Path("/proc/self/status"))
    return Facts(
        system=system,
        architecture=platform.machine(),
        distribution=release.get("ID", "unknown"),
        release=release.get("VERSION_ID", "unknown"),
        python=sys.version_info[:2],
        root=os.geteuid() == 0,
        capabilities=int(status.get("CapEff", "0"), 16),
        memory_available=MEMORY_MIB if own_bed else _memory_mib(),
        disk_free={str(place): _free_mib(place) for place in (settings.cache_root(), settings.STATE_DIR)},
        disk_needed=DISK_COLD_MIB if cold else DISK_WARM_MIB,
        controllers=_controllers(),
        file_systems=_file_systems(),
        has_apt=shutil.which("apt-get") is not None,
        packages_missing=packages.missing(),
        routes_in_the_way=_routes_in_the_way(chosen),
        other_kubelet=not own_bed and control_plane.other_kubelet(),
    )


def _proc_table(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    rows = (line.partition(":") for line in path.read_text().splitlines())
    return {name.strip(): value.strip() for name, _, value in rows}


def _memory_mib() -> int:
    return int(_proc_table(Path("/proc/meminfo")).get("MemAvailable", "0 kB").split()[0]) // 1024


def _free_mib(place: Path) -> int:
    existing = next(path for path in (place, *place.parents) if path.exists())
    return shutil.disk_usage(existing).free // 2**20


def _controllers() -> set[str]:
    if not cgroups.ROOT.is_dir():
        return set()
    if cgroups.is_v2():
        return set((cgroups.ROOT / "cgroup.controllers").read_text().split())
    return {name for hierarchy in cgroups.hierarchies() for name in hierarchy.name.split(",")}


def _file_systems() -> set[str]:
    file = Path("/proc/filesystems")
    known = {line.split()[-1] for line in file.read_text().splitlines()} if file.exists() else set()
    # Not loaded yet is as good, if it can be loaded; --dry-run loads nothing.
    modprobe = shutil.which("modprobe", path="/usr/sbin:/sbin")
    if "overlay" not in known and modprobe:
        try:
            run([modprobe, "--dry-run", "overlay"])
            known.add("overlay")
        except CommandError:
            pass
    return known


def _routes_in_the_way(chosen: Settings) -> list[str]:
    """Routes of other interfaces that overlap the bed's addresses."""
    if shutil.which("ip") is None:
        return []  # iproute2 is installed later; a clash then ends `up` with ip's own message
    found = []
    for route in json.loads(run(["ip", "-json", "-4", "route", "show"])):
        target = route["dst"]
        if target == "default" or route.get("dev") == settings.BRIDGE:
            continue
        if ipaddress.IPv4Network(target, strict=False).overlaps(chosen.subnet):
            found.append(f"{target} on {route.get('dev', '?')}")
    return found
