"""Users: they register, sign in, choose passwords; and what administrators do with them."""

from __future__ import annotations

import contextlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import replace

from gateway.errors import AccountNotFound, CredentialsRefused, InvalidValue, RegistrationClosed, UserNotFound
from gateway.metadata import accounts
from gateway.metadata import sessions as session_rows
from gateway.metadata import users as rows
from gateway.metadata.audit import Action, Actor, Event, note
from gateway.metadata.port import Database, Transaction
from gateway.metadata.users import HERE, NewUser
from gateway.model.accounts import Account, Role, User
from gateway.services.accounts import check_account_name, new_canonical_id
from gateway.services.audit import CLI, Audit
from gateway.services.clock import now_ms
from gateway.services.passwords import Passwords, check_email, check_hash, email_key
from gateway.services.sessions import Grant, NewSession, Sessions
from gateway.services.tokens import digest

OWN_ACCOUNT = "user-"
"""What the name of an account begins with that was made for one user."""
NAME_BYTES = 10
RESET_MS = 60 * 60 * 1000
"""How long a link to a new password is good for."""
RESET_BYTES = 32
MAX_NAME = 100


class Users:
    def __init__(
        self, database: Database, passwords: Passwords, sessions: Sessions, audit: Audit, *, registration: bool = True
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._sessions = sessions
        self._audit = audit
        self._registration = registration

    # What people do

    async def register(self, email: str, password: str, actor: Actor, *, name: str | None = None) -> Grant:
        """A new user with an account of their own, signed in. Raises EmailExists, InvalidValue, RegistrationClosed."""
        if not self._registration:
            raise RegistrationClosed
        email = check_email(email)
        password_hash = await self._passwords.hash(password)
        session = self._sessions.new(actor.address)
        made = _Made(email, password_hash, _checked_name(name), Role.USER, None)

        async def operation(tx: Transaction) -> User:
            user = await made.insert(tx)
            await session.begin(tx, user)
            who = replace(actor, account_id=user.account.id, user_id=user.id)
            await note(tx, Event(Action.REGISTER, who, session.now_ms, email))
            return user

        user = await self._database.write(operation)
        return self._sessions.grant(user, session.identity, session.refresh_token)

    async def login(self, email: str, password: str, actor: Actor) -> Grant:
        """Somebody who has registered, signed in. Raises CredentialsRefused, PasswordsBusy, InvalidValue.

        Whatever is wrong, one hash is made and one event is noted.
        """
        key = _key(email)
        found = await rows.by_email(self._database, key)
        good = await self._passwords.matches(password, None if found is None else found.password_hash)
        session = self._sessions.new(actor.address)
        if good and found is not None and found.user.enabled and found.user.account.enabled:
            user, password_hash = found.user, found.password_hash
            assert password_hash is not None
            who = replace(actor, account_id=user.account.id, user_id=user.id)

            async def operation(tx: Transaction) -> bool:
                if not await rows.signed_in(tx, user.id, password_hash, session.now_ms):
                    return False
                await session.begin(tx, user)
                await note(tx, Event(Action.LOGIN, who, session.now_ms, user.email))
                return True

            if await self._database.write(operation):
                return self._sessions.grant(user, session.identity, session.refresh_token)
        self._audit.later(Event(Action.LOGIN_FAILED, actor, session.now_ms, key[:254] or None))
        raise CredentialsRefused

    async def change_password(self, user: User, current: str, new: str, actor: Actor) -> Grant:
        """A new password, and one new session in the place of all others. Raises CredentialsRefused, InvalidValue."""
        found = await rows.credentials(self._database, user.id)
        if found is None or found.password_hash is None:
            raise InvalidValue("This user has no password here.")
        before = found.password_hash
        if not await self._passwords.matches(current, before):
            self._audit.later(Event(Action.LOGIN_FAILED, actor, now_ms(), user.email, {"while": "password change"}))
            raise CredentialsRefused
        password_hash = await self._passwords.hash(new)
        session = self._sessions.new(actor.address)

        async def operation(tx: Transaction) -> bool:
            if not await rows.set_password(tx, user.id, password_hash, instead_of=before):
                return False
            await self._begin_anew(tx, user, session)
            await note(tx, Event(Action.PASSWORD_CHANGE, actor, session.now_ms, user.email))
            return True

        if not await self._database.write(operation):
            raise CredentialsRefused
        return self._sessions.grant(user, session.identity, session.refresh_token)

    async def forgot(self, email: str, actor: Actor) -> tuple[User, str] | None:
        """Whoever can sign in with an address, and a token that sets their password anew; None where nobody can."""
        found = await rows.by_email(self._database, _key(email))
        if found is None or not (found.user.enabled and found.user.account.enabled):
            return None
        user, token, moment = found.user, secrets.token_urlsafe(RESET_BYTES), now_ms()
        who = replace(actor, account_id=user.account.id, user_id=user.id)

        async def operation(tx: Transaction) -> None:
            await session_rows.add_reset(tx, digest(token), user.id, moment + RESET_MS)
            await note(tx, Event(Action.PASSWORD_FORGOT, who, moment, user.email))

        await self._database.write(operation)
        return user, token

    async def reset_password(self, token: str, password: str, actor: Actor) -> None:
        """A new password for whoever has the token; every session ends. Raises InvalidValue."""
        refused = InvalidValue("This link to a new password is not valid, or not any more: ask for another.")
        token_hash = digest(token)
        identity = await session_rows.reset_of(self._database, token_hash, now_ms())
        if identity is None:
            raise refused
        password_hash = await self._passwords.hash(password)
        moment = now_ms()

        async def operation(tx: Transaction) -> bool:
            if not await session_rows.take_reset(tx, token_hash, moment):
                return False
            user = await rows.get(tx, identity)
            await rows.set_password(tx, identity, password_hash)
            await session_rows.end_all(tx, identity, moment)
            who = replace(actor, account_id=user.account.id, user_id=identity)
            await note(tx, Event(Action.PASSWORD_RESET, who, moment, user.email))
            return True

        if not await self._database.write(operation):
            raise refused

    async def _begin_anew(self, tx: Transaction, user: User, session: NewSession) -> None:
        await session_rows.end_all(tx, user.id, session.now_ms)
        await session.begin(tx, user)

    # What administrators do

    async def create(
        self,
        email: str,
        password: str,
        *,
        name: str | None = None,
        role: Role = Role.USER,
        account: str | None = None,
        actor: Actor = CLI,
    ) -> User:
        """A user of an account, which is made where it is new, or of one of their own.

        Raises EmailExists, InvalidName, InvalidValue.
        """
        email = check_email(email)
        if account is not None:
            check_account_name(account)
        password_hash = await self._passwords.hash(password)
        made = _Made(email, password_hash, _checked_name(name), role, account)

        async def operation(tx: Transaction) -> User:
            user = await made.insert(tx)
            detail = {"role": role.value, "account": user.account.name}
            await note(tx, Event(Action.REGISTER, actor, made.now_ms, email, detail))
            return user

        return await self._database.write(operation)

    async def take_over(self, email: str, password_hash: str, *, name: str | None = None, actor: Actor = CLI) -> User:
        """A user of another service, with the bcrypt hash that it has. Raises EmailExists, InvalidValue."""
        made = _Made(check_email(email), check_hash(password_hash), _checked_name(name), Role.USER, None)

        async def operation(tx: Transaction) -> User:
            user = await made.insert(tx)
            await note(tx, Event(Action.REGISTER, actor, made.now_ms, user.email, {"taken_over": True}))
            return user

        return await self._database.write(operation)

    async def find(self, reference: str) -> User:
        """The user of a number (`#7`), of an address or of an id, which is the `sub` of their tokens.

        Digits without `#` are an id or a number, whichever there is. Raises UserNotFound, and InvalidValue where that could
        be several users.
        """
        number = _number(reference.removeprefix("#"))
        if number is not None and reference.startswith("#"):
            return self._sessions.confined(await rows.get(self._database, number))
        found = await rows.find(self._database, _key(reference), reference if reference.isprintable() else "")
        if number is not None and all(user.id != number for user in found):
            with contextlib.suppress(UserNotFound):
                found = (*found, await rows.get(self._database, number))
        if not found:
            raise UserNotFound("There is no such user.")
        if len(found) > 1:
            numbers = " or ".join(f"#{user.id}" for user in found)
            raise InvalidValue(
                f"{reference!r} could be several users: name the one that is meant by the number, {numbers} (in a URL %23 for #)."
            )
        return self._sessions.confined(found[0])

    async def list(self, *, account: str | None = None, after_id: int = 0, limit: int = 1000) -> Sequence[User]:
        """Users in the order in which they came. Raises AccountNotFound."""
        account_id = None
        if account is not None:
            found = await accounts.by_name(self._database, account)
            if found is None:
                return ()
            account_id = found.id
        page = await rows.page(self._database, account_id=account_id, after_id=after_id, limit=limit)
        return tuple(self._sessions.confined(user) for user in page)

    async def set_role(self, reference: str, role: Role, actor: Actor = CLI) -> User:
        """Raises UserNotFound, InvalidValue."""
        user = await self.find(reference)
        event = Event(Action.USER_CHANGE, actor, now_ms(), user.email or user.subject, {"role": role.value})

        async def operation(tx: Transaction) -> None:
            await rows.set_role(tx, user.id, role)
            await note(tx, event)

        await self._database.write(operation)
        return replace(user, role=role)

    async def move(self, reference: str, account: str, actor: Actor = CLI) -> User:
        """Make somebody a user of another account, one that there is.

        What they uploaded stays in the buckets where it is, and theirs; what they upload from then on is the other account's.
        Raises UserNotFound, AccountNotFound, InvalidValue.
        """
        user, moment = await self.find(reference), now_ms()

        async def operation(tx: Transaction) -> None:
            await tx.lock("config")
            target = await accounts.by_name(tx, account)
            if target is None:
                raise AccountNotFound(f"There is no account {account!r}.")
            if target.is_root and user.issuer != HERE:
                raise InvalidValue("The users of an app cannot be root's.")
            before = (await rows.get(tx, user.id)).account
            if before.id != target.id:
                await rows.set_account(tx, user.id, target.id)
                detail = {"account": target.name, "before": before.name}
                await note(tx, Event(Action.USER_CHANGE, actor, moment, user.email or user.subject, detail))

        await self._database.write(operation)
        return await self.find(f"#{user.id}")

    async def set_enabled(self, reference: str, enabled: bool, actor: Actor = CLI) -> User:
        """Switch a user, and an account that was made for nobody else, with its keys and links.

        Off, every token of theirs ends for good. Raises UserNotFound, InvalidValue.
        """
        user = await self.find(reference)
        moment = now_ms()
        event = Event(Action.USER_CHANGE, actor, moment, user.email or user.subject, {"enabled": enabled})

        async def operation(tx: Transaction) -> None:
            await rows.set_enabled(tx, user.id, enabled, moment)
            await session_rows.end_all(tx, user.id, moment)
            own = user.issuer == HERE and user.account.name.startswith(OWN_ACCOUNT)
            if own and await rows.count_of(tx, user.account.id) == 1:
                await accounts.set_enabled(tx, user.account.name, enabled)
            await note(tx, event)

        await self._database.write(operation)
        return await self.find(f"#{user.id}")

    async def set_password(self, reference: str, password: str, actor: Actor = CLI) -> User:
        """A new password for somebody who signs in with an address; every session ends. Raises UserNotFound, InvalidValue."""
        user = await self.find(reference)
        if user.issuer != HERE:
            raise InvalidValue("This user signs in elsewhere and has no password here.")
        password_hash = await self._passwords.hash(password)
        event = Event(Action.PASSWORD_CHANGE, actor, now_ms(), user.email)

        async def operation(tx: Transaction) -> None:
            await rows.set_password(tx, user.id, password_hash)
            await session_rows.end_all(tx, user.id, event.at_ms)
            await note(tx, event)

        await self._database.write(operation)
        return user


def _number(text: str) -> int | None:
    """The number that digits are; None for other text, and for more digits than numbers have."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


class _Made:
    """A user who is about to be: what chance decides is decided before the transaction, which may run several times."""

    def __init__(self, email: str, password_hash: str, name: str | None, role: Role, account: str | None) -> None:
        self.now_ms = now_ms()
        self._email = email
        self._password_hash = password_hash
        self._name = name
        self._role = role
        self._account = account
        self._own_account = OWN_ACCOUNT + secrets.token_hex(NAME_BYTES)
        self._canonical_id = new_canonical_id()
        self._subject = str(uuid.uuid4())

    async def insert(self, tx: Transaction) -> User:
        """Raises EmailExists."""
        new = NewUser(
            await self._owner(tx),
            HERE,
            self._subject,
            self._email,
            email_key(self._email),
            self._name,
            self._password_hash,
            self._role,
            self.now_ms,
        )
        return await rows.insert(tx, new)

    async def _owner(self, tx: Transaction) -> Account:
        if self._account is None:
            return await accounts.insert(tx, self._own_account, self._canonical_id, self.now_ms)
        known = await accounts.by_name(tx, self._account)
        return known or await accounts.create(tx, self._account, self._canonical_id, self.now_ms)


def _key(email: str) -> str:
    """An address as it is looked up; empty, which is nobody's, for what no address can be."""
    key = email_key(email)
    return key if key.isprintable() and len(key) <= 1024 else ""


def _checked_name(name: str | None) -> str | None:
    """Raises InvalidValue."""
    if name is None or not name.strip():
        return None
    name = name.strip()
    if len(name) > MAX_NAME or not name.isprintable():
        raise InvalidValue(f"A name has up to {MAX_NAME} characters that can be printed.")
    return name
