"""What must hold for all keys, ranges, listings and chunkings, tried with many of them."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from conformance.cases.aws_chunked import Upload
from conformance.cases.checksums import value
from conformance.probe import Probe
from conformance.sigv4 import SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER, UNSIGNED_TRAILER, trailer_signature, unsigned_chunks
from tests.services import Server

_SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.fixture
def probe(http_server: Server) -> Iterator[Probe]:
    found = Probe(http_server.target())
    yield found
    found.clean()


@pytest.fixture
def bucket(probe: Probe) -> str:
    return probe.bucket()


_KEYS = (
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)
    | st.text("ab/.%+ \\&<\"'~\x00\x1f\x7f\u00e9\u0301\U0001f600", min_size=1, max_size=40)
).filter(lambda key: len(key.encode()) <= 1024)


@settings(max_examples=60, suppress_health_check=_SHARED)
@given(key=_KEYS)
@example(key="/")
@example(key="//..//")
@example(key="\x00")
@example(key="a\r\nb")
@example(key="\ufeff")
def test_every_key_comes_back(probe: Probe, bucket: str, key: str) -> None:
    body = secrets.token_bytes(16)
    probe.send("PUT", bucket, key, body=body).succeeded()
    assert probe.send("GET", bucket, key).succeeded().body == body
    query = [("list-type", "2"), ("encoding-type", "url"), ("prefix", key)]
    listed = probe.send("GET", bucket, query=query).succeeded()
    assert unquote_plus(listed.text("Contents/Key") or "") == key
    probe.send("DELETE", bucket, key).succeeded(204)
    probe.send("HEAD", bucket, key).succeeded(404)


_BODY = bytes(index % 251 for index in range(1000))
_NUMBERS = st.integers(0, 1100).map(str) | st.sampled_from(["", "00", "0999", "999999999999999999", "-1", "x", "5x"])


def _expected(asked: str) -> tuple[int, bytes]:
    """What RFC 9110 section 14 and AWS make of a Range header over 1,000 bytes."""
    unit, equals, spec = asked.partition("=")
    first, dash, last = spec.partition("-")
    numbers = all(text == "" or (text.isascii() and text.isdigit()) for text in (first, last))
    if unit != "bytes" or not equals or not dash or not numbers or (not first and not last):
        return 200, _BODY
    if not first:
        length = int(last)
        return (206, _BODY[-length:]) if length else (416, b"")
    start, stop = int(first), int(last) if last else 999
    if stop < start and last:
        return 200, _BODY
    return (206, _BODY[start : stop + 1]) if start < 1000 else (416, b"")


@settings(max_examples=120, suppress_health_check=_SHARED)
@given(first=_NUMBERS, last=_NUMBERS)
def test_ranges_are_those_of_a_model(probe: Probe, bucket: str, first: str, last: str) -> None:
    if not probe.keys(bucket):
        probe.put(bucket, "key", _BODY)
    asked = f"bytes={first}-{last}"
    status, body = _expected(asked)
    answer = probe.send("GET", bucket, "key", headers={"Range": asked})
    assert answer.status == status, asked
    if status != 416:
        assert answer.body == body, asked


# Listings against a model


def _model(keys: list[str], prefix: str, delimiter: str, after: str) -> list[tuple[str, bool]]:
    """Entries in order: (key or common prefix, whether it is a prefix); `after` is a key or prefix to go on behind."""
    entries: dict[str, bool] = {}
    for key in sorted(keys, key=str.encode):
        if not key.startswith(prefix):
            continue
        rest = key[len(prefix) :]
        if delimiter and delimiter in rest:
            common = prefix + rest[: rest.index(delimiter) + len(delimiter)]
            if common.encode() > after.encode() and (key.encode() > after.encode()):
                entries.setdefault(common, True)
        elif key.encode() > after.encode():
            entries.setdefault(key, False)
    return sorted(entries.items(), key=lambda entry: entry[0].encode())


_NAMES = st.text("ab/-é\U0001f600", min_size=1, max_size=6)
_QUERY = st.fixed_dictionaries(
    {
        "prefix": st.text("ab/-é", max_size=3),
        "delimiter": st.sampled_from(["", "/", "-", "a", "b/", "//", "é", "-a-"]),
        "page": st.integers(1, 7),
    }
)


def _walk(probe: Probe, bucket: str, version: int, query: dict[str, Any]) -> list[tuple[str, bool]]:
    """All pages of a listing, each checked for its size and for its order."""
    seen: list[tuple[str, bool]] = []
    step: dict[str, str] = {}
    parameters = {"Bucket": bucket, "Prefix": query["prefix"], "MaxKeys": query["page"]}
    if query["delimiter"]:
        parameters["Delimiter"] = query["delimiter"]
    for _ in range(200):
        if version == 2:
            page = probe.s3.list_objects_v2(**parameters, **step)
        else:
            page = probe.s3.list_objects(**parameters, **step)
        found = [(entry["Key"], False) for entry in page.get("Contents", [])]
        found += [(entry["Prefix"], True) for entry in page.get("CommonPrefixes", [])]
        found.sort(key=lambda entry: entry[0].encode())
        assert len(found) <= query["page"]
        seen += found
        if not page["IsTruncated"]:
            return seen
        assert len(found) == query["page"]
        if version == 2:
            step = {"ContinuationToken": page["NextContinuationToken"]}
        else:
            step = {"Marker": page.get("NextMarker") or found[-1][0]}
    raise AssertionError("the listing does not end")


@settings(max_examples=20, suppress_health_check=_SHARED)
@given(keys=st.sets(_NAMES, min_size=1, max_size=20), queries=st.lists(_QUERY, min_size=3, max_size=6))
def test_listings_are_those_of_a_model(probe: Probe, keys: set[str], queries: list[dict[str, Any]]) -> None:
    bucket = probe.bucket()
    for key in keys:
        probe.put(bucket, key, b"")
    for query in queries:
        expected = _model(list(keys), query["prefix"], query["delimiter"], "")
        assert _walk(probe, bucket, 2, query) == expected, query
        assert _walk(probe, bucket, 1, query) == expected, query


@settings(max_examples=15, suppress_health_check=_SHARED)
@given(
    keys=st.sets(_NAMES, min_size=1, max_size=20),
    afters=st.lists(st.text("ab/-é", min_size=1, max_size=4), min_size=2, max_size=5),
    prefix=st.text("ab/", max_size=2),
)
def test_start_after_is_that_of_a_model(probe: Probe, keys: set[str], afters: list[str], prefix: str) -> None:
    bucket = probe.bucket()
    for key in keys:
        probe.put(bucket, key, b"")
    for after in afters:
        page = probe.s3.list_objects_v2(Bucket=bucket, Prefix=prefix, StartAfter=after)
        found = [(entry["Key"], False) for entry in page.get("Contents", [])]
        assert found == _model(list(keys), prefix, "", after), (prefix, after)


_EVENTS = st.lists(
    st.tuples(st.sampled_from(["put", "delete", "suspend", "enable", "drop"]), st.sampled_from(["a", "b", "a/b"])),
    max_size=14,
)


@settings(max_examples=20, suppress_health_check=_SHARED)
@given(events=_EVENTS, page=st.integers(1, 4))
def test_versions_are_those_of_a_model(probe: Probe, events: list[tuple[str, str]], page: int) -> None:
    """Puts, deletes and version deletes over enabled and suspended versioning, against stacks of versions."""
    bucket = probe.bucket(versioning="Enabled")
    enabled = True
    stacks: dict[str, list[tuple[str, bool]]] = {}
    for event, key in events:
        stack = stacks.setdefault(key, [])
        if event in ("suspend", "enable"):
            enabled = event == "enable"
            status = {"Status": "Enabled" if enabled else "Suspended"}
            probe.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=status)
            continue
        if event == "drop":
            if stack:
                version = stack.pop(len(stack) // 2)[0]
                probe.s3.delete_object(Bucket=bucket, Key=key, VersionId=version)
            continue
        if not enabled:
            stack[:] = [entry for entry in stack if entry[0] != "null"]
        if event == "put":
            version = probe.put(bucket, key, b"x").get("VersionId", "null")
        else:
            version = probe.s3.delete_object(Bucket=bucket, Key=key)["VersionId"]
        assert (version == "null") is not enabled
        stack.insert(0, (version, event == "delete"))
    expected = [
        (key, version, index == 0, marker)
        for key in sorted(stacks)
        for index, (version, marker) in enumerate(stacks[key])
    ]
    seen = []
    step: dict[str, str] = {}
    while True:
        answer = probe.s3.list_object_versions(Bucket=bucket, MaxKeys=page, **step)
        rows = [(v["Key"], v["VersionId"], v["IsLatest"], False) for v in answer.get("Versions", [])]
        rows += [(m["Key"], m["VersionId"], m["IsLatest"], True) for m in answer.get("DeleteMarkers", [])]
        seen += rows
        if not answer["IsTruncated"]:
            break
        step = {"KeyMarker": answer["NextKeyMarker"], "VersionIdMarker": answer["NextVersionIdMarker"]}
    assert sorted(seen) == sorted(expected)
    assert probe.keys(bucket) == [key for key in sorted(stacks) if stacks[key] and not stacks[key][0][1]]


# Chunks cut anywhere


def _framed(upload: Upload, mode: str, chunks: list[bytes]) -> bytes:
    whole = b"".join(chunks)
    trailer = ("x-amz-checksum-crc32c", value("CRC32C", whole))
    line = f"{trailer[0]}:{trailer[1]}\r\n".encode()
    if mode == UNSIGNED_TRAILER:
        return unsigned_chunks(chunks) + line + b"\r\n"
    frames, last = upload.frames(chunks)
    if mode == SIGNED_CHUNKS:
        return b"".join(frames) + b"\r\n"
    signature = trailer_signature(upload.signer, last, [trailer])
    return b"".join(frames) + line + f"x-amz-trailer-signature:{signature}\r\n\r\n".encode()


@settings(max_examples=60, suppress_health_check=_SHARED)
@given(
    mode=st.sampled_from([SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER, UNSIGNED_TRAILER]),
    sizes=st.lists(st.integers(8192, 40_000), max_size=4),
    last=st.integers(1, 9000),
    cuts=st.lists(st.floats(0, 1, exclude_max=True), max_size=12),
    damage=st.none() | st.floats(0, 1, exclude_max=True),
)
def test_chunked_bodies_cut_anywhere(
    probe: Probe, bucket: str, mode: str, sizes: list[int], last: int, cuts: list[float], damage: float | None
) -> None:
    """However the bytes come, whole bodies are stored as they were; with one byte changed never other bytes."""
    chunks = [secrets.token_bytes(size) for size in [*sizes, last]]
    whole = b"".join(chunks)
    announced = {} if mode == SIGNED_CHUNKS else {"x-amz-trailer": "x-amz-checksum-crc32c"}
    upload = Upload(probe, bucket, mode, len(whole), announced)
    body = _framed(upload, mode, chunks)
    if damage is not None:
        at = int(damage * len(body))
        body = body[:at] + bytes([body[at] ^ 0x01]) + body[at + 1 :]
    probe.s3.delete_object(Bucket=bucket, Key="key")
    places = sorted({int(cut * len(body)) for cut in cuts} | {0, len(body)})
    with probe.open() as connection:
        connection.head("PUT", upload.path, [*upload.headers, ("Content-Length", str(len(body)))])
        for start, stop in itertools.pairwise(places):
            connection.body([body[start:stop]])
            time.sleep(0.001)
        answer = connection.answer()
    if damage is None:
        answer.succeeded()
    elif answer.status != 200:
        assert 400 <= answer.status < 500, answer
        assert answer.code
        probe.absent(bucket, "key")
        return
    assert probe.body(bucket, "key") == whole
