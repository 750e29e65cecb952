"""A row of the JSON door's table: routing, authentication, validation, metrics and the OpenAPI document derive from it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from pydantic import BaseModel

if TYPE_CHECKING:
    from aiohttp.web import StreamResponse

    from gateway.api.call import Call

_PLACE = re.compile(r"\{([a-z_]+)\}")


class Access(Enum):
    """Who may call an operation at all; what it does may ask for more."""

    ANYBODY = "anybody"
    """Credentials are not even looked at."""
    OPTIONAL = "optional"
    """Anybody, but credentials that are given must be valid."""
    SIGNED_IN = "signed in"
    MODERATOR = "moderator"
    ADMIN = "admin"


class Body(Enum):
    """How an operation takes its body."""

    NONE = "none"
    JSON = "json"
    """Read whole, up to JSON_BYTES, into the operation's `body` model."""
    FORM = "form"
    """`application/x-www-form-urlencoded`, into the `body` model."""
    STREAM = "stream"
    """The handler reads it from `call.incoming`."""


JSON_BYTES = 256 * 1024
"""The largest body that is read whole."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `path` has places such as `{image_id}`; `name` is what metrics, log and OpenAPI call it.

    `responses` are models by status (None: no body); `errors` the codes of `gateway.api.errors` that it may answer with
    beyond those that every operation of its kind may. `query` and `body` are models that hold what was given, validated.
    `tag` groups operations in the document; `media_types` are those of answers that are no JSON.
    """

    name: str
    method: str
    path: str
    handler: Callable[[Call], Awaitable[StreamResponse]]
    access: Access
    tag: str
    summary: str
    responses: Mapping[int, type[BaseModel] | None]
    errors: tuple[str, ...] = ()
    body_kind: Body = Body.NONE
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    media_types: tuple[str, ...] = ()
    description: str = ""
    narrowed: bool = False
    """Whether an access key that is narrowed to buckets may call it: then the handler decides by bucket and key."""
    request_form: Mapping[str, object] | None = None
    """The JSON schema of a multipart form, where the body is a stream of that."""
    places: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", tuple(_PLACE.findall(self.path)))
