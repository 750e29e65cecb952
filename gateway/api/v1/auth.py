"""Accounts of people: registering, signing in and out, passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.api.answer import answer, nothing
from gateway.api.errors import ApiError
from gateway.api.operation import Access, Body, Operation
from gateway.api.v1.auth_schemas import (
    Forgotten,
    Login,
    PasswordChange,
    PasswordReset,
    Registration,
    Renewal,
    Sent,
    SignedInAnswer,
    TokenAnswer,
    TokenForm,
    UserAnswer,
    shown,
    signed_in,
    tokens,
)
from gateway.services.mail import Mail, reset_mail
from gateway.services.passwords import email_key
from gateway.services.sessions import Grant

if TYPE_CHECKING:
    from aiohttp.web import StreamResponse

    from gateway.api.call import Call


async def register(call: Call) -> StreamResponse:
    given = call.body_as(Registration)
    await call.parts.limits.passwords(call.address, email_key(given.email))
    grant = await call.services.users.register(given.email, given.password, call.actor, name=given.name)
    return answer(201, signed_in(grant))


async def login(call: Call) -> StreamResponse:
    given = call.body_as(Login)
    return answer(200, signed_in(await _login(call, given.email, given.password)))


async def token(call: Call) -> StreamResponse:
    given = call.body_as(TokenForm)
    return answer(200, tokens(await _login(call, given.username, given.password)))


async def _login(call: Call, email: str, password: str) -> Grant:
    await call.parts.limits.passwords(call.address, email_key(email))
    return await call.services.users.login(email, password, call.actor)


async def refresh(call: Call) -> StreamResponse:
    refresh_token, limits = call.body_as(Renewal).refresh_token, call.parts.limits
    await limits.refreshes(call.address)
    session = await call.services.sessions.to_refresh(refresh_token)
    if session is not None:
        await limits.refreshes_of(session)
    grant = await call.services.sessions.refresh(refresh_token, call.actor)
    return answer(200, tokens(grant))


async def logout(call: Call) -> StreamResponse:
    known = call.authentication.signed_in
    if known is None:
        raise ApiError("INVALID_REQUEST", "An access key is not signed in, so it cannot be signed out.")
    await call.services.sessions.end(known, call.actor)
    return nothing()


async def me(call: Call) -> StreamResponse:
    user = call.principal.user
    if user is None:
        raise ApiError("FORBIDDEN", "An access key is no user: this needs a token.")
    return answer(200, shown(user))


async def change_password(call: Call) -> StreamResponse:
    given, user = call.body_as(PasswordChange), call.principal.user
    if user is None:
        raise ApiError("FORBIDDEN", "An access key is no user: this needs a token.")
    await call.parts.limits.passwords(call.address, email_key(user.email or user.subject))
    grant = await call.services.users.change_password(user, given.current_password, given.new_password, call.actor)
    return answer(200, signed_in(grant))


async def forgot_password(call: Call) -> StreamResponse:
    email, actor, services = call.body_as(Forgotten).email, call.actor, call.services
    await call.parts.limits.mails(call.address, email_key(email))

    async def write() -> Mail | None:
        found = await services.users.forgot(email, actor)
        if found is None:
            return None
        user, reset_token = found
        # To the address that is known: what was typed may only look like it.
        return None if user.email is None else reset_mail(user.email, services.mailer.reset_link(reset_token))

    services.mailer.soon(write)
    return answer(202, Sent())


async def reset_password(call: Call) -> StreamResponse:
    given = call.body_as(PasswordReset)
    await call.parts.limits.passwords(call.address)
    await call.services.users.reset_password(given.token, given.new_password, call.actor)
    return nothing()


_TAG = "auth"
_PASSWORDS = ("RATE_LIMIT_EXCEEDED", "SERVICE_UNAVAILABLE")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="Register",
        method="POST",
        path="/api/v1/auth/register",
        handler=register,
        access=Access.ANYBODY,
        tag=_TAG,
        summary="Register, and be signed in",
        description="Makes a user and an account of their own.",
        responses={201: SignedInAnswer},
        errors=("EMAIL_EXISTS", "FORBIDDEN", "INVALID_REQUEST", *_PASSWORDS),
        body_kind=Body.JSON,
        body=Registration,
    ),
    Operation(
        name="Login",
        method="POST",
        path="/api/v1/auth/login",
        handler=login,
        access=Access.ANYBODY,
        tag=_TAG,
        summary="Sign in with an address and a password",
        responses={200: SignedInAnswer},
        errors=("INVALID_CREDENTIALS", *_PASSWORDS),
        body_kind=Body.JSON,
        body=Login,
    ),
    Operation(
        name="Token",
        method="POST",
        path="/api/v1/auth/token",
        handler=token,
        access=Access.ANYBODY,
        tag=_TAG,
        summary="Sign in with a form",
        description="The password form of OAuth 2.0: `username` is the address. The Authorize button uses it.",
        responses={200: TokenAnswer},
        errors=("INVALID_CREDENTIALS", *_PASSWORDS),
        body_kind=Body.FORM,
        body=TokenForm,
    ),
    Operation(
        name="Refresh",
        method="POST",
        path="/api/v1/auth/refresh",
        handler=refresh,
        access=Access.ANYBODY,
        tag=_TAG,
        summary="New tokens for a refresh token",
        description="A refresh token can be used once. A second use ends the session: somebody else may have it.",
        responses={200: TokenAnswer},
        errors=("UNAUTHORIZED", "RATE_LIMIT_EXCEEDED", "SERVICE_UNAVAILABLE"),
        body_kind=Body.JSON,
        body=Renewal,
    ),
    Operation(
        name="Logout",
        method="POST",
        path="/api/v1/auth/logout",
        handler=logout,
        access=Access.SIGNED_IN,
        tag=_TAG,
        summary="End the session",
        description="Access and refresh token are worth nothing from then on, on every door.",
        responses={204: None},
        errors=("INVALID_REQUEST",),
    ),
    Operation(
        name="Me",
        method="GET",
        path="/api/v1/auth/me",
        handler=me,
        access=Access.SIGNED_IN,
        tag=_TAG,
        summary="Whose token this is",
        responses={200: UserAnswer},
        errors=("FORBIDDEN",),
    ),
    Operation(
        name="ChangePassword",
        method="POST",
        path="/api/v1/auth/password/change",
        handler=change_password,
        access=Access.SIGNED_IN,
        tag=_TAG,
        summary="Change the password",
        description="Every session ends, also the one that asks; the answer begins a new one.",
        responses={200: SignedInAnswer},
        errors=("INVALID_CREDENTIALS", "FORBIDDEN", "INVALID_REQUEST", *_PASSWORDS),
        body_kind=Body.JSON,
        body=PasswordChange,
    ),
    Operation(
        name="ForgotPassword",
        method="POST",
        path="/api/v1/auth/password/forgot",
        handler=forgot_password,
        access=Access.ANYBODY,
        tag=_TAG,
        summary="Ask for a mail with a link to a new password",
        description="The answer is the same whether somebody has the address or not.",
        responses={202: Sent},
        errors=_PASSWORDS,
        body_kind=Body.JSON,
        body=Forgotten,
    ),
    Operation(
        name="ResetPassword",
        method="POST",
        path="/api/v1/auth/password/reset",
        handler=reset_password,
        access=Access.ANYBODY,
        tag=_TAG,
        summary="Set a new password with the token from the mail",
        description="Every session ends.",
        responses={204: None},
        errors=("INVALID_REQUEST", *_PASSWORDS),
        body_kind=Body.JSON,
        body=PasswordReset,
    ),
)
