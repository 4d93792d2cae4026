"""The documentation site: where links of our pages lead, and that a broken one is found."""

from __future__ import annotations

from pathlib import Path

import pytest

import docs_pages

ROOT = Path(__file__).parents[2]
FORGE = "https://github.com/streamops/bluegreen"
KNOWN = ["README.md", "docs/state.md", "docs/decisions/0001-first.md", "consumers/README.md"]


@pytest.mark.parametrize(
    ("page", "link", "becomes"),
    [
        ("README.md", "docs/state.md", "docs/state.md"),
        ("README.md", f"{FORGE}/blob/main/docs/state.md#lock", "docs/state.md#lock"),
        ("docs/state.md", "../consumers/README.md", "../consumers/README.md"),
        ("docs/decisions/0001-first.md", "../../README.md", "../../index.md"),
        ("docs/state.md", "../plugins/modules/bg_run.py", f"{FORGE}/blob/main/plugins/modules/bg_run.py"),
        ("docs/state.md", "decisions/", f"{FORGE}/tree/main/docs/decisions"),
        ("docs/state.md", "#lock", "#lock"),
        ("docs/state.md", f"{FORGE}/issues", f"{FORGE}/issues"),
        ("docs/state.md", "https://jmespath.org", "https://jmespath.org"),
    ],
)
def test_a_link_stays_in_the_site_or_leads_to_the_forge(page, link, becomes):
    assert docs_pages.with_site_links(f"see [it]({link}).", page, KNOWN) == f"see [it]({becomes})."


def test_every_page_is_laid_out_with_the_readme_as_the_front(tmp_path):
    docs_pages.lay(tmp_path)
    front = (tmp_path / "index.md").read_text(encoding="utf-8")
    assert "bg_run <reference/bg_run_module>" in front
    assert "preflight <reference/preflight_role>" in front
    assert (tmp_path / "docs/decisions/0001-kafka-python-for-the-modules.md").is_file()
    assert not (tmp_path / "roles").exists()


def test_broken_links_are_found(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "one.html").write_text(
        '<p id="here"></p><a href="#here"></a><a href="#gone"></a><a href="sub/two.html#there"></a><a href="https://example.com"></a>'
    )
    (tmp_path / "sub/two.html").write_text('<p id="there"></p><a href="../one.html#there"></a><img src="none.png">')
    assert docs_pages.broken_links(tmp_path) == [
        "one.html: #gone",
        "sub/two.html: ../one.html#there",
        "sub/two.html: none.png",
    ]


def test_each_document_has_its_place_in_the_contents():
    """Sphinx says the same, minutes later."""
    contents = (ROOT / "scripts/docs_site/contents.md").read_text(encoding="utf-8").splitlines()
    assert [page.stem for page in sorted((ROOT / "docs").glob("*.md")) if f"docs/{page.stem}" not in contents] == []
