"""Every operation of S3, in one table: how a request selects it, what it may need, what carries it out.

Routing, authorisation, metric labels and the reference page derive from it. A row without a handler (`not_built`) is an
operation that AWS has and Pixgate has not: 501 NotImplemented. Names, methods and keys are those of AWS's service model:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

from __future__ import annotations

from gateway.s3.not_built import NOT_BUILT
from gateway.s3.operation import BodyKind, Level, Operation
from gateway.s3.ops import (
    bucket_acl,
    bucket_encryption,
    bucket_location,
    bucket_versioning,
    buckets,
    copy_object,
    delete_objects,
    list_multipart_uploads,
    list_object_versions,
    list_objects,
    list_parts,
    multipart,
    object_acl,
    object_attributes,
    object_tagging,
    objects,
    preflight,
    upload_part,
)

_RESPONSE = frozenset(
    {
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
    }
)
_READ = _RESPONSE | {"versionId", "partNumber", "x-img"}
_VERSION = frozenset({"versionId"})
_LIST = frozenset({"delimiter", "encoding-type", "max-keys", "prefix"})

_S, _B, _O = Level.SERVICE, Level.BUCKET, Level.OBJECT
_XML, _STREAM = BodyKind.XML, BodyKind.STREAM

OPERATIONS: tuple[Operation, ...] = (
    # The service.
    Operation(
        "ListBuckets",
        "GET",
        _S,
        "s3:ListAllMyBuckets",
        parameters=frozenset({"max-buckets", "continuation-token", "prefix", "bucket-region"}),
        handler=buckets.list_buckets,
    ),
    Operation("ListDirectoryBuckets", "GET", _S, "s3express:ListAllMyDirectoryBuckets", ("max-directory-buckets",)),
    # Buckets.
    Operation("CreateBucket", "PUT", _B, "s3:CreateBucket", body=_XML, handler=buckets.create_bucket),
    Operation("HeadBucket", "HEAD", _B, "s3:ListBucket", handler=buckets.head_bucket),
    Operation("DeleteBucket", "DELETE", _B, "s3:DeleteBucket", handler=buckets.delete_bucket),
    Operation(
        "GetBucketLocation",
        "GET",
        _B,
        "s3:GetBucketLocation",
        ("location",),
        handler=bucket_location.get_bucket_location,
    ),
    Operation("GetBucketAcl", "GET", _B, "s3:GetBucketAcl", ("acl",), handler=bucket_acl.get_bucket_acl),
    Operation("PutBucketAcl", "PUT", _B, "s3:PutBucketAcl", ("acl",), body=_XML, handler=bucket_acl.put_bucket_acl),
    Operation(
        "GetBucketVersioning",
        "GET",
        _B,
        "s3:GetBucketVersioning",
        ("versioning",),
        handler=bucket_versioning.get_bucket_versioning,
    ),
    Operation(
        "PutBucketVersioning",
        "PUT",
        _B,
        "s3:PutBucketVersioning",
        ("versioning",),
        body=_XML,
        handler=bucket_versioning.put_bucket_versioning,
    ),
    Operation(
        "GetBucketEncryption",
        "GET",
        _B,
        "s3:GetEncryptionConfiguration",
        ("encryption",),
        handler=bucket_encryption.get_bucket_encryption,
    ),
    Operation(
        "PutBucketEncryption",
        "PUT",
        _B,
        "s3:PutEncryptionConfiguration",
        ("encryption",),
        body=_XML,
        handler=bucket_encryption.put_bucket_encryption,
    ),
    Operation(
        "DeleteBucketEncryption",
        "DELETE",
        _B,
        "s3:PutEncryptionConfiguration",
        ("encryption",),
        handler=bucket_encryption.delete_bucket_encryption,
    ),
    Operation(
        "ListObjects", "GET", _B, "s3:ListBucket", parameters=_LIST | {"marker"}, handler=list_objects.list_objects
    ),
    Operation(
        "ListObjectsV2",
        "GET",
        _B,
        "s3:ListBucket",
        ("list-type=2",),
        parameters=_LIST | {"continuation-token", "fetch-owner", "start-after"},
        handler=list_objects.list_objects_v2,
    ),
    Operation(
        "ListObjectVersions",
        "GET",
        _B,
        "s3:ListBucketVersions",
        ("versions",),
        parameters=_LIST | {"key-marker", "version-id-marker"},
        handler=list_object_versions.list_object_versions,
    ),
    Operation(
        "ListMultipartUploads",
        "GET",
        _B,
        "s3:ListBucketMultipartUploads",
        ("uploads",),
        parameters=frozenset({"delimiter", "encoding-type", "key-marker", "max-uploads", "prefix", "upload-id-marker"}),
        handler=list_multipart_uploads.list_multipart_uploads,
    ),
    Operation(
        "DeleteObjects",
        "POST",
        _B,
        "s3:DeleteObject",
        ("delete",),
        body=_XML,
        handler=delete_objects.delete_objects,
    ),
    # Objects.
    Operation("PutObject", "PUT", _O, "s3:PutObject", body=_STREAM, handler=objects.put_object),
    Operation("GetObject", "GET", _O, "s3:GetObject", parameters=_READ, handler=objects.get_object),
    Operation("HeadObject", "HEAD", _O, "s3:GetObject", parameters=_READ, handler=objects.head_object),
    Operation("DeleteObject", "DELETE", _O, "s3:DeleteObject", parameters=_VERSION, handler=objects.delete_object),
    Operation("CopyObject", "PUT", _O, "s3:PutObject", header="x-amz-copy-source", handler=copy_object.copy_object),
    Operation(
        "GetObjectAttributes",
        "GET",
        _O,
        "s3:GetObjectAttributes",
        ("attributes",),
        parameters=_VERSION,
        handler=object_attributes.get_object_attributes,
    ),
    Operation(
        "GetObjectTagging",
        "GET",
        _O,
        "s3:GetObjectTagging",
        ("tagging",),
        parameters=_VERSION,
        handler=object_tagging.get_object_tagging,
    ),
    Operation(
        "PutObjectTagging",
        "PUT",
        _O,
        "s3:PutObjectTagging",
        ("tagging",),
        body=_XML,
        parameters=_VERSION,
        handler=object_tagging.put_object_tagging,
    ),
    Operation(
        "DeleteObjectTagging",
        "DELETE",
        _O,
        "s3:DeleteObjectTagging",
        ("tagging",),
        parameters=_VERSION,
        handler=object_tagging.delete_object_tagging,
    ),
    Operation(
        "GetObjectAcl",
        "GET",
        _O,
        "s3:GetObjectAcl",
        ("acl",),
        parameters=_VERSION,
        handler=object_acl.get_object_acl,
    ),
    Operation(
        "PutObjectAcl",
        "PUT",
        _O,
        "s3:PutObjectAcl",
        ("acl",),
        body=_XML,
        parameters=_VERSION,
        handler=object_acl.put_object_acl,
    ),
    # Multipart uploads.
    Operation(
        "CreateMultipartUpload",
        "POST",
        _O,
        "s3:PutObject",
        ("uploads",),
        handler=multipart.create_multipart_upload,
    ),
    Operation(
        "UploadPart",
        "PUT",
        _O,
        "s3:PutObject",
        ("uploadId",),
        body=_STREAM,
        parameters=frozenset({"partNumber"}),
        handler=upload_part.upload_part,
    ),
    Operation(
        "UploadPartCopy",
        "PUT",
        _O,
        "s3:PutObject",
        ("uploadId",),
        header="x-amz-copy-source",
        parameters=frozenset({"partNumber"}),
        handler=upload_part.upload_part_copy,
    ),
    Operation(
        "CompleteMultipartUpload",
        "POST",
        _O,
        "s3:PutObject",
        ("uploadId",),
        body=_XML,
        handler=multipart.complete_multipart_upload,
    ),
    Operation(
        "AbortMultipartUpload",
        "DELETE",
        _O,
        "s3:AbortMultipartUpload",
        ("uploadId",),
        handler=multipart.abort_multipart_upload,
    ),
    Operation(
        "ListParts",
        "GET",
        _O,
        "s3:ListMultipartUploadParts",
        ("uploadId",),
        parameters=frozenset({"max-parts", "part-number-marker", "encoding-type"}),
        handler=list_parts.list_parts,
    ),
    # Browsers ask before they send; the parts of apps' uploads alone are allowed.
    Operation("PreflightBucket", "OPTIONS", _B, "s3:GetBucketCORS", handler=preflight.preflight, public=True),
    Operation("PreflightObject", "OPTIONS", _O, "s3:GetBucketCORS", handler=preflight.preflight, public=True),
    Operation("PreflightService", "OPTIONS", _S, "s3:GetBucketCORS", handler=preflight.preflight, public=True),
    *NOT_BUILT,
)

BY_NAME = {operation.name: operation for operation in OPERATIONS}
