"""Who may see an image, and who may change it."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.buckets import Bucket
from gateway.model.images import Visibility
from gateway.policy.decide import decide
from gateway.policy.principal import Principal

READ = "s3:GetObject"
WRITE = "s3:PutObject"


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What decides about an image. `account_id` and `user_id` are whose it is."""

    bucket: Bucket
    key: bytes
    account_id: int
    user_id: int | None
    visibility: Visibility
    hidden: bool = False
    """A moderator has taken it out of sight."""
    current: bool = True
    """Its key shows it: it was neither overwritten nor deleted by S3, where a versioned bucket keeps what was before."""


def owns(principal: Principal, image: ImageFacts, permission: str = READ) -> bool:
    """Whether it is the asker's own: by who uploaded it, and by the account for everybody who is not one of an app's users.

    An access key may be narrowed to less than its account has, so it owns what its permission reaches.
    """
    account = principal.account
    if account is None or not account.enabled:
        return False
    user = principal.user
    if user is not None:
        if image.user_id == user.id:
            return True
        if user.confined:
            return False
        if account.id == image.account_id:
            return True
    return decide(principal, permission, image.bucket, image.key)


def may_see(principal: Principal, image: ImageFacts) -> bool:
    """Whether the asker may see it and what is known of it."""
    return (
        owns(principal, image) or principal.moderator or (image.visibility is not Visibility.PRIVATE and shown(image))
    )


def shown(image: ImageFacts) -> bool:
    """Whether strangers may see it at all, be it by its visibility or by a link that its owner gave them."""
    return image.current and image.bucket.owner.enabled and not image.hidden


def may_change(principal: Principal, image: ImageFacts) -> bool:
    """Whether the asker may change, share and delete it."""
    return principal.admin or owns(principal, image, WRITE)


def may_see_all(principal: Principal, image: ImageFacts) -> bool:
    """Whether the asker is told, too, what concerns its owner alone."""
    return principal.admin or owns(principal, image)
