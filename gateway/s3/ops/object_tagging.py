"""GetObjectTagging, PutObjectTagging, DeleteObjectTagging."""

from __future__ import annotations

from gateway.http.reply import Reply
from gateway.s3.body import read_xml
from gateway.s3.call import Call
from gateway.s3.errors import S3Error
from gateway.s3.ops.objects import version_headers
from gateway.s3.render import xml_reply
from gateway.s3.tags import check_tags
from gateway.s3.xml import Writer


async def get_object_tagging(call: Call) -> Reply:
    version_id, tags = await call.services.objects.get_tags(call.bucket, call.key, call.version_id())
    writer = Writer("Tagging")
    writer.open("TagSet")
    for name, value in tags:
        writer.open("Tag")
        writer.add("Key", name)
        writer.add("Value", value)
        writer.close("Tag")
    writer.close("TagSet")
    return xml_reply(writer.finish(), headers=version_headers(call.bucket, version_id))


async def put_object_tagging(call: Call) -> Reply:
    document = await read_xml(call, "Tagging")
    tag_set = document.find("TagSet")
    if tag_set is None:
        raise S3Error("MalformedXML")
    tag_set.only("Tag")
    tags = check_tags([(tag.require("Key"), tag.require("Value")) for tag in tag_set.children])
    version_id = await call.services.objects.set_tags(call.bucket, call.key, call.version_id(), tags)
    return Reply(200, version_headers(call.bucket, version_id))


async def delete_object_tagging(call: Call) -> Reply:
    version_id = await call.services.objects.delete_tags(call.bucket, call.key, call.version_id())
    return Reply(204, version_headers(call.bucket, version_id))
