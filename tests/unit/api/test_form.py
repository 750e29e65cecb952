"""The parser of forms: what was sent comes out, however it was cut; what is no form is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.api.form import (
    MAX_AROUND,
    MAX_HEADER_BYTES,
    MAX_PARTS,
    FormReader,
    MalformedForm,
    PartHead,
    boundary_of,
    parse_part_head,
)


class Pieces:
    """A body as a socket gives it: in these pieces."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = [piece for piece in pieces if piece]

    async def read(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


def cut(body: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({0, len(body), *(place % (len(body) + 1) for place in cuts)})
    return [body[start:end] for start, end in pairwise(places)]


async def parsed(pieces: Sequence[bytes], boundary: bytes) -> list[tuple[PartHead, bytes]]:
    source = Pieces(pieces)
    form = FormReader(source.read, boundary)
    found = []
    while (head := await form.next()) is not None:
        content = b""
        while piece := await form.read():
            content += piece
        found.append((head, content))
    await form.finish()
    assert not source.pieces
    return found


def parse(body: bytes, boundary: bytes = b"B", cuts: Sequence[int] = ()) -> list[tuple[PartHead, bytes]]:
    return asyncio.run(parsed(cut(body, cuts), boundary))


BOUNDARIES = st.text("abcXYZ0129'()+_,-./:=?", min_size=1, max_size=70).map(str.encode)
# Contents that look like boundaries nearly are the interesting ones.
NEARLY = st.sampled_from([b"\r\n", b"\r", b"\n", b"--", b"-", b"\r\n--", b"a", b"\0", b"\r\r\n--"])
CONTENTS = st.one_of(st.binary(max_size=200), st.lists(NEARLY, max_size=20).map(b"".join))


@given(
    boundary=BOUNDARIES,
    contents=st.lists(CONTENTS, max_size=5),
    halves=st.lists(st.integers(0, 100), max_size=3),
    cuts=st.lists(st.integers(0, 2000), max_size=40),
    preamble=st.sampled_from([b"", b"\r\n", b"nothing\r\n"]),
    epilogue=st.sampled_from([b"", b"\r\n", b"\r\nnothing"]),
)
@example(b"B", [b"", b""], [], list(range(200)), b"", b"\r\n")
def test_what_was_sent_comes_out(
    boundary: bytes, contents: list[bytes], halves: list[int], cuts: list[int], preamble: bytes, epilogue: bytes
) -> None:
    delimiter = b"\r\n--" + boundary
    # Beginnings of the boundary itself, too.
    contents = [
        content + delimiter[: half % len(delimiter)] for content, half in zip(contents, halves, strict=False)
    ] + contents
    contents = [content for content in contents if delimiter not in b"\r\n" + content]
    body = preamble
    for number, content in enumerate(contents):
        body += (
            b"--"
            + boundary
            + b"\r\n"
            + b'Content-Disposition: form-data; name="%d"\r\n\r\n' % number
            + content
            + b"\r\n"
        )
    body += b"--" + boundary + b"--" + epilogue
    found = parse(body, boundary, cuts)
    assert [(head.name, content) for head, content in found] == [(str(n), c) for n, c in enumerate(contents)]


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=20))
def test_garbage_is_refused_and_nothing_else(garbage: bytes, cuts: list[int]) -> None:
    for body in (garbage, b"--B" + garbage, b"--B\r\n" + garbage, b"--B\r\nContent-Disposition: form-data" + garbage):
        try:
            parse(body, b"B", cuts)
        except MalformedForm:
            continue


@given(st.binary(max_size=300))
def test_headers_of_parts_are_read_or_refused(block: bytes) -> None:
    for text in (
        block,
        b"Content-Disposition: form-data; name=" + block,
        b'Content-Disposition: form-data; name="a"; filename=' + block,
    ):
        try:
            parse_part_head(text)
        except MalformedForm:
            continue


@given(st.text(max_size=100))
def test_content_types_give_a_boundary_or_are_refused(text: str) -> None:
    for value in (text, "multipart/form-data;" + text, "multipart/form-data; boundary=" + text):
        try:
            assert boundary_of(value)
        except MalformedForm:
            continue


@pytest.mark.parametrize(
    ("value", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data;charset=utf-8 ; BOUNDARY="a b;c"', b"a b;c"),
        ("multipart/form-data; boundary=abc; charset=utf-8", b"abc"),
    ],
)
def test_boundaries(value: str, boundary: bytes) -> None:
    assert boundary_of(value) == boundary


@pytest.mark.parametrize(
    "value",
    [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=a",
        "multipart/form-data; boundary=" + "a" * 201,
    ],
)
def test_what_names_no_boundary_is_refused(value: str) -> None:
    with pytest.raises(MalformedForm):
        boundary_of(value)


@pytest.mark.parametrize(
    ("parameters", "filename"),
    [
        ('filename="a.jpg"', "a.jpg"),
        ("filename=a.jpg", "a.jpg"),
        ('filename="a;b.jpg"', "a;b.jpg"),
        ('filename="a\\"b.jpg"', 'a"b.jpg'),
        ('filename="a%22b%0D%0A.jpg"', 'a"b\r\n.jpg'),
        ('filename="C:\\dir\\a.jpg"', "C:\\dir\\a.jpg"),
        ('filename="ü.jpg"', "ü.jpg"),
        ("filename=x.jpg; filename*=UTF-8''%C3%BC%20%E2%82%AC.jpg", "ü €.jpg"),
        ("filename*=iso-8859-1'en'%FC.jpg", "ü.jpg"),
        ("filename*=koi8-r''%FC.jpg; filename=x.jpg", "x.jpg"),
        ('filename=""', ""),
        ("", None),
    ],
)
def test_names_of_files(parameters: str, filename: str | None) -> None:
    head = parse_part_head(f'Content-Disposition: form-data; name="file"; {parameters}'.encode())
    assert head == PartHead("file", filename, None)


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"Content-Type: image/jpeg",
        b'Content-Disposition: attachment; name="a"',
        b"Content-Disposition: form-data",
        b'no colon\r\nContent-Disposition: form-data; name="a"',
        b'Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="b"',
        b'Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64',
        b'Content-Disposition: form-data; name="' + b"a" * 257 + b'"',
    ],
)
def test_parts_without_a_name_are_refused(block: bytes) -> None:
    with pytest.raises(MalformedForm):
        parse_part_head(block)


PART = b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--",
        b"--B",
        b"--B\r\n",
        b"--B--x" + b"x" * (MAX_AROUND + 1),
        b"x" * (MAX_AROUND + 1),
        b"--Bx\r\n",
        b"--B-\r\n",
        b"--B" + b" " * 1000,
        PART,
        PART + b"content",
        PART + b"content\r\n",
        PART + b"content\n--B--",
        b"--B\r\nX: " + b"a" * MAX_HEADER_BYTES + b"\r\n\r\n\r\n--B--",
        b"--B\r\nX: " + b"a" * MAX_HEADER_BYTES * 2,
        (PART + b"\r\n") * (MAX_PARTS + 1) + b"--B--",
    ],
    ids=range(16),
)
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedForm):
        parse(body)


def test_a_field_as_text_is_bounded_and_utf_8() -> None:
    async def text(content: bytes, limit: int) -> str:
        form = FormReader(Pieces([PART + content + b"\r\n--B--"]).read, b"B")
        await form.next()
        return await form.text(limit)

    assert asyncio.run(text("ü".encode(), 2)) == "ü"
    with pytest.raises(MalformedForm, match="more than 1 bytes"):
        asyncio.run(text("ü".encode(), 1))
    with pytest.raises(MalformedForm, match="UTF-8"):
        asyncio.run(text(b"\xff", 1))


def test_parts_that_nobody_reads_are_passed_over() -> None:
    async def names() -> list[str]:
        form = FormReader(Pieces([PART + b"x" * 100_000 + b"\r\n", PART + b"\r\n--B--"]).read, b"B")
        found = []
        while (head := await form.next()) is not None:
            found.append(head.name)
        assert await form.next() is None
        return found

    assert asyncio.run(names()) == ["a", "a"]


def test_large_contents_are_not_copied_together() -> None:
    """No piece that comes out is larger than what came in."""

    async def largest() -> int:
        form = FormReader(Pieces([PART, *[b"\r" * 1000] * 100, b"\r\n--B--"]).read, b"B")
        await form.next()
        found = 0
        while piece := await form.read():
            found = max(found, len(piece))
        return found

    assert asyncio.run(largest()) <= 1010
