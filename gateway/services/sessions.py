"""Whose a bearer token is, asked anew at each request; sessions, and how they are renewed and ended."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace

from gateway.errors import TokenRefused
from gateway.metadata import accounts, audit, users
from gateway.metadata import sessions as rows
from gateway.metadata.audit import Action, Actor, Event
from gateway.metadata.port import Database, Transaction
from gateway.metadata.users import HERE, NewUser
from gateway.model.accounts import Role, User
from gateway.services.accounts import new_canonical_id
from gateway.services.clock import now_ms
from gateway.services.issuers import Issuers
from gateway.services.tokens import Claims, Signer, claims_digest, digest, peek
from gateway.settings.auth import OWN_ISSUER, AuthSettings

SHARED_ISSUER = "shared:"
"""What stands before the `iss` of tokens that an app signs with the shared secret: no foreign issuer's users are its."""
DAY_MS = 24 * 60 * 60 * 1000
FOR_GOOD_MS = 1 << 52
"""When the note of a logged out token expires that itself never does."""
REFRESH_BYTES = 32
NO_REFRESH = "The refresh token is not valid: sign in again."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user, by a token that holds at this moment. `session` is None for tokens of apps and foreign issuers.

    `expires` is in Unix seconds.
    """

    user: User
    session: str | None
    token_hash: bytes = field(repr=False)
    expires: float | None


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody gets who signed in. `expires_in` is the access token's, in seconds."""

    user: User
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that a transaction is about to begin: made before, since the transaction may run several times."""

    identity: str
    refresh_token: str = field(repr=False)
    now_ms: int
    expires_ms: int
    address: str | None

    async def begin(self, tx: Transaction, user: User) -> None:
        await rows.begin(tx, self.identity, user.id, self.now_ms, self.expires_ms, self.address)
        await rows.add_refresh(tx, digest(self.refresh_token), self.identity, self.now_ms, self.expires_ms)


class Sessions:
    def __init__(self, database: Database, signer: Signer, issuers: Issuers, settings: AuthSettings) -> None:
        self._database = database
        self._signer = signer
        self._issuers = issuers
        self._kept_ms = settings.session_days * DAY_MS
        self._apps = settings.jwt_apps
        self._app_account = settings.jwt_app_account
        self._confine = settings.jwt_app_rights == "own"

    def confined(self, user: User) -> User:
        """The user with the rights that the settings leave: an app's own users have less than its account."""
        return replace(user, confined=True) if self._confine and user.issuer != HERE else user

    async def who(self, token: str, now: float) -> SignedIn:
        """Whose token it is. `now` in Unix seconds. Raises TokenRefused, IssuerUnavailable, DatabaseUnavailable."""
        header = peek(token)
        issuer = self._issuers.of(header.iss)
        if issuer is not None:
            claims = await issuer.claims(token, header, now)
            return await self._guest(token, claims, issuer.issuer.iss, issuer.issuer.account, now)
        claims = self._signer.read(token, header, now)
        if claims.issuer == OWN_ISSUER:
            return await self._own(token, claims, now)
        account = self._app_account
        if claims.issuer is not None and self._apps:
            known = self._apps.get(claims.issuer)
            if known is None:
                raise TokenRefused("The token is not valid.")
            account = known
        return await self._guest(token, claims, SHARED_ISSUER + (claims.issuer or ""), account, now)

    async def _own(self, token: str, claims: Claims, now: float) -> SignedIn:
        assert claims.session is not None
        found = await rows.get(self._database, claims.session, int(now * 1000))
        if found is None or not found.live or found.row.user.subject != claims.subject:
            raise TokenRefused("The session has ended.")
        user = found.row.user
        if not (user.enabled and user.account.enabled):
            raise TokenRefused("The session has ended.")
        return SignedIn(self.confined(user), claims.session, claims_digest(token), claims.expires)

    async def _guest(self, token: str, claims: Claims, issuer: str, account: str, now: float) -> SignedIn:
        """The user of an app or a foreign issuer, who may be new."""
        token_hash = claims_digest(token)
        found = await rows.of_token(self._database, token_hash, issuer, claims.subject)
        if found is None:
            # Nobody could log it out, or switch off its user, before there was one.
            user, since = await self._welcome(claims, issuer, account, int(now * 1000)), 0
        else:
            user, since = found.row.user, found.row.tokens_from_ms
            if not found.live:
                raise TokenRefused("The session has ended.")
        if not (user.enabled and user.account.enabled):
            raise TokenRefused("The session has ended.")
        if since and (claims.issued is None or claims.issued * 1000 < since):
            raise TokenRefused("The session has ended.")
        return SignedIn(self.confined(user), None, token_hash, claims.expires)

    async def _welcome(self, claims: Claims, issuer: str, account_name: str, moment: int) -> User:
        canonical_id = new_canonical_id()

        async def operation(tx: Transaction) -> User:
            await tx.lock("config")
            known = await users.by_subject(tx, issuer, claims.subject)
            if known is not None:
                return known
            account = await accounts.by_name(tx, account_name)
            if account is None:
                account = await accounts.create(tx, account_name, canonical_id, moment)
            if account.is_root or not account.enabled:
                raise TokenRefused("The session has ended.")
            # The address is as the issuer says: nobody can sign in with it here.
            new = NewUser(account, issuer, claims.subject, claims.email, None, claims.name, None, Role.USER, moment)
            user = await users.insert(tx, new)
            actor = Actor("api", account.id, user.id)
            await audit.note(tx, Event(Action.REGISTER, actor, moment, claims.subject, {"issuer": issuer}))
            return user

        return await self._database.write(operation)

    def new(self, address: str | None) -> NewSession:
        """A session to begin in a transaction."""
        moment = now_ms()
        return NewSession(
            secrets.token_hex(16), secrets.token_urlsafe(REFRESH_BYTES), moment, moment + self._kept_ms, address
        )

    def grant(self, user: User, session: str, refresh_token: str) -> Grant:
        """The tokens of a session that has begun."""
        access = self._signer.make(user.subject, session, now_ms() / 1000)
        return Grant(self.confined(user), access, refresh_token, self._signer.seconds)

    async def to_refresh(self, refresh_token: str) -> str | None:
        """The session that a refresh token renews; None for one that was used, which ends it. Raises TokenRefused.

        A read, so that what somebody made up costs no transaction.
        """
        found = await rows.of_refresh(self._database, digest(refresh_token))
        if found is None:
            raise TokenRefused(NO_REFRESH)
        session, used = found
        return None if used else session

    async def refresh(self, refresh_token: str, actor: Actor) -> Grant:
        """New tokens for a refresh token, which is used up by that; a used one ends its session. Raises TokenRefused."""
        old, new, moment = digest(refresh_token), secrets.token_urlsafe(REFRESH_BYTES), now_ms()

        async def operation(tx: Transaction) -> rows.Renewed | None:
            renewed = await rows.renew(tx, old, digest(new), moment, moment + self._kept_ms)
            if renewed is not None and renewed.reused:
                user = renewed.row.user
                who = replace(actor, account_id=user.account.id, user_id=user.id)
                await audit.note(tx, Event(Action.REFRESH_REUSED, who, moment, user.email or user.subject))
            return renewed

        renewed = await self._database.write(operation)
        if renewed is None or renewed.reused:
            raise TokenRefused(NO_REFRESH)
        return self.grant(renewed.row.user, renewed.session, new)

    async def end(self, signed_in: SignedIn, actor: Actor) -> None:
        """Log out: the token, and the session that it is of, are worth nothing from now on."""
        user, moment = signed_in.user, now_ms()
        until = FOR_GOOD_MS if signed_in.expires is None else int(signed_in.expires * 1000) + 1000

        async def operation(tx: Transaction) -> None:
            if signed_in.session is None:
                await rows.revoke(tx, signed_in.token_hash, until)
            else:
                await rows.end(tx, signed_in.session, moment)
            await audit.note(tx, Event(Action.LOGOUT, actor, moment, user.email or user.subject))

        await self._database.write(operation)
