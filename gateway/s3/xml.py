"""XML as S3 speaks it: a strict, bounded reader and a quick writer.

The reader refuses document types and entities (so no expansion, no outside references), depth beyond 16 and more
elements than a completion of 10,000 parts can have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from xml.parsers import expat

from gateway.s3.errors import S3Error

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

_MAX_DEPTH = 16
_MAX_ELEMENTS = 200_000
_SPECIAL = re.compile(r"[&<>\"\x00-\x1f\x7f\ufffe\uffff]")
_REPLACEMENTS = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


class Element:
    """An element that was read: its name without namespace, its text, its children in order."""

    __slots__ = ("attributes", "children", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.text = ""
        self.children: list[Element] = []

    def all(self, name: str) -> Iterator[Element]:
        """The children of this name."""
        return (child for child in self.children if child.name == name)

    def find(self, name: str) -> Element | None:
        """The only child of this name, or None. Raises S3Error MalformedXML where there are several."""
        found = [child for child in self.children if child.name == name]
        if len(found) > 1:
            raise S3Error("MalformedXML")
        return found[0] if found else None

    def value(self, name: str) -> str | None:
        """The text of the only child of this name, or None."""
        child = self.find(name)
        return None if child is None else child.text

    def require(self, name: str) -> str:
        """The text of the only child of this name. Raises S3Error MalformedXML where there is none."""
        value = self.value(name)
        if value is None:
            raise S3Error("MalformedXML")
        return value

    def only(self, *names: str) -> None:
        """Raises S3Error MalformedXML where a child has another name."""
        for child in self.children:
            if child.name not in names:
                raise S3Error("MalformedXML")


class _Refused(Exception):
    pass


def parse(document: bytes, root: str) -> Element:
    """The element `root` of a document. Raises S3Error MalformedXML for anything that is not plain XML with that root."""
    top = Element("", {})
    stack = [top]
    count = 0
    texts: list[list[str]] = [[]]

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(stack) > _MAX_DEPTH or count > _MAX_ELEMENTS:
            raise _Refused
        element = Element(name.rpartition(" ")[2], attributes)
        stack[-1].children.append(element)
        stack.append(element)
        texts.append([])

    def end(_: str) -> None:
        stack.pop().text = "".join(texts.pop())

    def text(data: str) -> None:
        texts[-1].append(data)

    def refuse(*_: object) -> Any:
        raise _Refused

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.UnparsedEntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    parser.SkippedEntityHandler = refuse
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, _Refused, ValueError, LookupError):
        raise S3Error("MalformedXML") from None
    if len(top.children) != 1 or top.children[0].name != root:
        raise S3Error("MalformedXML")
    return top.children[0]


def escape(text: str) -> str:
    """Text for between tags. Control characters become references, as S3 writes them.

    XML 1.0 has no way to write most of them; clients that must read such keys ask for `encoding-type=url`.
    """
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(_replace, text)


def _replace(match: re.Match[str]) -> str:
    character = match.group()
    return _REPLACEMENTS.get(character) or f"&#{ord(character)};"


class Writer:
    """A document that is written from its start to its end. Names are ours, values are escaped."""

    __slots__ = ("_pieces", "_root")

    def __init__(self, root: str, *, namespace: bool = True) -> None:
        attribute = f' xmlns="{NAMESPACE}"' if namespace else ""
        self._root = root
        self._pieces = [f"{DECLARATION}<{root}{attribute}>"]

    def add(self, name: str, value: str | int) -> None:
        self._pieces.append(f"<{name}>{value if isinstance(value, int) else escape(value)}</{name}>")

    def add_if(self, name: str, value: str | int | None) -> None:
        if value is not None:
            self.add(name, value)

    def open(self, name: str) -> None:
        self._pieces.append(f"<{name}>")

    def close(self, name: str) -> None:
        self._pieces.append(f"</{name}>")

    def raw(self, markup: str) -> None:
        """Markup of ours, its values escaped already."""
        self._pieces.append(markup)

    def finish(self) -> bytes:
        self._pieces.append(f"</{self._root}>")
        return "".join(self._pieces).encode("utf-8", "replace")

    def finish_text(self) -> str:
        """The document without its declaration, for what has already begun with one."""
        self._pieces.append(f"</{self._root}>")
        return "".join(self._pieces).removeprefix(DECLARATION)


def boolean(value: bool) -> str:
    return "true" if value else "false"


def quoted_etag(etag: str) -> str:
    """An ETag in its quotes, escaped."""
    return f"&quot;{escape(etag)}&quot;"


def url_encode(text: bytes) -> str:
    """As `encoding-type=url` asks: everything but unreserved characters and `/` (and `*`, which S3 leaves) escaped."""
    return quote(text, safe="/*~")
