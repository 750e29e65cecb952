"""ListBuckets, CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from conformance.case import GUIDE, case
from conformance.probe import Probe
from conformance.verdict import Skipped, check, equal, one_of

_NAMING = GUIDE + "bucketnamingrules.html"


def _constraint(location: str) -> bytes:
    return (
        '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<LocationConstraint>{location}</LocationConstraint></CreateBucketConfiguration>"
    ).encode()


def _own_region(probe: Probe) -> bytes:
    return b"" if probe.target.region == "us-east-1" else _constraint(probe.target.region)


@case("ListBuckets")
def names_dates_and_owner(probe: Probe) -> None:
    """Lists the caller's buckets in order of name, with their creation dates and the owner."""
    mine = sorted(probe.bucket() for _ in range(3))
    answer = probe.s3.list_buckets()
    names = [bucket["Name"] for bucket in answer["Buckets"]]
    equal([name for name in names if name in mine], mine, "names in order")
    check(answer["Owner"]["ID"], "no owner id")
    for bucket in answer["Buckets"]:
        if bucket["Name"] in mine:
            age = datetime.now(UTC) - bucket["CreationDate"]
            check(abs(age) < timedelta(minutes=5), f"creation date is {age} ago")


@case("ListBuckets")
def pages_by_max_buckets(probe: Probe) -> None:
    """`max-buckets` limits a page and `continuation-token` goes on behind it, until no token is left."""
    mine = sorted(probe.bucket() for _ in range(3))
    seen: list[str] = []
    token: dict[str, str] = {}
    for _ in range(1000):
        answer = probe.s3.list_buckets(MaxBuckets=2, **token)
        check(len(answer["Buckets"]) <= 2, "more buckets than max-buckets")
        seen += [bucket["Name"] for bucket in answer["Buckets"]]
        if "ContinuationToken" not in answer:
            break
        token = {"ContinuationToken": answer["ContinuationToken"]}
    equal(len(seen), len(set(seen)), "names seen once")
    equal([name for name in seen if name in mine], mine, "names over all pages")


@case("ListBuckets")
def limited_by_prefix(probe: Probe) -> None:
    """`prefix` limits the answer to names that begin with it, and is echoed."""
    mine, _ = probe.bucket(), probe.bucket()
    answer = probe.s3.list_buckets(Prefix=mine, MaxBuckets=10)
    equal([bucket["Name"] for bucket in answer["Buckets"]], [mine], "names")
    equal(answer.get("Prefix"), mine, "Prefix")


@case("ListBuckets")
def only_of_the_account(probe: Probe) -> None:
    """A caller sees the buckets of its own account, nobody else's."""
    mine = probe.bucket()
    other = probe.other.list_buckets()
    check(mine not in [bucket["Name"] for bucket in other["Buckets"]], "another account's bucket is listed")


@case("CreateBucket")
def answers_the_location(probe: Probe) -> None:
    """Answers 200 and `Location: /name`; the bucket exists and is empty."""
    name = probe.name()
    answer = probe.send("PUT", name, body=_own_region(probe)).succeeded()
    equal(answer.header("Location"), f"/{name}", "Location")
    equal(probe.keys(name), [], "keys")


@case("CreateBucket")
def with_its_own_region(probe: Probe) -> None:
    """A LocationConstraint of the endpoint's region is accepted (us-east-1 has none: its name is refused or taken)."""
    name = probe.name()
    answer = probe.send("PUT", name, body=_constraint(probe.target.region))
    if probe.target.region == "us-east-1" and answer.status == 400:
        one_of(answer.code, ("InvalidLocationConstraint", "IllegalLocationConstraintException"), "code")
    else:
        answer.succeeded()


@case("CreateBucket")
def with_an_unknown_region(probe: Probe) -> None:
    """A LocationConstraint that is no region of the endpoint: 400."""
    answer = probe.send("PUT", probe.name(), body=_constraint("moon-south-9"))
    answer.refused(400, "InvalidLocationConstraint", "IllegalLocationConstraintException")


@case("CreateBucket")
def twice_by_its_owner(probe: Probe) -> None:
    """Again by the owner: 409 BucketAlreadyOwnedByYou; us-east-1 alone may answer 200. Nothing in it is lost."""
    name = probe.bucket()
    probe.put(name, "kept", b"kept")
    answer = probe.send("PUT", name, body=_own_region(probe))
    if answer.status != 200 or probe.target.region != "us-east-1":
        answer.refused(409, "BucketAlreadyOwnedByYou")
    equal(probe.body(name, "kept"), b"kept", "object after the second CreateBucket")


@case("CreateBucket")
def name_of_another_account(probe: Probe) -> None:
    """A name that another account's bucket has: 409 BucketAlreadyExists."""
    name = probe.bucket()
    with probe.refused("BucketAlreadyExists", 409):
        probe.other.create_bucket(Bucket=name)


@case("CreateBucket", _NAMING)
def invalid_names(probe: Probe) -> None:
    """3 to 63 lower-case letters, digits, dots and hyphens, no IP address, no reserved prefix or suffix: else
    400 InvalidBucketName."""
    names = (
        "ab",
        "a" * 64,
        "Conformance-Upper",
        "conformance_under",
        "-conformance",
        "conformance-",
        ".conformance",
        "conformance.",
        "conformance..dots",
        "192.168.5.4",
        "xn--conformance",
        "conformance-s3alias",
        "conformance--ol-s3",
        "conformance name",
    )
    for name in names:
        answer = probe.send("PUT", raw_path=f"/{name}".replace(" ", "%20"))
        if answer.status == 200:
            probe.claim(name)
        check(answer.status == 400, f"{name!r}: {answer.status} {answer.code}")
        equal(answer.code, "InvalidBucketName", f"code for {name!r}")


@case("CreateBucket", _NAMING)
def valid_names(probe: Probe) -> None:
    """Digits, dots and hyphens inside and 63 characters are fine."""
    base = probe.name()
    for name in (f"{base}.with.dots", f"0{base}9", (base + "x" * 63)[:63]):
        probe.claim(name)
        probe.send("PUT", name).succeeded()
        probe.send("HEAD", name).succeeded()


@case("CreateBucket")
def malformed_configuration(probe: Probe) -> None:
    """A body that is no CreateBucketConfiguration: 400 MalformedXML, and no bucket."""
    name = probe.name()
    for body in (b"<CreateBucketConfiguration>", b"not xml at all", b"<Other/>"):
        probe.send("PUT", name, body=body).refused(400, "MalformedXML")
    equal(probe.send("HEAD", name).status, 404, "status of HeadBucket")


@case("CreateBucket")
def public_acl_is_refused(probe: Probe) -> None:
    """Where ACLs are off (the default since April 2023) a canned ACL that opens the bucket is refused."""
    name = probe.name()
    answer = probe.send("PUT", name, headers={"x-amz-acl": "public-read-write"})
    check(400 <= answer.status < 600 and answer.code, f"answered {answer.status}")
    equal(probe.send("HEAD", name).status, 404, "status of HeadBucket")


@case("HeadBucket")
def tells_the_region(probe: Probe) -> None:
    """200 without a body, and the region in `x-amz-bucket-region`."""
    answer = probe.send("HEAD", probe.bucket()).succeeded()
    equal(answer.header("x-amz-bucket-region"), probe.target.region, "x-amz-bucket-region")
    equal(answer.body, b"", "body")


@case("HeadBucket")
def missing_bucket(probe: Probe) -> None:
    """404 without a body."""
    answer = probe.send("HEAD", probe.name()).succeeded(404)
    equal(answer.body, b"", "body")


@case("HeadBucket")
def of_another_account(probe: Probe) -> None:
    """403 for who may not list it."""
    name = probe.bucket()
    with probe.refused("403", 403):
        probe.other.head_bucket(Bucket=name)


@case("GetBucketLocation")
def constraint_of_the_region(probe: Probe) -> None:
    """The region as LocationConstraint, empty for us-east-1."""
    answer = probe.send("GET", probe.bucket(), query=[("location", "")]).succeeded()
    equal(answer.xml.tag, "LocationConstraint", "root element")
    expected = "" if probe.target.region == "us-east-1" else probe.target.region
    equal(answer.xml.text or "", expected, "LocationConstraint")


@case("GetBucketLocation")
def location_of_a_missing_bucket(probe: Probe) -> None:
    """404 NoSuchBucket."""
    probe.send("GET", probe.name(), query=[("location", "")]).refused(404, "NoSuchBucket")


@case("DeleteBucket")
def deletes(probe: Probe) -> None:
    """204; afterwards the bucket is gone, and deleting it again is 404 NoSuchBucket."""
    name = probe.bucket()
    equal(probe.send("DELETE", name).succeeded(204).body, b"", "body")
    probe.send("HEAD", name).succeeded(404)
    probe.send("DELETE", name).refused(404, "NoSuchBucket")


@case("DeleteBucket")
def not_empty(probe: Probe) -> None:
    """409 BucketNotEmpty while an object is in it."""
    name = probe.bucket()
    probe.put(name, "key", b"x")
    probe.send("DELETE", name).refused(409, "BucketNotEmpty")
    equal(probe.body(name, "key"), b"x", "object afterwards")


@case("DeleteBucket")
def with_only_a_delete_marker(probe: Probe) -> None:
    """409 BucketNotEmpty while versions or delete markers are left, though no key is listed."""
    name = probe.bucket(versioning="Enabled")
    probe.s3.delete_object(Bucket=name, Key="key")
    equal(probe.keys(name), [], "keys")
    with probe.refused("BucketNotEmpty", 409):
        probe.s3.delete_bucket(Bucket=name)


@case("DeleteBucket")
def made_again_is_empty(probe: Probe) -> None:
    """A bucket deleted and made again has nothing of the first one: objects, tags, versioning."""
    name = probe.bucket(versioning="Enabled")
    version = probe.put(name, "key", b"first")["VersionId"]
    probe.s3.delete_object(Bucket=name, Key="key", VersionId=version)
    probe.s3.delete_bucket(Bucket=name)
    probe.send("PUT", name, body=_own_region(probe)).succeeded()
    equal(probe.keys(name), [], "keys")
    check("Status" not in probe.s3.get_bucket_versioning(Bucket=name), "versioning outlived the bucket")


@case("DeleteBucket")
def another_account_may_not(probe: Probe) -> None:
    """403 AccessDenied for another account."""
    name = probe.bucket()
    with probe.refused("AccessDenied", 403):
        probe.other.delete_bucket(Bucket=name)
    probe.send("HEAD", name).succeeded()


@case("CreateBucket", GUIDE + "VirtualHosting.html")
def virtual_host_style(probe: Probe) -> None:
    """With `Host: bucket.domain` the whole path is the key; signatures cover the path as sent."""
    domain = probe.target.domain
    if not domain:
        raise Skipped("needs --domain")
    name = probe.bucket()
    host = f"{name}.{domain}" + (f":{probe.target.port}" if probe.target.port not in (80, 443) else "")
    probe.send("PUT", raw_path="/deep/key", body=b"virtual", host=host).succeeded()
    equal(probe.body(name, "deep/key"), b"virtual", "body by path style")
    equal(probe.send("GET", raw_path="/deep/key", host=host).succeeded().body, b"virtual", "body by virtual host")
    listing = probe.send("GET", raw_path="/", query=[("list-type", "2")], host=host).succeeded()
    equal(listing.texts("Contents/Key"), ["deep/key"], "keys by virtual host")
    for key in ("api/x", "ui/", "metrics"):
        probe.send("PUT", raw_path=f"/{key}", body=b"k", host=host).succeeded()
        equal(probe.body(name, key), b"k", f"body of {key}")
