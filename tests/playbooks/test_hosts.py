# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every playbook that is about applications fails where no host is meant, run by Ansible itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.streamops.bluegreen.tests.playbooks.test_report import COLLECTIONS, play

BOOKS = COLLECTIONS / "ansible_collections/streamops/bluegreen/playbooks"
ABOUT_APPLICATIONS = sorted(path.stem for path in BOOKS.glob("*.yml") if path.stem != "alert_rules")
NOTHING = "Nothing was done: no host in the inventory matches bluegreen"


@pytest.mark.parametrize("playbook", ABOUT_APPLICATIONS)
def test_an_inventory_without_its_group_fails(tmp_path: Path, playbook: str) -> None:
    done = play(tmp_path, f"streamops.bluegreen.{playbook}", {"other": {}})
    assert (done.code, f"{NOTHING}. Name a host" in done.output) == (2, True), done.output


def test_so_does_one_without_any_host(tmp_path: Path) -> None:
    done = play(tmp_path, "streamops.bluegreen.status", {})
    assert (done.code, NOTHING in done.output) == (2, True), done.output


@pytest.mark.parametrize(("limit", "judged"), [("one", True), ("other", False)])
def test_limit_counts(tmp_path: Path, limit: str, judged: bool) -> None:
    hosts = {
        name: {"bg_metric_gates": ["nope"], "ansible_python_interpreter": sys.executable} for name in ("one", "other")
    }
    done = play(tmp_path, "streamops.bluegreen.preflight", hosts, "-e", "bg_hosts=one", "--limit", limit)
    assert done.code == 2, done.output
    assert ("Nothing was done: no host in the inventory matches one and --limit other" in done.output) is (not judged)
    assert ("metric_gates needs prometheus" in done.output) is judged


def test_the_inventory_does_not_say_which_hosts_are_meant(tmp_path: Path) -> None:
    """The pattern of a play knows no variables of it: a check that did would let a play be skipped, or hold up a rollback."""
    done = play(tmp_path, "streamops.bluegreen.status", {"one": {"bg_hosts": "one"}})
    assert (done.code, "(in the inventory it does not count)" in done.output) == (2, True), done.output
    wrong = {"bg_hosts": "nobody", "bg_metric_gates": ["nope"], "ansible_python_interpreter": sys.executable}
    inventory = tmp_path / "more.yml"
    inventory.write_text(yaml.safe_dump({"bluegreen": {"hosts": {"one": wrong}}}), encoding="utf-8")
    done = play(tmp_path, "streamops.bluegreen.preflight", {}, "-i", str(inventory))
    assert "metric_gates needs prometheus" in done.output, done.output


@pytest.mark.parametrize("arguments", [["--tags", "x"], ["--check"]], ids=" ".join)
def test_nothing_skips_it(tmp_path: Path, arguments: list[str]) -> None:
    done = play(tmp_path, "streamops.bluegreen.switch", {"other": {}}, *arguments)
    assert (done.code, NOTHING in done.output) == (2, True), done.output


def test_a_play_of_ours_begins_with_the_check() -> None:
    """Also where another is added."""
    for name in ABOUT_APPLICATIONS:
        first = yaml.safe_load((BOOKS / f"{name}.yml").read_text(encoding="utf-8"))[0]
        assert first.get("ansible.builtin.import_playbook") == "checks/hosts.yml", name
