"""Differences that are known, a reason each: server -> case id -> why. One that goes away is reported too."""

from __future__ import annotations

from collections.abc import Mapping

_PIXGATE = {
    "a checksum that nobody asked for is not computed: it would slow every upload": ("PutObject/checksum_by_default",),
    "a copy shares the source's content, and so its ETag and its parts": ("CopyObject/of_a_multipart_object",),
}

# Seen with a build of the sources of February 2026, one node, one folder.
_MINIO = {
    "keys are paths: no empty elements, no `a` beside `a/b`": (
        "CopyObject/forms_of_the_source",
        "ListObjectsV2/a_key_beside_its_prefix",
        "PutObject/beside_its_own_prefix",
        "PutObject/every_key_comes_back",
    ),
    "canned ACLs are taken and ignored": (
        "CopyObject/headers_a_copy_never_ignores",
        "CreateBucket/public_acl_is_refused",
        "CreateMultipartUpload/encryption_is_never_ignored",
        "PutObject/canned_acls",
    ),
    "headers of what is not built are ignored": (
        "CopyObject/condition_on_the_destination",
        "CopyObject/encryption_is_never_ignored",
        "CompleteMultipartUpload/declared_size",
        "DeleteObject/condition_is_never_ignored",
        "DeleteObjects/conditions_are_never_ignored",
        "PutObject/conditions_not_built_are_errors",
        "PutObject/headers_are_never_ignored",
        "Requests/expected_bucket_owner",
    ),
    "without a KMS there is no SSE-S3": (
        "DeleteBucketEncryption/deleted_twice",
        "PutBucketEncryption/default_of_a_bucket",
        "PutObject/encryption_methods_that_are_none",
        "PutObject/with_the_servers_key",
    ),
    "the MD5 of a customer's key is not told when an upload is begun": (
        "CreateMultipartUpload/tells_the_customers_key",
    ),
    "sub-resources of what is not built are taken for the object or the bucket, or have statuses of their own": (
        "NotImplemented/bucket_settings_that_are_deleted",
        "NotImplemented/methods_that_are_none",
        "NotImplemented/object_deletes_with_sub_resources",
    ),
    "owners have no id": ("GetBucketAcl/owner_has_full_control", "GetObjectAcl/owner_has_full_control_of_objects"),
    "without a configured region any region is signed for, and none is named": (
        "Authentication/wrong_scope",
        "CreateBucket/with_an_unknown_region",
        "HeadBucket/tells_the_region",
        "PresignedUrl/wrong_credentials",
    ),
    "x-amz-* headers need not be signed": ("Authentication/unsigned_amz_headers", "PresignedUrl/unsigned_headers"),
    "a payload hash is not asked for": ("Authentication/missing_payload_hash",),
    "a repeated parameter is taken once": ("PresignedUrl/parameters_given_twice",),
    "an access key of 500 characters is looked for elsewhere": ("Authentication/unknown_key",),
    "another code or status for the same refusal": (
        "Authentication/signed_header_that_is_missing",
        "GetObject/part_numbers_that_are_none",
        "ListObjectVersions/version_marker_without_key",
        "PresignedUrl/lifetimes_that_cannot_be",
        "PresignedUrl/signed_headers_are_required",
        "PutBucketVersioning/bad_configurations",
        "PutObject/beyond_five_gib",
        "PutObject/checksum_that_is_none",
        "PutObject/decoded_length_differs",
        "PutObject/key_that_is_not_utf8",
        "UploadPart/numbers_from_1_to_10000",
    ),
    "a wrong checksum is XAmzContentChecksumMismatch": (
        "CompleteMultipartUpload/wrong_checksum_of_the_whole",
        "PutObject/wrong_checksum",
        "PutObject/wrong_signed_trailers",
        "PutObject/wrong_unsigned_trailers",
        "UploadPart/wrong_checksum_of_a_part",
    ),
    "checksums are not computed, told or checked where AWS does": (
        "CompleteMultipartUpload/composite_checksums",
        "CopyObject/checksum_of_a_copy",
        "CreateMultipartUpload/checksum_types_that_cannot_be",
        "ListObjectsV2/algorithm_in_listings",
        "PutObject/checksum_by_default",
    ),
    "chunked bodies need no closing chunk and may have small chunks": (
        "PutObject/small_chunks",
        "PutObject/truncated_chunks",
    ),
    "delete markers: none for a missing key, no version id of `null`, not told when deleted": (
        "DeleteBucket/with_only_a_delete_marker",
        "DeleteObject/missing_key_gets_a_marker",
        "DeleteObject/suspended_delete_replaces_null",
        "DeleteObjects/versions_and_markers",
        "GetObject/delete_marker_by_version",
        "PutBucketVersioning/older_objects_are_null_versions",
    ),
    "XML is read leniently: other roots, document types, any length": (
        "CompleteMultipartUpload/documents_that_are_none",
        "DeleteObjects/absurdly_long_document",
        "DeleteObjects/document_type_and_entities",
        "DeleteObjects/malformed",
        "PutObjectTagging/bad_documents",
    ),
    "tags of any letters are refused, reserved ones are not": (
        "PutObjectTagging/limits",
        "PutObjectTagging/replaces_all_tags",
    ),
    "Content-MD5 of DeleteObjects is not checked": ("DeleteObjects/wrong_digest",),
    "ListBuckets has no pages": ("ListBuckets/limited_by_prefix", "ListBuckets/pages_by_max_buckets"),
    "bucket names of reserved forms are taken": ("CreateBucket/invalid_names",),
    "uploads are listed for one key, in no order and without pages": (
        "ListMultipartUploads/everything_by_key",
        "ListMultipartUploads/key_marker_alone",
        "ListMultipartUploads/pages_of_uploads",
        "ListMultipartUploads/prefix_and_delimiter",
    ),
    "limits are echoed as they were asked, or are its own": (
        "ListObjects/limits_of_max_keys",
        "ListObjects/pages_by_marker",
        "ListObjects/unknown_list_type",
        "ListObjectsV2/max_keys",
        "ListParts/numbers_sizes_and_etags",
    ),
    "conditions: one ETag only, dates count beside ETags, If-Range is not known": (
        "CopyObject/conditions_on_the_source",
        "GetObject/by_etag",
        "GetObject/etag_goes_before_date",
        "GetObject/if_range",
    ),
    "ranges: 416 for what is none, and shown in its own form": (
        "GetObject/ranges_that_are_none",
        "GetObject/ranges_that_cannot_be",
    ),
    "ObjectParts is answered for objects without parts": ("GetObjectAttributes/of_a_plain_object",),
    "completing: twice is NoSuchUpload, a part named twice is taken": (
        "CompleteMultipartUpload/lists_that_are_wrong",
        "CompleteMultipartUpload/twice",
    ),
    "aborting an unknown upload is 204": ("AbortMultipartUpload/forgets_the_upload",),
    "UploadPartCopy does not name the version it copied": ("UploadPartCopy/conditions_and_versions",),
    "a PUT without Content-Length is an empty object": ("PutObject/no_length",),
    "Expect: 100-continue is not answered for empty bodies": ("PutObject/expect_continue_of_an_empty_body",),
}


def _by_case(reasons: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {identifier: reason for reason, identifiers in reasons.items() for identifier in identifiers}


KNOWN: dict[str, dict[str, str]] = {"minio": _by_case(_MINIO), "pixgate": _by_case(_PIXGATE)}
