"""Users, for administrators."""

from __future__ import annotations

from aiohttp.web import StreamResponse
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.admin.paging import ADMIN, TAG, PageQuery, cursor
from gateway.api.answer import answer
from gateway.api.call import Call
from gateway.api.errors import ApiError
from gateway.api.moment import Moment, moment
from gateway.api.operation import Access, Body, Operation
from gateway.api.v1.auth_schemas import Email, NewPassword
from gateway.model.accounts import Role, User


class UserDetails(BaseModel):
    """A user. The paths here take `#` and the `number`, the `id` (the `sub` of the tokens) or the address somebody signs in with."""

    number: int
    id: str
    account: str
    issuer: str = Field(description="Empty for who registered here.")
    email: str | None
    name: str | None
    role: Role
    enabled: bool
    confined: bool = Field(description="One of an app's users, who reaches the own images alone.")
    created_at: Moment


class UserPage(BaseModel):
    items: list[UserDetails]
    next: str | None


class UserQuery(PageQuery):
    account: str | None = Field(default=None, max_length=64)


class NewUser(BaseModel):
    model_config = ConfigDict(extra="forbid")

    email: Email
    password: NewPassword = Field(repr=False)
    name: str | None = Field(default=None, max_length=100)
    role: Role = Role.USER
    account: str | None = Field(
        default=None, max_length=64, description="Made where it is new; null: one of their own."
    )


class UserChange(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    enabled: bool | None = Field(default=None, description="Off, every token of theirs ends for good.")
    password: NewPassword | None = Field(default=None, repr=False, description="Every session ends.")
    account: str | None = Field(
        default=None, max_length=64, description="One that there is. What they uploaded stays where it is, and theirs."
    )


async def list_users(call: Call) -> StreamResponse:
    query = call.query_as(UserQuery)
    found = await call.services.users.list(
        account=query.account, after_id=query.after_number() or 0, limit=query.limit + 1
    )
    page = found[: query.limit]
    following = cursor(page[-1].id if page else "", more=len(found) > len(page))
    return answer(200, UserPage(items=[details(user) for user in page], next=following))


async def create_user(call: Call) -> StreamResponse:
    given = call.body_as(NewUser)
    user = await call.services.users.create(
        given.email, given.password, name=given.name, role=given.role, account=given.account, actor=call.actor
    )
    return answer(201, details(user))


async def get_user(call: Call) -> StreamResponse:
    return answer(200, details(await call.services.users.find(call.places["user"])))


async def change_user(call: Call) -> StreamResponse:
    given = call.body_as(UserChange)
    user = await call.services.users.find(call.places["user"])
    reference = f"#{user.id}"
    own = call.principal.user
    if own is not None and own.id == user.id and (given.enabled is False or given.role not in (None, Role.ADMIN)):
        raise ApiError("INVALID_REQUEST", "Nobody takes the own rights away: ask another administrator.")
    if given.password is not None:
        user = await call.services.users.set_password(reference, given.password, actor=call.actor)
    if given.account is not None:
        user = await call.services.users.move(reference, given.account, actor=call.actor)
    if given.role is not None:
        user = await call.services.users.set_role(reference, given.role, actor=call.actor)
    if given.enabled is not None:
        user = await call.services.users.set_enabled(reference, given.enabled, actor=call.actor)
    return answer(200, details(await call.services.users.find(reference)))


def details(user: User) -> UserDetails:
    return UserDetails(
        number=user.id,
        id=user.subject,
        account=user.account.name,
        issuer=user.issuer,
        email=user.email,
        name=user.name,
        role=user.role,
        enabled=user.enabled,
        confined=user.confined,
        created_at=moment(user.created_ms),
    )


_PATH = f"{ADMIN}/users"
OPERATIONS = (
    Operation(
        "AdminListUsers",
        "GET",
        _PATH,
        list_users,
        Access.ADMIN,
        TAG,
        "Users in the order in which they came",
        {200: UserPage},
        errors=("INVALID_REQUEST",),
        query=UserQuery,
    ),
    Operation(
        "AdminCreateUser",
        "POST",
        _PATH,
        create_user,
        Access.ADMIN,
        TAG,
        "Make a user who signs in with a password",
        {201: UserDetails},
        errors=("INVALID_REQUEST", "EMAIL_EXISTS", "CONFLICT"),
        body_kind=Body.JSON,
        body=NewUser,
    ),
    Operation(
        "AdminGetUser",
        "GET",
        _PATH + "/{user}",
        get_user,
        Access.ADMIN,
        TAG,
        "A user by number, id or address",
        {200: UserDetails},
        errors=("NOT_FOUND", "INVALID_REQUEST"),
        description="`#7`, in a path `%237`, is the user of that number, as at the command line. Digits alone are an id or a number, "
        "whichever there is: 400 where these are two users, or several apps have a user of that id. Then the number tells them apart.",
    ),
    Operation(
        "AdminChangeUser",
        "PATCH",
        _PATH + "/{user}",
        change_user,
        Access.ADMIN,
        TAG,
        "Set a user's role, password or account, or switch them on or off",
        {200: UserDetails},
        errors=("NOT_FOUND", "INVALID_REQUEST"),
        body_kind=Body.JSON,
        body=UserChange,
    ),
)
