"""How tests wait: what is said when a wait hangs, and that none judges how fast a machine is."""

from __future__ import annotations

import ast
import subprocess
import threading
from pathlib import Path

import pytest

from tests.unit import waiting

TESTS = Path(__file__).parents[1]
ONE_PLACE = TESTS / "unit/waiting.py"
FILES = sorted(path for path in TESTS.rglob("*.py") if path != ONE_PLACE and "output" not in path.parts)

CLOCKS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "time"}
READS_THE_CLOCK = {
    "bed/test_kafka_adapter.py::test_log_ranges_and_times": "asks Kafka for offsets by a time of day",
    "bed/test_lag_wait.py::Load._run": "the pace of a load, which nothing is asserted on",
    "bed/test_leaving.py::test_a_pod_told_to_stand_by_cold_leaves_its_group": "the lease begins at the clock's time",
    "bed/test_transactions.py::Hanging.__init__": "writes records of an age",
    "bed/test_transactions.py::Hanging.is_as_old": "an age grows with the time that the test takes",
    "bed/test_transactions.py::Pending.__init__": "between which moments the transaction began",
    "bed/test_transactions.py::test_what_is_open_is_what_kafka_says": "an age is one at a moment",
    "consumers/integration/test_switch.py::test_switches_in_a_row": "noted for people",
    "simulation/sweep.py::main": "noted for people",
    "unit/fakes/endpoints.py::FakeEndpoint._failing": "how long a pod stays busy when it is told to",
    "unit/fakes/endpoints.py::FakeEndpoint.busy": "as above",
    "unit/plugins/test_any_input.py::test_it_ends_soon_with_a_message": "noted for people; a case of two minutes hangs",
}
"""Where a test reads a clock all the same, and why that judges no machine."""

DURATIONS = ("seconds", "elapsed", "spent", "took", "rest(", "duration")
JUDGES_A_DURATION = {
    "bed/playbooks/test_api_server_away.py::test_the_api_server_away_inside_the_hand_over": "60 s, or the 120 s of a start",
    "bed/playbooks/test_untidy_scaling.py::test_replicas_put_back_every_three_seconds": "60 s, or the 120 s of a start",
    "consumers/test_worker.py::test_between_batches_without_a_backlog_it_rests_until_the_next_decision": "ten minutes of rest",
    "testbed/test_bed.py::test_processor_time_of_the_brokers_is_read": "the unit, on 100,000 s of processor time",
    "testbed/test_state.py::test_processor_time_is_counted_and_is_none_for_a_zombie": "the unit; others use none of it",
    "unit/plugins/module_utils/_usecases/kafka/test_wait_lag.py::test_offsets_in_an_open_transaction_are_waited_for": (
        "a clock that only sleeping moves"
    ),
}
"""Asserts that something took no longer than this, and what it is told from."""

WAITS = {"wait", "join", "result", "exception", "communicate", "flush", "run", "urlopen", "HTTPConnection"}
LEAST = 60
BOUNDED_BELOW_A_MINUTE = {
    "bed/playbooks/plain_consumer.py::main": "in a loop that goes on until all is written",
    "bed/relays.py::Relay.__exit__": "tidies up threads that end with the process",
}
"""Waits that end earlier than by a hang."""


def places(tree: ast.Module) -> list[tuple[str, ast.AST]]:
    """Every node with the dotted name of the function of a class or module that it is in."""
    found: list[tuple[str, ast.AST]] = []

    def visit(node: ast.AST, name: str, inside: bool) -> None:
        for child in ast.iter_child_nodes(node):
            found.append((name, child))
            named = isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not inside
            dotted = f"{name}.{child.name}".lstrip(".") if named else name
            visit(child, dotted, inside or (named and not isinstance(child, ast.ClassDef)))

    visit(tree, "", False)
    return found


def reads_a_clock(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "time" and any(alias.name in CLOCKS for alias in node.names)
    if not isinstance(node, ast.Attribute) or node.attr not in CLOCKS:
        return False
    return isinstance(node.value, ast.Name) and node.value.id == "time"


def judges_a_duration(node: ast.AST) -> bool:
    if not isinstance(node, ast.Assert):
        return False
    for compared in (part for part in ast.walk(node.test) if isinstance(part, ast.Compare)):
        values = [compared.left, *compared.comparators]
        for operator, left, right in zip(compared.ops, values, values[1:], strict=False):
            small = left if isinstance(operator, ast.Lt | ast.LtE) else right
            if isinstance(operator, ast.Lt | ast.LtE | ast.Gt | ast.GtE):
                said = "" if isinstance(small, ast.Constant) else ast.unparse(small)
                if any(word in said for word in DURATIONS):
                    return True
    return False


def is_bounded_below_a_minute(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    given = [keyword.value for keyword in node.keywords if keyword.arg == "timeout"]
    if name in WAITS - {"run", "urlopen", "HTTPConnection"}:
        given += node.args[:1]
    numbers = [value.value for value in given if isinstance(value, ast.Constant)]
    return name in WAITS and any(isinstance(number, int | float) and number < LEAST for number in numbers)


RULES = {
    "reads a clock": (reads_a_clock, READS_THE_CLOCK),
    "judges a duration": (judges_a_duration, JUDGES_A_DURATION),
    "bounds a wait below a minute": (is_bounded_below_a_minute, BOUNDED_BELOW_A_MINUTE),
}


def found_in(files: dict[str, str]) -> dict[str, set[str]]:
    """Where each rule applies: file and function. All rules in one reading: parsing is what takes the time."""
    found: dict[str, set[str]] = {rule: set() for rule in RULES}
    for name, text in files.items():
        for place, node in places(ast.parse(text)):
            for rule, (applies, _allowed) in RULES.items():
                if applies(node):
                    found[rule].add(f"{name}::{place}")
    return found


def test_a_test_waits_for_conditions_only() -> None:
    """Use tests/unit/waiting.py; what cannot is listed above with its reason, and nothing else is."""
    texts = {str(path.relative_to(TESTS)): path.read_text(encoding="utf-8") for path in FILES}
    assert found_in(texts) == {rule: set(allowed) for rule, (_applies, allowed) in RULES.items()}


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("reads a clock", "def f():\n    end = time.monotonic() + 30"),
        ("reads a clock", "def f():\n    assert time.perf_counter() - began < 8"),
        ("reads a clock", "def f():\n    from time import monotonic"),
        ("judges a duration", "def f():\n    assert 3 <= done.seconds < 60"),
        ("judges a duration", "def f():\n    assert 8 > result['elapsed']"),
        ("bounds a wait below a minute", "def f():\n    thread.join(timeout=5)"),
        ("bounds a wait below a minute", "def f():\n    future.result(30)"),
        ("bounds a wait below a minute", "def f():\n    subprocess.run(command, timeout=30)"),
    ],
)
def test_the_rules_see_it(rule: str, text: str) -> None:
    assert found_in({"x.py": text})[rule] == {"x.py::f"}


@pytest.mark.parametrize(
    "text",
    ["assert result['elapsed'] > 2.0", "assert 3 <= result['elapsed']", "process.wait(NEVER)", "' '.join(words)"],
)
def test_what_never_depends_on_a_busy_machine_is_no_fault(text: str) -> None:
    assert not any(found_in({"x.py": text}).values())


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything hangs at once."""
    monkeypatch.setattr(waiting, "HANG", 0.2)
    monkeypatch.setattr(waiting, "NEVER", 0.2)


def test_until_returns_what_was_enough() -> None:
    numbers = iter(range(9))
    assert waiting.until("a three", lambda: next(numbers), lambda number: number == 3, every=0.0) == 3
    assert waiting.until("a number", lambda: next(numbers)) == 4


def test_a_wait_that_hangs_says_what_was_seen_last(hurried: None) -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.2 s: the group is empty; seen last: \['member'\]"):
        waiting.until("the group is empty", lambda: ["member"], lambda seen: not seen)


def test_what_does_not_stay_so_says_what_was_seen() -> None:
    numbers = iter(range(9))
    with pytest.raises(AssertionError, match=r"no longer at look 3 of 9: fewer than two; seen: 2"):
        waiting.stays("fewer than two", lambda: next(numbers), lambda number: number < 2, looks=9, every=0.0)
    waiting.stays("the same", lambda: 1, every=0.0)


def test_work_that_hangs_says_where(hurried: None) -> None:
    over = threading.Event()

    def hanging() -> None:
        over.wait()

    with pytest.raises(
        AssertionError, match=r"(?s)not over within 0\.2 s: a call; it is at:.*in hanging\n *over\.wait"
    ):
        waiting.ended("a call", hanging)
    over.set()


def test_work_that_ends_is_as_if_it_was_called() -> None:
    assert waiting.ended("a call", lambda: 5) == 5
    with pytest.raises(ZeroDivisionError):
        waiting.ended("a call", lambda: 1 // 0)


def test_a_program_that_hangs_says_what_it_said(hurried: None, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["bash", "-c", "echo so far; exec sleep 600"]
    monkeypatch.setattr(waiting, "NEVER", 3.0)  # bash has to start
    with pytest.raises(AssertionError, match=r"not over within 3 s: bash -c .*; it said: b?'so far"):
        waiting.finished(command, capture_output=True, text=True)
    monkeypatch.setattr(waiting, "NEVER", 0.2)
    with subprocess.Popen(["sleep", "600"]) as process:
        try:
            with pytest.raises(AssertionError, match=r"not over within 0\.2 s: \['sleep', '600'\]; it said: its log"):
                waiting.gone(process, lambda: "its log")
        finally:
            process.kill()
