"""Who may import whom: the table of docs/architecture.md. A lower layer never imports a higher one."""

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
    "action": set(),
    "doc_fragments": set(),
    "_ansible": {"_ansible", "_usecases", "_adapters", "_core", "_ports"},
    "_usecases": {"_usecases", "_core", "_ports"},
    "_ports": {"_core"},
    "_adapters": {"_adapters", "_core", "_ports"},
    "_core": {"_core"},
}
FILES = sorted(path for path in PLUGINS.rglob("*.py") if path.name != "__init__.py")


def layer(parts: tuple[str, ...]) -> str:
    """The layer of a dotted name or a path below plugins/."""
    return parts[1].removesuffix(".py") if parts[0] == "module_utils" else parts[0]


def imports(file: Path) -> set[str]:
    """Layers of this collection that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: a relative import hides which layer it is of"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {layer(tuple(name.removeprefix(OURS).split("."))) for name in names if name.startswith(OURS)}
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(PLUGINS)))
def test_imports_point_one_way(file: Path) -> None:
    own = layer(file.relative_to(PLUGINS).parts)
    assert imports(file) <= MAY_IMPORT[own]


def test_what_is_beside_the_collection_imports_nothing_of_it() -> None:
    for folder in ("consumers", "testbed", "demo"):
        for file in (ROOT / folder).rglob("*.py"):
            if ".cache" not in file.parts:
                assert not imports(file), file


@pytest.mark.parametrize("own", [own for own in MAY_IMPORT if own != "doc_fragments"])
def test_the_document_tells_the_same(own: str) -> None:
    rows = [row.split("|") for row in (ROOT / "docs/architecture.md").read_text(encoding="utf-8").splitlines()]
    [told] = [row[3] for row in rows if len(row) == 5 and row[1].strip(" `/").removesuffix(".py").endswith(f"/{own}")]
    assert set(re.findall(r"`(_\w+)`", told)) == MAY_IMPORT[own] - {own}
