"""Access keys of all accounts, for administrators."""

from __future__ import annotations

from aiohttp.web import StreamResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gateway.api.access_keys import KeyDetails, KeyForm, NewKeyDetails, Scope, described, milliseconds, with_secret
from gateway.api.admin.paging import ADMIN, TAG, PageQuery, cursor
from gateway.api.answer import answer, nothing
from gateway.api.call import Call
from gateway.api.operation import Access, Body, Operation
from gateway.model.accounts import KeyKind


class KeyPage(BaseModel):
    items: list[KeyDetails]
    next: str | None


class KeyQuery(PageQuery):
    account: str | None = Field(default=None, max_length=64)


class NewKey(KeyForm):
    account: str = Field(min_length=1, max_length=64, description="Made where it is new.")
    kind: KeyKind = Field(default=KeyKind.S3, description="A link key signs links to images and opens nothing else.")
    admin: bool = Field(default=False, description="May administer. Opens no other account's objects.")
    bucket: str | None = Field(default=None, max_length=63, description="What a link key is narrowed to.")
    prefix: str | None = Field(default=None, max_length=1024)


class KeyChange(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool | None = None
    expires_at: AwareDatetime | None = Field(default=None, description="Null: it does not end by itself.")
    scope: Scope | None = Field(default=None, description="Null: all that the account may.")


class Rotation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    end_old: bool = Field(default=False, description="Switch the old key off at once.")


async def list_keys(call: Call) -> StreamResponse:
    query = call.query_as(KeyQuery)
    account = None if query.account is None else await call.services.accounts.get(query.account)
    found = await call.services.keys.page(account, after=query.after(), limit=query.limit + 1)
    page = found[: query.limit]
    following = cursor(page[-1].access_key if page else "", more=len(found) > len(page))
    return answer(200, KeyPage(items=[described(key) for key in page], next=following))


async def create_key(call: Call) -> StreamResponse:
    given = call.body_as(NewKey)
    key = await call.services.keys.create(
        given.account,
        admin=given.admin,
        kind=given.kind,
        bucket=given.bucket,
        prefix=given.prefix,
        description=given.description,
        expires_ms=given.expires_ms(),
        scope=None if given.scope is None else given.scope.made(),
        actor=call.actor,
    )
    return answer(201, with_secret(key))


async def get_key(call: Call) -> StreamResponse:
    return answer(200, described(await call.services.keys.get(call.places["access_key"])))


async def change_key(call: Call) -> StreamResponse:
    name, given = call.places["access_key"], call.body_as(KeyChange)
    keys = call.services.keys
    if "scope" in given.model_fields_set:
        await keys.set_scope(name, None if given.scope is None else given.scope.made(), actor=call.actor)
    if "expires_at" in given.model_fields_set:
        expires_ms = None if given.expires_at is None else milliseconds(given.expires_at)
        await keys.set_expiry(name, expires_ms, actor=call.actor)
    if given.enabled is not None:
        await keys.set_enabled(name, given.enabled, actor=call.actor)
    return answer(200, described(await keys.get(name)))


async def rotate_key(call: Call) -> StreamResponse:
    end_old = call.body_as(Rotation).end_old
    key = await call.services.keys.rotate(call.places["access_key"], end_old=end_old, actor=call.actor)
    return answer(201, with_secret(key))


async def delete_key(call: Call) -> StreamResponse:
    await call.services.keys.delete(call.places["access_key"], actor=call.actor)
    return nothing()


_PATH = f"{ADMIN}/keys"
_ONE = _PATH + "/{access_key}"
OPERATIONS = (
    Operation(
        "AdminListKeys",
        "GET",
        _PATH,
        list_keys,
        Access.ADMIN,
        TAG,
        "Access keys of all accounts, or of one",
        {200: KeyPage},
        errors=("INVALID_REQUEST", "NOT_FOUND"),
        query=KeyQuery,
    ),
    Operation(
        "AdminCreateKey",
        "POST",
        _PATH,
        create_key,
        Access.ADMIN,
        TAG,
        "Make an access key; its secret is shown this once",
        {201: NewKeyDetails},
        errors=("INVALID_REQUEST",),
        body_kind=Body.JSON,
        body=NewKey,
    ),
    Operation(
        "AdminGetKey",
        "GET",
        _ONE,
        get_key,
        Access.ADMIN,
        TAG,
        "An access key",
        {200: KeyDetails},
        errors=("NOT_FOUND",),
    ),
    Operation(
        "AdminChangeKey",
        "PATCH",
        _ONE,
        change_key,
        Access.ADMIN,
        TAG,
        "Switch a key, narrow it, or say when it ends",
        {200: KeyDetails},
        errors=("NOT_FOUND", "INVALID_REQUEST"),
        body_kind=Body.JSON,
        body=KeyChange,
    ),
    Operation(
        "AdminRotateKey",
        "POST",
        _ONE + "/rotate",
        rotate_key,
        Access.ADMIN,
        TAG,
        "A new pair with the rights of a key",
        {201: NewKeyDetails},
        errors=("NOT_FOUND",),
        body_kind=Body.JSON,
        body=Rotation,
    ),
    Operation(
        "AdminDeleteKey",
        "DELETE",
        _ONE,
        delete_key,
        Access.ADMIN,
        TAG,
        "Delete a key for good",
        {204: None},
        errors=("NOT_FOUND",),
    ),
)
