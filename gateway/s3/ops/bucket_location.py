"""GetBucketLocation."""

from __future__ import annotations

from gateway.http.reply import Reply
from gateway.s3.call import Call
from gateway.s3.render import xml_reply
from gateway.s3.xml import DECLARATION, NAMESPACE, escape


async def get_bucket_location(call: Call) -> Reply:
    """An empty element means us-east-1."""
    region = call.bucket.region
    text = "" if region == "us-east-1" else escape(region)
    return xml_reply(f'{DECLARATION}<LocationConstraint xmlns="{NAMESPACE}">{text}</LocationConstraint>'.encode())
