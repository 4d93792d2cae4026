"""The machine-wide record of the bed: whose it is, what it was made from, which processes and settings belong to it."""

from __future__ import annotations

import enum
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from testbed import settings
from testbed.processes import start_time

FILE = settings.STATE_DIR / "state.json"
# The kubelet sets these for the whole machine; `down` puts them back.
KERNEL_SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)


@dataclass
class Record:
    """What is written down about a bed.

    Attributes:
        checkout: directory of the repository that started it.
        config_hash: hash of everything it was configured with.
        complete: ``up`` came to its end.
        processes: pid -> start time of supervisor and parts when ``up`` ended.
        links: bridge, links and network namespaces it created.
        kernel_settings: values before the bed changed them.
        new_directories: directories outside of the bed's own that did not exist before it.
        direct: addresses and networks that programs must not reach through a proxy.
        environment: what ``env`` prints.
    """

    checkout: str
    config_hash: str
    complete: bool = False
    processes: dict[int, int] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    kernel_settings: dict[str, str] = field(default_factory=dict)
    new_directories: list[str] = field(default_factory=list)
    direct: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    def save(self, file: Path = FILE) -> None:
        """Write the record so that a reader sees the old one or the new one, never half of it."""
        unfinished = file.with_suffix(".new")
        unfinished.write_text(json.dumps(asdict(self), indent=2) + "\n")
        unfinished.rename(file)

    def add_process(self, pid: int) -> None:
        """Remember a process that is alive now."""
        started = start_time(pid)
        if started is not None:
            self.processes[pid] = started

    def alive(self) -> list[int]:
        """Pids of recorded processes that are still the same processes."""
        return [pid for pid, started in self.processes.items() if start_time(pid) == started]


def load(file: Path = FILE) -> Record | None:
    """Read the record; None when there is none or it cannot be understood (then everything found is left over)."""
    try:
        content = json.loads(file.read_text())
        content["processes"] = {int(pid): int(started) for pid, started in content["processes"].items()}
        return Record(**content)
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return None


class Standing(enum.Enum):
    """How an existing bed relates to the one that is wanted."""

    ABSENT = "there is no bed"
    MATCHING = "a bed made from the same content runs"
    DIFFERENT = "a bed made from other content runs"
    STALE = "a bed was left behind by a crash"


def standing(record: Record | None, wanted_hash: str, *, traces: bool) -> Standing:
    """Decide what an existing bed is good for.

    Args:
        record: what is written down, if anything.
        wanted_hash: hash of the configuration this checkout would use.
        traces: whether processes, links or directories of a bed exist on this machine.
    """
    if record is None:
        return Standing.STALE if traces else Standing.ABSENT
    if not record.complete or not record.alive():
        return Standing.STALE
    # The supervisor is recorded first; without it nothing restarts a part that dies.
    supervisor = next(iter(record.processes))
    if supervisor not in record.alive():
        return Standing.STALE
    return Standing.MATCHING if record.config_hash == wanted_hash else Standing.DIFFERENT


def read_kernel_settings() -> dict[str, str]:
    """Present values of the settings the kubelet changes."""
    values = {}
    for name in KERNEL_SETTINGS:
        path = Path("/proc/sys") / name
        if path.exists():
            values[name] = path.read_text().strip()
    return values


def restore_kernel_settings(values: dict[str, str]) -> None:
    """Put recorded values back."""
    for name, value in values.items():
        path = Path("/proc/sys") / name
        if name in KERNEL_SETTINGS and path.read_text().strip() != value:
            path.write_text(value)
