# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Port ``MetricsPlace``: a file that node_exporter's textfile collector reads, one for each application."""

from __future__ import annotations

import os
import tempfile
import typing as t
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.exposition import (
    check_library,
    from_text,
    to_text,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import MetricsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.samples import HELP, Sample

READABLE = 0o644
"""The mode of the file: an exporter runs as another user, and has to read it."""


class Textfile:
    """The file at ``path``. app, namespace and labels: whose metrics it may hold; those of anybody else are not overwritten."""

    def __init__(self, path: str, app: str, namespace: str, labels: t.Mapping[str, str] | None = None) -> None:
        check_library()
        self._path = Path(path)
        self._mine = {"app": app, "namespace": namespace}
        self._labels = dict(labels or {})

    def name(self) -> str:
        """See MetricsPlace."""
        return f"the file {self._path}"

    def text(self, samples: t.Iterable[Sample]) -> str:
        """See MetricsPlace."""
        return to_text(samples)

    def read(self) -> str:
        """See MetricsPlace. Raises MetricsError for a file that can't be replaced, or that is not ours."""
        folder = self._path.parent
        with self._named("use"):
            if not folder.is_dir():
                raise MetricsError(f"Can't use {self.name()}: {folder} is not a folder. Create it, or name another one")
            if not os.access(folder, os.W_OK | os.X_OK):
                raise MetricsError(
                    f"Can't use {self.name()}: no right to write to the folder {folder}. Let the user who runs the module write there"
                )
            if not self._path.exists():
                return ""
            # Anything else than a file can't be replaced, and to read it might never end.
            if not self._path.is_file():
                raise MetricsError(
                    f"Can't use {self.name()}: it exists and is not a file. Remove it, or name another one"
                )
            text = self._path.read_bytes().decode(errors="replace")
        self._check_ours(text)
        return text

    def replace(self, samples: t.Iterable[Sample]) -> None:
        """See MetricsPlace. Whenever this is killed, the file has its old content or all of the new one."""
        with self._named("write"):
            # A name that nobody can foresee and no exporter reads, in the same folder because only there a rename is one step.
            handle, temporary = tempfile.mkstemp(prefix=".bg_metrics-", suffix=".tmp", dir=self._path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(to_text(samples).encode())
                    file.flush()
                    os.fchmod(handle, READABLE)
                    os.fsync(handle)  # a full disk may show only here
                Path(temporary).replace(self._path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise

    def _check_ours(self, text: str) -> None:
        try:
            found = from_text(text)
        except ValueError:
            whose = "is not a file of metrics"
        else:
            others = [sample for sample in found if sample.name not in HELP or not self._is_mine(sample)]
            if not others:
                return
            labels = "".join(f", {name} {others[0].labels[name]}" for name in self._mine if name in others[0].labels)
            whose = f"holds metrics of others ({others[0].name}{labels})"
        raise MetricsError(
            f"The file {self._path} was left alone: it {whose}. Each application needs a file of its own; name another one, or "
            "remove this one"
        )

    def _is_mine(self, sample: Sample) -> bool:
        """Without labels as well: they may have been set since."""
        known = all(sample.labels.get(name) == value for name, value in self._mine.items())
        return known and all(sample.labels.get(name, value) == value for name, value in self._labels.items())

    @contextmanager
    def _named(self, doing: str) -> t.Iterator[None]:
        """The system's own messages name the temporary file, or nothing at all."""
        try:
            yield
        except (OSError, ValueError) as error:
            seen = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            raise MetricsError(f"Can't {doing} {self.name()}: {seen}. Repair that, or name another file") from error
