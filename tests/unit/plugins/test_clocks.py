# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Edge case 43: clocks of two machines may differ by minutes, so nothing is decided by what a wall clock says.

Durations and deadlines come from monotonic clocks. A time of day is written down for people; it could only mislead a
decision if it were read back and computed with. One decision is made that way: whether the rollback window is open, which
is hours long and is a promise in times of day.
"""

from __future__ import annotations

import ast
from pathlib import Path

PLUGINS = Path(__file__).parents[3] / "plugins"
TELLS_THE_TIME = {"time", "time_ns", "now", "utcnow", "today", "localtime", "gmtime", "ctime"}
COMPUTES_WITH_IT = {"fromisoformat", "strptime", "fromtimestamp", "mktime", "timestamp"}

WRITTEN_FOR_PEOPLE = {
    "module_utils/_adapters/system.py": "the port whose now() is a text",
    "module_utils/_adapters/kubernetes/adapter.py": "stamps of Events and Leases, which are judged by watching them",
    "module_utils/_ansible/bg_module.py": "part of a run's name",
    # A token says when it expires by a wall clock. It is looked at only after a broker closed the connection, to say why.
    "module_utils/_adapters/kafka/tokens.py": "why a broker may have closed a connection",
}
COMPUTED_WITH = {
    "module_utils/_core/record/active_record.py": "the rollback window",
    "module_utils/_core/run/alert_guard.py": "an alert, a message and a flip of other clocks: which was first, and how long one waited",
    "module_utils/_core/run/way_back.py": "until when a rollback is open, for the report",
    "module_utils/_core/run/metrics.py": "stored times as numbers, for Prometheus; how old they are is for its reader to say",
    "module_utils/_ansible/metrics_options.py": "whether a time that was given is one",
    "module_utils/_core/kafka/times.py": "a time of day that the user gave, and one that is shown: when offsets expire",
    "module_utils/_adapters/kafka/tokens.py": "the text of that message",
}


def calls_of(file: Path, names: set[str]) -> list[str]:
    """Calls of time.NAME, datetime.NAME and the like in a file."""
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
            called = ast.unparse(node.func)
            if called.split(".", maxsplit=1)[0] in {"time", "datetime"}:
                found.append(f"{called} in line {node.lineno}")
    return found


def places(names: set[str]) -> dict[str, list[str]]:
    files = sorted(PLUGINS.rglob("*.py"))
    assert len(files) > 40, "these are not the plugins"
    found = {file.relative_to(PLUGINS).as_posix(): calls_of(file, names) for file in files}
    return {name: calls for name, calls in found.items() if calls}


def test_the_time_of_day_is_asked_for_only_where_it_is_written_for_people() -> None:
    found = places(TELLS_THE_TIME)
    assert set(found) == set(WRITTEN_FOR_PEOPLE), found


def test_a_time_of_day_is_computed_with_only_in_places_that_say_why() -> None:
    found = places(COMPUTES_WITH_IT)
    assert set(found) == set(COMPUTED_WITH), found


def test_the_search_would_find_one(tmp_path: Path) -> None:
    file = tmp_path / "m.py"
    file.write_text("import time, datetime\nx = time.time()\ny = datetime.datetime.now()\nz = time.monotonic()\n")
    assert [text.split(" ")[0] for text in calls_of(file, TELLS_THE_TIME)] == ["time.time", "datetime.datetime.now"]
