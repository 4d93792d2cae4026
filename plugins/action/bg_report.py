# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes files on the control node without a process of its own: a start costs more than the work."""

from __future__ import annotations

import errno
import os
import tempfile
import typing as t
from contextlib import contextmanager
from pathlib import Path

from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.plugins.action import ActionBase

FOLDER_MODE = 0o755
FILE_MODE = 0o644
ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "Make room there, or choose another folder."),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "Let the user who runs Ansible do it, or choose another folder."),
}

Diff = dict[str, t.Any]


class ReportError(Exception):
    """What was seen and what to do, for the user."""


class Change(t.NamedTuple):
    """A file that is to be written; before is None while there is none."""

    path: Path
    before: bytes | None
    after: bytes


class ActionModule(ActionBase):
    """All of the module bg_report."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """The result of the task; a failed one says in changed whether something was written before it failed."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        options = self.validate_argument_spec(
            {"dest": {"type": "path", "required": True}, "files": {"type": "dict", "default": {}}}
        )[1]
        result["changed"] = False
        try:
            self._write(str(options["dest"]), options["files"], result)
        except ReportError as error:
            result.update(failed=True, msg=str(error))
        return result

    def _write(self, dest: str, files: dict[t.Any, t.Any], result: dict[str, t.Any]) -> None:
        texts = {_checked_name(name): _checked_text(name, text) for name, text in files.items()}
        if not dest or "\0" in dest:
            raise ReportError(f"dest is {dest!r}, which is not a folder. Name one.")
        with _named("look at", Path(dest)):
            folder = Path(dest).absolute()
        result.update(dest=str(folder), files=[str(folder / name) for name in texts])
        missing = _missing_folders(folder)
        changes = [change for name, text in texts.items() if (change := _compare(folder / name, text))]
        if self._task.diff:
            result["diff"] = [*map(_diff_of_folder, missing), *map(_diff_of_file, changes)]
        if self._task.check_mode:
            _predict_writable(missing[0].parent if missing else folder)
            result["changed"] = bool(missing or changes)
            return
        for path in missing:
            result["changed"] |= _make_folder(path)
        _prove_writable(folder)
        for change in changes:
            _write_file(change.path, change.after)
            result["changed"] = True


def _checked_name(name: t.Any) -> str:
    if not isinstance(name, str) or name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise ReportError(f"files names {name!r}, which is not the name of a file in dest. Use one without a folder.")
    return str(name)


def _checked_text(name: str, text: t.Any) -> bytes:
    if not isinstance(text, str):
        raise ReportError(f"files has no text for {name}, but a {type(text).__name__}. Make one with to_nice_json.")
    try:
        content: bytes = to_bytes(str(text), errors="surrogate_or_strict")
    except UnicodeError as error:
        raise ReportError(f"The text for {name} is not UTF-8: {error}. Take the character out.") from error
    return content


@contextmanager
def _named(doing: str, path: Path) -> t.Iterator[None]:
    """The system's own messages name the temporary file, or nothing at all."""
    try:
        yield
    except (OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else None
        seen = os.strerror(number) if number else str(error)
        advice = ADVICE.get(number or 0, "Choose another folder.")
        raise ReportError(f"Can't {doing} {path}: {seen}. {advice}") from error


def _missing_folders(folder: Path) -> list[Path]:
    """The folders to make, the outermost first."""
    missing: list[Path] = []
    nearest = folder
    with _named("look at", folder):
        # A link to nothing is not missing: no folder can be made in its place.
        while not (nearest.exists() or nearest.is_symlink()):
            missing.insert(0, nearest)
            nearest = nearest.parent
        if not nearest.is_dir():
            raise ReportError(f"Can't use {folder}: {nearest} is not a folder. Remove it, or choose another folder.")
    return missing


def _compare(path: Path, after: bytes) -> Change | None:
    with _named("read", path):
        # Anything else than a file can't be replaced, and to read it might never end.
        if path.exists() and not path.is_file():
            raise ReportError(f"Can't write {path}: it exists and is not a file. Remove it, or choose another folder.")
        try:
            before = path.read_bytes()
        except FileNotFoundError:
            return Change(path, None, after)
    return Change(path, before, after) if before != after else None


def _predict_writable(folder: Path) -> None:
    with _named("write to", folder):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _prove_writable(folder: Path) -> None:
    """Rights alone do not prove it: the disk may be full. The file has no name where the system can do without."""
    with _named("write to", folder), tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"writable")


def _make_folder(path: Path) -> bool:
    with _named("make the folder", path):
        try:
            path.mkdir(FOLDER_MODE)
        except FileExistsError:
            return False  # made by another host of the play meanwhile
        path.chmod(FOLDER_MODE)  # whatever the umask says
    return True


def _write_file(path: Path, content: bytes) -> None:
    """Whenever this is killed, the file has its old content or all of the new one."""
    with _named("write", path):
        # A name that no pattern like *.json finds, in the same folder because only there a rename is one step.
        handle, temporary = tempfile.mkstemp(prefix=".bg_report-", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fchmod(handle, FILE_MODE)
                os.fsync(handle)  # a full disk may show only here
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _diff_of_folder(path: Path) -> Diff:
    return _diff(path, {"state": "absent"}, {"state": "directory"})


def _diff_of_file(change: Change) -> Diff:
    before = "" if change.before is None else to_text(change.before, errors="replace")
    return _diff(change.path, before, to_text(change.after, errors="replace"))


def _diff(path: Path, before: t.Any, after: t.Any) -> Diff:
    return {"before": before, "after": after, "before_header": str(path), "after_header": str(path)}
