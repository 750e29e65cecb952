"""DeleteObject without versions (those are in bucket_versioning)."""

from __future__ import annotations

from conformance.case import GUIDE, case
from conformance.probe import Probe, etag
from conformance.verdict import check, equal, one_of


@case("DeleteObject")
def deletes_and_is_quiet_about_missing(probe: Probe) -> None:
    """204 without a body, also for a key that is not there."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x")
    for _ in range(2):
        equal(probe.send("DELETE", bucket, "key").succeeded(204).body, b"", "body")
    probe.send("GET", bucket, "key").refused(404, "NoSuchKey")


@case("DeleteObject")
def from_a_missing_bucket(probe: Probe) -> None:
    """404 NoSuchBucket."""
    probe.send("DELETE", probe.name(), "key").refused(404, "NoSuchBucket")


@case("DeleteObject")
def of_another_account_is_denied(probe: Probe) -> None:
    """403 AccessDenied for another account, and the object stays."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x")
    with probe.refused("AccessDenied", 403):
        probe.other.delete_object(Bucket=bucket, Key="key")
    equal(probe.body(bucket, "key"), b"x", "body")


@case("DeleteObject", GUIDE + "conditional-deletes.html")
def condition_is_never_ignored(probe: Probe) -> None:
    """`If-Match` with another ETag deletes nothing: 412 (501 where conditional deletes are not built)."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x")
    answer = probe.send("DELETE", bucket, "key", headers={"If-Match": etag(b"other")})
    one_of(answer.status, (412, 501), "status")
    equal(probe.body(bucket, "key"), b"x", "body")
    answer = probe.send("DELETE", bucket, "key", headers={"If-Match": etag(b"x")})
    check(answer.status in (204, 501), f"the right ETag: {answer.status}")
