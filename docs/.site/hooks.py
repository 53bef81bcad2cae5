"""Makes the manifests, which lie beside docs/, part of the site, so that links to them lead there.

A page links to `../manifests/…`, as is right where the repository is browsed; in the site the same
files are at `manifests/…`.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_BESIDE = Path(__file__).parents[2] / "manifests"
_LINK = re.compile(r"\]\((?:\.\./)(manifests/[^)#]*)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    for path in sorted(_BESIDE.rglob("*.yaml")):
        place = f"manifests/{path.relative_to(_BESIDE)}"
        files.append(File.generated(config, place, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    return _LINK.sub(r"](\1", markdown)
