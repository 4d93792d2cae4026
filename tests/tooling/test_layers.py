"""Who may import whom: the tables of docs/architecture.md. A lower layer never imports a higher one, nor a wing those after it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins"
OURS = "ansible_collections.streamops.bluegreen.plugins."
MAY_IMPORT = {
    "modules": {"_ansible", "_usecases", "_core", "_ports"},
    "action": {"plugin_utils"},
    "plugin_utils": set(),
    "doc_fragments": set(),
    "_ansible": {"_ansible", "_usecases", "_adapters", "_core", "_ports"},
    "_usecases": {"_usecases", "_core", "_ports"},
    "_ports": {"_core"},
    "_adapters": {"_adapters", "_core", "_ports"},
    "_core": {"_core"},
}
WINGS = {
    "kafka": set(),
    "kubernetes": set(),
    "pods": {"kafka", "kubernetes"},
    "record": {"kafka"},
    "run": {"kafka", "pods", "record"},
}
WITH_WINGS = ("_usecases", "_core", "_adapters")
FILES = sorted(path for path in PLUGINS.rglob("*.py") if path.name != "__init__.py")


def layer(parts: tuple[str, ...]) -> str:
    """The layer of a dotted name or a path below plugins/."""
    return parts[1].removesuffix(".py") if parts[0] == "module_utils" else parts[0]


def wing(parts: tuple[str, ...]) -> str:
    """The wing of a dotted name or a path below plugins/; empty for what stands above the wings."""
    if len(parts) < 3 or parts[1] not in WITH_WINGS:
        return ""
    name = parts[2].removesuffix(".py")
    return name if name in WINGS else ""


def imports(file: Path) -> set[tuple[str, ...]]:
    """Names of this collection that a file imports, wherever in it, in their parts."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: a relative import hides which layer it is of"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {tuple(name.removeprefix(OURS).split(".")) for name in names if name.startswith(OURS)}
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(PLUGINS)))
def test_imports_point_one_way(file: Path) -> None:
    own = layer(file.relative_to(PLUGINS).parts)
    assert {layer(parts) for parts in imports(file)} <= MAY_IMPORT[own]


@pytest.mark.parametrize(
    "file",
    [file for file in FILES if layer(file.relative_to(PLUGINS).parts) in WITH_WINGS],
    ids=lambda path: str(path.relative_to(PLUGINS)),
)
def test_wings_lean_one_way(file: Path) -> None:
    """In its own layer and in those below it a wing has only itself, the wings that the table names, and what stands above."""
    own = wing(file.relative_to(PLUGINS).parts)
    assert {wing(parts) for parts in imports(file)} <= {"", own, *WINGS.get(own, ())}


def test_the_wings_have_no_circle() -> None:
    names = list(WINGS)
    for own, others in WINGS.items():
        assert others <= set(names[: names.index(own)]), own


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("kafka_lag_wait", {"kubernetes", "pods", "record", "run"}),
        ("kafka_group_offsets_info", {"kubernetes", "pods", "record", "run"}),
        ("consumer_pause", {"kafka", "record", "run"}),
        ("bg_configmap_switch", {"kafka", "run"}),
        ("bg_metrics", {"kafka"}),
    ],
)
def test_a_module_is_packed_with_the_wings_it_needs(module: str, never: set[str]) -> None:
    """Ansible packs whatever is imported, however late. Values of other wings do not count: the ports are made of them."""
    found, todo = set(), {PLUGINS / f"modules/{module}.py"}
    while todo:
        file = todo.pop()
        found.add(file)
        todo |= {
            path
            for parts in imports(file)
            for path in (PLUGINS.joinpath(*parts[:-1]).with_suffix(".py"), PLUGINS.joinpath(*parts).with_suffix(".py"))
            if path.exists() and path not in found
        }
    parts = [file.relative_to(PLUGINS).parts for file in found]
    assert {wing(each) for each in parts if layer(each) in ("_usecases", "_adapters")} & never == set()


def test_what_is_beside_the_collection_imports_nothing_of_it() -> None:
    for folder in ("consumers", "testbed", "demo"):
        for file in (ROOT / folder).rglob("*.py"):
            if ".cache" not in file.parts:
                assert not imports(file), file


@pytest.mark.parametrize("own", [own for own in MAY_IMPORT if own != "doc_fragments"])
def test_the_document_tells_the_same(own: str) -> None:
    [told] = [row[3] for row in rows() if row[1].strip(" `/").removesuffix(".py").endswith(f"/{own}")]
    assert set(re.findall(r"`(_\w+|plugin_utils)`", told)) == MAY_IMPORT[own] - {own}


@pytest.mark.parametrize("own", WINGS)
def test_the_document_tells_the_same_of_wings(own: str) -> None:
    [told] = [row[3] for row in rows() if row[1].strip() == f"`{own}`"]
    assert set(re.findall(r"`(\w+)`", told)) == WINGS[own]


def rows() -> list[list[str]]:
    """Rows of three columns in the document."""
    lines = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").splitlines()
    return [row for row in (line.split("|") for line in lines) if len(row) == 5]
