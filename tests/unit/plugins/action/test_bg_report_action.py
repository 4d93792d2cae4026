# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a report: what is written, what check mode says of it, and what is left when writing fails."""

from __future__ import annotations

import errno
import os
import random
import signal
import sys
import tempfile
import threading
import typing as t
from pathlib import Path
from types import FrameType, SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError

from ansible_collections.streamops.bluegreen.plugins.action import bg_report
from ansible_collections.streamops.bluegreen.tests.unit.waiting import until

TEXTS = {"run.json": '{"ä": 1}\n', "run.txt": "ünï — done\n"}


def run(*, check: bool = False, diff: bool = True, **args: t.Any) -> dict[str, t.Any]:
    action = bg_report.ActionModule(
        task=SimpleNamespace(args=args, async_val=0, check_mode=check, diff=diff),
        connection=SimpleNamespace(_shell=SimpleNamespace(tmpdir="/nowhere")),
        play_context=None,
        loader=None,
        templar=None,
        shared_loader_obj=None,
    )
    return action.run(task_vars={})


def listing(folder: Path) -> dict[str, tuple[int, bytes | None]]:
    """Everything below a folder: mode, and what is in the files."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, path.read_bytes() if path.is_file() else None)
        for path in folder.rglob("*")
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def modes(*paths: Path) -> set[int]:
    return {path.stat().st_mode & 0o7777 for path in paths}


@pytest.fixture
def dest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # A file that is made anywhere else may be on another disk, from which no rename is one step.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    return tmp_path / "reports" / "today"


@pytest.fixture(params=[0o022, 0o077], ids=["usual umask", "strict umask"])
def _umask(request: pytest.FixtureRequest) -> t.Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_umask")
def test_check_then_real_then_repeat(tmp_path: Path, dest: Path) -> None:
    predicted = run(check=True, dest=str(dest), files=TEXTS)
    assert listing(tmp_path) == {}
    done = run(dest=str(dest), files=TEXTS)
    assert predicted == done
    assert done == {
        "changed": True,
        "dest": str(dest),
        "files": [str(dest / "run.json"), str(dest / "run.txt")],
        "diff": done["diff"],
    }
    assert {name: (dest / name).read_text(encoding="utf-8") for name in names(dest)} == TEXTS
    assert modes(dest / "run.json", dest / "run.txt") == {0o644}
    assert modes(dest, dest.parent) == {0o755}
    before = listing(tmp_path)
    again = {**done, "changed": False, "diff": []}
    assert run(check=True, dest=str(dest), files=TEXTS) == again
    assert run(dest=str(dest), files=TEXTS) == again
    assert listing(tmp_path) == before


def test_changed_behind_our_back(dest: Path) -> None:
    run(dest=str(dest), files=TEXTS)
    (dest / "run.txt").write_bytes(b"bad \xff\n")
    (dest / "other").write_text("stays", encoding="utf-8")
    untouched = (dest / "run.json").stat().st_ino
    predicted = run(check=True, dest=str(dest), files=TEXTS)
    done = run(dest=str(dest), files=TEXTS)
    path = str(dest / "run.txt")
    assert predicted == done
    assert done["diff"] == [
        {"before": "bad \ufffd\n", "after": TEXTS["run.txt"], "before_header": path, "after_header": path}
    ]
    assert (dest / "run.txt").read_text(encoding="utf-8") == TEXTS["run.txt"]
    assert (dest / "run.json").stat().st_ino == untouched
    assert names(dest) == ["other", "run.json", "run.txt"]


def test_diff_of_what_is_new(dest: Path) -> None:
    done = run(dest=str(dest), files={"run.txt": "a\n"})
    folder, file = str(dest), str(dest / "run.txt")
    states = {"before": {"state": "absent"}, "after": {"state": "directory"}}
    assert done["diff"][1:] == [
        {**states, "before_header": folder, "after_header": folder},
        {"before": "", "after": "a\n", "before_header": file, "after_header": file},
    ]
    assert "diff" not in run(diff=False, dest=str(dest), files={"run.txt": "b\n"})


def test_a_folder_alone(tmp_path: Path, dest: Path) -> None:
    assert run(check=True, dest=str(dest))["changed"] is True
    assert listing(tmp_path) == {}
    assert run(dest=str(dest))["changed"] is True
    dest.chmod(0o700)
    assert run(dest=str(dest)) == {"changed": False, "dest": str(dest), "files": [], "diff": []}
    assert names(dest) == []
    assert modes(dest) == {0o700}, "a folder that was there is somebody's choice"


def test_dest_is_expanded_and_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TODAY", "tuesday")
    assert run(dest="a/$TODAY", files={"x": ""})["files"] == [str(tmp_path / "a/tuesday/x")]
    assert run(dest="~/b")["dest"] == str(tmp_path / "home/b")
    assert (tmp_path / "a/tuesday/x").read_bytes() == b""
    assert (tmp_path / "home/b").is_dir()


def test_links(tmp_path: Path, dest: Path) -> None:
    """A link to a folder is a folder; a link in the place of a file is replaced, what it points to stays."""
    dest.mkdir(parents=True)
    (tmp_path / "link").symlink_to(dest)
    (tmp_path / "secret").write_text("stays", encoding="utf-8")
    (dest / "run.txt").symlink_to(tmp_path / "secret")
    (dest / "run.json").symlink_to(tmp_path / "nothing")
    run(dest=str(tmp_path / "link"), files=TEXTS)
    assert {name: (dest / name).read_text(encoding="utf-8") for name in names(dest)} == TEXTS
    assert not (dest / "run.txt").is_symlink()
    assert (tmp_path / "secret").read_text(encoding="utf-8") == "stays"
    assert not (tmp_path / "nothing").exists()


def test_bytes_that_are_not_utf8_stay_what_they_were(dest: Path) -> None:
    text = b"caf\xe9".decode("utf-8", errors="surrogateescape")
    assert run(dest=str(dest), files={"x": text})["diff"][-1]["after"] == "caf\ufffd"
    assert (dest / "x").read_bytes() == b"caf\xe9"


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "../a", "a\0b", 7])
def test_a_name_that_is_no_name_of_a_file(tmp_path: Path, dest: Path, name: t.Any, check: bool) -> None:
    done = run(check=check, dest=str(dest), files={"good": "x", name: "x"})
    assert done["failed"]
    assert done["changed"] is False
    assert repr(name) in done["msg"]
    assert "Use one without a folder" in done["msg"]
    assert listing(tmp_path) == {}


@pytest.mark.parametrize(
    ("text", "said"), [({"a": 1}, "but a dict"), (None, "but a NoneType"), ("\ud800", "not UTF-8")]
)
def test_a_text_that_is_none(tmp_path: Path, dest: Path, text: t.Any, said: str) -> None:
    done = run(dest=str(dest), files={"good": "x", "bad.json": text})
    assert done["failed"]
    assert "bad.json" in done["msg"]
    assert said in done["msg"]
    assert listing(tmp_path) == {}


@pytest.mark.parametrize("args", [{}, {"dest": "/x", "files": "nonsense"}, {"dest": "/x", "content": ""}])
def test_arguments_are_checked(args: dict[str, t.Any]) -> None:
    with pytest.raises(AnsibleActionFail):
        run(**args)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("dest", ["", "a\0b"])
def test_a_dest_that_is_no_path(dest: str, check: bool) -> None:
    done = run(check=check, dest=dest)
    assert done["failed"]
    assert repr(dest) in done["msg"]


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("dest", ["taken", "taken/below/it", "dangling", "dangling/below"])
def test_something_else_is_in_the_place_of_the_folder(tmp_path: Path, dest: str, check: bool) -> None:
    (tmp_path / "taken").write_text("stays", encoding="utf-8")
    (tmp_path / "dangling").symlink_to("nowhere")
    before = listing(tmp_path)
    done = run(check=check, dest=str(tmp_path / dest), files=TEXTS)
    assert done["failed"]
    for said in (str(tmp_path / dest), f"{tmp_path / dest.split('/', maxsplit=1)[0]} is not a folder", "Remove it"):
        assert said in done["msg"]
    assert listing(tmp_path) == before


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("device", [False, True])
def test_something_else_is_in_the_place_of_a_file(dest: Path, device: bool, check: bool) -> None:
    dest.mkdir(parents=True)
    if device:
        (dest / "run.txt").symlink_to("/dev/null")
    else:
        (dest / "run.txt").mkdir()
    before = listing(dest)
    done = run(check=check, dest=str(dest), files=TEXTS)
    assert done["failed"]
    assert f"Can't write {dest / 'run.txt'}: it exists and is not a file" in done["msg"]
    assert listing(dest) == before, "nothing is written when it is known that not all can be"


@pytest.mark.parametrize("check", [True, False])
def test_a_name_the_system_refuses(tmp_path: Path, check: bool) -> None:
    for args in ({"dest": str(tmp_path / ("x" * 300))}, {"dest": str(tmp_path), "files": {"y" * 300: ""}}):
        done = run(check=check, **args)
        assert done["failed"]
        assert "File name too long. Choose another folder" in done["msg"]
    assert listing(tmp_path) == {}


def test_check_mode_says_that_a_folder_is_not_writable(
    tmp_path: Path, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def access(path: Path, mode: int) -> bool:
        asked.append((path, mode))
        return False

    monkeypatch.setattr(os, "access", access)
    done = run(check=True, dest=str(dest), files=TEXTS)
    assert asked == [(tmp_path, os.W_OK | os.X_OK)], "the nearest folder that is there"
    assert done["failed"]
    assert f"Can't write to {tmp_path}: Permission denied. Let the user who runs Ansible do it" in done["msg"]


def refuse(number: int) -> t.Callable[..., t.NoReturn]:
    def refused(*args: t.Any, **kwargs: t.Any) -> t.NoReturn:
        raise OSError(number, os.strerror(number), "a name nobody knows")

    return refused


@pytest.mark.parametrize(
    ("module", "function", "number", "said"),
    [
        (
            Path,
            "mkdir",
            errno.EROFS,
            "Can't make the folder {dest.parent}: Read-only file system. Choose another folder.",
        ),
        (
            Path,
            "mkdir",
            errno.EACCES,
            "Can't make the folder {dest.parent}: Permission denied. Let the user who runs Ansible",
        ),
        (
            tempfile,
            "TemporaryFile",
            errno.ENOSPC,
            "Can't write to {dest}: No space left on device. Make room there, or",
        ),
        (tempfile, "mkstemp", errno.EDQUOT, "Can't write {dest}/run.json: Disk quota exceeded. Make room there, or"),
        (os, "fsync", errno.EIO, "Can't write {dest}/run.json: Input/output error. Choose another folder."),
        (
            os,
            "fchmod",
            errno.EPERM,
            "Can't write {dest}/run.json: Operation not permitted. Let the user who runs Ansible",
        ),
        (Path, "replace", errno.ENOSPC, "Can't write {dest}/run.json: No space left on device. Make room there, or"),
    ],
)
def test_an_error_of_the_system_names_the_path_and_leaves_nothing(
    dest: Path, monkeypatch: pytest.MonkeyPatch, module: t.Any, function: str, number: int, said: str
) -> None:
    monkeypatch.setattr(module, function, refuse(number))
    done = run(dest=str(dest), files=TEXTS)
    assert done["failed"]
    assert said.format(dest=dest) in done["msg"]
    assert "nobody knows" not in done["msg"]
    assert done["changed"] is dest.exists(), "the folder was made, and that is a change"
    assert not dest.exists() or names(dest) == []


def test_an_error_leaves_the_old_text(dest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(dest=str(dest), files={"run.json": "old"})
    monkeypatch.setattr(os, "fsync", refuse(errno.ENOSPC))
    done = run(dest=str(dest), files=TEXTS)
    assert (done["failed"], done["changed"]) == (True, False)
    assert names(dest) == ["run.json"]
    assert (dest / "run.json").read_text(encoding="utf-8") == "old"


def test_killed_between_any_two_lines_no_half_file_has_its_name(tmp_path: Path) -> None:
    old, new = b"old\n" * 20_000, b"new\n" * 30_000
    file = tmp_path / "x"
    seen = []
    status = None
    while status != 0:
        file.write_bytes(old)
        child = os.fork()
        if child == 0:
            _write_until_killed(file, new, len(seen) + 1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in {0, -signal.SIGKILL}
        seen.append(file.read_bytes())
        assert seen[-1] in {old, new}
    assert seen.count(old) > 10
    assert seen.count(new) > 1, "killed after the file was replaced, too"


def _write_until_killed(path: Path, content: bytes, moment: int) -> t.NoReturn:
    """Runs in a child: SIGKILL before that line, those of the libraries' public functions counted."""
    lines = 0

    def trace(frame: FrameType, event: str, _arg: t.Any) -> t.Any:
        nonlocal lines
        if frame.f_code.co_name.startswith("_") and frame.f_code.co_filename != bg_report.__file__:
            return None
        lines += event == "line"
        if lines == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    code = 1
    try:
        sys.settrace(trace)
        bg_report._write_file(path, content)
        sys.settrace(None)
        code = 0
    finally:
        os._exit(code)


def test_many_hosts_write_to_one_folder(tmp_path: Path) -> None:
    """Each its own file and all the same one; readers see whole texts only."""
    dest = tmp_path / "a/b/c"
    same = {number: f"{number}\n" * 50_000 for number in range(8)}
    results: list[dict[str, t.Any]] = []

    def host(number: int) -> None:
        for _attempt in range(5):
            results.append(run(dest=str(dest), files={f"{number}.txt": str(number), "same": same[number]}))

    hosts = [threading.Thread(target=host, args=(number,)) for number in same]
    for thread in hosts:
        thread.start()

    def at_work() -> list[str]:
        if (dest / "same").exists():
            assert (dest / "same").read_text(encoding="utf-8") in same.values()
        return [thread.name for thread in hosts if thread.is_alive()]

    until("every host has written", at_work, lambda names: not names, every=0.0)
    assert [result["msg"] for result in results if "msg" in result] == []
    assert len(results) == 40
    assert names(dest) == [*(f"{number}.txt" for number in same), "same"]


ANYTHING: tuple[t.Any, ...] = (
    *("", "/", ".", "..", "~", "~nobody/x", "a\0b", "a/b", "\n", "ä", "😀", "x" * 300, "x" * 5000, "/dev/null", "/proc/x"),
    *(None, True, 0, -1, 1.5, float("inf"), [], ["a"], {}, {"a": 1}, {"a": None}, {"": "x"}, {"a": "\ud800"}, {1: "x"}, {"x" * 300: ""}),
)  # fmt: skip


@pytest.mark.parametrize("number", range(60))
def test_whatever_it_is_given_it_ends_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """And in check mode, so that nothing of it is made outside of the test's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    draw = random.Random(number)
    given = {name: draw.choice(ANYTHING) for name in draw.sample(("dest", "files", "unknown"), draw.randint(0, 3))}
    if draw.random() < 0.4:
        given["dest"] = str(tmp_path / "reports")
    try:
        done = run(check=True, **given)
    except AnsibleError as error:  # how an action plugin refuses arguments
        done = {"failed": True, "msg": str(error)}
    assert not done.get("failed") or any(str(name) in done["msg"] for name in ("dest", "files", "unknown", "Can't")), (
        done
    )
    assert list(tmp_path.iterdir()) == []
