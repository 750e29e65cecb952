"""GetObjectAcl, PutObjectAcl."""

from __future__ import annotations

from gateway.http.reply import Reply
from gateway.s3.access_control import accept_acl
from gateway.s3.call import Call
from gateway.s3.ops.objects import version_headers
from gateway.s3.render import acl_document, xml_reply


async def get_object_acl(call: Call) -> Reply:
    version = await call.services.objects.get(call.bucket, call.key, call.version_id())
    return xml_reply(acl_document(call.bucket.owner), headers=version_headers(call.bucket, version.version_id))


async def put_object_acl(call: Call) -> Reply:
    version = await call.services.objects.get(call.bucket, call.key, call.version_id())
    await accept_acl(call)
    return Reply(200, version_headers(call.bucket, version.version_id))
