"""DeleteObjects."""

from __future__ import annotations

from xml.sax.saxutils import escape

from conformance.case import case
from conformance.probe import Probe, content_md5
from conformance.verdict import check, equal
from conformance.wire import Answer


def _document(keys: list[str], extra: str = "") -> bytes:
    objects = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
    return f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{objects}{extra}</Delete>'.encode()


def _send(probe: Probe, bucket: str, body: bytes) -> Answer:
    return probe.send("POST", bucket, query=[("delete", "")], headers={"Content-MD5": content_md5(body)}, body=body)


@case("DeleteObjects")
def lists_what_it_deleted(probe: Probe) -> None:
    """Every key is answered as Deleted, those that were missing too."""
    bucket = probe.bucket()
    for key in ("a", "b & c", "d/é", "left"):
        probe.put(bucket, key, b"x")
    answer = probe.s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": key} for key in ("a", "b & c", "d/é", "missing")]}
    )
    equal(sorted(entry["Key"] for entry in answer["Deleted"]), ["a", "b & c", "d/é", "missing"], "Deleted")
    equal(answer.get("Errors"), None, "Errors")
    equal(probe.keys(bucket), ["left"], "keys")


@case("DeleteObjects")
def quiet(probe: Probe) -> None:
    """With Quiet only errors are answered."""
    bucket = probe.bucket()
    probe.put(bucket, "a", b"x")
    answer = probe.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}], "Quiet": True})
    equal((answer.get("Deleted"), answer.get("Errors")), (None, None), "Deleted and Errors")
    equal(probe.keys(bucket), [], "keys")


@case("DeleteObjects")
def a_thousand_keys(probe: Probe) -> None:
    """1,000 keys in one request."""
    bucket = probe.bucket()
    keys = [f"key-{number:04}" for number in range(1000)]
    for key in keys[::250]:
        probe.put(bucket, key, b"x")
    answer = _send(probe, bucket, _document(keys)).succeeded()
    equal(len(answer.texts("Deleted/Key")), 1000, "number of keys deleted")
    equal(probe.keys(bucket), [], "keys")


@case("DeleteObjects")
def more_than_a_thousand_keys(probe: Probe) -> None:
    """1,001 keys: 400 MalformedXML, and nothing is deleted."""
    bucket = probe.bucket()
    probe.put(bucket, "key-0000", b"x")
    _send(probe, bucket, _document([f"key-{number:04}" for number in range(1001)])).refused(400, "MalformedXML")
    equal(probe.keys(bucket), ["key-0000"], "keys")


@case("DeleteObjects")
def no_digest(probe: Probe) -> None:
    """Without Content-MD5 or a checksum header: 400 InvalidRequest, and nothing is deleted."""
    bucket = probe.bucket()
    probe.put(bucket, "a", b"x")
    answer = probe.send("POST", bucket, query=[("delete", "")], body=_document(["a"]))
    answer.refused(400, "InvalidRequest", "MissingContentMD5")
    equal(probe.keys(bucket), ["a"], "keys")


@case("DeleteObjects")
def wrong_digest(probe: Probe) -> None:
    """A Content-MD5 of other bytes: 400 BadDigest, and nothing is deleted."""
    bucket = probe.bucket()
    probe.put(bucket, "a", b"x")
    headers = {"Content-MD5": content_md5(b"other")}
    probe.send("POST", bucket, query=[("delete", "")], headers=headers, body=_document(["a"])).refused(400, "BadDigest")
    equal(probe.keys(bucket), ["a"], "keys")


@case("DeleteObjects")
def malformed(probe: Probe) -> None:
    """A body that is not the document: 400 MalformedXML, and nothing is deleted."""
    bucket = probe.bucket()
    probe.put(bucket, "a", b"x")
    for body in (
        b"<Delete><Object><Key>a</Key></Object>",
        b"<Delete></Delete>",
        b"<Other><Object><Key>a</Key></Object></Other>",
        b"<Delete><Object></Object></Delete>",
        b"\xff\xfe",
        b"{}",
    ):
        answer = _send(probe, bucket, body)
        check(answer.status == 400 and answer.code == "MalformedXML", f"{body!r}: {answer.status} {answer.code}")
    equal(probe.keys(bucket), ["a"], "keys")


@case("DeleteObjects")
def document_type_and_entities(probe: Probe) -> None:
    """A document type, entities inside or outside: 400 MalformedXML; nothing is expanded, nothing deleted."""
    bucket = probe.bucket()
    probe.put(bucket, "aaaa", b"x")
    external = b'<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
    bomb = b'<!DOCTYPE d [<!ENTITY e "aa"><!ENTITY f "&e;&e;">]>'
    for declaration, name in ((external, b"&e;"), (bomb, b"&f;"), (b"<!DOCTYPE Delete>", b"aaaa")):
        body = declaration + b"<Delete><Object><Key>" + name + b"</Key></Object></Delete>"
        _send(probe, bucket, body).refused(400, "MalformedXML")
    equal(probe.keys(bucket), ["aaaa"], "keys")


@case("DeleteObjects")
def absurdly_long_document(probe: Probe) -> None:
    """A document far beyond what 1,000 keys need is refused with a 4xx."""
    bucket = probe.bucket()
    body = _document(["a"], "<!-- " + "x" * 8_000_000 + " -->")
    answer = _send(probe, bucket, body)
    check(400 <= answer.status < 500 and answer.code, f"answered {answer.status}")


@case("DeleteObjects")
def versions_and_markers(probe: Probe) -> None:
    """With VersionId a version goes for good; without one a marker is added and answered."""
    bucket = probe.bucket(versioning="Enabled")
    doomed = probe.put(bucket, "a", b"1")["VersionId"]
    kept = probe.put(bucket, "b", b"2")["VersionId"]
    answer = probe.s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": "a", "VersionId": doomed}, {"Key": "b"}]}
    )
    deleted = {entry["Key"]: entry for entry in answer["Deleted"]}
    equal(deleted["a"].get("VersionId"), doomed, "VersionId of the version deleted")
    check(not deleted["a"].get("DeleteMarker"), "a version was answered as a marker")
    equal(deleted["b"].get("DeleteMarker"), True, "DeleteMarker of the key deleted")
    check(deleted["b"]["DeleteMarkerVersionId"] != kept, "the marker has the version's id")
    listing = probe.s3.list_object_versions(Bucket=bucket)
    equal([version["VersionId"] for version in listing["Versions"]], [kept], "versions left")
    marker = deleted["b"]["DeleteMarkerVersionId"]
    answer = probe.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b", "VersionId": marker}]})
    entry = answer["Deleted"][0]
    equal((entry.get("DeleteMarker"), entry.get("DeleteMarkerVersionId")), (True, marker), "marker deleted")
    equal(probe.body(bucket, "b"), b"2", "body restored")


@case("DeleteObjects")
def in_a_missing_bucket(probe: Probe) -> None:
    """404 NoSuchBucket."""
    _send(probe, probe.name(), _document(["a"])).refused(404, "NoSuchBucket")


@case("DeleteObjects")
def another_account_is_denied(probe: Probe) -> None:
    """Another account deletes nothing: 403, or an AccessDenied entry for each key."""
    bucket = probe.bucket()
    probe.put(bucket, "a", b"x")
    request = {"Bucket": bucket, "Delete": {"Objects": [{"Key": "a"}]}}
    try:
        answer = probe.other.delete_objects(**request)
    except probe.other.exceptions.ClientError as error:
        equal(error.response["Error"]["Code"], "AccessDenied", "code")
    else:
        equal([entry["Code"] for entry in answer["Errors"]], ["AccessDenied"], "codes")
    equal(probe.keys(bucket), ["a"], "keys")


@case("DeleteObjects")
def the_same_key_twice(probe: Probe) -> None:
    """A key named twice is no error."""
    bucket = probe.bucket()
    probe.put(bucket, "a", b"x")
    answer = _send(probe, bucket, _document(["a", "a"])).succeeded()
    equal(answer.texts("Error/Key"), [], "errors")
    equal(probe.keys(bucket), [], "keys")


@case("DeleteObjects")
def white_space_in_keys(probe: Probe) -> None:
    """White space around and inside a key is part of it, also as character references."""
    bucket = probe.bucket()
    keys = [" lead", "trail ", "a\nb", "a\rb", "a\tb"]
    for key in [*keys, "lead", "trail", "a b"]:
        probe.put(bucket, key, b"x")
    references = [key.replace("\r", "&#xD;").replace("\n", "&#10;").replace("\t", "&#x9;") for key in keys]
    inside = "".join(f"<Object><Key>{key}</Key></Object>" for key in references)
    _send(probe, bucket, f"<Delete>{inside}</Delete>".encode()).succeeded()
    equal(probe.keys(bucket), ["a b", "lead", "trail"], "keys left")


@case("DeleteObjects")
def conditions_are_never_ignored(probe: Probe) -> None:
    """An ETag beside a key is a condition: with another one the object stays (an error where it is not built)."""
    bucket = probe.bucket()
    probe.put(bucket, "a", b"x")
    body = b'<Delete><Object><Key>a</Key><ETag>"00000000000000000000000000000000"</ETag></Object></Delete>'
    answer = _send(probe, bucket, body)
    if answer.status == 200:
        equal(answer.texts("Error/Code"), ["PreconditionFailed"], "codes")
    else:
        check(answer.code, f"{answer.status} without a code")
    equal(probe.keys(bucket), ["a"], "keys")


@case("DeleteObjects")
def a_version_id_that_is_none(probe: Probe) -> None:
    """A version id that cannot be one is an error of that key alone; the others go."""
    bucket = probe.bucket(versioning="Enabled")
    probe.put(bucket, "a", b"x")
    doomed = probe.put(bucket, "b", b"x")["VersionId"]
    body = (
        "<Delete><Object><Key>a</Key><VersionId>no such</VersionId></Object>"
        f"<Object><Key>b</Key><VersionId>{doomed}</VersionId></Object></Delete>"
    ).encode()
    answer = _send(probe, bucket, body).succeeded()
    check("b" in answer.texts("Deleted/Key"), "b is not among the deleted")
    equal(probe.keys(bucket), ["a"], "keys")
