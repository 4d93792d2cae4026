"""The pages of the documentation site: lay out our own for Sphinx, and check the links of what it has built.

Usage: docs_pages.py lay DIRECTORY | docs_pages.py check DIRECTORY
"""

from __future__ import annotations

import posixpath
import re
import subprocess
import sys
from collections.abc import Collection
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]
FORGE = "https://github.com/streamops/bluegreen/"
LINK = re.compile(r"\]\(([^)\s]+)\)")
FRONT = "README.md"


def pages() -> list[str]:
    """Return the Markdown files of the repository, without those that the reference has in full."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [name for name in listed if not name.startswith(("roles/", "scripts/")) and (ROOT / name).exists()]


def with_site_links(text: str, page: str, known: Collection[str]) -> str:
    """Return a page with its links to other pages within the site, and those to other files of the repository on the forge."""

    def link(match: re.Match[str]) -> str:
        target = match[1]
        path, hash_, fragment = target.partition("#")
        kind = path.removeprefix(FORGE).split("/")[0] if path.startswith(FORGE) else ""
        if kind in ("blob", "tree"):
            path = path.removeprefix(f"{FORGE}{kind}/main/")
        elif not path or "://" in path or path.startswith("mailto:"):
            return match[0]
        else:
            path = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
        if path in known:
            name = "index.md" if path == FRONT else path
            return f"]({posixpath.relpath(name, posixpath.dirname(page) or '.')}{hash_}{fragment})"
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f"]({FORGE}{kind}/main/{path}{hash_}{fragment})"

    return LINK.sub(link, text)


def contents() -> str:
    """Return the table of contents, with the modules and roles by their short names."""
    text = (ROOT / "scripts/docs_site/contents.md").read_text(encoding="utf-8")
    for kind, pattern in (("module", "plugins/modules/*.py"), ("role", "roles/*")):
        names = sorted(path.stem for path in ROOT.glob(pattern))
        text = text.replace(f"{kind.upper()}S", "\n".join(f"{name} <reference/{name}_{kind}>" for name in names))
    return text


def lay(directory: Path) -> None:
    """Copy the pages, each at its place in the repository; the README, with the table of contents, is the front page."""
    known = pages()
    for page in known:
        text = with_site_links((ROOT / page).read_text(encoding="utf-8"), page, known)
        if page == FRONT:
            text += contents()
        target = directory / ("index.md" if page == FRONT else page)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value for name, value in attrs if name in ("href", "src") and value]
        self.anchors |= {value for name, value in attrs if name == "id" and value}


def broken_links(site: Path) -> list[str]:
    """Return the links that lead to no file of the site, or to no such place in it. Others' sites are not asked."""
    read: dict[Path, _Page] = {}
    for file in sorted(site.rglob("*.html")):
        read[file] = _Page()
        read[file].feed(file.read_text(encoding="utf-8"))
    broken = []
    for file, page in read.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            there = target.is_file()
            if there and parts.fragment and target in read:
                there = unquote(parts.fragment) in read[target].anchors
            if not there:
                broken.append(f"{file.relative_to(site)}: {link}")
    return broken


def main() -> int:
    """Run the command; return the exit status."""
    command, directory = sys.argv[1], Path(sys.argv[2]).resolve()
    if command == "lay":
        lay(directory)
        return 0
    broken = broken_links(directory)
    for line in broken:
        print(f"docs_pages.py: broken link in {line}", file=sys.stderr)
    print(f"{len(list(directory.rglob('*.html')))} pages, {len(broken)} broken links: {sys.argv[2]}/index.html")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
