"""Cache entries named by the hash of what went into them: safe against two builders and against an interrupted one."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from testbed import settings


def key(*parts: str | bytes | Path) -> str:
    """Hash of texts and file contents, 16 hexadecimal digits.

    A ``Path`` counts by its content, not by its place, so every checkout computes the same key. Each part is hashed
    with its length: ``("ab", "c")`` and ``("a", "bc")`` differ.
    """
    digest = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        digest.update(f"{len(content)}:".encode() + content)
    return digest.hexdigest()[:16]


def tree_key(directory: Path, *extra: str) -> str:
    """Hash of all files below ``directory`` with their relative names and executable bits, without byte code."""
    parts: list[str | bytes] = list(extra)
    for path in source_files(directory):
        parts += [path.relative_to(directory).as_posix(), str(os.access(path, os.X_OK)), path.read_bytes()]
    return key(*parts)


def source_files(directory: Path) -> list[Path]:
    """Files below ``directory`` that belong to it, sorted: no byte code, no tool caches, no hidden directories."""
    found = []
    for path in sorted(directory.rglob("*")):
        parents = path.relative_to(directory).parts[:-1]
        hidden = any(part == "__pycache__" or part.startswith(".") for part in parents)
        if path.is_file() and not hidden and path.suffix != ".pyc":
            found.append(path)
    return found


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold an exclusive file lock, waiting for it if need be.

    The kernel drops the lock when its holder dies, so it can never be stale.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another run holds {path}; waiting for it to end", file=sys.stderr, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def entry_path(name: str, entry_key: str) -> Path:
    """Where the entry is, or would be."""
    return settings.cache_root() / f"{name}-{entry_key}"


def entry(name: str, entry_key: str, build: Callable[[Path], None]) -> Path:
    """Return the directory of a cache entry, calling ``build(directory)`` first when it does not exist.

    ``build`` fills a temporary directory, which gets its final name by one rename when it is complete. So a
    directory with the final name is always whole, whatever was killed when.
    """
    path = entry_path(name, entry_key)
    if path.is_dir():
        return path
    with lock(settings.cache_root() / f".{name}.lock"):
        if path.is_dir():
            return path
        _remove_unfinished(name)
        unfinished = Path(tempfile.mkdtemp(prefix=f".unfinished-{name}-", dir=settings.cache_root()))
        unfinished.chmod(0o755)
        build(unfinished)
        unfinished.rename(path)
    return path


def _remove_unfinished(name: str) -> None:
    """Drop what an interrupted builder left; the caller holds the lock, so nobody is building this name now."""
    for rest in settings.cache_root().glob(f".unfinished-{name}-*"):
        shutil.rmtree(rest)
