# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every example of the documentation is run: its options are known and fit together, and what it reads of a result is returned.

Kafka and Kubernetes do not answer here, so an example that is right ends there, and one that is wrong ends before.
"""

from __future__ import annotations

import importlib
import json
import re
import shlex
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible import bg_module
from ansible_collections.streamops.bluegreen.tests.unit.fakes.modules import RunModule
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World

ROOT = Path(__file__).parents[3]
OURS = "streamops.bluegreen."
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "roles/*/README.md", "examples/**/*.md", "consumers/*.md")
    for path in ROOT.glob(pattern)
)
ACTION_ONLY = {"bg_report": {"dest": {"type": "path", "required": True}, "files": {"type": "dict", "default": {}}}}
"""Modules that are an action plugin, and the specification that it has."""
ALWAYS = {"changed", "failed", "msg", "diff", "skipped", "warnings", "exception", "invocation", "result", "rc"}
"""Keys of every result; ``result`` is not one, but what a test of Jinja may be called."""
SNAPSHOT = {
    "format": 2,
    "group_id": "g",
    "topic_ids": {"t": "5d7f6b1e-4a36-4bd5-a2f8-0f6bb0f5d8a1"},
    "offsets": {"t": "0:12"},
}
APPLICATION = {"name": "a", "namespace": "n", "topics": ["t"], "blue": {"group": "b"}, "green": {"group": "g"}}
VALUES: dict[str, t.Any] = {
    "before.barrier": [{"topic": "t", "partition": 0, "offset": 12}],
    "armed.epoch": 3,
    "record.epoch": 3,
    "copied.snapshot": SNAPSHOT,
    "order_consumer": APPLICATION,
    "plan.gates": [{"name": "source lag", "value": "0", "threshold": "<= 1000", "verdict": "GO", "advice": ""}],
    "vault_pushgateway_password": "a secret",
    "bg_alerts": "%5B%5D",
    "prepared.run_id": "20260101T000000Z-ab12",
}
"""What stands for a template in an example, by how it begins."""


class Example(t.NamedTuple):
    """One task that calls a module of ours."""

    where: str
    module: str
    options: dict[str, t.Any]
    check: bool

    def __str__(self) -> str:
        return f"{self.where}: {self.module}"


def blocks() -> t.Iterator[tuple[str, t.Any, str]]:
    """Where it stands, its content, and its text."""
    for name in MODULES:
        text = importlib.import_module(f"ansible_collections.{OURS}plugins.modules.{name}").EXAMPLES
        yield f"{name} EXAMPLES", yaml.safe_load(text), text
    for path in DOCUMENTS:
        for text in re.findall(r"^```ya?ml\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            yield str(path.relative_to(ROOT)), yaml.safe_load(text), text


def tasks_in(content: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Every dictionary in it, however deep: tasks may be in plays and blocks."""
    if isinstance(content, dict):
        yield content
    for inner in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from tasks_in(inner)


def examples() -> t.Iterator[Example]:
    for where, content, _text in blocks():
        for task in tasks_in(content):
            for key, options in task.items():
                if isinstance(key, str) and key.removeprefix(OURS) in MODULES and key.startswith(OURS):
                    yield Example(where, key.removeprefix(OURS), options or {}, bool(task.get("check_mode")))
    for path in DOCUMENTS:
        for name, given in re.findall(r"-m streamops\.bluegreen\.(\w+) -a \"([^\"]*)\"", path.read_text("utf-8")):
            options = dict(word.split("=", 1) for word in shlex.split(given))
            yield Example(str(path.relative_to(ROOT)), name, options, False)


def filled(value: t.Any) -> t.Any:
    """The value with what stands for its templates."""
    if isinstance(value, dict):
        return {key: filled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner) for inner in value]
    if not isinstance(value, str) or "{{" not in value:
        return value
    template = value.strip("{} ")
    found = [stands for begin, stands in VALUES.items() if template == begin]
    if found:
        return found[0]
    if "strftime" in template:
        return "2026-01-01T00:00:00Z"
    if "to_nice_json" in template or template.startswith("lookup("):
        return "a text"
    raise AssertionError(f"say in VALUES what stands for {value!r}")


BLOCKS = list(blocks())
EXAMPLES = list(examples())


def test_each_module_has_examples() -> None:
    assert {example.module for example in EXAMPLES} == set(MODULES)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_gets_as_far_as_the_service(
    example: Example, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = filled(example.options)
    if example.module in ACTION_ONLY:
        assert ArgumentSpecValidator(ACTION_ONLY[example.module]).validate(options).error_messages == []
        return
    world = World()
    world.kafka.down = world.cluster.down = True
    module = importlib.import_module(f"ansible_collections.{OURS}plugins.modules.{example.module}")
    connects = module if hasattr(module, "build_ports") else bg_module
    monkeypatch.setattr(connects, "build_ports", lambda *_given, **_named: world.ports)
    done = run_module(module, check=example.check, **options)
    assert done["failed"] is True
    assert "does not answer" in done["msg"], f"it never got to the service: {done['msg']}"


@pytest.mark.parametrize(("where", "content", "text"), BLOCKS, ids=[where for where, _content, _text in BLOCKS])
def test_what_an_example_reads_of_a_result_is_returned(where: str, content: t.Any, text: str) -> None:
    for task in tasks_in(content):
        names = [key.removeprefix(OURS) for key in task if isinstance(key, str) and key.startswith(OURS)]
        if "register" not in task or not names:
            continue
        module = importlib.import_module(f"ansible_collections.{OURS}plugins.modules.{names[0]}")
        known = set(yaml.safe_load(module.RETURN)) | ALWAYS
        read = set(re.findall(rf"\b{task['register']}\.(\w+)", text))
        assert read <= known, f"{where}: {names[0]} does not return {sorted(read - known)}"


def specification(role: str) -> dict[str, t.Any]:
    text = (ROOT / "roles" / role / "meta/argument_specs.yml").read_text(encoding="utf-8")
    found: dict[str, t.Any] = yaml.safe_load(text)["argument_specs"]["main"]["options"]
    return found


def role_calls() -> t.Iterator[tuple[str, str, dict[str, t.Any]]]:
    for where, content, _text in blocks():
        for task in tasks_in(content):
            called = task.get("ansible.builtin.include_role") or task.get("ansible.builtin.import_role")
            if called:
                yield where, called["name"].removeprefix(OURS), task.get("vars", {})
            for host in (task.get("hosts") or {}).values() if isinstance(task.get("hosts"), dict) else ():
                yield where, "application", {key: host[key] for key in host if key.startswith("bg_")}


NO_OPTIONS = {"bg_alert_labels", "bg_metric_gates", "bg_metrics", "bg_prometheus"}
"""Told in the description of the role application: what is wrong with them must not stop a rollback."""


@pytest.mark.parametrize(("where", "role", "given"), list(role_calls()))
def test_variables_of_a_role_are_its_options(where: str, role: str, given: dict[str, t.Any]) -> None:
    options = {name: {**option, "required": False} for name, option in specification(role).items()}
    for option in options.values():
        for key in ("description", "version_added"):
            option.pop(key, None)
    given = {name: value for name, value in given.items() if name not in NO_OPTIONS}
    said = ArgumentSpecValidator(options).validate(json.loads(json.dumps(given))).error_messages
    assert said == [], where
