"""Deleting many objects. Only the sweep and fsck ask for it.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gateway.blobs.upstream.checksum import base64_md5
from gateway.blobs.upstream.client import STALL_SECONDS, Client
from gateway.blobs.upstream.errors import Refused, ServerError, UpstreamError
from gateway.blobs.upstream.request import Request
from gateway.blobs.upstream.xml import escape

BATCH = 1000
ABREAST = 8
"""Single deletes at once, where the service has no other."""
_GONE = frozenset({"NoSuchKey", "NoSuchVersion"})


async def remove_objects(client: Client, bucket: str, keys: Sequence[bytes]) -> None:
    """Delete them; those that are missing are deleted already. Raises UpstreamError."""
    for start in range(0, len(keys), BATCH):
        batch = keys[start : start + BATCH]
        if len(batch) == 1:
            await remove_object(client, bucket, batch[0])
            continue
        try:
            await _remove_batch(client, bucket, batch)
        except (Refused, ServerError) as error:
            if error.status not in (400, 403, 404, 405, 501) or error.code in ("NoSuchBucket", "AccessDenied"):
                raise
            await remove_each(client, bucket, batch)


async def remove_each(client: Client, bucket: str, keys: Sequence[bytes]) -> None:
    """Delete them one by one, some abreast. Raises UpstreamError."""
    for start in range(0, len(keys), ABREAST):
        await asyncio.gather(*(remove_object(client, bucket, key) for key in keys[start : start + ABREAST]))


async def remove_object(client: Client, bucket: str, key: bytes, version_id: str | None = None) -> None:
    """Delete one. Raises UpstreamError."""
    query = "" if version_id is None else f"versionId={version_id}"
    answer = await client.call(Request("DeleteObject", "DELETE", bucket, key, query), accept=(404,))
    if answer.status == 404 and "NoSuchBucket" in answer.body.decode("utf-8", "replace"):
        raise answer.error()


async def _remove_batch(client: Client, bucket: str, keys: Sequence[bytes]) -> None:
    objects = "".join(f"<Object><Key>{escape(key.decode())}</Key></Object>" for key in keys)
    document = (
        f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>{objects}</Delete>'
    ).encode()
    headers = (("content-md5", base64_md5(document)),)
    request = Request("DeleteObjects", "POST", bucket, query="delete=", headers=headers, body=document)
    result = (await client.call(request, timeout=STALL_SECONDS)).xml("DeleteResult")
    for error in result.all("Error"):
        if error.get("Code") not in _GONE:
            raise UpstreamError(f"DeleteObjects: {error.get('Code')} ({error.get('Message')})")
