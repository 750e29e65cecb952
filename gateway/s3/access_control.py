"""Access control lists, of which there is one: the owner has FULL_CONTROL. Asking for that again is granted."""

from __future__ import annotations

from gateway.s3.body import read_whole
from gateway.s3.call import Call
from gateway.s3.errors import S3Error
from gateway.s3.xml import parse

MAX_ACL = 64 * 1024


async def accept_acl(call: Call) -> None:
    """Take a Put...Acl whose meaning is what there is anyway.

    A canned list was looked at with the other headers. Raises S3Error AccessControlListNotSupported, MalformedACLError,
    MissingRequestBodyError.
    """
    data = await read_whole(call, MAX_ACL)
    if "x-amz-acl" in call.headers:
        if data:
            raise S3Error("InvalidRequest", "Specifying both Canned ACLs and an ACL document is not allowed")
        return
    if not data:
        raise S3Error("MissingRequestBodyError")
    owner = call.bucket.owner.canonical_id
    try:
        policy = parse(data, "AccessControlPolicy")
        grants = policy.find("AccessControlList")
        if grants is None:
            raise S3Error("MalformedXML")
        for grant in grants.children:
            grantee = grant.find("Grantee")
            if grant.name != "Grant" or grantee is None:
                raise S3Error("MalformedXML")
            permission = grant.require("Permission")
            if permission != "FULL_CONTROL" or grantee.value("ID") != owner:
                raise S3Error("AccessControlListNotSupported")
        if not grants.children:
            raise S3Error("AccessControlListNotSupported")
    except S3Error as error:
        if error.code == "MalformedXML":
            raise S3Error("MalformedACLError") from None
        raise
