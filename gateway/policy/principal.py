"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.accounts import AccessKey, Account, Role, User


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request comes from: an access key, a user with a bearer token, or nobody (then `account` is None)."""

    access_key: AccessKey | None = None
    user: User | None = None

    @property
    def account(self) -> Account | None:
        if self.access_key is not None:
            return self.access_key.account
        return None if self.user is None else self.user.account

    @property
    def anonymous(self) -> bool:
        return self.access_key is None and self.user is None

    @property
    def admin(self) -> bool:
        """Whether the admin API is open: an administrator's key, root's, or a user with that role; never a narrowed key."""
        key = self.access_key
        if key is not None:
            return key.scope is None and (key.admin or key.account.is_root)
        return self.user is not None and self.user.role is Role.ADMIN

    @property
    def moderator(self) -> bool:
        return self.admin or (self.user is not None and self.user.role is Role.MODERATOR)


ANONYMOUS = Principal()
