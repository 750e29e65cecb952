"""ListParts and ListMultipartUploads."""

from __future__ import annotations

from conformance.case import case
from conformance.probe import Probe, etag
from conformance.verdict import check, equal


@case("ListParts")
def numbers_sizes_and_etags(probe: Probe) -> None:
    """Parts in order of number with size, ETag and date; key, bucket, upload, owner and class beside them."""
    bucket = probe.bucket()
    upload = probe.s3.create_multipart_upload(Bucket=bucket, Key="a b", ContentType="x/y")["UploadId"]
    for number in (3, 1, 2):
        probe.part(bucket, "a b", upload, number, b"%d" % number * number)
    page = probe.s3.list_parts(Bucket=bucket, Key="a b", UploadId=upload)
    found = [(part["PartNumber"], part["Size"], part["ETag"]) for part in page["Parts"]]
    equal(found, [(1, 1, etag(b"1")), (2, 2, etag(b"22")), (3, 3, etag(b"333"))], "parts")
    equal((page["Bucket"], page["Key"], page["UploadId"]), (bucket, "a b", upload), "names")
    equal((page["IsTruncated"], page["MaxParts"], page["StorageClass"]), (False, 1000, "STANDARD"), "page")
    check(page["Owner"]["ID"] and page["Initiator"]["ID"], "no owner or initiator")


@case("ListParts")
def pages(probe: Probe) -> None:
    """max-parts and part-number-marker page through; NextPartNumberMarker is the last number of the page."""
    bucket = probe.bucket()
    upload = probe.s3.create_multipart_upload(Bucket=bucket, Key="key")["UploadId"]
    numbers = [1, 5, 7, 100, 10000]
    for number in numbers:
        probe.part(bucket, "key", upload, number, b"x")
    seen: list[int] = []
    marker = 0
    while True:
        page = probe.s3.list_parts(Bucket=bucket, Key="key", UploadId=upload, MaxParts=2, PartNumberMarker=marker)
        seen += [part["PartNumber"] for part in page.get("Parts", [])]
        if not page["IsTruncated"]:
            break
        equal(len(page["Parts"]), 2, "parts of a truncated page")
        marker = page["NextPartNumberMarker"]
        equal(marker, seen[-1], "NextPartNumberMarker")
    equal(seen, numbers, "part numbers")


@case("ListParts")
def of_an_upload_that_is_none(probe: Probe) -> None:
    """404 NoSuchUpload, for a completed one too; an upload without parts lists none."""
    bucket = probe.bucket()
    probe.send("GET", bucket, "key", query=[("uploadId", "made-up")]).refused(404, "NoSuchUpload")
    upload = probe.s3.create_multipart_upload(Bucket=bucket, Key="key")["UploadId"]
    check("Parts" not in probe.s3.list_parts(Bucket=bucket, Key="key", UploadId=upload), "parts of a new upload")
    part = probe.part(bucket, "key", upload, 1, b"x")
    probe.s3.complete_multipart_upload(Bucket=bucket, Key="key", UploadId=upload, MultipartUpload={"Parts": [part]})
    probe.send("GET", bucket, "key", query=[("uploadId", upload)]).refused(404, "NoSuchUpload")


@case("ListParts")
def limits_that_are_none(probe: Probe) -> None:
    """max-parts or part-number-marker that is no number: 400 InvalidArgument."""
    bucket = probe.bucket()
    upload = probe.s3.create_multipart_upload(Bucket=bucket, Key="key")["UploadId"]
    for name in ("max-parts", "part-number-marker"):
        for value in ("x", "-1"):
            answer = probe.send("GET", bucket, "key", query=[("uploadId", upload), (name, value)])
            check((answer.status, answer.code) == (400, "InvalidArgument"), f"{name}={value}: {answer.status}")


def _uploads(probe: Probe, bucket: str, *keys: str) -> dict[str, list[str]]:
    made: dict[str, list[str]] = {}
    for key in keys:
        upload = probe.s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        made.setdefault(key, []).append(upload)
    return made


@case("ListMultipartUploads")
def everything_by_key(probe: Probe) -> None:
    """Uploads in progress in order of key, two of one key both; completed and aborted ones are gone."""
    bucket = probe.bucket()
    made = _uploads(probe, bucket, "b", "a/2", "a/1", "b", "done", "aborted")
    probe.s3.abort_multipart_upload(Bucket=bucket, Key="aborted", UploadId=made["aborted"][0])
    part = probe.part(bucket, "done", made["done"][0], 1, b"x")
    probe.s3.complete_multipart_upload(
        Bucket=bucket, Key="done", UploadId=made["done"][0], MultipartUpload={"Parts": [part]}
    )
    page = probe.s3.list_multipart_uploads(Bucket=bucket)
    equal([upload["Key"] for upload in page["Uploads"]], ["a/1", "a/2", "b", "b"], "keys")
    equal({upload["UploadId"] for upload in page["Uploads"][2:]}, set(made["b"]), "uploads of b")
    equal((page["IsTruncated"], page["MaxUploads"], page["Bucket"]), (False, 1000, bucket), "page")
    first = page["Uploads"][0]
    check(first["Initiated"] and first["Owner"]["ID"] and first["Initiator"]["ID"], "an entry is not whole")
    equal(first["StorageClass"], "STANDARD", "StorageClass")


@case("ListMultipartUploads")
def prefix_and_delimiter(probe: Probe) -> None:
    """Prefix and delimiter as in object listings."""
    bucket = probe.bucket()
    _uploads(probe, bucket, "a", "b/1", "b/2", "c/d/e")
    page = probe.s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    equal([upload["Key"] for upload in page["Uploads"]], ["a"], "keys")
    equal([entry["Prefix"] for entry in page["CommonPrefixes"]], ["b/", "c/"], "common prefixes")
    page = probe.s3.list_multipart_uploads(Bucket=bucket, Prefix="b/")
    equal([upload["Key"] for upload in page["Uploads"]], ["b/1", "b/2"], "keys below b/")


@case("ListMultipartUploads")
def pages_of_uploads(probe: Probe) -> None:
    """max-uploads, key-marker and upload-id-marker page through all, in the middle of a key too."""
    bucket = probe.bucket()
    made = _uploads(probe, bucket, "a", "b", "b", "b", "c")
    expected = {(key, upload) for key, uploads in made.items() for upload in uploads}
    for size in (1, 2, 3):
        seen: list[tuple[str, str]] = []
        markers: dict[str, str] = {}
        while True:
            page = probe.s3.list_multipart_uploads(Bucket=bucket, MaxUploads=size, **markers)
            found = [(upload["Key"], upload["UploadId"]) for upload in page.get("Uploads", [])]
            check(len(found) <= size, "more uploads than max-uploads")
            seen += found
            if not page["IsTruncated"]:
                break
            markers = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
        equal((len(seen), set(seen)), (len(expected), expected), f"uploads over pages of {size}")
        equal([key for key, _ in seen], ["a", "b", "b", "b", "c"], "keys in order")


@case("ListMultipartUploads")
def key_marker_alone(probe: Probe) -> None:
    """key-marker alone lists keys greater than it; max-uploads that is no number is 400 InvalidArgument."""
    bucket = probe.bucket()
    _uploads(probe, bucket, "a", "b", "b", "c")
    page = probe.s3.list_multipart_uploads(Bucket=bucket, KeyMarker="b")
    equal([upload["Key"] for upload in page["Uploads"]], ["c"], "keys")
    for value in ("x", "-1"):
        answer = probe.send("GET", bucket, query=[("uploads", ""), ("max-uploads", value)])
        answer.refused(400, "InvalidArgument")


@case("ListMultipartUploads")
def encoding_and_missing_buckets(probe: Probe) -> None:
    """encoding-type=url escapes keys; a missing bucket is 404 NoSuchBucket."""
    bucket = probe.bucket()
    _uploads(probe, bucket, "a b&c")
    answer = probe.send("GET", bucket, query=[("uploads", ""), ("encoding-type", "url")]).succeeded()
    check(answer.text("Upload/Key") in ("a+b%26c", "a%20b%26c"), f"Key is {answer.text('Upload/Key')}")
    probe.send("GET", probe.name(), query=[("uploads", "")]).refused(404, "NoSuchBucket")
