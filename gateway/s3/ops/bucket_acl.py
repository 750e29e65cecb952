"""GetBucketAcl, PutBucketAcl."""

from __future__ import annotations

from gateway.http.reply import Reply
from gateway.s3.access_control import accept_acl
from gateway.s3.call import Call
from gateway.s3.render import acl_document, xml_reply


async def get_bucket_acl(call: Call) -> Reply:
    return xml_reply(acl_document(call.bucket.owner))


async def put_bucket_acl(call: Call) -> Reply:
    await accept_acl(call)
    return Reply(200)
