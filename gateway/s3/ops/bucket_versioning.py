"""GetBucketVersioning, PutBucketVersioning."""

from __future__ import annotations

from gateway.http.reply import Reply
from gateway.model.buckets import Versioning
from gateway.s3.body import read_xml
from gateway.s3.call import Call
from gateway.s3.errors import S3Error
from gateway.s3.render import xml_reply
from gateway.s3.xml import Writer

_STATUS = {"Enabled": Versioning.ENABLED, "Suspended": Versioning.SUSPENDED}


async def get_bucket_versioning(call: Call) -> Reply:
    """No status where versioning was never set."""
    writer = Writer("VersioningConfiguration")
    if call.bucket.versioning is not Versioning.UNVERSIONED:
        writer.add("Status", call.bucket.versioning.value)
    return xml_reply(writer.finish())


async def put_bucket_versioning(call: Call) -> Reply:
    document = await read_xml(call, "VersioningConfiguration")
    document.only("Status", "MfaDelete")
    mfa = document.value("MfaDelete")
    if mfa not in (None, "Enabled", "Disabled"):
        raise S3Error("MalformedXML")
    if mfa == "Enabled":
        raise S3Error("NotImplemented", "MFA delete is not implemented", fields=(("Element", "MfaDelete"),))
    text = document.value("Status")
    if text is None:
        raise S3Error("IllegalVersioningConfigurationException")
    status = _STATUS.get(text)
    if status is None:
        raise S3Error("MalformedXML")
    await call.services.buckets.set_versioning(call.bucket, status)
    return Reply(200)
