"""What a view lists and shows, and by which recipe its renditions are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.model.listings import ObjectPage
from gateway.model.objects import ObjectVersion
from gateway.render.errors import RenderError
from gateway.s3.call import Call
from gateway.s3.errors import S3Error
from gateway.s3.image_errors import image_error
from gateway.services.renditions import PRESET, Recipe, Renditions, View
from transforms.errors import NotAnImage, TransformError

T = TypeVar("T")


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


async def shown(call: Call, view: View, key: bytes, show: Callable[[ObjectVersion], Awaitable[T]]) -> T:
    """What `show` makes of the object that a view shows under a key.

    Raises S3Error NoSuchKey for what is no image, and the S3 door's words for what rendering raises.
    """
    version = await call.services.objects.get(view.bucket, key)
    try:
        if version.content is not None and version.content.adopted:
            return await call.services.adopted.shown(view.bucket, version, None, show)
        return await show(version)
    except NotAnImage:
        raise S3Error("NoSuchKey") from None
    except (TransformError, RenderError) as error:
        raise image_error(error) from error
