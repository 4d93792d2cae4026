"""Cache keys, and entries that are whole or not there."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from testbed import cache
from tests.unit.waiting import joined


@pytest.fixture(autouse=True)
def cache_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def fill(directory: Path) -> None:
    (directory / "file").write_text("whole")


def test_key_depends_on_every_part_and_on_where_parts_end():
    keys = {cache.key("ab", "c"), cache.key("a", "bc"), cache.key("abc"), cache.key("ab", "d")}
    assert len(keys) == 4


def test_key_of_a_file_is_its_content_not_its_place(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("same")
    second.write_text("same")
    assert cache.key(first) == cache.key(second)
    second.write_text("other")
    assert cache.key(first) != cache.key(second)


def test_source_files_leaves_out_byte_code_and_hidden_directories(tmp_path):
    for name in ("main.py", "package/module.py", "package/__pycache__/module.pyc", ".git/config", "old.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert [path.name for path in cache.source_files(tmp_path)] == ["main.py", "module.py"]


def test_entry_is_built_once():
    calls = []

    def build(directory: Path) -> None:
        calls.append(directory)
        fill(directory)

    first = cache.entry("thing", "k1", build)
    assert cache.entry("thing", "k1", build) == first
    assert (first / "file").read_text() == "whole"
    assert len(calls) == 1
    assert calls[0] != first, "the builder must not work in the final directory"
    assert not calls[0].exists(), "a copy would be visible while it is incomplete; only a rename is whole at once"


def test_interrupted_build_leaves_no_entry_and_its_rest_is_removed():
    def interrupted(directory: Path) -> None:
        fill(directory)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.entry("thing", "k1", interrupted)
    assert not cache.entry_path("thing", "k1").exists()
    unfinished = list(cache.entry_path("thing", "k1").parent.glob(".unfinished-thing-*"))
    assert len(unfinished) == 1

    cache.entry("thing", "k1", fill)
    assert not unfinished[0].exists()
    assert (cache.entry_path("thing", "k1") / "file").read_text() == "whole"


def test_two_builders_at_once_build_once():
    calls = []

    def slow(directory: Path) -> None:
        calls.append(directory)
        time.sleep(0.2)
        fill(directory)

    threads = [threading.Thread(target=cache.entry, args=("thing", "k1", slow)) for _ in range(3)]
    for thread in threads:
        thread.start()
    joined(*threads)
    assert len(calls) == 1
