"""Who owns a bed, and does it still run?"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from testbed import bed, monitoring, processes, state, supervision
from testbed.state import Record, Standing
from tests.unit.waiting import NEVER


@pytest.fixture
def sleeper():
    """A process of our own that stands for the supervisor."""
    process = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({NEVER})"])
    yield process
    process.kill()
    process.wait()


def record_of(process, **changes):
    record = Record(checkout="/somewhere/else", config_hash="aaaa", complete=True)
    record.add_process(process.pid)
    for name, value in changes.items():
        setattr(record, name, value)
    return record


def test_nothing_there():
    assert state.standing(None, "aaaa", traces=False) is Standing.ABSENT


def test_traces_without_a_record_are_remains():
    assert state.standing(None, "aaaa", traces=True) is Standing.STALE


def test_same_content_from_another_checkout_is_reused(sleeper):
    assert state.standing(record_of(sleeper), "aaaa", traces=True) is Standing.MATCHING


def test_other_content_is_replaced(sleeper):
    assert state.standing(record_of(sleeper), "bbbb", traces=True) is Standing.DIFFERENT


def test_an_interrupted_up_is_stale(sleeper):
    assert state.standing(record_of(sleeper, complete=False), "aaaa", traces=True) is Standing.STALE


def test_dead_supervisor_is_stale_even_when_parts_live(sleeper):
    record = record_of(sleeper)
    record.add_process(os.getpid())
    sleeper.kill()
    sleeper.wait()
    assert record.alive() == [os.getpid()]
    assert state.standing(record, "aaaa", traces=True) is Standing.STALE


def test_a_reused_pid_is_not_our_process(sleeper):
    record = record_of(sleeper)
    record.processes[sleeper.pid] += 1
    assert record.alive() == []
    assert state.standing(record, "aaaa", traces=True) is Standing.STALE


def test_a_zombie_does_not_count_as_running(sleeper):
    assert processes.start_time(sleeper.pid) is not None
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert processes.start_time(sleeper.pid) is None


def test_processor_time_is_counted_and_is_none_for_a_zombie(sleeper):
    before = processes.processor_seconds(os.getpid())
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert 0.02 <= processes.processor_seconds(os.getpid()) - before < 5
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert processes.processor_seconds(sleeper.pid) == 0.0


def test_the_broker_that_had_the_least_counts_and_one_that_is_not_there_had_nothing(monkeypatch):
    used = {11: 30.0, 12: 20.0, 13: 25.0}
    running = {f"kafka-{number}": supervision.Running("RUNNING", 10 + number) for number in (1, 2, 3)}
    monkeypatch.setattr(bed, "processor_seconds", used.__getitem__)
    monkeypatch.setattr(supervision, "running", lambda: running)
    assert bed.broker_seconds() == 20.0
    del running["kafka-2"]
    assert bed.broker_seconds() == 0.0


def test_record_survives_writing_and_reading(tmp_path, sleeper):
    record = record_of(sleeper, kernel_settings={"kernel/panic": "1"}, environment={"A": "b"})
    record.save(tmp_path / "state.json")
    assert state.load(tmp_path / "state.json") == record
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"processes": {}}', '{"processes": {"x": 1}}'])
def test_a_damaged_record_is_no_record(tmp_path, content):
    (tmp_path / "state.json").write_text(content)
    assert state.load(tmp_path / "state.json") is None


def test_kernel_settings_the_bed_never_changes_are_not_written():
    state.restore_kernel_settings({"net/no_such_setting": "7"})


def test_env_puts_the_beds_kubectl_in_front_of_the_present_path(monkeypatch):
    record = Record("/c", "aaaa", complete=True, environment={"KUBECONFIG": "/k", "PATH": "/kubectl"})
    monkeypatch.setattr(state, "load", lambda: record)
    monkeypatch.setattr(monitoring, "present", lambda: None)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert bed.env() == {"KUBECONFIG": "/k", "PATH": "/kubectl:/usr/bin:/bin"}


def test_env_keeps_the_bed_away_from_a_proxy(monkeypatch):
    record = Record("/c", "aaaa", complete=True, environment={"PATH": "/kubectl"}, direct=["10.0.0.1", "10.0.0.0/22"])
    monkeypatch.setattr(state, "load", lambda: record)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert "NO_PROXY" not in bed.env()
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "corp.example")
    assert bed.env()["NO_PROXY"] == bed.env()["no_proxy"] == "corp.example,10.0.0.1,10.0.0.0/22"


def test_env_without_a_bed_says_what_to_do(monkeypatch):
    monkeypatch.setattr(state, "load", lambda: Record("/c", "aaaa", complete=False))
    with pytest.raises(bed.BedError, match="python -m testbed up"):
        bed.env()
