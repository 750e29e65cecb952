"""Every operation of S3, in one table: how a request selects it, what it may need, what carries it out.

Routing, authorisation, metric labels and the reference page derive from it. A row without a handler is an operation that
AWS has and Pixgate has not: 501 NotImplemented. Names, methods and keys are those of AWS's service model:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from gateway.http.reply import Reply
from gateway.s3.call import Call
from gateway.s3.errors import S3Error, invalid_argument
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

Handler = Callable[[Call], Awaitable[Reply]]


class Level(enum.Enum):
    SERVICE = "service"
    BUCKET = "bucket"
    OBJECT = "object"


class BodyKind(enum.Enum):
    """What a request's body is: nothing that is read, XML, or an object's bytes."""

    NONE = "none"
    XML = "XML"
    STREAM = "bytes"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `query` are the parameters that must all be there (`name` or `name=value`), `header` likewise.

    `permission` is IAM's action. `parameters` are further parameters that the operation reads. `aliases` are other names
    that AWS has for the same request.
    """

    name: str
    method: str
    level: Level
    permission: str
    query: tuple[str, ...] = ()
    header: str | None = None
    body: BodyKind = BodyKind.NONE
    parameters: frozenset[str] = frozenset()
    handler: Handler | None = None
    aliases: tuple[str, ...] = ()
    public: bool = False
    """Answered without asking who it is."""

    @property
    def built(self) -> bool:
        return self.handler is not None

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(piece.partition("=")[0] for piece in self.query)

    def permission_for(self, parameters: Mapping[str, str]) -> str:
        """The permission that this request needs: reading a named version is another than reading the current one."""
        if "versionId" in parameters and "versionId" in self.parameters:
            return self.permission.replace("Object", "ObjectVersion", 1)
        return self.permission

    def selects(self, parameters: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        if self.header is not None and self.header not in headers:
            return False
        for piece in self.query:
            name, separator, value = piece.partition("=")
            if name not in parameters or (separator and parameters[name] != value):
                return False
        return True


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


def _bucket_configuration(
    name: str, key: str, permission: str, *, delete: str | None = None, put_alias: str = "", get_alias: str = ""
) -> tuple[Operation, ...]:
    """The Get, Put and (where there is one) Delete of a configuration of buckets that is not built."""
    put_permission = f"s3:Put{permission}"
    rows = [
        Operation(f"Get{name}", "GET", _B, f"s3:Get{permission}", (key,), aliases=(get_alias,) if get_alias else ()),
        Operation(
            f"Put{name}", "PUT", _B, put_permission, (key,), body=_XML, aliases=(put_alias,) if put_alias else ()
        ),
    ]
    if delete is not None:
        rows.append(Operation(delete, "DELETE", _B, put_permission, (key,)))
    return tuple(rows)


def _listed_configuration(name: str, plural: str, key: str, permission: str) -> tuple[Operation, ...]:
    """A configuration of which a bucket has several, by id."""
    return (
        Operation(f"Get{name}", "GET", _B, f"s3:Get{permission}", (key, "id")),
        Operation(f"List{plural}", "GET", _B, f"s3:Get{permission}", (key,)),
        Operation(f"Put{name}", "PUT", _B, f"s3:Put{permission}", (key,), body=_XML),
        Operation(f"Delete{name}", "DELETE", _B, f"s3:Put{permission}", (key,)),
    )


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
    # What AWS has and Pixgate has not.
    Operation("PostObject", "POST", _B, "s3:PutObject", body=_STREAM, public=True),
    *_bucket_configuration("BucketAccelerateConfiguration", "accelerate", "AccelerateConfiguration"),
    *_bucket_configuration("BucketCors", "cors", "BucketCORS", delete="DeleteBucketCors"),
    *_bucket_configuration(
        "BucketLifecycleConfiguration",
        "lifecycle",
        "LifecycleConfiguration",
        delete="DeleteBucketLifecycle",
        put_alias="PutBucketLifecycle",
        get_alias="GetBucketLifecycle",
    ),
    *_bucket_configuration("BucketLogging", "logging", "BucketLogging"),
    *_bucket_configuration(
        "BucketNotificationConfiguration",
        "notification",
        "BucketNotification",
        put_alias="PutBucketNotification",
        get_alias="GetBucketNotification",
    ),
    *_bucket_configuration(
        "BucketOwnershipControls",
        "ownershipControls",
        "BucketOwnershipControls",
        delete="DeleteBucketOwnershipControls",
    ),
    *_bucket_configuration("BucketPolicy", "policy", "BucketPolicy", delete="DeleteBucketPolicy"),
    *_bucket_configuration(
        "BucketReplication", "replication", "ReplicationConfiguration", delete="DeleteBucketReplication"
    ),
    *_bucket_configuration("BucketRequestPayment", "requestPayment", "BucketRequestPayment"),
    *_bucket_configuration("BucketTagging", "tagging", "BucketTagging", delete="DeleteBucketTagging"),
    *_bucket_configuration("BucketWebsite", "website", "BucketWebsite", delete="DeleteBucketWebsite"),
    *_bucket_configuration("BucketAbac", "abac", "BucketAbac"),
    *_bucket_configuration(
        "PublicAccessBlock", "publicAccessBlock", "BucketPublicAccessBlock", delete="DeletePublicAccessBlock"
    ),
    *_bucket_configuration("ObjectLockConfiguration", "object-lock", "BucketObjectLockConfiguration"),
    *_listed_configuration(
        "BucketAnalyticsConfiguration", "BucketAnalyticsConfigurations", "analytics", "AnalyticsConfiguration"
    ),
    *_listed_configuration(
        "BucketIntelligentTieringConfiguration",
        "BucketIntelligentTieringConfigurations",
        "intelligent-tiering",
        "IntelligentTieringConfiguration",
    ),
    *_listed_configuration(
        "BucketInventoryConfiguration", "BucketInventoryConfigurations", "inventory", "InventoryConfiguration"
    ),
    *_listed_configuration(
        "BucketMetricsConfiguration", "BucketMetricsConfigurations", "metrics", "MetricsConfiguration"
    ),
    Operation("GetBucketPolicyStatus", "GET", _B, "s3:GetBucketPolicyStatus", ("policyStatus",)),
    Operation(
        "CreateBucketMetadataConfiguration",
        "POST",
        _B,
        "s3:CreateBucketMetadataTableConfiguration",
        ("metadataConfiguration",),
        body=_XML,
    ),
    Operation(
        "GetBucketMetadataConfiguration",
        "GET",
        _B,
        "s3:GetBucketMetadataTableConfiguration",
        ("metadataConfiguration",),
    ),
    Operation(
        "DeleteBucketMetadataConfiguration",
        "DELETE",
        _B,
        "s3:DeleteBucketMetadataTableConfiguration",
        ("metadataConfiguration",),
    ),
    Operation(
        "CreateBucketMetadataTableConfiguration",
        "POST",
        _B,
        "s3:CreateBucketMetadataTableConfiguration",
        ("metadataTable",),
        body=_XML,
    ),
    Operation(
        "GetBucketMetadataTableConfiguration",
        "GET",
        _B,
        "s3:GetBucketMetadataTableConfiguration",
        ("metadataTable",),
    ),
    Operation(
        "DeleteBucketMetadataTableConfiguration",
        "DELETE",
        _B,
        "s3:DeleteBucketMetadataTableConfiguration",
        ("metadataTable",),
    ),
    Operation(
        "UpdateBucketMetadataInventoryTableConfiguration",
        "PUT",
        _B,
        "s3:UpdateBucketMetadataInventoryTableConfiguration",
        ("metadataInventoryTable",),
        body=_XML,
    ),
    Operation(
        "UpdateBucketMetadataJournalTableConfiguration",
        "PUT",
        _B,
        "s3:UpdateBucketMetadataJournalTableConfiguration",
        ("metadataJournalTable",),
        body=_XML,
    ),
    Operation(
        "UpdateBucketMetadataAnnotationTableConfiguration",
        "PUT",
        _B,
        "s3:UpdateBucketMetadataAnnotationTableConfiguration",
        ("metadataAnnotationTable",),
        body=_XML,
    ),
    Operation("CreateSession", "GET", _B, "s3express:CreateSession", ("session",)),
    Operation(
        "WriteGetObjectResponse",
        "POST",
        _B,
        "s3-object-lambda:WriteGetObjectResponse",
        header="x-amz-request-route",
        body=_STREAM,
    ),
    Operation("GetObjectLegalHold", "GET", _O, "s3:GetObjectLegalHold", ("legal-hold",), parameters=_VERSION),
    Operation(
        "PutObjectLegalHold", "PUT", _O, "s3:PutObjectLegalHold", ("legal-hold",), body=_XML, parameters=_VERSION
    ),
    Operation("GetObjectRetention", "GET", _O, "s3:GetObjectRetention", ("retention",), parameters=_VERSION),
    Operation("PutObjectRetention", "PUT", _O, "s3:PutObjectRetention", ("retention",), body=_XML, parameters=_VERSION),
    Operation("GetObjectTorrent", "GET", _O, "s3:GetObject", ("torrent",)),
    Operation(
        "GetObjectAnnotation",
        "GET",
        _O,
        "s3:GetObjectAnnotation",
        ("annotation", "annotationName"),
        parameters=_VERSION,
    ),
    Operation("ListObjectAnnotations", "GET", _O, "s3:ListObjectAnnotations", ("annotation",), parameters=_VERSION),
    Operation(
        "PutObjectAnnotation", "PUT", _O, "s3:PutObjectAnnotation", ("annotation",), body=_STREAM, parameters=_VERSION
    ),
    Operation(
        "DeleteObjectAnnotation", "DELETE", _O, "s3:DeleteObjectAnnotation", ("annotation",), parameters=_VERSION
    ),
    Operation("RenameObject", "PUT", _O, "s3express:CreateSession", ("renameObject",)),
    Operation("RestoreObject", "POST", _O, "s3:RestoreObject", ("restore",), body=_XML, parameters=_VERSION),
    Operation("SelectObjectContent", "POST", _O, "s3:GetObject", ("select",), body=_XML),
    Operation(
        "UpdateObjectEncryption",
        "PUT",
        _O,
        "s3:UpdateObjectEncryption",
        ("encryption",),
        body=_XML,
        parameters=_VERSION,
    ),
)

_PARTIAL = frozenset({"id", "uploadId", "partNumber", "annotationName", "max-directory-buckets", "list-type"})
"""Keys that help to select and are no sub-resources by themselves."""
_SELECTORS = frozenset().union(*(operation.keys for operation in OPERATIONS))
_SUBRESOURCES = _SELECTORS - _PARTIAL
_GUARDED = ("versionId", "uploadId", "partNumber")
"""Parameters that mean much where they mean something: elsewhere they are refused, not overlooked."""
_NOT_ACCEPTED = {
    "versionId": "This operation does not accept a version-id.",
    "uploadId": "This operation does not accept a query-string.",
    "partNumber": "This operation does not accept a query-string.",
}


def _groups() -> dict[tuple[str, Level], tuple[Operation, ...]]:
    groups: dict[tuple[str, Level], list[Operation]] = {}
    for operation in OPERATIONS:
        groups.setdefault((operation.method, operation.level), []).append(operation)
    return {
        place: tuple(sorted(rows, key=lambda row: len(row.query) + (row.header is not None), reverse=True))
        for place, rows in groups.items()
    }


_BY_PLACE = _groups()
_PLAIN = {
    place: next((row for row in rows if not row.query and row.header is None), None)
    for place, rows in _BY_PLACE.items()
}
_WITH_HEADER = frozenset(
    (operation.method, operation.level) for operation in OPERATIONS if operation.header is not None
)


def resolve(method: str, level: Level, parameters: Mapping[str, str], headers: Mapping[str, str]) -> Operation:
    """The operation that a request asks for. `headers` finds names in lower case.

    Raises S3Error MethodNotAllowed (no such operation) or InvalidArgument (a parameter that it must not have).
    """
    place = (method, level)
    if (not parameters or _SELECTORS.isdisjoint(parameters)) and place not in _WITH_HEADER:
        operation = _PLAIN.get(place)
        if operation is not None and "versionId" not in parameters:
            return operation
    if method == "OPTIONS" and (preflight := _PLAIN.get(place)) is not None:
        # A browser asks of the address that a page will send to, whatever is in its query.
        return preflight
    operation = next((row for row in _BY_PLACE.get(place, ()) if row.selects(parameters, headers)), None)
    if operation is None or (not operation.query and not _SUBRESOURCES.isdisjoint(parameters)):
        raise S3Error("MethodNotAllowed", fields=(("Method", method), ("ResourceType", level.name)))
    for name in _GUARDED:
        if name in parameters and name not in operation.parameters and name not in operation.query:
            raise invalid_argument(_NOT_ACCEPTED[name], name, parameters[name])
    if "list-type" in parameters and operation.name == "ListObjects":
        raise invalid_argument("Invalid List Type", "list-type", parameters["list-type"])
    return operation


BY_NAME = {operation.name: operation for operation in OPERATIONS}
