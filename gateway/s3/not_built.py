"""The operations on buckets and objects that AWS has and Pixgate has not: 501 NotImplemented."""

from __future__ import annotations

from gateway.s3.operation import BodyKind, Level, Operation

_VERSION = frozenset({"versionId"})
_B, _O = Level.BUCKET, Level.OBJECT
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


NOT_BUILT: tuple[Operation, ...] = (
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
