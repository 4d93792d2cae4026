# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Measures the steps of a run, for its result, its journal and the report."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import asdict, dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Step
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Clock


@dataclass
class Steps:
    """Steps in the order they began; a step that raised keeps its error as result."""

    clock: Clock
    rows: list[Step] = field(default_factory=list)

    @contextlib.contextmanager
    def step(self, name: str) -> t.Iterator[None]:
        """Time one step."""
        started, began = self.clock.now(), self.clock.monotonic()
        result = "failed"
        try:
            yield
            result = "ok"
        except Exception as error:
            result = f"failed: {error}"
            raise
        finally:
            took = round((self.clock.monotonic() - began) * 1000, 1)
            self.rows.append(Step(name, started, self.clock.now(), took, result))

    def as_result(self) -> list[dict[str, t.Any]]:
        """JSON-ready."""
        return [asdict(row) for row in self.rows]
