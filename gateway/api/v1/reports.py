"""Reports of images, which put them into the moderators' queue."""

from __future__ import annotations

from aiohttp.web import StreamResponse
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.answer import answer
from gateway.api.call import Call
from gateway.api.operation import Access, Body, Operation
from gateway.api.v1.access import seen
from gateway.api.v1.image_resource import BASE


class Report(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=1000, description="What is wrong with the image.")


class Reported(BaseModel):
    id: str
    status: str = "reported"


async def report_image(call: Call) -> StreamResponse:
    image_id = (await seen(call)).row.image_id
    await call.services.moderation.report(image_id, call.body_as(Report).reason, call.actor)
    return answer(202, Reported(id=image_id))


OPERATIONS = (
    Operation(
        "ReportImage",
        "POST",
        BASE + "/{image_id}/report",
        report_image,
        Access.SIGNED_IN,
        "Images",
        "Report an image to the moderators",
        {202: Reported},
        errors=("IMAGE_NOT_FOUND", "FORBIDDEN"),
        body_kind=Body.JSON,
        body=Report,
        description="It stays visible until a moderator hides it. Of one person only the first report counts.",
    ),
)
