"""GetBucketVersioning, PutBucketVersioning, and what versions, null versions and delete markers do."""

from __future__ import annotations

from conformance.case import GUIDE, case
from conformance.probe import Probe
from conformance.verdict import check, equal

_DELETING = GUIDE + "DeletingObjectVersions.html"
_MARKERS = GUIDE + "DeleteMarker.html"
_SUSPENDED = GUIDE + "VersionSuspendedBehavior.html"


def _put(probe: Probe, bucket: str, status: str) -> None:
    probe.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


@case("GetBucketVersioning")
def never_set(probe: Probe) -> None:
    """A bucket whose versioning was never set has no Status element."""
    answer = probe.send("GET", probe.bucket(), query=[("versioning", "")]).succeeded()
    equal(answer.xml.tag, "VersioningConfiguration", "root element")
    equal(answer.text("Status"), None, "Status")


@case("GetBucketVersioning")
def of_a_missing_bucket(probe: Probe) -> None:
    """404 NoSuchBucket."""
    probe.send("GET", probe.name(), query=[("versioning", "")]).refused(404, "NoSuchBucket")


@case("PutBucketVersioning")
def enabled_and_suspended(probe: Probe) -> None:
    """The status set is the status read."""
    bucket = probe.bucket()
    for status in ("Enabled", "Suspended", "Enabled"):
        _put(probe, bucket, status)
        equal(probe.s3.get_bucket_versioning(Bucket=bucket)["Status"], status, "Status")


@case("PutBucketVersioning")
def bad_configurations(probe: Probe) -> None:
    """An unknown status or a body that is no VersioningConfiguration is a 400, and changes nothing."""
    bucket = probe.bucket()
    wrapped = "<VersioningConfiguration>{}</VersioningConfiguration>"
    for inside in ("<Status>On</Status>", "<Status>enabled</Status>", "<Status></Status>"):
        answer = probe.send("PUT", bucket, query=[("versioning", "")], body=wrapped.format(inside).encode())
        answer.refused(400, "MalformedXML", "IllegalVersioningConfigurationException")
    for body in (b"", b"<VersioningConfiguration>", b"<Other><Status>Enabled</Status></Other>"):
        answer = probe.send("PUT", bucket, query=[("versioning", "")], body=body)
        answer.refused(400, "MalformedXML", "MissingRequestBodyError")
    check("Status" not in probe.s3.get_bucket_versioning(Bucket=bucket), "a refused status was stored")


@case("PutBucketVersioning", GUIDE + "manage-objects-versioned-bucket.html")
def every_put_is_a_version(probe: Probe) -> None:
    """With versioning on each PUT answers a new version id, and every version can be read by it."""
    bucket = probe.bucket(versioning="Enabled")
    versions = {probe.put(bucket, "key", body)["VersionId"]: body for body in (b"one", b"two", b"three")}
    equal(len(versions), 3, "number of version ids")
    check("null" not in versions, "a version of an enabled bucket is called null")
    for version, body in versions.items():
        answer = probe.s3.get_object(Bucket=bucket, Key="key", VersionId=version)
        equal((answer["Body"].read(), answer["VersionId"]), (body, version), "body and version")
        equal(probe.s3.head_object(Bucket=bucket, Key="key", VersionId=version)["ContentLength"], len(body), "length")
    equal(probe.body(bucket, "key"), b"three", "current body")


@case("PutBucketVersioning", GUIDE + "manage-objects-versioned-bucket.html")
def older_objects_are_null_versions(probe: Probe) -> None:
    """What was there before versioning is version `null`, and stays when new versions come."""
    bucket = probe.bucket()
    check("VersionId" not in probe.put(bucket, "key", b"old"), "an unversioned PUT answered a version id")
    _put(probe, bucket, "Enabled")
    probe.put(bucket, "key", b"new")
    equal(probe.body(bucket, "key"), b"new", "current body")
    answer = probe.s3.get_object(Bucket=bucket, Key="key", VersionId="null")
    equal((answer["Body"].read(), answer["VersionId"]), (b"old", "null"), "null version")


@case("PutBucketVersioning", _SUSPENDED)
def suspended_writes_replace_null(probe: Probe) -> None:
    """While suspended each PUT replaces the null version and leaves the others."""
    bucket = probe.bucket(versioning="Enabled")
    first = probe.put(bucket, "key", b"numbered")["VersionId"]
    _put(probe, bucket, "Suspended")
    for body in (b"null one", b"null two"):
        equal(probe.put(bucket, "key", body).get("VersionId", "null"), "null", "version id while suspended")
    equal(probe.body(bucket, "key"), b"null two", "current body")
    equal(probe.body(bucket, "key", VersionId=first), b"numbered", "numbered version")
    versions = probe.s3.list_object_versions(Bucket=bucket)["Versions"]
    equal([version["VersionId"] for version in versions], ["null", first], "versions, newest first")


@case("DeleteObject", _SUSPENDED)
def suspended_delete_replaces_null(probe: Probe) -> None:
    """While suspended a DELETE removes the null version and leaves a delete marker with version id null."""
    bucket = probe.bucket(versioning="Enabled")
    first = probe.put(bucket, "key", b"numbered")["VersionId"]
    _put(probe, bucket, "Suspended")
    probe.put(bucket, "key", b"null body")
    answer = probe.s3.delete_object(Bucket=bucket, Key="key")
    equal((answer.get("DeleteMarker"), answer.get("VersionId")), (True, "null"), "marker")
    listing = probe.s3.list_object_versions(Bucket=bucket)
    equal([version["VersionId"] for version in listing["Versions"]], [first], "versions left")
    equal([marker["VersionId"] for marker in listing["DeleteMarkers"]], ["null"], "markers")
    probe.absent(bucket, "key")


@case("DeleteObject", _MARKERS)
def leaves_a_delete_marker(probe: Probe) -> None:
    """A DELETE without versionId adds a delete marker: the key is gone, its versions are not."""
    bucket = probe.bucket(versioning="Enabled")
    version = probe.put(bucket, "key", b"kept")["VersionId"]
    answer = probe.s3.delete_object(Bucket=bucket, Key="key")
    equal(answer.get("DeleteMarker"), True, "x-amz-delete-marker")
    check(answer["VersionId"] not in (version, "null"), "the marker has no version id of its own")
    equal(probe.keys(bucket), [], "keys")
    equal(probe.body(bucket, "key", VersionId=version), b"kept", "version behind the marker")


@case("GetObject", _MARKERS)
def current_delete_marker(probe: Probe) -> None:
    """GET and HEAD of a key whose current version is a marker: 404 with `x-amz-delete-marker: true` and its version."""
    bucket = probe.bucket(versioning="Enabled")
    probe.put(bucket, "key", b"x")
    marker = probe.s3.delete_object(Bucket=bucket, Key="key")["VersionId"]
    answer = probe.send("GET", bucket, "key").refused(404, "NoSuchKey")
    equal(answer.header("x-amz-delete-marker"), "true", "x-amz-delete-marker of GET")
    equal(answer.header("x-amz-version-id"), marker, "x-amz-version-id of GET")
    answer = probe.send("HEAD", bucket, "key").succeeded(404)
    equal(answer.header("x-amz-delete-marker"), "true", "x-amz-delete-marker of HEAD")


@case("GetObject", _MARKERS)
def delete_marker_by_version(probe: Probe) -> None:
    """GET and HEAD of a marker by its version id: 405 MethodNotAllowed, `Allow: DELETE`, `x-amz-delete-marker: true`."""
    bucket = probe.bucket(versioning="Enabled")
    marker = probe.s3.delete_object(Bucket=bucket, Key="key")["VersionId"]
    answer = probe.send("GET", bucket, "key", query=[("versionId", marker)]).refused(405, "MethodNotAllowed")
    equal(answer.header("x-amz-delete-marker"), "true", "x-amz-delete-marker")
    check("DELETE" in (answer.header("Allow") or ""), f"Allow is {answer.header('Allow')}")
    probe.send("HEAD", bucket, "key", query=[("versionId", marker)]).succeeded(405)


@case("DeleteObject", _MARKERS)
def deleting_a_marker_restores(probe: Probe) -> None:
    """Deleting the marker by its version id brings the version below back; the answer says it was a marker."""
    bucket = probe.bucket(versioning="Enabled")
    probe.put(bucket, "key", b"back")
    marker = probe.s3.delete_object(Bucket=bucket, Key="key")["VersionId"]
    answer = probe.s3.delete_object(Bucket=bucket, Key="key", VersionId=marker)
    equal((answer.get("DeleteMarker"), answer.get("VersionId")), (True, marker), "answer")
    equal(probe.body(bucket, "key"), b"back", "current body")
    equal(probe.keys(bucket), ["key"], "keys")


@case("DeleteObject", _DELETING)
def a_version_for_good(probe: Probe) -> None:
    """DELETE with versionId removes that version for good; the one below becomes current."""
    bucket = probe.bucket(versioning="Enabled")
    older = probe.put(bucket, "key", b"older")["VersionId"]
    newer = probe.put(bucket, "key", b"newer")["VersionId"]
    answer = probe.s3.delete_object(Bucket=bucket, Key="key", VersionId=newer)
    equal(answer["VersionId"], newer, "version answered")
    check("DeleteMarker" not in answer, "a version was answered as a marker")
    equal(probe.body(bucket, "key"), b"older", "current body")
    with probe.refused("NoSuchVersion", 404):
        probe.s3.get_object(Bucket=bucket, Key="key", VersionId=newer)
    probe.s3.delete_object(Bucket=bucket, Key="key", VersionId=older)
    probe.absent(bucket, "key")
    check("Versions" not in probe.s3.list_object_versions(Bucket=bucket), "versions are left")


@case("DeleteObject", _DELETING)
def an_older_version_leaves_the_current(probe: Probe) -> None:
    """Removing a version that is not current changes nothing for readers without versionId."""
    bucket = probe.bucket(versioning="Enabled")
    older = probe.put(bucket, "key", b"older")["VersionId"]
    probe.put(bucket, "key", b"newer")
    probe.s3.delete_object(Bucket=bucket, Key="key", VersionId=older)
    equal(probe.body(bucket, "key"), b"newer", "current body")


@case("DeleteObject", _MARKERS)
def missing_key_gets_a_marker(probe: Probe) -> None:
    """Deleting a key that never was, with versioning on, adds a marker all the same."""
    bucket = probe.bucket(versioning="Enabled")
    answer = probe.s3.delete_object(Bucket=bucket, Key="never")
    equal(answer.get("DeleteMarker"), True, "x-amz-delete-marker")
    markers = probe.s3.list_object_versions(Bucket=bucket)["DeleteMarkers"]
    equal([(marker["Key"], marker["IsLatest"]) for marker in markers], [("never", True)], "markers")


@case("GetObject", GUIDE + "RetrievingObjectVersions.html")
def versions_that_do_not_exist(probe: Probe) -> None:
    """A version id that is none: 400 InvalidArgument, or 404 NoSuchVersion where it could be one."""
    bucket = probe.bucket(versioning="Enabled")
    probe.put(bucket, "key", b"x")
    for method in ("GET", "HEAD"):
        for version in ("no-such-version", "null"):
            answer = probe.send(method, bucket, "key", query=[("versionId", version)])
            check(answer.status in (400, 404), f"{method} {version}: {answer.status}")
            if method == "GET":
                answer.refused_any((400, "InvalidArgument"), (404, "NoSuchVersion"))


@case("GetObject", GUIDE + "RetrievingObjectVersions.html")
def version_header_only_where_versioned(probe: Probe) -> None:
    """`x-amz-version-id` is answered for versioned buckets only."""
    plain, versioned = probe.bucket(), probe.bucket(versioning="Enabled")
    for bucket in (plain, versioned):
        probe.put(bucket, "key", b"x")
    equal(probe.send("GET", plain, "key").header("x-amz-version-id"), None, "unversioned")
    check(probe.send("GET", versioned, "key").header("x-amz-version-id"), "no version id in a versioned bucket")
