"""Facts that go wrong, as the services raise them. They know nothing of HTTP; each door maps them once.

GatewayError
├── NotFound: BucketNotFound, ObjectNotFound, VersionNotFound, UploadNotFound, AccountNotFound, KeyNotFound,
│             UserNotFound, ImageNotFound, ShareNotFound, JobNotFound
├── Conflict: BucketExists, BucketOwnedByYou, BucketNotEmpty, AccountExists, EmailExists,
│             ConditionalConflict, DuplicateImage
├── PreconditionFailed
├── IsDeleteMarker
├── Invalid: InvalidBucketName, InvalidKey, InvalidVersionId, InvalidPart, InvalidPartOrder, PartTooSmall,
│            ObjectTooLarge, InvalidTag, InvalidCompletion, InvalidName, InvalidValue
├── BodyMismatch: LengthMismatch, Md5Mismatch, Sha256Mismatch, ChecksumMismatch
├── AccessRefused: QuotaExceeded, CredentialsRefused, TokenRefused, RegistrationClosed
├── RateLimited
├── BlobDamaged
└── Unavailable: DatabaseUnavailable, StoreUnavailable (AdoptedChanged), DiskFull, LeaseLost, Overloaded,
                 UploadsBusy, PasswordsBusy, IssuerUnavailable
"""

from __future__ import annotations


class GatewayError(Exception):
    """The root. The text is for people and safe to show to a client."""


def for_operator(error: BaseException) -> str:
    """The text with what a client may not see, such as the host of a store: that stands in the error's notes."""
    return " ".join([str(error), *(f"({note})" for note in getattr(error, "__notes__", ()))])


class NotFound(GatewayError):
    pass


class BucketNotFound(NotFound):
    pass


class ObjectNotFound(NotFound):
    """There is no such key. `delete_marker_version` is the current delete marker's id where that is why."""

    def __init__(self, message: str = "", *, delete_marker_version: str | None = None) -> None:
        super().__init__(message or "The specified key does not exist.")
        self.delete_marker_version = delete_marker_version


class VersionNotFound(NotFound):
    pass


class ImageNotFound(NotFound):
    """No image has that id, or none any more."""


class ShareNotFound(NotFound):
    """No such link to an image, or it has ended."""


class JobNotFound(NotFound):
    """No job has that number, or none that failed for good."""

    def __init__(self, identity: object = None) -> None:
        super().__init__(
            "There is no such job." if identity is None else f"There is no job {identity} that failed for good."
        )


class UploadNotFound(NotFound):
    pass


class AccountNotFound(NotFound):
    pass


class KeyNotFound(NotFound):
    """There is no such access key."""


class UserNotFound(NotFound):
    pass


class Conflict(GatewayError):
    pass


class BucketExists(Conflict):
    """The name is taken, by another account."""


class BucketOwnedByYou(Conflict):
    """The name is taken, by the account that asks."""


class BucketNotEmpty(Conflict):
    pass


class AccountExists(Conflict):
    pass


class EmailExists(Conflict):
    """Somebody has registered with this address."""


class ConditionalConflict(Conflict):
    """A condition's subject changed while the request ran; the client may try again."""


class DuplicateImage(Conflict):
    """The account has an image of these bytes, and does not want a second."""

    def __init__(self, image_id: str) -> None:
        super().__init__("The account has an image of these bytes.")
        self.image_id = image_id


class PreconditionFailed(GatewayError):
    """A condition does not hold; `condition` is the header's name as AWS spells it."""

    def __init__(self, condition: str) -> None:
        super().__init__("At least one of the pre-conditions you specified did not hold")
        self.condition = condition


class IsDeleteMarker(GatewayError):
    """The version that was named is a delete marker, which has nothing to read."""

    def __init__(self, version_id: str, modified_ms: int) -> None:
        super().__init__("The specified method is not allowed against this resource.")
        self.version_id = version_id
        self.modified_ms = modified_ms


class Invalid(GatewayError):
    pass


class InvalidBucketName(Invalid):
    pass


class InvalidKey(Invalid):
    pass


class InvalidVersionId(Invalid):
    pass


class InvalidPart(Invalid):
    pass


class InvalidPartOrder(Invalid):
    pass


class PartTooSmall(Invalid):
    def __init__(self, number: int, size: int, etag: str) -> None:
        super().__init__("Your proposed upload is smaller than the minimum allowed size")
        self.number = number
        self.size = size
        self.etag = etag


class ObjectTooLarge(Invalid):
    pass


class InvalidTag(Invalid):
    pass


class InvalidCompletion(Invalid):
    """The completion's checksum or size header contradicts the upload."""


class InvalidName(Invalid):
    """A name of an account, a preset or the like that is not allowed."""


class InvalidValue(Invalid):
    pass


class WrongMasterKey(InvalidValue):
    """Another master key sealed the secrets of this database."""


class BodyMismatch(GatewayError):
    """The body is not what the client declared. Nothing of it is visible."""


class LengthMismatch(BodyMismatch):
    """Fewer or more bytes than declared."""


class Md5Mismatch(BodyMismatch):
    pass


class Sha256Mismatch(BodyMismatch):
    pass


class ChecksumMismatch(BodyMismatch):
    """`algorithm` names the checksum, as AWS spells it."""

    def __init__(self, algorithm: str) -> None:
        super().__init__(f"The {algorithm} you specified did not match the calculated checksum.")
        self.algorithm = algorithm


class AccessRefused(GatewayError):
    pass


class QuotaExceeded(AccessRefused):
    """The account that owns the bucket has no room for this."""


class CredentialsRefused(AccessRefused):
    """Address and password do not belong together. Nobody is told which of the two is wrong."""

    def __init__(self) -> None:
        super().__init__("The address or the password is not right.")


class TokenRefused(AccessRefused):
    """A token that is not valid, or not any more. The text says no more than its holder may know."""


class RegistrationClosed(AccessRefused):
    """Nobody can register by themselves here."""

    def __init__(self) -> None:
        super().__init__("Nobody can register here: ask for an account.")


class RateLimited(GatewayError):
    """Somebody did something too often: `limit` times are allowed, `remaining` are left until `reset_s` (Unix seconds).

    `retry_after` in seconds.
    """

    def __init__(self, limit: int, remaining: int, reset_s: int, retry_after: int) -> None:
        super().__init__("Too many requests: try again later.")
        self.limit = limit
        self.remaining = remaining
        self.reset_s = reset_s
        self.retry_after = retry_after


class BlobDamaged(GatewayError):
    """Stored bytes, or the key to them, are not what was written: their encryption shows it."""


class Unavailable(GatewayError):
    """Not now. `retry_after` in seconds."""

    retry_after = 1


class DatabaseUnavailable(Unavailable):
    pass


class StoreUnavailable(Unavailable):
    pass


class AdoptedChanged(StoreUnavailable):
    """An adopted object is no longer what its row says: changed or deleted behind the gateway."""

    def __init__(self) -> None:
        super().__init__("The object was changed in the store; try again.")


class DiskFull(Unavailable):
    """Less than the settable free space is left: what would write is refused, what frees goes on."""

    retry_after = 30


class LeaseLost(Unavailable):
    """This process's lease ended (it was stalled too long): what it wrote may be swept, so it must not commit."""


class Overloaded(Unavailable):
    pass


class UploadsBusy(Unavailable):
    """The node has been taking as many uploads as it takes at once for as long as one waits."""

    retry_after = 5


class PasswordsBusy(Overloaded):
    """As many passwords are being hashed as this process hashes at once, and more wait than should."""


class IssuerUnavailable(Unavailable):
    """A foreign issuer's keys cannot be asked for, and those that are known are too old."""

    retry_after = 5

    def __init__(self) -> None:
        super().__init__("Whoever issued this token cannot be asked at the moment.")
