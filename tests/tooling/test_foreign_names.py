"""docs/foreign-names.md lists every name of another package that is no interface of it, and each is still there."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REGISTER = ROOT / "docs/foreign-names.md"
FOLDERS = ("benchmarks", "consumers", "demo", "plugins", "scripts", "testbed")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if ".cache" not in path.parts)
NO_INTERFACE = (
    "_pytest",
    "ansible.module_utils._internal",
    "ansible_collections.kubernetes",
    "confluent_kafka.cimpl",
    "kafka.cluster",
    "kafka.future",
    "kafka.net",
    "kafka.protocol",
    "kubernetes.client.rest",
    "kubernetes.config.incluster_config",
)
"""Modules of packages that document others, without an underscore in their names."""
FOREIGN = ("ansible", "confluent_kafka", "kafka", "kubernetes", "urllib3", "pytest")
DOCUMENTED = {"_asdict", "_replace"}
"""Public in spite of their names: what Python documents of named tuples."""
OURS = {("benchmarks/inside.py", "_kafka")}
"""Private names of our own that another file uses."""


class Entry(t.NamedTuple):
    """A row of the register. parameters: the first ones of what can be called."""

    name: str
    parameters: list[str]
    test: str


def entries() -> list[Entry]:
    rows = re.findall(
        r"^\| `([\w.]+)(?:\(([\w, ]*)\))?` \| [^|]+ \| `(\w+)` \|$", REGISTER.read_text("utf-8"), re.MULTILINE
    )
    return [Entry(name, re.findall(r"\w+", given), test) for name, given, test in rows]


REGISTERED = entries()


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def defined_in(tree: ast.AST) -> set[str]:
    """Private names that a file makes itself."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            found.add(node.attr)
    return found


def overridden_in(tree: ast.AST) -> set[str]:
    """Private names in the body of a class whose base comes from another package."""
    foreign = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FOREIGN
        for alias in node.names
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and {ast.unparse(base) for base in node.bases} & foreign:
            for inner in node.body:
                if isinstance(inner, ast.Assign):
                    found |= {target.id for target in inner.targets if isinstance(target, ast.Name)}
    return {name for name in found if is_private(name)}


def is_super(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


@functools.cache
def foreign_in(file: Path) -> set[str]:
    """Names of other packages that are no interface: attributes by their last part, imports in full."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    own, found = defined_in(tree), overridden_in(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and (node.attr not in own or is_super(node.value)):
            found.add(node.attr)
        names = []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            private = any(is_private(part) for part in name.split(".")) and name.split(".")[0] in FOREIGN
            if private or any(name == inner or name.startswith(f"{inner}.") for inner in NO_INTERFACE):
                found.add(name)
    where = str(file.relative_to(ROOT))
    return {name for name in found if name not in DOCUMENTED and (where, name) not in OURS}


def is_registered(name: str) -> bool:
    """An attribute by its last part, an import also as a part of a module that is listed."""
    if "." not in name:
        return any(entry.name.rpartition(".")[2] == name for entry in REGISTERED)
    return any(name == entry.name or name.startswith(f"{entry.name}.") for entry in REGISTERED)


def test_the_register_is_read() -> None:
    rows = [line for line in REGISTER.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert len(rows) == len(REGISTERED) > 20
    assert len({entry.name for entry in REGISTERED}) == len(REGISTERED)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_foreign_name_is_in_the_register(file: Path) -> None:
    unknown = {name for name in foreign_in(file) if not is_registered(name)}
    assert not unknown, f"list it in docs/foreign-names.md with the test that notices its change: {sorted(unknown)}"


@pytest.mark.parametrize("entry", REGISTERED, ids=lambda entry: entry.name)
def test_what_is_in_the_register_is_used_and_there(entry: Entry) -> None:
    used = set().union(*map(foreign_in, FILES))
    last = entry.name.rpartition(".")[2]
    assert last in used or any(f"{name}.".startswith(f"{entry.name}.") for name in used), "nobody uses it any more"
    found = resolved(entry.name)
    if entry.parameters:
        given = [name for name in inspect.signature(found).parameters if name != "self"]
        assert given[: len(entry.parameters)] == entry.parameters
    assert f"def {entry.test}(" in all_tests()


@functools.cache
def all_tests() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))


def resolved(dotted: str) -> t.Any:
    """What a dotted name stands for; of an attribute that only instances have, its name."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            if inspect.isclass(found) and not hasattr(found, part):
                made = "\n".join(inspect.getsource(one) for one in found.__mro__ if one is not object)
                assert re.search(rf"self\.{part}\b.* = ", made), f"{found.__name__} sets no {part}"
                return part
            found = getattr(found, part)
        return found
    raise AssertionError(f"no part of {dotted} can be imported")
