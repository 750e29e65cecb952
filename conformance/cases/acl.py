"""GetBucketAcl, GetObjectAcl, PutBucketAcl, PutObjectAcl where ACLs are off (the default since April 2023)."""

from __future__ import annotations

from conformance.case import GUIDE, case
from conformance.probe import Probe
from conformance.verdict import check, equal

_OWNERSHIP = GUIDE + "about-object-ownership.html"


def _owner_only(acl: dict[str, object], owner: object) -> None:
    equal(acl["Owner"], owner, "Owner")
    grants = acl["Grants"]
    check(isinstance(grants, list) and len(grants) == 1, f"Grants are {grants}")
    if isinstance(grants, list):
        equal(grants[0]["Permission"], "FULL_CONTROL", "Permission")
        equal(grants[0]["Grantee"]["Type"], "CanonicalUser", "Type")
        equal(grants[0]["Grantee"]["ID"], acl["Owner"]["ID"], "ID")  # type: ignore[index]


@case("GetBucketAcl")
def owner_has_full_control(probe: Probe) -> None:
    """One grant: the owner (who ListBuckets names too) has FULL_CONTROL."""
    bucket = probe.bucket()
    acl = probe.s3.get_bucket_acl(Bucket=bucket)
    _owner_only(acl, acl["Owner"])
    equal(acl["Owner"]["ID"], probe.s3.list_buckets()["Owner"]["ID"], "owner's id")


@case("GetBucketAcl")
def of_a_missing_bucket(probe: Probe) -> None:
    """404 NoSuchBucket."""
    probe.send("GET", probe.name(), query=[("acl", "")]).refused(404, "NoSuchBucket")


@case("GetObjectAcl")
def owner_has_full_control_of_objects(probe: Probe) -> None:
    """One grant: the owner of the bucket has FULL_CONTROL; a version's is the same."""
    bucket = probe.bucket(versioning="Enabled")
    version = probe.put(bucket, "key", b"x")["VersionId"]
    owner = probe.s3.get_bucket_acl(Bucket=bucket)["Owner"]
    _owner_only(probe.s3.get_object_acl(Bucket=bucket, Key="key"), owner)
    _owner_only(probe.s3.get_object_acl(Bucket=bucket, Key="key", VersionId=version), owner)


@case("GetObjectAcl")
def of_missing_objects(probe: Probe) -> None:
    """404 NoSuchKey and NoSuchBucket."""
    probe.send("GET", probe.bucket(), "key", query=[("acl", "")]).refused(404, "NoSuchKey")
    probe.send("GET", probe.name(), "key", query=[("acl", "")]).refused(404, "NoSuchBucket")


@case("PutBucketAcl", _OWNERSHIP)
def opening_a_bucket_is_refused(probe: Probe) -> None:
    """A canned ACL that opens the bucket is 400 AccessControlListNotSupported (501 where not built)."""
    bucket = probe.bucket()
    answer = probe.send("PUT", bucket, query=[("acl", "")], headers={"x-amz-acl": "public-read"})
    answer.refused_any((400, "AccessControlListNotSupported"), (403, "AccessDenied"), (501, "NotImplemented"))
    equal(len(probe.s3.get_bucket_acl(Bucket=bucket)["Grants"]), 1, "number of grants")


@case("PutObjectAcl", _OWNERSHIP)
def opening_an_object_is_refused(probe: Probe) -> None:
    """A canned ACL that opens the object is 400 AccessControlListNotSupported (501 where not built)."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x")
    answer = probe.send("PUT", bucket, "key", query=[("acl", "")], headers={"x-amz-acl": "public-read"})
    answer.refused_any((400, "AccessControlListNotSupported"), (403, "AccessDenied"), (501, "NotImplemented"))
    equal(len(probe.s3.get_object_acl(Bucket=bucket, Key="key")["Grants"]), 1, "number of grants")
