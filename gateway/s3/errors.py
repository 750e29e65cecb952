"""The S3 door's errors: AWS's codes with status and message, and the one map from what goes wrong inside.

Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway import errors as facts
from gateway.auth.errors import AuthenticationError
from gateway.model.objects import MAX_OBJECT_BYTES, MAX_PUT_BYTES
from gateway.model.uploads import MIN_PART_BYTES
from signing.errors import SigningError

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Code:
    """An error code of S3: its HTTP status and what it says where nothing better is known."""

    status: int
    message: str


CODES: dict[str, Code] = {
    "AccessControlListNotSupported": Code(400, "The bucket does not allow ACLs"),
    "AccessDenied": Code(403, "Access Denied"),
    "AccessForbidden": Code(403, "CORSResponse: CORS is not enabled for this bucket."),
    "AuthorizationHeaderMalformed": Code(400, "The authorization header that you provided is not valid."),
    "AuthorizationQueryParametersError": Code(
        400, "The authorization query parameters that you provided are not valid."
    ),
    "BadDigest": Code(
        400, "The Content-MD5 or checksum value that you specified did not match what the server received."
    ),
    "BadRequest": Code(400, "An error occurred when parsing the HTTP request."),
    "BrokenImage": Code(422, "The stored image is truncated or broken."),
    "BucketAlreadyExists": Code(
        409,
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
        "Please select a different name and try again.",
    ),
    "BucketAlreadyOwnedByYou": Code(
        409, "Your previous request to create the named bucket succeeded and you already own it."
    ),
    "BucketNotEmpty": Code(409, "The bucket you tried to delete is not empty"),
    "ConditionalRequestConflict": Code(
        409, "The conditional request cannot succeed due to a conflicting operation against this resource."
    ),
    "EntityTooLarge": Code(400, "Your proposed upload exceeds the maximum allowed size"),
    "EntityTooSmall": Code(400, "Your proposed upload is smaller than the minimum allowed size"),
    "ExpectationFailed": Code(417, "The only expectation that is supported is 100-continue"),
    "IllegalVersioningConfigurationException": Code(
        400, "The versioning configuration that you specified in the request is invalid."
    ),
    "ImageTooLarge": Code(413, "The stored image is larger than is decoded here."),
    "IncompleteBody": Code(400, "You did not provide the number of bytes specified by the Content-Length HTTP header"),
    "InternalError": Code(500, "We encountered an internal error. Please try again."),
    "InvalidAccessKeyId": Code(403, "The AWS Access Key Id you provided does not exist in our records."),
    "InvalidArgument": Code(400, "Invalid Argument"),
    "InvalidBucketName": Code(400, "The specified bucket is not valid."),
    "InvalidChunkSizeError": Code(403, "Only the last chunk is allowed to have a size less than 8192 bytes"),
    "InvalidDigest": Code(400, "The Content-MD5 you specified was invalid."),
    "InvalidEncryptionAlgorithmError": Code(
        400, "The Encryption request you specified is not valid. Supported value: AES256."
    ),
    "InvalidLocationConstraint": Code(400, "The specified location-constraint is not valid"),
    "InvalidPart": Code(
        400,
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified "
        "entity tag may not match the part's entity tag.",
    ),
    "InvalidPartNumber": Code(416, "The requested partnumber is not satisfiable"),
    "InvalidPartOrder": Code(
        400, "The list of parts was not in ascending order. Parts must be ordered by part number."
    ),
    "InvalidRange": Code(416, "The requested range is not satisfiable"),
    "InvalidRequest": Code(400, "Invalid Request"),
    "InvalidStorageClass": Code(400, "The storage class you specified is not valid"),
    "InvalidTag": Code(400, "The tag provided was not a valid tag."),
    "InvalidToken": Code(400, "The provided token is malformed or otherwise invalid."),
    "InvalidURI": Code(400, "Couldn't parse the specified URI."),
    "KeyTooLongError": Code(400, "Your key is too long"),
    "MalformedACLError": Code(
        400, "The XML you provided was not well-formed or did not validate against our published schema"
    ),
    "MalformedTrailerError": Code(
        400,
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    ),
    "MalformedXML": Code(
        400, "The XML you provided was not well-formed or did not validate against our published schema"
    ),
    "MaxMessageLengthExceeded": Code(400, "Your request was too big."),
    "MetadataTooLarge": Code(400, "Your metadata headers exceed the maximum allowed metadata size"),
    "MethodNotAllowed": Code(405, "The specified method is not allowed against this resource."),
    "MissingContentLength": Code(411, "You must provide the Content-Length HTTP header."),
    "MissingRequestBodyError": Code(400, "Request Body is empty"),
    "NoSuchBucket": Code(404, "The specified bucket does not exist"),
    "NoSuchKey": Code(404, "The specified key does not exist."),
    "NoSuchUpload": Code(
        404,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
        "completed.",
    ),
    "NoSuchVersion": Code(404, "The specified version does not exist."),
    "NotImplemented": Code(501, "A header or query you provided implies functionality that is not implemented"),
    "PreconditionFailed": Code(412, "At least one of the pre-conditions you specified did not hold"),
    "QuotaExceeded": Code(403, "The account that owns the bucket has no room for this."),
    "RenderFailed": Code(500, "Rendering this image failed."),
    "RenderTimeout": Code(504, "Rendering this image took too long."),
    "RequestHeaderSectionTooLarge": Code(
        400, "The request header and query parameters used to make the request exceed the maximum allowed size."
    ),
    "RequestTimeTooSkewed": Code(403, "The difference between the request time and the current time is too large."),
    "ServerSideEncryptionConfigurationNotFoundError": Code(
        404, "The server side encryption configuration was not found"
    ),
    "ServiceUnavailable": Code(503, "Service is unable to handle request."),
    "SignatureDoesNotMatch": Code(
        403,
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
    ),
    "SlowDown": Code(503, "Please reduce your request rate."),
    "UnsupportedMediaType": Code(415, "The object is not an image that can be read here."),
    "XAmzContentSHA256Mismatch": Code(
        400, "The provided 'x-amz-content-sha256' header does not match what was computed."
    ),
}


class S3Error(Exception):
    """An answer with an error code of S3.

    `fields` are extra elements of its XML, `headers` extra headers of the answer. `close`: the connection ends with it.
    """

    def __init__(
        self, code: str, message: str = "", *, fields: Fields = (), headers: Fields = (), close: bool = False
    ) -> None:
        row = CODES[code]
        super().__init__(message or row.message)
        self.code = code
        self.status = row.status
        self.fields = fields
        self.headers = headers
        self.close = close


def not_implemented(header: str) -> S3Error:
    """The answer to a header that asks for something which is not built."""
    return S3Error(
        "NotImplemented",
        f"A header you provided implies functionality that is not implemented: {header[:128]}",
        fields=(("Header", header),),
    )


def invalid_argument(message: str, name: str, value: str) -> S3Error:
    return S3Error("InvalidArgument", message, fields=(("ArgumentName", name), ("ArgumentValue", value[:1024])))


def _object_not_found(error: facts.GatewayError) -> S3Error:
    assert isinstance(error, facts.ObjectNotFound)
    headers: Fields = ()
    if error.delete_marker_version is not None:
        headers = (("x-amz-delete-marker", "true"), ("x-amz-version-id", error.delete_marker_version))
    return S3Error("NoSuchKey", headers=headers)


def _is_delete_marker(error: facts.GatewayError) -> S3Error:
    from gateway.http.dates import http_date

    assert isinstance(error, facts.IsDeleteMarker)
    return S3Error(
        "MethodNotAllowed",
        fields=(("ResourceType", "DeleteMarker"),),
        headers=(
            ("x-amz-delete-marker", "true"),
            ("x-amz-version-id", error.version_id),
            ("Last-Modified", http_date(error.modified_ms // 1000)),
            ("Allow", "DELETE"),
        ),
    )


def _precondition_failed(error: facts.GatewayError) -> S3Error:
    assert isinstance(error, facts.PreconditionFailed)
    return S3Error("PreconditionFailed", fields=(("Condition", error.condition),))


def _part_too_small(error: facts.GatewayError) -> S3Error:
    assert isinstance(error, facts.PartTooSmall)
    return S3Error(
        "EntityTooSmall",
        fields=(
            ("ProposedSize", str(error.size)),
            ("MinSizeAllowed", str(MIN_PART_BYTES)),
            ("PartNumber", str(error.number)),
            ("ETag", error.etag),
        ),
    )


def _unavailable(error: facts.GatewayError) -> S3Error:
    assert isinstance(error, facts.Unavailable)
    code = "SlowDown" if isinstance(error, facts.Overloaded) else "ServiceUnavailable"
    return S3Error(code, headers=(("Retry-After", str(error.retry_after)),))


def _with(code: str, *, own_text: bool = True) -> Callable[[facts.GatewayError], S3Error]:
    """The code, with the fact's own text where it has one."""

    def make(error: facts.GatewayError) -> S3Error:
        return S3Error(code, str(error) if own_text else "")

    return make


FACTS: dict[type[facts.GatewayError], Callable[[facts.GatewayError], S3Error]] = {
    facts.GatewayError: _with("InternalError", own_text=False),
    facts.NotFound: _with("NoSuchKey", own_text=False),
    facts.BucketNotFound: _with("NoSuchBucket", own_text=False),
    facts.ObjectNotFound: _object_not_found,
    facts.VersionNotFound: _with("NoSuchVersion", own_text=False),
    facts.UploadNotFound: _with("NoSuchUpload", own_text=False),
    facts.AccountNotFound: _with("AccessDenied", own_text=False),
    facts.KeyNotFound: _with("InvalidAccessKeyId", own_text=False),
    facts.UserNotFound: _with("AccessDenied", own_text=False),
    facts.ImageNotFound: _with("NoSuchKey", own_text=False),
    facts.JobNotFound: _with("NoSuchKey", own_text=False),
    facts.ShareNotFound: _with("NoSuchKey", own_text=False),
    facts.Conflict: _with("ConditionalRequestConflict"),
    facts.BucketExists: _with("BucketAlreadyExists", own_text=False),
    facts.BucketOwnedByYou: _with("BucketAlreadyOwnedByYou", own_text=False),
    facts.BucketNotEmpty: _with("BucketNotEmpty", own_text=False),
    facts.AccountExists: _with("ConditionalRequestConflict"),
    facts.EmailExists: _with("ConditionalRequestConflict"),
    facts.DuplicateImage: _with("ConditionalRequestConflict"),
    facts.ConditionalConflict: _with("ConditionalRequestConflict", own_text=False),
    facts.PreconditionFailed: _precondition_failed,
    facts.IsDeleteMarker: _is_delete_marker,
    facts.Invalid: _with("InvalidArgument"),
    facts.InvalidBucketName: _with("InvalidBucketName", own_text=False),
    facts.InvalidKey: _with("InvalidArgument"),
    facts.InvalidVersionId: _with("InvalidArgument"),
    facts.InvalidPart: _with("InvalidPart", own_text=False),
    facts.InvalidPartOrder: _with("InvalidPartOrder", own_text=False),
    facts.PartTooSmall: _part_too_small,
    facts.ObjectTooLarge: lambda _: S3Error("EntityTooLarge", fields=(("MaxSizeAllowed", str(MAX_OBJECT_BYTES)),)),
    facts.InvalidTag: _with("InvalidTag"),
    facts.InvalidCompletion: _with("InvalidRequest"),
    facts.InvalidName: _with("InvalidArgument"),
    facts.InvalidValue: _with("InvalidArgument"),
    facts.WrongMasterKey: _with("InternalError", own_text=False),
    facts.BodyMismatch: _with("BadDigest"),
    facts.LengthMismatch: _with("IncompleteBody", own_text=False),
    facts.Md5Mismatch: _with("BadDigest", own_text=False),
    facts.Sha256Mismatch: _with("XAmzContentSHA256Mismatch", own_text=False),
    facts.ChecksumMismatch: _with("BadDigest"),
    facts.AccessRefused: _with("AccessDenied", own_text=False),
    facts.CredentialsRefused: _with("AccessDenied", own_text=False),
    facts.TokenRefused: _with("AccessDenied"),
    facts.RegistrationClosed: _with("AccessDenied", own_text=False),
    facts.QuotaExceeded: _with("QuotaExceeded"),
    facts.RateLimited: _with("SlowDown", own_text=False),
    facts.BlobDamaged: _with("InternalError", own_text=False),
    facts.Unavailable: _unavailable,
    facts.DatabaseUnavailable: _unavailable,
    facts.StoreUnavailable: _unavailable,
    facts.AdoptedChanged: _unavailable,
    facts.DiskFull: _unavailable,
    facts.LeaseLost: _unavailable,
    facts.Overloaded: _unavailable,
    facts.PasswordsBusy: _unavailable,
    facts.IssuerUnavailable: _unavailable,
    facts.UploadsBusy: _unavailable,
}
"""Every fact of `gateway.errors` and its answer here; what is derived from one elsewhere is answered like it."""


def translate(error: Exception) -> S3Error | None:
    """The answer to what went wrong; None for what nobody foresaw."""
    if isinstance(error, S3Error):
        return error
    if isinstance(error, facts.GatewayError):
        # A store's own errors are one of these facts, told more exactly.
        for kind in type(error).__mro__:
            make = FACTS.get(kind)
            if make is not None:
                return make(error)
    if isinstance(error, (SigningError, AuthenticationError)):
        return S3Error(error.code, str(error), fields=error.fields)
    return None


def too_large(size: int) -> S3Error:
    """The answer to a body of more than 5 GiB."""
    return S3Error("EntityTooLarge", fields=(("ProposedSize", str(size)), ("MaxSizeAllowed", str(MAX_PUT_BYTES))))
