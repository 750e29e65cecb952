"""Passwords: hashed with bcrypt, a few at a time, in threads of their own."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import bcrypt

from gateway.errors import InvalidValue, PasswordsBusy

T = TypeVar("T")

MIN_CHARACTERS = 8
MAX_BYTES = 72
"""In UTF-8: bcrypt looks at no more, so that longer ones would open with any other end."""
AT_ONCE = 2
"""Hashes that a process makes at once: each keeps a core busy for about a quarter of a second."""
WAITING = 4
"""Those that may wait for that: about half a second; who comes behind them is told to come again."""
MAX_EMAIL = 254
"""Characters of an address (RFC 5321, section 4.5.3.1.3)."""

MIN_COST, MAX_COST = 10, 16
"""Of hashes that are taken over: below, they are guessed too quickly, and above, each login would take seconds."""

_HASH = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
_EMAIL = re.compile(
    r"[^\s@<>()\[\],;:\"\\]{1,64}@(?=.{1,253}\Z)([^\W_]([\w-]{0,61}[^\W_])?\.)*[^\W_]([\w-]{0,61}[^\W_])?\Z"
)


def check_password(password: str) -> str:
    """A password as it may be chosen. Raises InvalidValue, which does not quote it."""
    if len(password) < MIN_CHARACTERS:
        raise InvalidValue(f"A password needs {MIN_CHARACTERS} characters at least.")
    return check_length(password)


def check_length(password: str) -> str:
    """A password as one may have been chosen. Raises InvalidValue."""
    try:
        size = len(password.encode())
    except UnicodeEncodeError:
        raise InvalidValue("A password is made of characters.") from None
    if size > MAX_BYTES:
        raise InvalidValue(f"A password may have {MAX_BYTES} bytes in UTF-8.")
    if "\0" in password:
        raise InvalidValue("A password may not have a zero byte.")
    return password


def check_hash(password_hash: str) -> str:
    """A bcrypt hash as another service made it. Raises InvalidValue, which does not quote it."""
    match = _HASH.fullmatch(password_hash)
    if match is None or not MIN_COST <= int(match[1]) <= MAX_COST:
        raise InvalidValue(f"This is not a bcrypt hash of a cost from {MIN_COST} to {MAX_COST}.")
    return password_hash


def check_email(address: str) -> str:
    """An address as mail is sent to it. Raises InvalidValue."""
    address = unicodedata.normalize("NFC", address.strip())
    if len(address) > MAX_EMAIL or not address.isprintable() or not _EMAIL.match(address):
        raise InvalidValue("This is not an address such as ann@example.com.")
    return address


def email_key(address: str) -> str:
    """An address as it is compared: whoever writes it in capitals means the same."""
    return unicodedata.normalize("NFC", address.strip()).casefold()


class Passwords:
    """`cost` is bcrypt's: one more doubles the time."""

    def __init__(self, cost: int) -> None:
        self._cost = cost
        self._executor = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")
        self._busy = 0
        # No password has this hash. Comparing with it costs what comparing with any other does.
        self._nobodys = f"$2b${cost:02d}$" + "." * 22 + "." * 31

    async def hash(self, password: str) -> str:
        """Raises PasswordsBusy, InvalidValue."""
        data = check_password(password).encode()
        return await self._run(lambda: bcrypt.hashpw(data, bcrypt.gensalt(self._cost)).decode())

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Whether that is the password. Without a hash it is not, which takes as long to find out. Raises PasswordsBusy."""
        data = check_length(password).encode()
        known = (password_hash or self._nobodys).encode()
        same = await self._run(lambda: bcrypt.checkpw(data, known))
        return same and password_hash is not None

    async def _run(self, work: Callable[[], T]) -> T:
        if self._busy >= AT_ONCE + WAITING:
            raise PasswordsBusy("Too many sign in at the moment: try again.")
        self._busy += 1
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        # Counted until it is done, also for who does not wait for it any more.
        future.add_done_callback(self._done)
        return await asyncio.shield(future)

    def _done(self, future: asyncio.Future[T]) -> None:
        self._busy -= 1
        if not future.cancelled():
            future.exception()

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
