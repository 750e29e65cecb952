"""ListObjectsV2 and ListObjects (version 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from conformance.case import API, case
from conformance.probe import Probe, etag
from conformance.verdict import check, equal

_TREE = ("a-1", "a/b/c", "a/b/d", "a/d", "b/1", "b/2", "c", "d-e/f", "é", "z/")


def _filled(probe: Probe, keys: Sequence[str] = _TREE) -> str:
    bucket = probe.bucket()
    for key in keys:
        probe.put(bucket, key, key.encode())
    return bucket


def _names(page: dict[str, Any]) -> tuple[list[str], list[str]]:
    keys = [entry["Key"] for entry in page.get("Contents", [])]
    return keys, [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]


@case("ListObjectsV2")
def everything_in_order(probe: Probe) -> None:
    """All keys in order of their UTF-8 bytes, with size, ETag, date and class; KeyCount counts them."""
    page = probe.s3.list_objects_v2(Bucket=(bucket := _filled(probe)))
    equal(_names(page), (sorted(_TREE, key=str.encode), []), "keys and prefixes")
    equal((page["KeyCount"], page["IsTruncated"], page["MaxKeys"]), (len(_TREE), False, 1000), "counts")
    equal((page["Name"], page["Prefix"]), (bucket, ""), "Name and Prefix")
    for entry in page["Contents"]:
        body = entry["Key"].encode()
        equal((entry["Size"], entry["ETag"]), (len(body), etag(body)), f"size and ETag of {entry['Key']}")
        equal(entry["StorageClass"], "STANDARD", "StorageClass")
        check("Owner" not in entry, "Owner without fetch-owner")
        head = probe.s3.head_object(Bucket=bucket, Key=entry["Key"])
        equal(entry["LastModified"].replace(microsecond=0), head["LastModified"], "LastModified")


@case("ListObjectsV2")
def bytes_not_characters(probe: Probe) -> None:
    """Keys are ordered by their bytes, which is not the order of UTF-16 nor of any language."""
    keys = ["\U0001f600", "\uffee", "é", "z", "Z", "_", "-", "a-", "a/b", "a0", "A"]
    bucket = _filled(probe, keys)
    equal(_names(probe.s3.list_objects_v2(Bucket=bucket))[0], sorted(keys, key=str.encode), "keys")


@case("ListObjectsV2")
def empty_and_missing_buckets(probe: Probe) -> None:
    """An empty bucket lists nothing; a missing one is 404 NoSuchBucket."""
    page = probe.s3.list_objects_v2(Bucket=probe.bucket())
    equal((_names(page), page["KeyCount"], page["IsTruncated"]), (([], []), 0, False), "page")
    with probe.refused("NoSuchBucket", 404):
        probe.s3.list_objects_v2(Bucket=probe.name())


@case("ListObjectsV2")
def prefixes(probe: Probe) -> None:
    """Only keys that begin with the prefix; bytes, not path elements."""
    bucket = _filled(probe)
    for prefix in ("a", "a/", "a/b", "a/b/", "b/2", "é", "nothing", "z/", "d-"):
        page = probe.s3.list_objects_v2(Bucket=bucket, Prefix=prefix)
        expected = sorted((key for key in _TREE if key.startswith(prefix)), key=str.encode)
        equal((_names(page)[0], page["Prefix"]), (expected, prefix), f"keys for {prefix}")


@case("ListObjectsV2")
def delimiters(probe: Probe) -> None:
    """Keys with the delimiter behind the prefix become common prefixes, each once."""
    bucket = _filled(probe)
    for prefix, delimiter, keys, common in (
        ("", "/", ["a-1", "c", "é"], ["a/", "b/", "d-e/", "z/"]),
        ("a/", "/", ["a/d"], ["a/b/"]),
        ("a", "/", ["a-1"], ["a/"]),
        ("z/", "/", ["z/"], []),
        ("", "-", [key for key in sorted(_TREE, key=str.encode) if "-" not in key], ["a-", "d-"]),
        ("", "/b/", [key for key in sorted(_TREE, key=str.encode) if "/b/" not in key], ["a/b/"]),
        ("", "é", [key for key in sorted(_TREE, key=str.encode) if key != "é"], ["é"]),
        ("", "nothing", sorted(_TREE, key=str.encode), []),
    ):
        page = probe.s3.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter=delimiter)
        equal(_names(page), (keys, common), f"keys and prefixes for {prefix!r} {delimiter!r}")
        equal((page["Delimiter"], page["KeyCount"]), (delimiter, len(keys) + len(common)), "Delimiter and KeyCount")


@case("ListObjectsV2")
def a_key_beside_its_prefix(probe: Probe) -> None:
    """`a` beside `a/` and `a/b`: with a delimiter the key is listed and the prefix too."""
    bucket = _filled(probe, ("a", "a/", "a/b", "a0"))
    equal(_names(probe.s3.list_objects_v2(Bucket=bucket))[0], ["a", "a/", "a/b", "a0"], "keys")
    equal(_names(probe.s3.list_objects_v2(Bucket=bucket, Delimiter="/")), (["a", "a0"], ["a/"]), "by delimiter")
    page = probe.s3.list_objects_v2(Bucket=bucket, Delimiter="/", Prefix="a/")
    equal(_names(page), (["a/", "a/b"], []), "below a/")


@case("ListObjectsV2")
def an_empty_delimiter_is_none(probe: Probe) -> None:
    """`delimiter=` groups nothing."""
    bucket = _filled(probe)
    answer = probe.send("GET", bucket, query=[("list-type", "2"), ("delimiter", "")]).succeeded()
    equal(len(answer.texts("Contents/Key")), len(_TREE), "number of keys")


@case("ListObjectsV2")
def pages(probe: Probe) -> None:
    """max-keys counts keys and common prefixes; every page but the last is truncated and full; nothing twice."""
    bucket = _filled(probe)
    for delimiter in ("", "/"):
        parameters = {"Delimiter": delimiter} if delimiter else {}
        whole = _names(probe.s3.list_objects_v2(Bucket=bucket, **parameters))
        for size in (1, 2, 3, 7):
            keys, common = [], []
            token: dict[str, str] = {}
            while True:
                page = probe.s3.list_objects_v2(Bucket=bucket, MaxKeys=size, **parameters, **token)
                found = _names(page)
                keys += found[0]
                common += found[1]
                equal(page["KeyCount"], len(found[0]) + len(found[1]), "KeyCount")
                if not page["IsTruncated"]:
                    check("NextContinuationToken" not in page, "a token behind the last page")
                    break
                equal(page["KeyCount"], size, "KeyCount of a truncated page")
                token = {"ContinuationToken": page["NextContinuationToken"]}
            equal((keys, common), whole, f"all pages of {size} with delimiter {delimiter!r}")


@case("ListObjectsV2")
def a_page_exactly_full_is_the_last(probe: Probe) -> None:
    """max-keys equal to the number of keys is not truncated."""
    bucket = _filled(probe)
    equal(probe.s3.list_objects_v2(Bucket=bucket, MaxKeys=len(_TREE))["IsTruncated"], False, "IsTruncated")
    page = probe.s3.list_objects_v2(Bucket=bucket, MaxKeys=7, Delimiter="/")
    equal((page["KeyCount"], page["IsTruncated"]), (7, False), "with a delimiter")


@case("ListObjectsV2")
def max_keys(probe: Probe) -> None:
    """0 lists nothing and is not truncated; over 1,000 counts as 1,000; what is no number is 400 InvalidArgument."""
    bucket = _filled(probe)
    page = probe.s3.list_objects_v2(Bucket=bucket, MaxKeys=0)
    equal((_names(page), page["KeyCount"], page["IsTruncated"], page["MaxKeys"]), (([], []), 0, False, 0), "max-keys=0")
    equal(probe.s3.list_objects_v2(Bucket=bucket, MaxKeys=5000)["MaxKeys"], 1000, "MaxKeys")
    for value in ("-1", "x", "1.5", "99999999999"):
        answer = probe.send("GET", bucket, query=[("list-type", "2"), ("max-keys", value)])
        check((answer.status, answer.code) == (400, "InvalidArgument"), f"{value}: {answer.status} {answer.code}")


@case("ListObjectsV2")
def start_after(probe: Probe) -> None:
    """Lists keys greater than start-after, whether that key exists or not, and echoes it."""
    bucket = _filled(probe)
    for after in ("a", "a/b/c", "a/c", "b", "zz", "é", "~"):
        page = probe.s3.list_objects_v2(Bucket=bucket, StartAfter=after)
        expected = sorted((key for key in _TREE if key.encode() > after.encode()), key=str.encode)
        equal((_names(page)[0], page["StartAfter"]), (expected, after), f"keys after {after}")
    page = probe.s3.list_objects_v2(Bucket=bucket, StartAfter="a/b", Prefix="a/", Delimiter="/")
    equal(_names(page), (["a/d"], ["a/b/"]), "after a/b with a delimiter")
    page = probe.s3.list_objects_v2(Bucket=bucket, StartAfter="a/b/", Prefix="a/", Delimiter="/")
    equal(_names(page)[0], ["a/d"], "keys after a/b/ with a delimiter")


@case("ListObjectsV2")
def the_token_beats_start_after(probe: Probe) -> None:
    """start-after is for the first page only: with a token it is ignored."""
    bucket = _filled(probe)
    page = probe.s3.list_objects_v2(Bucket=bucket, MaxKeys=2, StartAfter="a/b/c")
    token = page["NextContinuationToken"]
    rest = probe.s3.list_objects_v2(Bucket=bucket, ContinuationToken=token, StartAfter="a")
    seen = _names(page)[0] + _names(rest)[0]
    equal(seen, sorted((key for key in _TREE if key.encode() > b"a/b/c"), key=str.encode), "keys of both pages")
    equal(rest["ContinuationToken"], token, "ContinuationToken")


@case("ListObjectsV2")
def tokens_that_are_none(probe: Probe) -> None:
    """An empty or made-up continuation token: 400 InvalidArgument."""
    bucket = _filled(probe, ["a"])
    for token in ("", "made up", "💥"):
        answer = probe.send("GET", bucket, query=[("list-type", "2"), ("continuation-token", token)])
        check((answer.status, answer.code) == (400, "InvalidArgument"), f"{token!r}: {answer.status} {answer.code}")


@case("ListObjectsV2")
def fetch_owner(probe: Probe) -> None:
    """fetch-owner=true adds the owner to each key."""
    bucket = _filled(probe, ["a"])
    page = probe.s3.list_objects_v2(Bucket=bucket, FetchOwner=True)
    equal(page["Contents"][0]["Owner"]["ID"], probe.s3.list_buckets()["Owner"]["ID"], "owner's id")


@case("ListObjectsV2")
def encoding_type(probe: Probe) -> None:
    """encoding-type=url escapes keys, prefixes, delimiter and start-after, so that XML can carry every key."""
    keys = ["a b/c", "a+b", "a\x01b", "a%b", "é&<>", "line\nbreak", "~*!"]
    bucket = _filled(probe, keys)
    listing = [("list-type", "2"), ("encoding-type", "url")]
    answer = probe.send("GET", bucket, query=listing).succeeded()
    equal(answer.text("EncodingType"), "url", "EncodingType")
    found = [unquote(key.replace("+", " ")) for key in answer.texts("Contents/Key")]
    equal(found, sorted(keys, key=str.encode), "keys decoded")
    answer = probe.send("GET", bucket, query=[*listing, ("prefix", "a b/"), ("delimiter", " b")]).succeeded()
    check(answer.text("Prefix") in ("a+b/", "a%20b/"), f"Prefix is {answer.text('Prefix')}")
    answer = probe.send("GET", bucket, query=[*listing, ("delimiter", "b/")]).succeeded()
    check(answer.text("CommonPrefixes/Prefix") in ("a+b/", "a%20b/"), "CommonPrefixes is not encoded")
    answer = probe.send("GET", bucket, query=[("list-type", "2"), ("encoding-type", "base64")])
    answer.refused(400, "InvalidArgument")


@case("ListObjectsV2")
def keys_that_xml_must_escape(probe: Probe) -> None:
    """Without encoding-type, `&`, `<`, quotes and line breaks come back as they were."""
    keys = ["a&b", "a<b>", 'it\'s "quoted"', "]]>", "a\rb\nc\td"]
    bucket = _filled(probe, keys)
    answer = probe.send("GET", bucket, query=[("list-type", "2")]).succeeded()
    equal(answer.texts("Contents/Key"), sorted(keys, key=str.encode), "keys")


@case("ListObjectsV2")
def keys_that_xml_cannot_carry(probe: Probe) -> None:
    """A key with a control character does not break the listing of the others."""
    bucket = _filled(probe, ["a\x01b", "fine"])
    answer = probe.send("GET", bucket, query=[("list-type", "2")]).succeeded()
    check(b"fine" in answer.body, "the other key is missing")


@case("ListObjectsV2")
def a_listing_is_never_stale(probe: Probe) -> None:
    """A key is listed by the request that follows its PUT, and gone in the one that follows its DELETE."""
    bucket = probe.bucket()
    for number in range(20):
        probe.put(bucket, f"{number}", b"")
        equal(probe.s3.list_objects_v2(Bucket=bucket)["KeyCount"], 1, "KeyCount after a PUT")
        probe.s3.delete_object(Bucket=bucket, Key=f"{number}")
        equal(probe.s3.list_objects_v2(Bucket=bucket)["KeyCount"], 0, "KeyCount after a DELETE")


@case("ListObjectsV2")
def of_another_account(probe: Probe) -> None:
    """403 AccessDenied."""
    bucket = probe.bucket()
    with probe.refused("AccessDenied", 403):
        probe.other.list_objects_v2(Bucket=bucket)


@case("ListObjectsV2")
def sizes_of_multipart_objects(probe: Probe) -> None:
    """The listing has an upload's whole size and its `-N` ETag."""
    bucket = probe.bucket()
    parts = [b"a" * 5 * 1024 * 1024, b"b"]
    made = probe.multipart(bucket, "key", parts)
    entry = probe.s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    equal((entry["Size"], entry["ETag"]), (sum(map(len, parts)), made["ETag"]), "size and ETag")


@case("ListObjects")
def everything(probe: Probe) -> None:
    """Version 1: keys in order with their owner; Marker and Prefix are echoed, also when empty."""
    page = probe.s3.list_objects(Bucket=(bucket := _filled(probe)))
    equal(_names(page)[0], sorted(_TREE, key=str.encode), "keys")
    check(all(entry["Owner"]["ID"] for entry in page["Contents"]), "a key has no owner")
    answer = probe.send("GET", bucket).succeeded()
    equal((answer.text("Marker"), answer.text("Prefix"), answer.text("Name")), ("", "", bucket), "echoes")
    equal(answer.text("KeyCount"), None, "KeyCount in version 1")


@case("ListObjects")
def pages_by_marker(probe: Probe) -> None:
    """The last key (or NextMarker, which a delimiter adds) as `marker` gives the next page."""
    bucket = _filled(probe)
    for delimiter in ("", "/"):
        parameters = {"Delimiter": delimiter} if delimiter else {}
        whole = _names(probe.s3.list_objects(Bucket=bucket, **parameters))
        for size in (1, 2, 3):
            keys, common, marker = [], [], ""
            while True:
                page = probe.s3.list_objects(Bucket=bucket, MaxKeys=size, Marker=marker, **parameters)
                found = _names(page)
                keys += found[0]
                common += found[1]
                if not page["IsTruncated"]:
                    break
                if delimiter:
                    marker = page["NextMarker"]
                else:
                    check("NextMarker" not in page, "NextMarker without a delimiter")
                    marker = found[0][-1]
            equal((keys, common), whole, f"all pages of {size} with delimiter {delimiter!r}")


@case("ListObjects")
def marker_behind_a_prefix(probe: Probe) -> None:
    """A marker that is a common prefix skips all keys below it."""
    bucket = _filled(probe)
    page = probe.s3.list_objects(Bucket=bucket, Marker="a/", Delimiter="/")
    equal(_names(page), (["c", "é"], ["b/", "d-e/", "z/"]), "keys and prefixes")
    page = probe.s3.list_objects(Bucket=bucket, Marker="a/")
    equal(_names(page)[0][0], "a/b/c", "first key without a delimiter")


@case("ListObjects")
def limits_of_max_keys(probe: Probe) -> None:
    """Version 1 as version 2: 0 lists nothing, over 1,000 is 1,000, rubbish is 400 InvalidArgument."""
    bucket = _filled(probe, ["a"])
    page = probe.s3.list_objects(Bucket=bucket, MaxKeys=0)
    equal((_names(page), page["IsTruncated"]), (([], []), False), "max-keys=0")
    equal(probe.s3.list_objects(Bucket=bucket, MaxKeys=2000)["MaxKeys"], 1000, "MaxKeys")
    probe.send("GET", bucket, query=[("max-keys", "x")]).refused(400, "InvalidArgument")


@case("ListObjects", API + "API_ListObjectsV2.html")
def unknown_list_type(probe: Probe) -> None:
    """list-type other than 2 is 400 InvalidArgument."""
    answer = probe.send("GET", probe.bucket(), query=[("list-type", "3")])
    answer.refused(400, "InvalidArgument")
