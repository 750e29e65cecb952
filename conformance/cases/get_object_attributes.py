"""GetObjectAttributes."""

from __future__ import annotations

from conformance.case import case
from conformance.probe import Probe, etag
from conformance.verdict import check, equal


@case("GetObjectAttributes")
def of_a_plain_object(probe: Probe) -> None:
    """ETag without quotes, ObjectSize, StorageClass and the checksum, each only where asked for."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"hello", ChecksumAlgorithm="SHA1")
    wanted = ["ETag", "Checksum", "ObjectSize", "StorageClass", "ObjectParts"]
    answer = probe.s3.get_object_attributes(Bucket=bucket, Key="key", ObjectAttributes=wanted)
    equal(answer["ETag"], etag(b"hello").strip('"'), "ETag")
    equal(answer["ObjectSize"], 5, "ObjectSize")
    equal(answer["StorageClass"], "STANDARD", "StorageClass")
    equal(answer["Checksum"]["ChecksumSHA1"], "qvTGHdzF6KLavt4PO0gs2a6pQ00=", "ChecksumSHA1")
    check("ObjectParts" not in answer, "ObjectParts of an object without parts")
    check("LastModified" in answer, "no Last-Modified")
    answer = probe.s3.get_object_attributes(Bucket=bucket, Key="key", ObjectAttributes=["ObjectSize"])
    equal({"ETag", "Checksum", "StorageClass"} & set(answer), set(), "attributes not asked for")


@case("GetObjectAttributes")
def parts_of_a_multipart_object(probe: Probe) -> None:
    """ObjectParts lists parts with size and checksum in pages; TotalPartsCount counts them all."""
    bucket = probe.bucket()
    parts = [b"a" * 5 * 1024 * 1024, b"b" * 5 * 1024 * 1024, b"c"]
    probe.multipart(bucket, "key", parts, ChecksumAlgorithm="SHA256")
    request = {"Bucket": bucket, "Key": "key", "ObjectAttributes": ["ObjectParts", "ObjectSize"]}
    first = probe.s3.get_object_attributes(**request, MaxParts=2)["ObjectParts"]
    equal((first["TotalPartsCount"], first["IsTruncated"], first["MaxParts"]), (3, True, 2), "first page")
    equal([part["Size"] for part in first["Parts"]], [len(part) for part in parts[:2]], "sizes of the first page")
    check(all(part.get("ChecksumSHA256") for part in first["Parts"]), "a part has no checksum")
    rest = probe.s3.get_object_attributes(**request, PartNumberMarker=first["NextPartNumberMarker"])
    equal([part["PartNumber"] for part in rest["ObjectParts"]["Parts"]], [3], "second page")
    equal(rest["ObjectParts"]["IsTruncated"], False, "IsTruncated of the last page")
    equal(rest["ObjectSize"], sum(map(len, parts)), "ObjectSize")


@case("GetObjectAttributes")
def attributes_that_are_none(probe: Probe) -> None:
    """Without `x-amz-object-attributes`, or with an unknown one: 400 InvalidArgument (InvalidRequest)."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x")
    for headers in ({}, {"x-amz-object-attributes": "Weight"}):
        answer = probe.send("GET", bucket, "key", query=[("attributes", "")], headers=headers)
        answer.refused_any((400, "InvalidArgument"), (400, "InvalidRequest"))


@case("GetObjectAttributes")
def of_missing_objects(probe: Probe) -> None:
    """404 NoSuchKey and NoSuchBucket; a version by its id."""
    bucket = probe.bucket(versioning="Enabled")
    headers = {"x-amz-object-attributes": "ETag"}
    probe.send("GET", bucket, "key", query=[("attributes", "")], headers=headers).refused(404, "NoSuchKey")
    probe.send("GET", probe.name(), "key", query=[("attributes", "")], headers=headers).refused(404, "NoSuchBucket")
    old = probe.put(bucket, "key", b"old")["VersionId"]
    probe.put(bucket, "key", b"newer")
    answer = probe.s3.get_object_attributes(
        Bucket=bucket, Key="key", VersionId=old, ObjectAttributes=["ObjectSize", "ETag"]
    )
    equal((answer["ObjectSize"], answer["VersionId"]), (3, old), "size and version")
