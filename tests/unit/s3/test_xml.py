from __future__ import annotations

from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.s3.errors import S3Error
from gateway.s3.xml import DECLARATION, NAMESPACE, Writer, boolean, escape, parse, url_encode


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<A>",
        b"<A></B>",
        b"<A/><A/>",
        b"<B/>",
        b"text",
        b'<!DOCTYPE A [<!ENTITY x "y">]><A>&x;</A>',
        b'<!DOCTYPE A SYSTEM "file:///etc/passwd"><A/>',
        b"<!DOCTYPE A><A/>",
        b"<A>&unknown;</A>",
        b"<A>&#1;</A>",
        b"<A>\xff</A>",
        b"<A>" * 17 + b"</A>" * 17,
        b"<A>" + b"<B/>" * 200_001 + b"</A>",
        b'<?xml version="1.0" encoding="UTF-99"?><A/>',
    ],
    ids=range(15),
)
def test_what_is_refused(document: bytes) -> None:
    with pytest.raises(S3Error) as caught:
        parse(document, "A")
    assert caught.value.code == "MalformedXML"


@pytest.mark.parametrize(
    "document",
    [
        b"<A><B>x</B></A>",
        f'<A xmlns="{NAMESPACE}"><B>x</B></A>'.encode(),
        f'<s:A xmlns:s="{NAMESPACE}"><s:B>x</s:B></s:A>'.encode(),
        b'<?xml version="1.0"?>\n<!-- why --><A>\n <B>x</B>\n</A>',
        '<?xml version="1.0" encoding="UTF-16"?><A><B>x</B></A>'.encode("utf-16"),
        b"<A><B><![CDATA[x]]></B></A>",
    ],
    ids=range(6),
)
def test_what_is_read(document: bytes) -> None:
    element = parse(document, "A")
    assert element.require("B") == "x"
    assert element.value("C") is None
    assert [child.text for child in element.all("B")] == ["x"]


def test_a_child_that_must_be_alone() -> None:
    element = parse(b"<A><B/><B/><C/></A>", "A")
    for act in (lambda: element.find("B"), lambda: element.require("D"), lambda: element.only("B")):
        with pytest.raises(S3Error, match="well-formed"):
            act()
    element.only("B", "C")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_comes_back_from_any_reader_that_can_hold_it(text: str) -> None:
    writer = Writer("A")
    writer.add("B", text)
    document = writer.finish()
    assert document.startswith(f'{DECLARATION}<A xmlns="{NAMESPACE}">'.encode())
    unreadable = any(ord(c) < 32 and c not in "\t\n\r" for c in text) or "\ufffe" in text or "\uffff" in text
    if not unreadable:
        found = ElementTree.fromstring(document).find(f"{{{NAMESPACE}}}B")
        assert found is not None
        assert (found.text or "") == text


def test_control_characters_are_references() -> None:
    assert escape('a<b>&"\r\n\x01') == "a&lt;b&gt;&amp;&quot;&#13;&#10;&#1;"


def test_the_writer() -> None:
    writer = Writer("A", namespace=False)
    writer.open("B")
    writer.add("N", 5)
    writer.add_if("M", None)
    writer.add_if("M", "m")
    writer.close("B")
    writer.raw("<R/>")
    assert writer.finish().decode() == f"{DECLARATION}<A><B><N>5</N><M>m</M></B><R/></A>"
    assert (boolean(True), boolean(False)) == ("true", "false")


@given(st.binary())
def test_url_encoding_is_undone_by_unquoting(key: bytes) -> None:
    encoded = url_encode(key)
    assert unquote_to_bytes(encoded) == key
    assert encoded.isascii()
    assert encoded.isprintable()


def test_slashes_stay_in_an_encoded_key() -> None:
    assert url_encode("a/b c+é".encode()) == "a/b%20c%2B%C3%A9"
