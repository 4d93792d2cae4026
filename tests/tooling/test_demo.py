"""When the demonstration begins its runs (on warm brokers, and never later than it promises), and how its producer ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass

import pytest

import testbed
from demo import __main__ as demo
from demo import sandbox
from demo.environment import Environment, Names
from demo.playbooks import pid_file
from tests.unit.waiting import NEVER, gone

OURS = Environment("kubeconfig", "broker:9092", "image", "Never", "", own_bed=True)
THEIRS = Environment("kubeconfig", "broker:9092", "image", "IfNotPresent", "", own_bed=False)


@dataclass
class Brokers:
    """Brokers that use so much of a processor, in a world whose clock only sleeping moves."""

    share: float
    now: float = 1000.0
    used: float = 0.0

    def sleep(self, seconds: float) -> None:
        assert self.now < 2000.0, "it waits for ever"
        self.now += seconds
        self.used += seconds * self.share


@pytest.fixture
def brokers(monkeypatch):
    made = Brokers(share=0.7)
    monkeypatch.setattr(testbed, "broker_seconds", lambda: made.used)
    monkeypatch.setattr(demo.time, "sleep", made.sleep)
    monkeypatch.setattr(demo.time, "monotonic", lambda: made.now)
    return made


def test_it_waits_until_the_brokers_are_warm(brokers, capsys):
    demo.wait_warm(OURS, since=1000.0)
    assert demo.WARM <= brokers.used < demo.WARM + 0.5
    assert capsys.readouterr().out.splitlines()[-1] == f"demo: {brokers.now - 1000:.0f} s of traffic"


def test_it_counts_the_traffic_before_it(brokers):
    brokers.share = 0.0
    demo.wait_warm(OURS, since=970.0)
    assert brokers.now == 970.0 + demo.TRAFFIC


@pytest.mark.parametrize(("environment", "used"), [(OURS, demo.WARM), (THEIRS, 0.0)])
def test_it_does_not_wait_for_warm_brokers_nor_for_those_of_others(brokers, environment, used, capsys):
    brokers.used = used
    demo.wait_warm(environment, since=1000.0)
    assert brokers.now == 1000.0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("reason", [sandbox.DemoError("it does not keep up"), KeyboardInterrupt(), SystemExit(143)])
def test_a_producer_does_not_outlive_the_wait_for_blue(tmp_path, monkeypatch, reason):
    ended = []

    class Producer:
        def __init__(self, *_arguments):
            pass

        def stop(self):
            ended.append(self)

    def wait_caught_up(*_arguments):
        raise reason

    monkeypatch.setattr(sandbox, "Application", lambda *_arguments: None)  # it would ask for a cluster
    monkeypatch.setattr(sandbox, "Producer", Producer)
    made = sandbox.Sandbox(OURS, Names("tag"), tmp_path)
    monkeypatch.setattr(made.audits, "wait_caught_up", wait_caught_up)
    with pytest.raises(type(reason)):
        made.produce(100)
    assert len(ended) == 1


@pytest.mark.parametrize(("word", "ended"), [("bgtools.producer", -signal.SIGTERM), ("another program", None)])
def test_only_a_producer_is_ended(tmp_path, word, ended):
    program = f"import time; print('started', flush=True); time.sleep({NEVER})"
    process = subprocess.Popen([sys.executable, "-c", program, word], stdout=subprocess.PIPE)
    try:
        # For a moment a new program has no command line yet.
        assert process.stdout.readline() == b"started\n"
        pid_file(tmp_path).write_text(str(process.pid))
        sandbox.stop_producer(tmp_path)
        # A program that ends has no command line any more a moment before its end can be seen here.
        assert (process.poll() if ended is None else gone(process)) == ended
    finally:
        process.kill()
        process.communicate()
    sandbox.stop_producer(tmp_path)
