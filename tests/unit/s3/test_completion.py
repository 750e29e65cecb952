"""The XML of a completion: read at once where it is written as usual, by the parser else, with the same outcome."""

from __future__ import annotations

import re

import pytest

from gateway.model.checksums import ChecksumAlgorithm
from gateway.model.uploads import CompletedPart
from gateway.s3.errors import S3Error
from gateway.s3.ops import multipart
from gateway.s3.ops.multipart import completed_parts

ETAG = "0123456789abcdef0123456789abcdef"
SHA = (ChecksumAlgorithm.SHA256, "q83vAA/+=")


def document(
    *parts: str, attributes: str = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', head: str = ""
) -> bytes:
    inner = "".join(f"<Part>{part}</Part>" for part in parts)
    return f"{head}<CompleteMultipartUpload{attributes}>{inner}</CompleteMultipartUpload>".encode()


ONE = f'<PartNumber>1</PartNumber><ETag>"{ETAG}"</ETag>'
USUAL = {
    "botocore": document(f'<ETag>"{ETAG}"</ETag><PartNumber>1</PartNumber>'),
    "quotes escaped by name": document(f"<PartNumber>1</PartNumber><ETag>&quot;{ETAG}&quot;</ETag>"),
    "quotes escaped by number": document(f"<PartNumber>1</PartNumber><ETag>&#34;{ETAG}&#34;</ETag>"),
    "no quotes": document(f"<PartNumber>1</PartNumber><ETag>{ETAG}</ETag>"),
    "no namespace": document(ONE, attributes=""),
    "a declaration": document(ONE, head='<?xml version="1.0" encoding="UTF-8"?>\n'),
    "pretty": document(f"\n  <PartNumber> 1\n</PartNumber>\r\n\t<ETag>\n{ETAG} </ETag>\n", attributes="") + b"\n",
}
UNUSUAL = {
    "a prefix": f'<a:CompleteMultipartUpload xmlns:a="u"><a:Part><a:PartNumber>1</a:PartNumber><a:ETag>{ETAG}</a:ETag>'
    "</a:Part></a:CompleteMultipartUpload>".encode(),
    "a comment": document(f"<!-- one -->{ONE}"),
    "another name": document(f"{ONE}<Size>5</Size>"),
    "a character by number": document(f"<PartNumber>&#49;</PartNumber><ETag>{ETAG}</ETag>"),
    "CDATA": document(f"<PartNumber><![CDATA[1]]></PartNumber><ETag>{ETAG}</ETag>"),
    "another encoding": document(ONE, head='<?xml version="1.0" encoding="utf-16"?>').decode().encode("utf-16"),
}
WRONG = {
    "nothing": document(),
    "something else": document(ONE).replace(b"Part>", b"Piece>"),
    "no number": document(f"<ETag>{ETAG}</ETag>"),
    "no ETag": document("<PartNumber>1</PartNumber>"),
    "no digits": document(f"<PartNumber>one</PartNumber><ETag>{ETAG}</ETag>"),
    "a sign": document(f"<PartNumber>+1</PartNumber><ETag>{ETAG}</ETag>"),
    "too many digits": document(f"<PartNumber>0000000001</PartNumber><ETag>{ETAG}</ETag>"),
    "two numbers": document(f"{ONE}<PartNumber>1</PartNumber>"),
    "two ETags": document(f"{ONE}<ETag>{ETAG}</ETag>"),
    "crossed tags": document(f"<PartNumber>1</ETag><ETag>{ETAG}</PartNumber>"),
    "cut off": document(ONE)[:-3],
    "more behind": document(ONE) + b"<a/>",
    "a document type": document(ONE, head="<!DOCTYPE a>"),
    "an entity": document(f"<PartNumber>1</PartNumber><ETag>&who;{ETAG}</ETag>"),
    "another root": document(ONE).replace(b"MultipartUpload", b"Upload"),
}


@pytest.fixture(params=["at once", "by the parser"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to read what can be read in both."""
    if request.param == "by the parser":
        monkeypatch.setattr(multipart, "_PLAIN", re.compile(b"never"))
    return str(request.param)


@pytest.mark.parametrize("name", USUAL)
def test_what_sdks_write_is_read_at_once(name: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "at once":
        monkeypatch.setattr(multipart, "parse", None)
    assert completed_parts(USUAL[name]) == [CompletedPart(1, ETAG, ())]


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_else_says_the_same_is_read_too(name: str) -> None:
    assert multipart._PLAIN.fullmatch(UNUSUAL[name]) is None
    assert completed_parts(UNUSUAL[name]) == [CompletedPart(1, ETAG, ())]


@pytest.mark.usefixtures("way")
def test_parts_are_in_order_with_their_checksums() -> None:
    parts = [f'<PartNumber>{n}</PartNumber><ETag>"{ETAG}-{n}"</ETag>' for n in (1, 7, 10_000)]
    parts[1] += f"<ChecksumSHA256> {SHA[1]}</ChecksumSHA256><ChecksumCRC32></ChecksumCRC32>"
    assert completed_parts(document(*parts)) == [
        CompletedPart(1, f"{ETAG}-1", ()),
        CompletedPart(7, f"{ETAG}-7", (SHA,)),
        CompletedPart(10_000, f"{ETAG}-10000", ()),
    ]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_malformed(name: str) -> None:
    with pytest.raises(S3Error) as refused:
        completed_parts(WRONG[name])
    assert refused.value.code == "MalformedXML"


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("number", [0, 10_001, 999_999_999])
def test_numbers_have_bounds(number: int) -> None:
    with pytest.raises(S3Error) as refused:
        completed_parts(document(f"<PartNumber>{number}</PartNumber><ETag>{ETAG}</ETag>"))
    assert refused.value.code == "InvalidArgument"


def test_what_nearly_fits_takes_no_longer() -> None:
    """A document of 2 MB that is as usual up to its last character."""
    many = document(*[ONE] * 20_000)
    with pytest.raises(S3Error):
        completed_parts(many[:-1])
    with pytest.raises(S3Error):
        completed_parts(many[:40] + b" " * 1_900_000 + b"x")
