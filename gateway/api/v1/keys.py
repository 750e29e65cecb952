"""S3 keys that an account makes for itself."""

from __future__ import annotations

from aiohttp.web import StreamResponse

from gateway.api.access_keys import KeyDetails, KeyForm, KeyList, NewKeyDetails, described, with_secret
from gateway.api.answer import answer, nothing
from gateway.api.call import Call
from gateway.api.errors import ApiError
from gateway.api.operation import Access, Body, Operation
from gateway.errors import KeyNotFound
from gateway.model.accounts import AccessKey, Account

TAG = "Keys"
MAX_KEYS = 100
"""Keys of an account that it makes for itself at most."""


def _owner(call: Call) -> Account:
    """The account, whose keys the asker may make and end: not a user of an app, nor a key that is narrowed."""
    principal = call.principal
    if principal.user is not None and principal.user.confined:
        raise ApiError("FORBIDDEN", "The keys of an app's account are the app's.")
    if principal.access_key is not None and principal.access_key.scope is not None:
        raise ApiError("FORBIDDEN", "A narrowed access key makes no others.")
    return call.account


async def list_keys(call: Call) -> StreamResponse:
    found = await call.services.keys.of_account(_owner(call))
    return answer(200, KeyList(items=[described(key) for key in found]))


async def create_key(call: Call) -> StreamResponse:
    account, form = _owner(call), call.body_as(KeyForm)
    own = call.principal.access_key
    expires_ms = form.expires_ms()
    if own is not None and own.expires_ms is not None and (expires_ms is None or expires_ms > own.expires_ms):
        raise ApiError("INVALID_REQUEST", "A key that ends makes none that outlives it.")
    if len(await call.services.keys.of_account(account)) >= MAX_KEYS:
        raise ApiError("CONFLICT", f"An account makes at most {MAX_KEYS} keys for itself.")
    key = await call.services.keys.create(
        account.name,
        description=form.description,
        expires_ms=expires_ms,
        scope=None if form.scope is None else form.scope.made(),
        actor=call.actor,
    )
    return answer(201, with_secret(key))


async def get_key(call: Call) -> StreamResponse:
    return answer(200, described(await _own(call)))


async def delete_key(call: Call) -> StreamResponse:
    key = await _own(call)
    if key.admin and not call.principal.admin:
        raise ApiError("FORBIDDEN", "Only an administrator ends an administrator's key.")
    await call.services.keys.delete(key.access_key, actor=call.actor)
    return nothing()


async def _own(call: Call) -> AccessKey:
    """The key that is named, if it is the account's. Raises KeyNotFound: also for what is another's."""
    account, name = _owner(call), call.places["access_key"]
    for key in await call.services.keys.of_account(account):
        if key.access_key == name:
            return key
    raise KeyNotFound("The account has no such access key.")


_PATH = "/api/v1/users/me/keys"
OPERATIONS = (
    Operation(
        "ListMyKeys",
        "GET",
        _PATH,
        list_keys,
        Access.SIGNED_IN,
        TAG,
        "The access keys of one's own account",
        {200: KeyList},
        errors=("FORBIDDEN",),
    ),
    Operation(
        "CreateMyKey",
        "POST",
        _PATH,
        create_key,
        Access.SIGNED_IN,
        TAG,
        "Make an S3 key for one's own account; its secret is shown this once",
        {201: NewKeyDetails},
        errors=("FORBIDDEN", "INVALID_REQUEST", "CONFLICT"),
        body_kind=Body.JSON,
        body=KeyForm,
    ),
    Operation(
        "GetMyKey",
        "GET",
        _PATH + "/{access_key}",
        get_key,
        Access.SIGNED_IN,
        TAG,
        "An access key of one's own account",
        {200: KeyDetails},
        errors=("FORBIDDEN", "NOT_FOUND"),
    ),
    Operation(
        "DeleteMyKey",
        "DELETE",
        _PATH + "/{access_key}",
        delete_key,
        Access.SIGNED_IN,
        TAG,
        "End an access key of one's own account",
        {204: None},
        errors=("FORBIDDEN", "NOT_FOUND"),
    ),
)
