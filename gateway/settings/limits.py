"""How much anybody may do, and from which origins."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from gateway.settings.fields import SettingsGroup, split_commas

ANY_ORIGIN = "*"
KEPT_SLOTS = 2
"""Upload slots that are kept from whoever has all the others."""


def parse_origins(value: object) -> object:
    """`https://app.example.com, http://localhost:3000`, or `*`. Raises ValueError for what no browser sends as Origin."""
    pieces = split_commas(value)
    if not isinstance(pieces, (tuple, list)):
        return pieces
    origins = []
    for piece in map(str, pieces):
        parts = urlsplit(piece)
        plain = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
        if piece != ANY_ORIGIN and not (parts.scheme and parts.netloc and plain):
            raise ValueError(
                f"{piece!r} is not an origin such as https://app.example.com (no path, no slash at the end)"
            )
        origins.append(piece.lower())
    return tuple(origins)


class LimitSettings(SettingsGroup):
    """Sizes in bytes, times in seconds."""

    rate_limits_enabled: bool = Field(
        default=True,
        description="Whether uploads, passwords, mails and refresh tokens are limited at all. `false` is for measurements and tests.",
    )
    rate_limit_uploads_minute: int = Field(
        default=10, ge=0, description="Uploads that an IP address (of IPv6 a /64) may begin in any minute; 0: no limit."
    )
    rate_limit_uploads_hour: int = Field(
        default=50, ge=0, description="Images that a user may upload in a clock hour; 0: no limit."
    )
    rate_limit_passwords_address: int = Field(
        default=30, ge=0, description="Requests with a password from an IP address in any 15 minutes; 0: no limit."
    )
    rate_limit_passwords_email: int = Field(
        default=10, ge=0, description="Requests with a password for an e-mail address in any 15 minutes; 0: no limit."
    )
    rate_limit_mails_address: int = Field(
        default=20, ge=0, description="Requests that send mail from an IP address in any hour; 0: no limit."
    )
    rate_limit_mails_email: int = Field(
        default=5, ge=0, description="Mails to an e-mail address in any hour; 0: no limit."
    )
    rate_limit_refreshes_address: int = Field(
        default=300,
        ge=0,
        description="Requests with a refresh token from an IP address in any 15 minutes; 0: no limit.",
    )
    rate_limit_refreshes_session: int = Field(
        default=30, ge=0, description="New tokens of one session in any 15 minutes; 0: no limit."
    )
    upload_slots: int = Field(
        default=10,
        ge=1,
        le=10_000,
        description="Uploads by `/api/v1` that a node takes at once, all its workers together.",
    )
    upload_slots_each: int | None = Field(
        default=None,
        ge=1,
        description="How many of them one IP address (of IPv6 a /64) may have, and one account by its access keys.",
        json_schema_extra={"shown": "all but 2; all where there are fewer than 4"},
    )
    upload_slots_user: int | None = Field(
        default=None,
        ge=1,
        description="How many of them one user may have, wherever they are.",
        json_schema_extra={"shown": "half; all where there are fewer than 4"},
    )
    upload_slots_account: int | None = Field(
        default=None,
        ge=1,
        description="How many of them all users and keys of one account may have together, wherever they are. Unset: as many "
        "as its keys and each of its users may.",
    )
    upload_slot_wait: float = Field(
        default=30, ge=0, le=3600, description="Time that an upload waits for a slot; then 503 with Retry-After."
    )
    upload_min_rate: int = Field(
        default=16 * 1024,
        ge=0,
        description="Bytes a second that the body of an upload must come with while it holds a slot; 0: as slowly as it likes.",
    )
    upload_file_timeout: float = Field(
        default=300,
        ge=0,
        description="Time that an upload which holds a slot may wait for the bytes of one file, however fast they come; "
        "then 408. To be raised with `upload_max_bytes`; 0: no limit.",
    )
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(parse_origins)] = Field(
        default=(),
        description="Origins whose pages may call `/api/v1` and send parts to the addresses that it signs, separated by commas, "
        "such as `https://app.example.com`; `*` for all. Unset: no page but the server's own.",
    )
    cors_credentials: bool = Field(
        default=False,
        description="Whether those pages may send what their browser keeps for this server; never together with `*`. Bearer "
        "tokens need it not.",
    )
    cors_max_age: int = Field(
        default=600, ge=0, le=86_400, description="Time that browsers may keep the answer to a preflight."
    )

    @property
    def slots_each(self) -> int:
        """How many upload slots an address or an account may have."""
        return self.upload_slots_each or (
            self.upload_slots - KEPT_SLOTS if self._slots_are_shared else self.upload_slots
        )

    @property
    def slots_user(self) -> int:
        """How many upload slots a user may have."""
        return self.upload_slots_user or (self.upload_slots // 2 if self._slots_are_shared else self.upload_slots)

    @property
    def _slots_are_shared(self) -> bool:
        return self.upload_slots >= 2 * KEPT_SLOTS
