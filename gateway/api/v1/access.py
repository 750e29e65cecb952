"""Images as somebody may have them: looked up, and refused where they are not for him."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.api.errors import ApiError
from gateway.policy.images import may_change, may_see, may_see_all
from gateway.services.catalogue import Known

if TYPE_CHECKING:
    from gateway.api.call import Call


async def found(call: Call, image_id: str | None = None, *, to_read: bool = False) -> Known:
    """The image of the path (or that id), whoever asks; the log names its bucket. Raises ImageNotFound."""
    known = await call.parts.catalogue.find(image_id or call.places["image_id"], to_read=to_read)
    call.record.bucket = known.bucket.name
    return known


async def seen(call: Call, image_id: str | None = None, *, to_read: bool = False) -> Known:
    """The image of the path (or that id), which the asker may see. Raises ImageNotFound, ApiError UNAUTHORIZED, FORBIDDEN."""
    known = await found(call, image_id, to_read=to_read)
    if not sees(call, known):
        raise refused(call)
    return known


def sees(call: Call, known: Known) -> bool:
    """Whether the asker may see it. What is hidden is shown to people, not to an address that anybody may have."""
    facts = known.facts
    return may_see(call.principal, facts) and not (facts.hidden and call.authentication.presigned)


async def changeable(call: Call) -> Known:
    """The same where he may change it."""
    known = await found(call)
    if not may_change(call.principal, known.facts):
        raise refused(call)
    return known


async def owned(call: Call) -> Known:
    """The same where he is told all of it."""
    known = await found(call)
    if not may_see_all(call.principal, known.facts):
        raise refused(call)
    return known


def refused(call: Call) -> ApiError:
    """For nobody: that he is to sign in; for somebody: that it is not his."""
    return ApiError("UNAUTHORIZED" if call.principal.anonymous else "FORBIDDEN")
