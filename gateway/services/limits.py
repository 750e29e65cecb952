"""How often anybody may do what costs much or guesses secrets: uploads, passwords, mails."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.strategies import MovingWindowRateLimiter

from gateway.cache.port import CacheUnavailable
from gateway.errors import RateLimited, Unavailable
from gateway.metadata import upload_windows
from gateway.metadata.port import Reader, Transaction
from gateway.metadata.rate_windows import RateWindowFile, RateWindowsUnavailable
from gateway.policy.principal import Principal
from gateway.redis_address import parse_redis_url
from gateway.services.rate_windows import FileWindows, RedisWindows
from gateway.settings.limits import LimitSettings

if TYPE_CHECKING:
    from gateway.cache.redis import RedisServer

LOG = logging.getLogger("pixgate.limits")

MINUTE = 60
QUARTER = 900
HOUR = 3600
HOUR_MS = HOUR * 1000
REDIS_SECONDS = 1.0
"""That Redis has to count: what is given up is counted in the node's file, and then twice as much is let through."""
IPV6_BITS = 64
"""What one household or server gets of IPv6: counted as one address."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit. `limit` 0: there is none. `reset_s`, when it begins anew, is in Unix seconds."""

    limit: int
    remaining: int
    reset_s: int

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        if not self.limit:
            return ()
        return (
            ("X-RateLimit-Limit", str(self.limit)),
            ("X-RateLimit-Remaining", str(self.remaining)),
            ("X-RateLimit-Reset", str(self.reset_s)),
        )


UNLIMITED = Allowance(0, 1, 0)


class Limits:
    """What one worker asks. `file` is where the node's workers count where Redis is not there, or away."""

    def __init__(self, settings: LimitSettings, file: RateWindowFile, redis: RedisServer | None) -> None:
        self._settings = settings
        self.enabled = settings.rate_limits_enabled
        self._file = MovingWindowRateLimiter(FileWindows(file))
        self._shared = None if redis is None else MovingWindowRateLimiter(RedisWindows(redis))
        self._open: set[str] = set()
        self._uploads = _per(settings.rate_limit_uploads_minute, MINUTE, "uploads")
        self._passwords_address = _per(settings.rate_limit_passwords_address, QUARTER, "passwords")
        self._passwords_email = _per(settings.rate_limit_passwords_email, QUARTER, "passwords-of")
        self._mails_address = _per(settings.rate_limit_mails_address, HOUR, "mails")
        self._mails_email = _per(settings.rate_limit_mails_email, HOUR, "mails-to")
        self._refreshes_address = _per(settings.rate_limit_refreshes_address, QUARTER, "refreshes")
        self._refreshes_session = _per(settings.rate_limit_refreshes_session, QUARTER, "refreshes-of")

    async def close(self) -> None:
        await self._file.storage.close()  # type: ignore[attr-defined]
        if self._shared is not None:
            await self._shared.storage.close()  # type: ignore[attr-defined]

    # Uploads

    async def uploads_minute(self, address: str | None) -> None:
        """Count a request that uploads. Raises RateLimited; lets everybody through while nothing can count."""
        await self._hit_if_possible("uploads of a minute", self._uploads, counted_as(address))

    @staticmethod
    def who(principal: Principal, address: str | None) -> str:
        """Whose hour an upload counts in: a user's, an account's whose key asks, an address's."""
        if principal.user is not None:
            return f"user:{principal.user.id}"
        account = principal.account
        return f"address:{counted_as(address)}" if account is None else f"account:{account.id}"

    def clients(self, principal: Principal, address: str | None) -> Mapping[str, int]:
        """Whose share of the upload slots an upload takes, and how many that is: the address's, and that of who signed in.

        And of the account with all its users and keys, where the settings bound that.
        """
        each = self._settings.slots_each
        mine = each if principal.user is None else self._settings.slots_user
        shares = {f"address:{counted_as(address)}": each, self.who(principal, address): mine}
        together = self._settings.upload_slots_account
        if together is not None and principal.account is not None:
            shares[f"all of account:{principal.account.id}"] = together
        return shares

    async def hour(self, reader: Reader, who: str, now_ms: int) -> Allowance:
        """What is left of the hour, without counting anything."""
        limit = self._settings.rate_limit_uploads_hour
        if not (self.enabled and limit):
            return UNLIMITED
        window_ms = now_ms - now_ms % HOUR_MS
        count = await upload_windows.counted(reader, who, window_ms)
        return Allowance(limit, max(limit - count, 0), (window_ms + HOUR_MS) // 1000)

    async def count_upload(self, tx: Transaction, who: str, now_ms: int, files: int = 1) -> Allowance:
        """Count files that are uploaded in this transaction. Raises RateLimited, and then none is counted."""
        limit = self._settings.rate_limit_uploads_hour
        if not (self.enabled and limit):
            return UNLIMITED
        window_ms = now_ms - now_ms % HOUR_MS
        reset_s = (window_ms + HOUR_MS) // 1000
        count = await upload_windows.take(tx, who, window_ms, limit, files)
        if count is None:
            before = await upload_windows.counted(tx, who, window_ms)
            raise _refusal(Allowance(limit, max(limit - before, 0), reset_s), now_ms / 1000)
        return Allowance(limit, limit - count, reset_s)

    @staticmethod
    def refuse(allowance: Allowance) -> None:
        """Raises RateLimited where nothing is left."""
        if allowance.remaining <= 0:
            raise _refusal(allowance, time.time())

    # Passwords and mails

    async def passwords(self, address: str | None, email: str | None = None) -> None:
        """Count a request with a password. Raises RateLimited; Unavailable where nothing can count: it never fails open."""
        await self._protect(self._passwords_address, counted_as(address))
        if email is not None:
            await self._protect(self._passwords_email, _unnamed(email))

    async def mails(self, address: str | None, email: str) -> None:
        """Count a request that sends a mail. Raises as `passwords` does."""
        await self._protect(self._mails_address, counted_as(address))
        await self._protect(self._mails_email, _unnamed(email))

    # New tokens for a refresh token

    async def refreshes(self, address: str | None) -> None:
        """Count a request with a refresh token. Raises RateLimited; lets everybody through while nothing can count.

        Nobody can guess such a token: what is protected is the work that a request costs.
        """
        await self._hit_if_possible("requests for new tokens", self._refreshes_address, counted_as(address))

    async def refreshes_of(self, session: str) -> None:
        """The same, of a session."""
        await self._hit_if_possible("requests for new tokens", self._refreshes_session, _unnamed(session))

    async def _protect(self, item: RateLimitItem | None, name: str) -> None:
        try:
            await self._hit(item, name)
        except RateWindowsUnavailable as error:
            LOG.error("requests with passwords are refused, since they cannot be counted: %s", error)
            raise Unavailable("Not available at the moment: try again soon.") from error

    async def _hit_if_possible(self, what: str, item: RateLimitItem | None, name: str) -> None:
        """Raises RateLimited. Where nothing can count, the log says so once, and nobody is refused."""
        try:
            await self._hit(item, name)
        except RateWindowsUnavailable as error:
            if what not in self._open:
                LOG.warning("%s are not limited: %s", what, error)
            self._open.add(what)
        else:
            self._open.discard(what)

    async def _hit(self, item: RateLimitItem | None, name: str) -> None:
        """Raises RateLimited, RateWindowsUnavailable."""
        if item is None or not self.enabled:
            return
        for windows in (self._shared, self._file):
            if windows is None:
                continue
            try:
                if await windows.hit(item, name):
                    return
                stats = await windows.get_window_stats(item, name)
            except CacheUnavailable:
                continue
            reset_s = math.ceil(stats.reset_time)
            raise _refusal(Allowance(item.amount, 0, reset_s), time.time())


def open_limits(settings: LimitSettings, file: RateWindowFile, redis_url: str | None, deployment: str) -> Limits:
    """The limits of a worker, Redis begun. The caller closes them."""
    redis = None
    if redis_url is not None and settings.rate_limits_enabled:
        from gateway.cache.redis import RedisServer

        redis = RedisServer(parse_redis_url(redis_url), deployment, budget=REDIS_SECONDS)
        redis.begin()
    return Limits(settings, file, redis)


def counted_as(address: str | None) -> str:
    """An IP address as limits count it: of IPv6 the first 64 bits, which one client has to itself."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, IPV6_BITS), strict=False))
    return str(parsed)


def _unnamed(email: str) -> str:
    """An e-mail address, or a session, as a name that does not tell it."""
    return hashlib.sha256(email.strip().casefold().encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _per(amount: int, seconds: int, name: str) -> RateLimitItem | None:
    return RateLimitItemPerSecond(amount, seconds, name) if amount else None


def _refusal(allowance: Allowance, now: float) -> RateLimited:
    wait = max(1, math.ceil(allowance.reset_s - now))
    return RateLimited(allowance.limit, allowance.remaining, allowance.reset_s, wait)
