"""The site's part of `mkdocs.yml`: pages that lie at the repository's root, and links to them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # mkdocs is in the group `docs` alone
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parent.parent
# The file at the root, and the page that it is.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CITATION.cff": "CITATION.cff",
}
_LINK = re.compile(r"(?<=\]\()(?:\.\./)?([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the root's pages."""
    from mkdocs.structure.files import File

    for name, page in PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A page's text, its links as they are on the site: all pages in one folder."""
    return _LINK.sub(lambda found: as_page(found[1]), markdown)


def as_page(target: str) -> str:
    """Where a relative link of a page at the root, or of one in docs/, leads on the site."""
    return PAGES.get(target, target.removeprefix("docs/"))
