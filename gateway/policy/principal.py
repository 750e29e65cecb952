"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model import AccessKey, Account


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request comes from. Anonymous where `access_key` is None; then so is `account`."""

    access_key: AccessKey | None = None

    @property
    def account(self) -> Account | None:
        return None if self.access_key is None else self.access_key.account

    @property
    def anonymous(self) -> bool:
        return self.access_key is None


ANONYMOUS = Principal()
