"""ListObjectVersions."""

from __future__ import annotations

from typing import Any

from conformance.case import case
from conformance.probe import Probe, etag
from conformance.verdict import check, equal

Row = tuple[str, str, bool, str]


def _rows(page: dict[str, Any]) -> list[Row]:
    versions = [(v["Key"], v["VersionId"], v["IsLatest"], "version") for v in page.get("Versions", [])]
    return versions + [(m["Key"], m["VersionId"], m["IsLatest"], "marker") for m in page.get("DeleteMarkers", [])]


def _history(probe: Probe) -> tuple[str, list[Row]]:
    """A bucket with three keys, and its rows in the order of a listing."""
    bucket = probe.bucket(versioning="Enabled")
    rows: list[Row] = []
    for key in ("a", "b/1", "b/2"):
        one = probe.put(bucket, key, b"one")["VersionId"]
        marker = probe.s3.delete_object(Bucket=bucket, Key=key)["VersionId"]
        two = probe.put(bucket, key, b"two")["VersionId"]
        rows += [(key, two, True, "version"), (key, marker, False, "marker"), (key, one, False, "version")]
    return bucket, rows


def _raw_rows(probe: Probe, bucket: str, *query: tuple[str, str]) -> list[Row]:
    answer = probe.send("GET", bucket, query=[("versions", ""), *query]).succeeded()
    kinds = {"Version": "version", "DeleteMarker": "marker"}
    return [
        (
            element.findtext("Key") or "",
            element.findtext("VersionId") or "",
            element.findtext("IsLatest") == "true",
            kinds[element.tag],
        )
        for element in answer.xml
        if element.tag in kinds
    ]


@case("ListObjectVersions")
def newest_first(probe: Probe) -> None:
    """Versions and markers by key, then newest first, in one sequence; IsLatest on the current one alone."""
    bucket, rows = _history(probe)
    equal(_raw_rows(probe, bucket), rows, "rows")
    page = probe.s3.list_object_versions(Bucket=bucket)
    equal((page["IsTruncated"], page["Name"], page["MaxKeys"]), (False, bucket, 1000), "page")
    entry = page["Versions"][0]
    equal((entry["Size"], entry["ETag"], entry["StorageClass"]), (3, etag(b"two"), "STANDARD"), "entry")
    check(entry["Owner"]["ID"] and page["DeleteMarkers"][0]["Owner"]["ID"], "no owner")


@case("ListObjectVersions")
def a_current_marker_is_latest(probe: Probe) -> None:
    """A marker on top is IsLatest, and the version below is not."""
    bucket = probe.bucket(versioning="Enabled")
    version = probe.put(bucket, "key", b"x")["VersionId"]
    marker = probe.s3.delete_object(Bucket=bucket, Key="key")["VersionId"]
    equal(_raw_rows(probe, bucket), [("key", marker, True, "marker"), ("key", version, False, "version")], "rows")


@case("ListObjectVersions")
def of_an_unversioned_bucket(probe: Probe) -> None:
    """Objects of a bucket that never had versioning are listed with the version id `null`."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x")
    equal(_raw_rows(probe, bucket), [("key", "null", True, "version")], "rows")


@case("ListObjectVersions")
def pages(probe: Probe) -> None:
    """NextKeyMarker and NextVersionIdMarker lead through all rows, in the middle of a key too."""
    bucket, rows = _history(probe)
    for size in (1, 2, 4):
        seen: list[Row] = []
        markers: dict[str, str] = {}
        while True:
            page = probe.s3.list_object_versions(Bucket=bucket, MaxKeys=size, **markers)
            found = _rows(page)
            check(len(found) <= size, "more rows than max-keys")
            seen += found
            if not page["IsTruncated"]:
                break
            markers = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
        equal(sorted(seen), sorted(rows), f"rows of all pages of {size}")


@case("ListObjectVersions")
def key_marker_alone(probe: Probe) -> None:
    """key-marker alone goes on behind all versions of that key."""
    bucket, rows = _history(probe)
    equal(_raw_rows(probe, bucket, ("key-marker", "a")), rows[3:], "rows")
    query = (("key-marker", "a"), ("version-id-marker", rows[0][1]))
    equal(_raw_rows(probe, bucket, *query), rows[1:], "rows behind a version")


@case("ListObjectVersions")
def version_marker_without_key(probe: Probe) -> None:
    """version-id-marker without key-marker: 400 InvalidArgument."""
    bucket = probe.bucket(versioning="Enabled")
    probe.put(bucket, "key", b"x")
    answer = probe.send("GET", bucket, query=[("versions", ""), ("version-id-marker", "null")])
    answer.refused(400, "InvalidArgument")


@case("ListObjectVersions")
def prefix_and_delimiter(probe: Probe) -> None:
    """Common prefixes as in the other listings, each once and counted once."""
    bucket, rows = _history(probe)
    page = probe.s3.list_object_versions(Bucket=bucket, Delimiter="/")
    equal([entry["Prefix"] for entry in page["CommonPrefixes"]], ["b/"], "common prefixes")
    equal(sorted(_rows(page)), sorted(rows[:3]), "rows")
    page = probe.s3.list_object_versions(Bucket=bucket, Prefix="b/", Delimiter="/")
    equal(sorted(_rows(page)), sorted(rows[3:]), "rows below b/")
    page = probe.s3.list_object_versions(Bucket=bucket, Delimiter="/", MaxKeys=4)
    equal((page["IsTruncated"], len(_rows(page)), len(page["CommonPrefixes"])), (False, 3, 1), "page of 4")


@case("ListObjectVersions")
def max_keys_and_encoding(probe: Probe) -> None:
    """max-keys=0 lists nothing; encoding-type=url escapes keys; NoSuchBucket for a missing bucket."""
    bucket = probe.bucket(versioning="Enabled")
    probe.put(bucket, "a b", b"x")
    page = probe.s3.list_object_versions(Bucket=bucket, MaxKeys=0)
    equal((_rows(page), page["IsTruncated"]), ([], False), "max-keys=0")
    answer = probe.send("GET", bucket, query=[("versions", ""), ("encoding-type", "url")]).succeeded()
    check(answer.text("Version/Key") in ("a+b", "a%20b"), f"Key is {answer.text('Version/Key')}")
    probe.send("GET", bucket, query=[("versions", ""), ("max-keys", "-1")]).refused(400, "InvalidArgument")
    probe.send("GET", probe.name(), query=[("versions", "")]).refused(404, "NoSuchBucket")
