"""The XML that an S3 service answers with, read without document types or entities, and what is sent to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.parsers import expat

from gateway.blobs.upstream.errors import BadResponse

MAX_BYTES = 8 * 1024**2
"""A longer document is refused: a page of 1,000 keys of 1,024 bytes, escaped, is below 5 MiB."""
_DEPTH = 12
_ELEMENTS = 100_000
_SPECIAL = re.compile("[&<>\"'\r\n\t]")


class Element:
    """An element without its namespace, its text, its children in order."""

    __slots__ = ("children", "name", "text")

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = ""
        self.children: list[Element] = []

    def all(self, name: str) -> Iterator[Element]:
        return (child for child in self.children if child.name == name)

    def get(self, *path: str) -> str:
        """The text of a descendant, empty where there is none."""
        element: Element | None = self
        for name in path:
            if element is None:
                return ""
            element = next(element.all(name), None)
        return "" if element is None else element.text


class _Reader:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0

    def start(self, name: str, _attributes: object) -> None:
        self._count += 1
        if len(self._open) >= _DEPTH or self._count > _ELEMENTS:
            raise BadResponse("the XML is nested too deep or too long")
        element = Element(name.rpartition(":")[2])
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _name: str) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        if self._open:
            self._open[-1].text += data

    def refuse(self, *_arguments: object) -> None:
        raise BadResponse("the XML declares a document type")


def parse(data: bytes) -> Element:
    """The root element. Raises BadResponse."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    try:
        parser.Parse(data.lstrip(b" \t\r\n"), True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise BadResponse("the answer is no XML") from error
    if reader.root is None:
        raise BadResponse("the answer is no XML")
    return reader.root


def error_code(data: bytes) -> tuple[str, str]:
    """S3's code and message in an error's body; empty where it has none."""
    if not data:
        return "", ""
    try:
        root = parse(data)
    except BadResponse:
        return "", ""
    if root.name != "Error":
        return "", ""
    return root.get("Code")[:80], root.get("Message")[:200]


def escape(text: str) -> str:
    return _SPECIAL.sub(lambda match: f"&#{ord(match[0])};", text)
