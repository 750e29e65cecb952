"""The mark that says to which deployment a place in a bucket belongs."""

from __future__ import annotations

from gateway.blobs.upstream.client import Client
from gateway.blobs.upstream.errors import BadResponse, Refused
from gateway.blobs.upstream.features import Features
from gateway.blobs.upstream.put import put_whole
from gateway.blobs.upstream.request import Headers, Request
from gateway.errors import InvalidValue

MARKER_BYTES = 1024


async def claim(
    client: Client,
    features: Features,
    bucket: str,
    key: bytes,
    deployment: str,
    *,
    used: bool,
    headers: Headers = (),
) -> None:
    """Write the mark where there is none, and compare it.

    Of several deployments that begin at once in an empty place one wins where the service has conditional writes; the
    others find that out here. Raises InvalidValue, UpstreamError, DiskFull.
    """
    place = f"{bucket}/{key.decode()}"
    found = await _read(client, bucket, key)
    if found is None:
        if used:
            raise InvalidValue(
                f"the database names blobs, but the object {place} is missing: is it another bucket, or an emptied one? "
                f"(the object holds one line: {deployment})"
            )
        condition = (("if-none-match", "*"),) if features.conditional_writes else ()
        try:
            await put_whole(client, features, bucket, key, f"{deployment}\n".encode(), (*headers, *condition))
        except Refused as error:
            if error.status not in (409, 412):
                raise
        found = await _read(client, bucket, key)
    if found != deployment:
        raise InvalidValue(
            f"the store in {place} belongs to the deployment {found}, the database to {deployment}: "
            "one of the two was exchanged"
        )


async def _read(client: Client, bucket: str, key: bytes) -> str | None:
    answer = await client.call(Request("GetObject", "GET", bucket, key), accept=(404,), limit=MARKER_BYTES)
    if answer.status == 404:
        error = answer.error()
        if isinstance(error, Refused) and error.code not in ("NoSuchKey", ""):
            raise error
        return None
    try:
        return answer.body.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise BadResponse("the mark of the deployment is garbled") from error
