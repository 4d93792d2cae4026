# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role report and what the playbooks make of it, run by Ansible itself, without a cluster."""

from __future__ import annotations

import json
import os
import re
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.streamops.bluegreen.plugins.action import bg_report
from ansible_collections.streamops.bluegreen.tests.unit.waiting import finished

COLLECTIONS = Path(bg_report.__file__).parents[5]
SETTINGS = {"bg_app": "orders", "bg_namespace": "n", "bg_blue_group": "b", "bg_green_group": "g"}
RECORD = {"active": "green", "epoch": "2"}
GATES = [{"name": "offsets", "verdict": "GO"}]
DECISION = {"action": "start", "source": "blue", "target": "green", "reason": "blue is active — ünï"}
RESULTS = {
    "preflight_result": {"decision": DECISION, "gates": GATES, "record": {"active": "blue", "epoch": "1"}},
    "handover_result": {
        "run_id": "r1",
        "steps": [{"name": "arm", "ms": 1.5}],
        "critical_ms": 12.5,
        "offsets": {"t": {"0": 3, "1": 4}},
        "decided": {"t-1": "earliest: nobody ever committed it"},
        "evicted": ["member m"],
        "ended": [],
        "record": RECORD,
        "way_back": [{"playbook": "rollback", "to": "", "does": "goes back to blue"}],
    },
}
PLAY = {
    "hosts": "all",
    "gather_facts": False,
    "connection": "local",
    "vars": {"bg_direction": "switch", **RESULTS},
    "tasks": [{"ansible.builtin.include_role": {"name": "streamops.bluegreen.report"}}] * 2,
}


class Ran(t.NamedTuple):
    code: int
    output: str

    def recap(self, host: str) -> dict[str, int]:
        [line] = re.findall(rf"^{host} +: ok=.*", self.output, re.MULTILINE)
        return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", line)}

    def last_said(self, host: str) -> str:
        """The message of the host's last failed task."""
        return re.findall(
            rf'^fatal: \[{host}\]: FAILED! => {{.*?"msg": "([^"]*)"', self.output, re.DOTALL | re.MULTILINE
        )[-1]


def play(tmp_path: Path, playbook: str, hosts: dict[str, t.Any], *arguments: str) -> Ran:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": SETTINGS}}), encoding="utf-8")
    env = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
    }
    command = [sys.executable, "-m", "ansible.cli.playbook", "-i", str(inventory), playbook, *arguments]
    done = finished(command, env=env, cwd=tmp_path, capture_output=True, text=True)
    return Ran(done.returncode, done.stdout + done.stderr)


def test_the_role(tmp_path: Path) -> None:
    """Written, written again, and not to be written: that alone fails, and is not called a failure of the switch."""
    (tmp_path / "play.yml").write_text(yaml.safe_dump([PLAY]), encoding="utf-8")
    (tmp_path / "taken" / "orders-r1.txt").mkdir(parents=True)
    done = play(
        tmp_path, "play.yml", {"none": {}, "made": {"bg_report_dir": "made/here"}, "bad": {"bg_report_dir": "taken"}}
    )
    counted = {host: (done.recap(host)["changed"], done.recap(host)["failed"]) for host in ("none", "made", "bad")}
    assert counted == {"none": (0, 0), "made": (1, 0), "bad": (0, 1)}, done.output
    assert sorted(path.name for path in (tmp_path / "made/here").iterdir()) == ["orders-r1.json", "orders-r1.txt"]
    text = (tmp_path / "made/here/orders-r1.json").read_text(encoding="utf-8")
    report = json.loads(text)
    assert text == json.dumps(report, indent=4, sort_keys=True) + "\n"
    assert (report["application"], report["run_id"], report["decision"]) == ("orders", "r1", DECISION)
    assert (report["gates"], report["handover"]["critical_ms"], report["record"]) == (GATES, 12.5, RECORD)
    summary = (tmp_path / "made/here/orders-r1.txt").read_text(encoding="utf-8")
    assert summary.splitlines()[0] == "orders: green is active (epoch 2), switch in mode hot done"
    assert (
        "2 partitions handed over and verified, 1 of them decided: t-1 earliest: nobody ever committed it\n" in summary
    )
    assert "  evicted    member m: its pod was gone; its last records may be processed twice\n" in summary
    command = f"ansible-playbook streamops.bluegreen.rollback -i {tmp_path}/hosts.yml --limit made -e bg_confirm=orders"
    assert f"  way back   {command}   goes back to blue\n" in summary
    assert done.output.count(summary.splitlines()[0]) == 5, "the summary is said whatever becomes of the files"
    assert "the switch FAILED" not in done.output
    assert "itself has ended, see the summary above; only its report is missing" in done.last_said("bad")
    assert str(tmp_path / "taken/orders-r1.txt") in done.last_said("bad")


def test_what_is_printed_can_be_typed(tmp_path: Path) -> None:
    """With the inventories of the run and the mode that it needs; in AWX without an inventory, which is a file of the job."""
    role = {"name": "streamops.bluegreen.report", "tasks_from": "status"}
    ways = [
        {"playbook": "switch", "to": "green", "does": "goes to green"},
        {"playbook": "rollback", "to": "", "does": "goes back to blue", "mode": "cold"},
    ]
    judged = {"summary": ["blue is active"], "way_back": ways}
    tasks = [{"ansible.builtin.include_role": role}]
    book = [{**PLAY, "vars": {"bg_direction": "switch", "preflight_result": judged}, "tasks": tasks}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(book), encoding="utf-8")
    (tmp_path / "it's more.yml").write_text("{}", encoding="utf-8")
    hosts = {"here": {}, "awx": {"awx_job_id": 7}, "cold": {"bg_mode": "cold"}}
    hosts |= {"eda": {"ansible_eda": {"event": {}}}, "named": {"bg_hosts": "a:b"}, "listed": {"bg_hosts": ["a", "b c"]}}
    done = play(tmp_path, "play.yml", hosts, "-i", "it's more.yml")
    assert done.code == 0, done.output
    said = re.sub(r"\s+", " ", done.output)
    both = f"-i {tmp_path}/hosts.yml -i '{tmp_path}/it'\\\"'\\\"'s more.yml'"
    start, confirm = "ansible-playbook streamops.bluegreen.switch", "-e bg_confirm=orders -e bg_target=green"
    assert f"next {start} {both} --limit here {confirm} goes to green" in said
    assert f"next {start} --limit awx {confirm} goes to green" in said
    assert f"next {start} --limit eda {confirm} goes to green" in said
    assert f"--limit named -e bg_hosts=a:b {confirm} goes to green" in said
    assert f"--limit listed -e bg_hosts='a,b c' {confirm} goes to green" in said
    assert '""' not in said, "no empty lines"
    assert f"--limit cold {confirm} -e bg_mode=cold goes to green" in said
    assert "--limit here -e bg_confirm=orders -e bg_mode=cold goes back to blue" in said


@pytest.mark.parametrize("playbook", ["switch", "rollback"])
def test_the_playbooks(tmp_path: Path, playbook: str) -> None:
    """A folder that can't be written ends a run before it begins; a failed run ends with its own message."""
    (tmp_path / "file").touch()
    (tmp_path / "reports" / "orders-none.json").mkdir(parents=True)
    hosts = {"lost": {"bg_report_dir": "file/below"}, "stopped": {"bg_report_dir": "reports"}}
    done = play(tmp_path, f"streamops.bluegreen.{playbook}", hosts, "-e", "bg_hosts=all")
    assert done.code == 2
    lost, stopped = done.recap("lost"), done.recap("stopped")
    assert (lost["failed"], lost["rescued"], lost["changed"]) == (1, 0, 0), done.output
    assert f"Can't use {tmp_path / 'file/below'}: {tmp_path / 'file'} is not a folder" in done.last_said("lost")
    assert "included: streamops.bluegreen.preflight for stopped\n" in done.output
    assert done.output.count("FAILED! => ") == 3, "one message for the folder; for the other its failure and the end"
    assert (stopped["failed"], stopped["rescued"]) == (1, 1), done.output
    assert f"orders: the {playbook} FAILED" in done.output
    assert f"The {playbook} of orders itself has ended" in done.output
    assert "only its report is missing" in done.output
    assert done.last_said("stopped").startswith(f"Nothing was changed. A real {playbook} of orders needs")


def test_a_variable_that_nobody_knows_ends_a_run_before_it_begins(tmp_path: Path) -> None:
    hosts = {"misspelt": {"bg_maxlag": 1, "bg_topic": "t"}}
    done = play(tmp_path, "streamops.bluegreen.switch", hosts, "-e", "bg_hosts=all", "-e", "bg_confirm=orders")
    assert done.code == 2
    assert done.last_said("misspelt").startswith(
        "Nothing was changed. bg_maxlag, bg_topic: not a variable of this collection"
    )
    assert "bg_max_lag" in done.last_said("misspelt")


def test_a_report_that_fails_rescues_nothing() -> None:
    """Inside of the block a full disk would make a failed run of one that is done."""
    file = COLLECTIONS / "ansible_collections/streamops/bluegreen/playbooks/tasks/run.yml"
    [_fresh, folder, _metrics, run, _published, report] = yaml.safe_load(file.read_text(encoding="utf-8"))
    for outside in (folder, report):
        assert outside["ansible.builtin.include_role"]["name"] == "streamops.bluegreen.report"
    assert "streamops.bluegreen.report" not in json.dumps(run["block"])
