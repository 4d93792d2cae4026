"""How promtool comes onto a machine, and what is said where it can't."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.monitoring.promtool import ROOT
from tests.unit.waiting import HANG

# What the script runs besides; anything else on the path of this machine may be promtool itself.
TOOLS = (
    "bash",
    "chmod",
    "dirname",
    "flock",
    "head",
    "ln",
    "mkdir",
    "mktemp",
    "mv",
    "printf",
    "rm",
    "sed",
    "sort",
    "tail",
    "touch",
)


@pytest.fixture
def checkout(tmp_path):
    """A checkout with this script, on a machine with few commands."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/promtool.sh", tmp_path / "scripts")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    return tmp_path


def command(checkout: Path, name: str, script: str) -> None:
    file = checkout / "bin" / name
    file.write_text(f"#!{shutil.which('bash')}\n{script}\n", encoding="utf-8")
    file.chmod(0o755)


def promtool(checkout: Path, version: str) -> None:
    command(checkout, "promtool", f"echo 'promtool, version {version}+ds (branch: x)'")


def run(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "scripts/promtool.sh"],
        env={**os.environ, "PATH": str(checkout / "bin")},
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG,
    )


def test_without_apt_an_installed_one_does(checkout):
    promtool(checkout, "3.5.0")
    first, second = run(checkout), run(checkout)
    assert (first.returncode, first.stdout.strip()) == (0, str(checkout / ".cache/promtool/promtool"))
    assert second.stdout == first.stdout


def test_an_old_one_is_none(checkout):
    promtool(checkout, "2.9.2")
    done = run(checkout)
    assert done.returncode == 1
    assert "without promtool 2.42 or newer: apt-get and dpkg are not there" in done.stderr
    assert f"on the PATH: {checkout}/bin/promtool" in done.stderr


def test_a_download_that_fails_says_why_and_leaves_nothing(checkout):
    command(checkout, "dpkg", "exit 1")
    command(checkout, "apt-cache", "echo 'prometheus | 2.42.0 | http://mirror'")
    command(checkout, "apt-get", "echo 'E: Failed to fetch http://mirror: no route to host'; exit 100")
    done = run(checkout)
    assert done.returncode == 1
    assert "apt-get download prometheus: E: Failed to fetch http://mirror: no route to host" in done.stderr
    assert [path.name for path in (checkout / ".cache/promtool").iterdir()] == ["lock"]


def test_the_package_is_unpacked_and_not_installed(checkout):
    command(checkout, "apt-cache", "echo 'prometheus | 2.53.0 | http://mirror'")
    command(checkout, "apt-get", "[[ $1 == download ]] && touch prometheus_2.53.0_amd64.deb")
    inside = "#!/bin/sh\\necho promtool, version 2.53.0+ds"
    command(
        checkout,
        "dpkg",
        f"[[ $1 == -x && -f $2 ]] && mkdir -p $3/usr/bin && printf '{inside}' >$3/usr/bin/promtool && chmod +x $3/usr/bin/promtool",
    )
    assert run(checkout).returncode == 0
    assert not (checkout / ".cache/promtool/promtool").is_symlink()
    # It is there now, so nothing is fetched.
    command(checkout, "apt-get", "exit 100")
    assert run(checkout).returncode == 0


def test_a_broken_one_is_fetched_again(checkout):
    promtool(checkout, "2.42.0")
    (checkout / ".cache/promtool").mkdir(parents=True)
    (checkout / ".cache/promtool/promtool").write_text("half of it", encoding="utf-8")
    assert run(checkout).returncode == 0
