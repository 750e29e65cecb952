"""The documentation of the running version, rendered from the Markdown that ships with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

FOLDER = Path(__file__).parent / "documents"
EXAMPLE_URL = "http://127.0.0.1:9090"
"""What stands in the documents for the server's address; pages show the real one."""
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_EXPLAINED = re.compile(
    r"<table>(?=\s*<thead>\s*<tr>(?:\s*<th>[^<]*</th>){4,}\s*<th>(?:Meaning|Differences)</th>\s*</tr>)"
)
"""A table of at least five columns, whose last one explains."""
_LINK = re.compile(r'(<a href=")([^":?#]*?)(?:index)?\.md([#"])')
_SECTIONS = {"": "Pixgate", "guides": "Guides", "reference": "Reference", "adr": "Decisions"}
"""Folder and heading, in the order in which people need them."""


@dataclass(frozen=True, slots=True)
class Document:
    """A page: `name` is its path without `.md`; `section` the folder it is in."""

    name: str
    section: str
    title: str


@cache
def documents() -> dict[str, Document]:
    """All documents by name, in the order of a table of contents."""
    found = []
    for path in sorted(FOLDER.rglob("*.md")):
        relative = path.relative_to(FOLDER).with_suffix("")
        title = _TITLE.search(path.read_text(encoding="utf-8"))
        section = relative.parts[0] if len(relative.parts) > 1 else ""
        found.append(Document(relative.as_posix(), section, title[1].replace("`", "") if title else relative.name))
    found.sort(
        key=lambda document: (
            list(_SECTIONS).index(document.section),
            document.name != "index",
            document.name,
        )
    )
    return {document.name: document for document in found}


@cache
def contents() -> tuple[tuple[str, tuple[Document, ...]], ...]:
    """The table of contents: a heading and its documents each."""
    return tuple(
        (heading, tuple(document for document in documents().values() if document.section == section))
        for section, heading in _SECTIONS.items()
    )


@cache
def attachments() -> dict[str, Path]:
    """The files that documents link to, by name."""
    return {path.relative_to(FOLDER).as_posix(): path for path in sorted(FOLDER.rglob("*.json"))}


@cache
def render(name: str, base_url: str) -> str:
    """The HTML of a document. Raises KeyError where there is none of that name."""
    from markdown_it import MarkdownIt

    document = documents()[name]
    text = (FOLDER / f"{document.name}.md").read_text(encoding="utf-8")
    if base_url != EXAMPLE_URL:
        text = text.replace(EXAMPLE_URL, base_url)
    html = str(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))
    html = _LINK.sub(lambda link: f"{link[1]}{link[2] or './'}{link[3]}", html)
    return _with_anchors(_EXPLAINED.sub('<table class="explained">', html))


def _with_anchors(html: str) -> str:
    def anchored(match: re.Match[str]) -> str:
        level, inner = match[1], match[2]
        slug = re.sub(r"[^a-z0-9]+", "-", re.sub(r"<[^>]+>|&\w+;", "", inner).lower()).strip("-")
        return f'<h{level} id="{escape(slug, quote=True)}">{inner}</h{level}>'

    return re.sub(r"<h([23])>(.*?)</h\1>", anchored, html)
