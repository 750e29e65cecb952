"""Errors of a store in words for who looks after it. They may name hosts and buckets, but never a secret."""

from __future__ import annotations

from gateway.blobs.upstream.errors import Refused, UpstreamError
from gateway.settings.stores import S3Store


def place_of(settings: S3Store) -> str:
    return f"store {settings.name}, bucket {settings.bucket} on {settings.endpoint}"


def locate(error: UpstreamError, settings: S3Store) -> None:
    """Let the note of an error say which store it is about."""
    error.__notes__ = [f"{place_of(settings)}: {explain(error, settings).removeprefix(f'{settings.endpoint}: ')}"]


def explain(error: UpstreamError, settings: S3Store) -> str:
    """What is wrong."""
    if isinstance(error, Refused):
        if error.code == "NoSuchBucket" or (error.status == 404 and not error.code):
            return f"the bucket {settings.bucket} does not exist (where nothing was ever stored in it, the server makes it)"
        if error.code in ("InvalidAccessKeyId", "SignatureDoesNotMatch"):
            return f"the keys are wrong: {error.detail}"
        if error.code == "RequestTimeTooSkewed":
            return f"the clocks differ too much: {error.detail}"
        if error.status in (301, 307, 308) or error.code in ("AuthorizationHeaderMalformed", "PermanentRedirect"):
            return f"the region or the endpoint is another: {error.detail}"
    return f"{settings.endpoint}: {error.detail}"
