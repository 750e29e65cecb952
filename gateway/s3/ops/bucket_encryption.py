"""GetBucketEncryption, PutBucketEncryption, DeleteBucketEncryption: what objects get that ask for no encryption."""

from __future__ import annotations

from gateway.http.reply import Reply
from gateway.model.contents import Encryption
from gateway.s3.body import read_xml
from gateway.s3.call import Call
from gateway.s3.errors import S3Error
from gateway.s3.render import xml_reply
from gateway.s3.xml import Element, Writer, boolean

_ROOT, _DEFAULT = "ServerSideEncryptionConfiguration", "ApplyServerSideEncryptionByDefault"
_UNBUILT = frozenset({"aws:kms", "aws:kms:dsse", "aws:fsx", "aws:backup"})


async def get_bucket_encryption(call: Call) -> Reply:
    """404 where there is no default: then objects are stored as they come."""
    encryption = call.bucket.encryption
    if encryption is None:
        raise S3Error("ServerSideEncryptionConfigurationNotFoundError")
    writer = Writer(_ROOT)
    writer.open("Rule")
    writer.open(_DEFAULT)
    writer.add("SSEAlgorithm", encryption.value)
    writer.close(_DEFAULT)
    writer.add("BucketKeyEnabled", boolean(False))
    writer.close("Rule")
    return xml_reply(writer.finish())


async def put_bucket_encryption(call: Call) -> Reply:
    document = await read_xml(call, _ROOT)
    document.only("Rule")
    if len(document.children) != 1:
        raise S3Error("MalformedXML")
    await call.services.buckets.set_encryption(call.bucket, _algorithm(document.children[0]))
    return Reply(200)


def _algorithm(rule: Element) -> Encryption:
    rule.only(_DEFAULT, "BucketKeyEnabled", "BlockedEncryptionTypes")
    blocked = rule.find("BlockedEncryptionTypes")
    if blocked is not None:
        blocked.only("EncryptionType")
        types = {child.text.strip() for child in blocked.children}
        if not types or types - {"NONE", "SSE-C"}:
            raise S3Error("MalformedXML")
        if types != {"NONE"}:
            raise S3Error(
                "NotImplemented", "Blocking SSE-C is not implemented", fields=(("Element", "BlockedEncryptionTypes"),)
            )
    # It is about keys of KMS: with AES256 S3 takes it and it changes nothing.
    if rule.value("BucketKeyEnabled") not in (None, "true", "false"):
        raise S3Error("MalformedXML")
    default = rule.find(_DEFAULT)
    if default is None:
        raise S3Error("MalformedXML")
    default.only("SSEAlgorithm", "KMSMasterKeyID")
    algorithm = default.require("SSEAlgorithm").strip()
    if algorithm in _UNBUILT:
        raise S3Error(
            "NotImplemented", f"Encryption with {algorithm} is not implemented", fields=(("Element", "SSEAlgorithm"),)
        )
    if algorithm != Encryption.SSE_S3:
        raise S3Error("MalformedXML")
    if default.find("KMSMasterKeyID") is not None:
        raise S3Error(
            "InvalidArgument",
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
            fields=(("ArgumentName", _DEFAULT),),
        )
    return Encryption.SSE_S3


async def delete_bucket_encryption(call: Call) -> Reply:
    await call.services.buckets.set_encryption(call.bucket, None)
    return Reply(204)
