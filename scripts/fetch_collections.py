#!/usr/bin/env python3
"""Lay out the collections path of this checkout, .cache/collections.

It holds kubernetes.core, unpacked from the wheel of the ansible package (the package index is reachable in places where
Galaxy is not, and pip checks the hash), and a symbolic link from streamops.bluegreen to the checkout itself, so that what
runs is always the working tree. Does nothing while both are in place.

Environment: XDG_CACHE_HOME = where the downloaded wheel is kept for other checkouts (default: ~/.cache).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIN = ROOT / "scripts" / "ansible-wheel.txt"
COLLECTIONS = ROOT / ".cache" / "collections" / "ansible_collections"
# community.okd only because the documentation of kubernetes.core refers to it, and references are checked.
TAKEN = ("kubernetes/core", "community/okd")


def wheel_cache() -> Path:
    """Return the directory that downloaded wheels are kept in."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "streamops-bluegreen" / "wheels"


def pinned_version() -> str:
    """Return the version of the ansible package that PIN names."""
    line = next(line for line in PIN.read_text(encoding="utf-8").splitlines() if line.startswith("ansible=="))
    return line.split()[0].removeprefix("ansible==")


def download_wheel() -> Path:
    """Return the path of the pinned wheel; pip downloads it unless a copy with the right hash is there."""
    cache = wheel_cache()
    cache.mkdir(parents=True, exist_ok=True)
    # --no-deps --require-hashes: a damaged copy in the cache is refused and fetched again.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--require-hashes", "--dest", str(cache), "--requirement", str(PIN)], check=True)
    return cache / f"ansible-{pinned_version()}-py3-none-any.whl"


def unpack(wheel: Path) -> None:
    """Put the collections named in TAKEN beside each other, each one complete or not there at all."""
    COLLECTIONS.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory(dir=COLLECTIONS.parent) as scratch:
        for name in TAKEN:
            prefix = f"ansible_collections/{name}/"
            archive.extractall(scratch, [entry for entry in archive.namelist() if entry.startswith(prefix)])
            target = COLLECTIONS / name
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            Path(scratch, prefix).rename(target)


def link_checkout() -> None:
    """Make streamops.bluegreen a relative link to this checkout (relative: the checkout may be moved)."""
    link = COLLECTIONS / "streamops" / "bluegreen"
    destination = os.path.relpath(ROOT, link.parent)
    if link.is_symlink() and link.readlink() == Path(destination):
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(destination, target_is_directory=True)


def main() -> None:
    """Bring the collections path up to date."""
    stamp = COLLECTIONS.parent / "unpacked.txt"
    wanted = PIN.read_text(encoding="utf-8") + "".join(f"{name}\n" for name in TAKEN)
    present = all((COLLECTIONS / name / "MANIFEST.json").is_file() for name in TAKEN)
    if not present or not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        print(f"unpacking {', '.join(TAKEN)} from ansible {pinned_version()} into {COLLECTIONS}", flush=True)
        unpack(download_wheel())
        stamp.write_text(wanted, encoding="utf-8")
    link_checkout()


if __name__ == "__main__":
    main()
