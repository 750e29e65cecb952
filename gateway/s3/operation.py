"""What a row of the operation table says: how a request selects an operation, what it may need, what carries it out."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from gateway.http.reply import Reply
from gateway.s3.call import Call

Handler = Callable[[Call], Awaitable[Reply]]


class Level(enum.Enum):
    SERVICE = "service"
    BUCKET = "bucket"
    OBJECT = "object"


class BodyKind(enum.Enum):
    """What a request's body is: nothing that is read, XML, or an object's bytes."""

    NONE = "none"
    XML = "XML"
    STREAM = "bytes"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `query` are the parameters that must all be there (`name` or `name=value`), `header` likewise.

    `permission` is IAM's action. `parameters` are further parameters that the operation reads. `aliases` are other names
    that AWS has for the same request.
    """

    name: str
    method: str
    level: Level
    permission: str
    query: tuple[str, ...] = ()
    header: str | None = None
    body: BodyKind = BodyKind.NONE
    parameters: frozenset[str] = frozenset()
    handler: Handler | None = None
    aliases: tuple[str, ...] = ()
    public: bool = False
    """Answered without asking who it is."""

    @property
    def built(self) -> bool:
        return self.handler is not None

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(piece.partition("=")[0] for piece in self.query)

    def permission_for(self, parameters: Mapping[str, str]) -> str:
        """The permission that this request needs: reading a named version is another than reading the current one."""
        if "versionId" in parameters and "versionId" in self.parameters:
            return self.permission.replace("Object", "ObjectVersion", 1)
        return self.permission

    def selects(self, parameters: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        if self.header is not None and self.header not in headers:
            return False
        for piece in self.query:
            name, separator, value = piece.partition("=")
            if name not in parameters or (separator and parameters[name] != value):
                return False
        return True
