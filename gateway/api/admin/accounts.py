"""Accounts, for administrators."""

from __future__ import annotations

from dataclasses import replace

from aiohttp.web import StreamResponse
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.admin.paging import ADMIN, TAG, PageQuery, cursor
from gateway.api.answer import answer
from gateway.api.call import Call
from gateway.api.moment import Moment, moment
from gateway.api.operation import Access, Body, Operation
from gateway.model.accounts import Account, Duplicates

_QUOTA = Field(default=None, ge=0, lt=1 << 62, description="Null: no limit.")


class AccountDetails(BaseModel):
    """An account and what its buckets hold."""

    account: str
    canonical_id: str
    enabled: bool
    root: bool
    quota_bytes: int | None
    quota_images: int | None
    duplicates: Duplicates
    buckets: int
    objects: int
    bytes: int = Field(description="Of all versions.")
    created_at: Moment


class AccountPage(BaseModel):
    items: list[AccountDetails]
    next: str | None


class NewAccount(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account: str = Field(min_length=1, max_length=64)
    quota_bytes: int | None = _QUOTA
    quota_images: int | None = _QUOTA
    duplicates: Duplicates = Duplicates.KEEP


class AccountChange(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool | None = None
    quota_bytes: int | None = _QUOTA
    quota_images: int | None = _QUOTA
    duplicates: Duplicates | None = Field(
        default=None, description="What an upload of bytes that the account has is answered with."
    )

    def apply(self, before: Account) -> Account:
        given = self.model_fields_set
        return replace(
            before,
            quota_bytes=self.quota_bytes if "quota_bytes" in given else before.quota_bytes,
            quota_images=self.quota_images if "quota_images" in given else before.quota_images,
            duplicates=self.duplicates or before.duplicates,
        )


async def list_accounts(call: Call) -> StreamResponse:
    query = call.query_as(PageQuery)
    found = await call.services.accounts.page(after=query.after(), limit=query.limit + 1)
    page = found[: query.limit]
    items = await _described(call, page)
    return answer(
        200, AccountPage(items=items, next=cursor(page[-1].name if page else "", more=len(found) > len(page)))
    )


async def create_account(call: Call) -> StreamResponse:
    given = call.body_as(NewAccount)
    account = await call.services.accounts.create(given.account, actor=call.actor)
    limits = AccountChange(**given.model_dump(exclude={"account"}, exclude_unset=True))
    if limits.model_fields_set:
        account = await call.services.accounts.change(account.name, limits.apply, actor=call.actor)
    return answer(201, (await _described(call, (account,)))[0])


async def get_account(call: Call) -> StreamResponse:
    account = await call.services.accounts.get(call.places["account"])
    return answer(200, (await _described(call, (account,)))[0])


async def change_account(call: Call) -> StreamResponse:
    given = call.body_as(AccountChange)
    account = await call.services.accounts.change(
        call.places["account"], given.apply, enabled=given.enabled, actor=call.actor
    )
    return answer(200, (await _described(call, (account,)))[0])


async def _described(call: Call, accounts: tuple[Account, ...]) -> list[AccountDetails]:
    held = await call.services.buckets.held([account.id for account in accounts])
    return [_details(account, held.get(account.id, (0, 0, 0))) for account in accounts]


def _details(account: Account, held: tuple[int, int, int]) -> AccountDetails:
    return AccountDetails(
        account=account.name,
        canonical_id=account.canonical_id,
        enabled=account.enabled,
        root=account.is_root,
        quota_bytes=account.quota_bytes,
        quota_images=account.quota_images,
        duplicates=account.duplicates,
        buckets=held[0],
        objects=held[1],
        bytes=held[2],
        created_at=moment(account.created_ms),
    )


_PATH = f"{ADMIN}/accounts"
OPERATIONS = (
    Operation(
        "AdminListAccounts",
        "GET",
        _PATH,
        list_accounts,
        Access.ADMIN,
        TAG,
        "Accounts with what they hold, by name",
        {200: AccountPage},
        errors=("INVALID_REQUEST",),
        query=PageQuery,
    ),
    Operation(
        "AdminCreateAccount",
        "POST",
        _PATH,
        create_account,
        Access.ADMIN,
        TAG,
        "Make an account",
        {201: AccountDetails},
        errors=("INVALID_REQUEST", "CONFLICT"),
        body_kind=Body.JSON,
        body=NewAccount,
    ),
    Operation(
        "AdminGetAccount",
        "GET",
        _PATH + "/{account}",
        get_account,
        Access.ADMIN,
        TAG,
        "An account",
        {200: AccountDetails},
        errors=("NOT_FOUND",),
    ),
    Operation(
        "AdminChangeAccount",
        "PATCH",
        _PATH + "/{account}",
        change_account,
        Access.ADMIN,
        TAG,
        "Switch an account on or off, set its quotas and what becomes of duplicates",
        {200: AccountDetails},
        errors=("NOT_FOUND", "INVALID_REQUEST"),
        body_kind=Body.JSON,
        body=AccountChange,
        description="Off, its tokens, keys and links open nothing from the next request on; on again, its users "
        "sign in anew. The root account stays on.",
    ),
)
