"""One request on its way through the door: what was found out about it, for its handler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aiohttp.web import BaseRequest

from gateway.auth.authenticate import Authentication
from gateway.http.incoming import Incoming
from gateway.http.secure import is_secure
from gateway.model.accounts import Account
from gateway.model.buckets import Bucket
from gateway.model.objects import ObjectVersion
from gateway.s3.error_document import error_document
from gateway.s3.errors import S3Error, invalid_argument
from gateway.telemetry.request import RequestRecord

if TYPE_CHECKING:
    from gateway.s3.operation import Operation
    from gateway.services import Services
    from gateway.services.objects import Ahead
    from gateway.services.renditions import Renditions, View
    from gateway.settings.settings import Settings


@dataclass(slots=True)
class Call:
    """A request that is authenticated and authorised.

    `parameters` are the query by name. `headers` have lower-case names; what a presigned URL carries as `x-amz-*`
    parameters is among them. `now` in Unix seconds.
    """

    request: BaseRequest
    record: RequestRecord
    services: Services
    settings: Settings
    operation: Operation
    bucket_name: str | None
    raw_key: bytes | None
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    authentication: Authentication
    resolved_bucket: Bucket | None
    now: float
    incoming: Incoming
    resource: str
    host_id: str
    ahead: Ahead | None = None
    view: View | None = None
    """What the bucket is where it is none: read-only, and the resolved bucket only lends it a name and an owner."""
    renditions: Renditions | None = None

    def error_document(self, error: S3Error) -> bytes:
        """The XML that answers with this error."""
        return error_document(
            error,
            bucket=self.bucket_name,
            resource=self.resource,
            request_id=self.record.request_id,
            host_id=self.host_id,
        )

    @property
    def bucket(self) -> Bucket:
        """The bucket, which exists."""
        if self.resolved_bucket is None:
            raise S3Error("NoSuchBucket")
        return self.resolved_bucket

    @property
    def key(self) -> bytes:
        if self.raw_key is None:
            raise S3Error("MethodNotAllowed")
        return self.raw_key

    @property
    def account(self) -> Account:
        account = self.authentication.principal.account
        if account is None:
            raise S3Error("AccessDenied")
        return account

    @property
    def secure(self) -> bool:
        """Whether nobody on the way could read this request."""
        return is_secure(self.request, self.settings.trusted_proxies)

    def without_checksums(self) -> Call:
        """The same request, its `x-amz-checksum-*` headers set aside: they speak of an object and not of the body."""
        headers = {name: value for name, value in self.headers.items() if not name.startswith("x-amz-checksum-")}
        return replace(self, headers=headers)

    def number(self, name: str, *, default: int, maximum: int, cap: bool = False) -> int:
        """A whole number in the query from 0 to `maximum`. `cap`: more is taken as the maximum.

        Raises S3Error InvalidArgument.
        """
        text = self.parameters.get(name)
        if not text:
            return default
        return parse_number(text, name, minimum=0, maximum=maximum, cap=cap)

    def upload_id(self) -> str:
        """The multipart upload that the query names. Raises S3Error NoSuchUpload where it cannot be one."""
        upload = self.parameters["uploadId"]
        if not upload.isascii() or "\0" in upload:
            raise S3Error("NoSuchUpload")
        return upload

    async def version(self) -> ObjectVersion:
        """The version that the request is about. Raises ObjectNotFound, VersionNotFound, IsDeleteMarker and the like."""
        return await self.services.objects.get(self.bucket, self.key, self.version_id(), ahead=self.ahead)

    def version_id(self) -> str | None:
        """The version that the query names, or None. Raises S3Error InvalidArgument where it is empty."""
        version = self.parameters.get("versionId")
        if version == "":
            raise invalid_argument("Version id cannot be the empty string", "versionId", "")
        return version


def parse_number(text: str, name: str, *, minimum: int, maximum: int, cap: bool = False) -> int:
    """A whole number of `minimum` to `maximum`. Raises S3Error InvalidArgument."""
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise invalid_argument(f"Provided {name} not an integer or within integer range", name, text)
    value = int(text)
    if value > maximum and cap:
        return maximum
    if not minimum <= value <= maximum:
        raise invalid_argument(f"Argument {name} must be an integer between {minimum} and {maximum}", name, text)
    return value
