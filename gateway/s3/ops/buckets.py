"""ListBuckets, CreateBucket, HeadBucket, DeleteBucket."""

from __future__ import annotations

from gateway.http.dates import iso_date
from gateway.http.reply import Reply
from gateway.policy.scope import names
from gateway.s3.body import read_whole
from gateway.s3.call import Call
from gateway.s3.continuation import decode_token, encode_token
from gateway.s3.errors import S3Error, invalid_argument
from gateway.s3.listing_page import key_parameter
from gateway.s3.render import owner, xml_reply
from gateway.s3.xml import Writer, parse

MAX_BUCKETS = 10_000
_KIND = "buckets"


async def list_buckets(call: Call) -> Reply:
    """The account's own buckets by name; root sees its own too, as an account among others."""
    parameters = call.parameters
    limit = call.number("max-buckets", default=MAX_BUCKETS, maximum=MAX_BUCKETS)
    if limit == 0:
        raise invalid_argument("Argument max-buckets must be an integer between 1 and 10000", "max-buckets", "0")
    prefix = key_parameter(call, "prefix").decode()
    token = parameters.get("continuation-token")
    after = decode_token(token, _KIND).decode() if token else ""
    region = parameters.get("bucket-region")
    found = await call.services.buckets.list(call.account, prefix=prefix, after=after, limit=limit + 1)
    page = found[:limit]
    key = call.authentication.principal.access_key

    writer = Writer("ListAllMyBucketsResult")
    owner(writer, call.account)
    writer.open("Buckets")
    for bucket in page:
        if (region and bucket.region != region) or (key is not None and not names(key.scope, bucket.name)):
            continue
        writer.open("Bucket")
        writer.add("Name", bucket.name)
        writer.add("CreationDate", iso_date(bucket.created_ms))
        if "max-buckets" in parameters or "bucket-region" in parameters or prefix or token:
            writer.add("BucketRegion", bucket.region)
        writer.close("Bucket")
    writer.close("Buckets")
    if "prefix" in parameters:
        writer.add("Prefix", prefix)
    if len(found) > limit:
        writer.add("ContinuationToken", encode_token(page[-1].name.encode(), _KIND))
    return xml_reply(writer.finish())


async def create_bucket(call: Call) -> Reply:
    name = call.bucket_name or ""
    region = call.settings.region
    data = await read_whole(call, 64 * 1024)
    if data:
        document = parse(data, "CreateBucketConfiguration")
        document.only("LocationConstraint", "Location", "Bucket", "Tags")
        if document.find("Location") is not None or document.find("Bucket") is not None:
            raise S3Error("NotImplemented", "Directory buckets are not implemented")
        tags = document.find("Tags")
        if tags is not None and tags.children:
            raise S3Error("NotImplemented", "Tags of buckets are not implemented")
        wanted = document.value("LocationConstraint")
        if wanted and wanted != region:
            raise S3Error("InvalidLocationConstraint", fields=(("LocationConstraint", wanted[:128]),))
    await call.services.buckets.create(name, call.account)
    return Reply(200, [("Location", f"/{name}")])


async def head_bucket(call: Call) -> Reply:
    return Reply(200, [("x-amz-bucket-region", call.bucket.region), ("Content-Type", "application/xml")])


async def delete_bucket(call: Call) -> Reply:
    await call.services.buckets.delete(call.bucket)
    return Reply(204)
