"""What the calls about accounts take and give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from gateway.api.moment import Moment, moment
from gateway.errors import InvalidValue
from gateway.model.accounts import Role, User
from gateway.services.passwords import MAX_BYTES, MAX_EMAIL, MIN_CHARACTERS, check_email, check_length, check_password
from gateway.services.sessions import Grant


def _checked(check: Callable[[str], str]) -> AfterValidator:
    def checked(value: str) -> str:
        try:
            return check(value)
        except InvalidValue as error:
            raise ValueError(str(error)) from None

    return AfterValidator(checked)


Email = Annotated[str, Field(max_length=MAX_EMAIL, examples=["ann@example.com"]), _checked(check_email)]
NewPassword = Annotated[
    str,
    Field(
        min_length=MIN_CHARACTERS,
        description=f"{MIN_CHARACTERS} characters at least, {MAX_BYTES} bytes in UTF-8 at most.",
        json_schema_extra={"format": "password"},
    ),
    _checked(check_password),
]
Password = Annotated[
    str,
    Field(min_length=1, json_schema_extra={"format": "password"}),
    _checked(check_length),
]
Token = Annotated[str, Field(min_length=1, max_length=512)]


class Registration(BaseModel):
    email: Email
    password: NewPassword = Field(repr=False)
    name: str | None = Field(default=None, max_length=100, description="What to call you.")


class Login(BaseModel):
    email: str = Field(max_length=MAX_EMAIL)
    password: Password = Field(repr=False)


class TokenForm(BaseModel):
    """The password form of OAuth 2.0 (RFC 6749, section 4.3.2). `scope` and client are not looked at."""

    username: str = Field(max_length=MAX_EMAIL, description="The address.")
    password: Password = Field(repr=False)
    grant_type: Literal["password", ""] = "password"
    scope: str = ""
    client_id: str | None = None
    client_secret: str | None = Field(default=None, repr=False)


class Renewal(BaseModel):
    refresh_token: Token = Field(repr=False)


class PasswordChange(BaseModel):
    current_password: Password = Field(repr=False)
    new_password: NewPassword = Field(repr=False)


class Forgotten(BaseModel):
    email: Email


class PasswordReset(BaseModel):
    token: Token = Field(repr=False)
    new_password: NewPassword = Field(repr=False)


class UserAnswer(BaseModel):
    """A user as they see themselves. `issuer` is whoever signs their tokens, null for who registered here."""

    id: str
    email: str | None
    name: str | None
    role: Role
    account: str
    issuer: str | None
    is_active: bool
    created_at: Moment


class TokenAnswer(BaseModel):
    """`expires_in` is in seconds. A refresh token can be used once: the answer brings the next."""

    access_token: str = Field(repr=False)
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 -- a kind of token and no password
    expires_in: int
    refresh_token: str = Field(repr=False)


class SignedInAnswer(TokenAnswer):
    user: UserAnswer


class Sent(BaseModel):
    """The same for every address."""

    message: str = "If somebody has registered with this address, a mail is on its way."


def shown(user: User) -> UserAnswer:
    return UserAnswer(
        id=user.subject,
        email=user.email,
        name=user.name,
        role=user.role,
        account=user.account.name,
        issuer=user.issuer or None,
        is_active=user.enabled and user.account.enabled,
        created_at=moment(user.created_ms),
    )


def signed_in(grant: Grant) -> SignedInAnswer:
    return SignedInAnswer(user=shown(grant.user), **tokens(grant).model_dump())


def tokens(grant: Grant) -> TokenAnswer:
    return TokenAnswer(access_token=grant.access_token, expires_in=grant.expires_in, refresh_token=grant.refresh_token)
