"""What a view lists, and by which recipe its renditions are made."""

from __future__ import annotations

from gateway.model import ObjectPage
from gateway.render.errors import RenderError
from gateway.s3.call import Call
from gateway.s3.errors import S3Error
from gateway.s3.image_errors import image_error
from gateway.services.renditions import PRESET, Recipe, Renditions, View
from transforms.errors import TransformError


def viewed(call: Call) -> tuple[View, Renditions]:
    """The view that a request is about."""
    if call.view is None or call.renditions is None:
        raise S3Error("NoSuchBucket")
    return call.view, call.renditions


async def view_recipe(view: View, renditions: Renditions) -> Recipe:
    """What the view's preset says now. Raises S3Error where it cannot be carried out."""
    try:
        return await renditions.recipe(view.bucket, PRESET + view.preset)
    except (TransformError, RenderError) as error:
        raise image_error(error) from error


async def view_page(call: Call, prefix: bytes, delimiter: bytes, after: bytes | None, limit: int) -> ObjectPage:
    """A page of the keys whose rendition is made."""
    view, renditions = viewed(call)
    recipe = await view_recipe(view, renditions)
    return await renditions.page(view, recipe, prefix=prefix, delimiter=delimiter, after=after, limit=limit)
