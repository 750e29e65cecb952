"""GetObjectTagging, PutObjectTagging, DeleteObjectTagging."""

from __future__ import annotations

from conformance.case import GUIDE, case
from conformance.probe import Probe
from conformance.verdict import check, equal, one_of

_TAGS = GUIDE + "object-tagging.html"


def _tag_set(tags: dict[str, str]) -> dict[str, list[dict[str, str]]]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _read(probe: Probe, bucket: str, key: str, **parameters: str) -> dict[str, str]:
    answer = probe.s3.get_object_tagging(Bucket=bucket, Key=key, **parameters)
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


@case("PutObjectTagging")
def replaces_all_tags(probe: Probe) -> None:
    """The tags put are the tags read, nothing of those before; Unicode and empty values too."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x", Tagging="before=1")
    tags = {"a": "1", "ü + 写": "v: w/=@", "empty": ""}
    probe.s3.put_object_tagging(Bucket=bucket, Key="key", Tagging=_tag_set(tags))
    equal(_read(probe, bucket, "key"), tags, "tags")
    equal(probe.send("HEAD", bucket, "key").succeeded().header("ETag") is not None, True, "object still there")
    probe.s3.put_object_tagging(Bucket=bucket, Key="key", Tagging=_tag_set({}))
    equal(_read(probe, bucket, "key"), {}, "tags after an empty set")


@case("PutObjectTagging", _TAGS)
def limits(probe: Probe) -> None:
    """10 tags, keys of 128 and values of 256 characters are fine; more is a 400 and changes nothing."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x")
    fine = {f"{number}" + "k" * 127: "v" * 256 for number in range(10)}
    probe.s3.put_object_tagging(Bucket=bucket, Key="key", Tagging=_tag_set(fine))
    for bad in (
        {f"k{number}": "v" for number in range(11)},
        {"k" * 129: "v"},
        {"k": "v" * 257},
        {"aws:reserved": "v"},
    ):
        with probe.refused(("InvalidTag", "BadRequest"), 400):
            probe.s3.put_object_tagging(Bucket=bucket, Key="key", Tagging=_tag_set(bad))
    equal(_read(probe, bucket, "key"), fine, "tags")


@case("PutObjectTagging")
def bad_documents(probe: Probe) -> None:
    """A key twice: 400 InvalidTag; what is no Tagging document: 400 MalformedXML."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x")
    tag = "<Tag><Key>a</Key><Value>1</Value></Tag>"
    for body, codes in (
        (f"<Tagging><TagSet>{tag}{tag}</TagSet></Tagging>", ("InvalidTag",)),
        ("<Tagging><TagSet><Tag><Key></Key><Value>1</Value></Tag></TagSet></Tagging>", ("InvalidTag", "MalformedXML")),
        ("<Tagging>", ("MalformedXML",)),
        ("<Tagging></Tagging>", ("MalformedXML",)),
        (f"<Other><TagSet>{tag}</TagSet></Other>", ("MalformedXML",)),
        (f"<!DOCTYPE x><Tagging><TagSet>{tag}</TagSet></Tagging>", ("MalformedXML",)),
        ("", ("MalformedXML", "MissingRequestBodyError")),
    ):
        answer = probe.send("PUT", bucket, "key", query=[("tagging", "")], body=body.encode())
        check(answer.status == 400, f"{body}: {answer.status}")
        one_of(answer.code, codes, f"code for {body}")
    equal(_read(probe, bucket, "key"), {}, "tags")


@case("DeleteObjectTagging")
def deletes_the_tags(probe: Probe) -> None:
    """204; the tags are gone, the object is not."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x", Tagging="a=1")
    probe.send("DELETE", bucket, "key", query=[("tagging", "")]).succeeded(204)
    equal(_read(probe, bucket, "key"), {}, "tags")
    equal(probe.body(bucket, "key"), b"x", "body")


@case("GetObjectTagging")
def of_missing_objects(probe: Probe) -> None:
    """404 NoSuchKey, NoSuchBucket, for all three operations."""
    bucket, missing = probe.bucket(), probe.name()
    body = b"<Tagging><TagSet/></Tagging>"
    for method in ("GET", "PUT", "DELETE"):
        sent = body if method == "PUT" else b""
        probe.send(method, bucket, "key", query=[("tagging", "")], body=sent).refused(404, "NoSuchKey")
        probe.send(method, missing, "key", query=[("tagging", "")], body=sent).refused(404, "NoSuchBucket")


@case("GetObjectTagging")
def of_versions(probe: Probe) -> None:
    """Each version has tags of its own; without versionId the current one is meant."""
    bucket = probe.bucket(versioning="Enabled")
    old = probe.put(bucket, "key", b"old", Tagging="v=old")["VersionId"]
    new = probe.put(bucket, "key", b"new")["VersionId"]
    equal(_read(probe, bucket, "key", VersionId=old), {"v": "old"}, "tags of the old version")
    equal(_read(probe, bucket, "key"), {}, "tags of the current version")
    answer = probe.s3.put_object_tagging(Bucket=bucket, Key="key", VersionId=old, Tagging=_tag_set({"v": "changed"}))
    equal(answer.get("VersionId"), old, "version answered")
    equal(_read(probe, bucket, "key", VersionId=new), {}, "tags of the new version")
    equal(_read(probe, bucket, "key", VersionId=old), {"v": "changed"}, "tags of the old version, changed")
    probe.s3.delete_object_tagging(Bucket=bucket, Key="key", VersionId=old)
    equal(_read(probe, bucket, "key", VersionId=old), {}, "tags of the old version, deleted")


@case("GetObjectTagging")
def of_a_delete_marker(probe: Probe) -> None:
    """Without versionId over a marker 404 NoSuchKey (or 405); the marker by its id 405 MethodNotAllowed."""
    bucket = probe.bucket(versioning="Enabled")
    probe.put(bucket, "key", b"x")
    marker = probe.s3.delete_object(Bucket=bucket, Key="key")["VersionId"]
    answer = probe.send("GET", bucket, "key", query=[("tagging", "")])
    answer.refused_any((404, "NoSuchKey"), (405, "MethodNotAllowed"))
    query = [("tagging", ""), ("versionId", marker)]
    probe.send("GET", bucket, "key", query=query).refused(405, "MethodNotAllowed")
