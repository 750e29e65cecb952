"""Who may see an image and who may change it: a table of everybody, and what holds for all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.accounts import AccessKey, Account, KeyKind, KeyScope, Role, User
from gateway.model.buckets import Bucket, Versioning
from gateway.model.images import Visibility
from gateway.policy.images import ImageFacts, may_change, may_see, may_see_all, owns, shown
from gateway.policy.principal import ANONYMOUS, Principal

OWNER = Account(1, "owner", "c1", enabled=True, created_ms=0)
OTHER = Account(2, "other", "c2", enabled=True, created_ms=0)
ROOT = Account(3, "root", "c3", enabled=True, created_ms=0, is_root=True)
BUCKET = Bucket(5, "photos", OWNER, "eu", Versioning.UNVERSIONED, 0)
UPLOADER = 7


def key_of(account: Account, **fields: object) -> Principal:
    key = AccessKey("PG1", "s", account, KeyKind.S3, admin=False, enabled=True, created_ms=0)
    return Principal(access_key=replace(key, **fields))  # type: ignore[arg-type]


def user_of(account: Account, identity: int, *, role: Role = Role.USER, confined: bool = False) -> Principal:
    return Principal(user=User(identity, account, "", "s", None, None, role, True, 0, confined))


WHO = {
    "nobody": ANONYMOUS,
    "the account's key": key_of(OWNER),
    "a user of the account": user_of(OWNER, 8),
    "the uploader, one of an app's users": user_of(OWNER, UPLOADER, confined=True),
    "another of the app's users": user_of(OWNER, 8, confined=True),
    "another account's key": key_of(OTHER),
    "another account's user": user_of(OTHER, 9),
    "root": key_of(ROOT),
    "an administrator": user_of(OTHER, 9, role=Role.ADMIN),
    "an administrator's key": key_of(OTHER, admin=True),
    "a moderator": user_of(OTHER, 9, role=Role.MODERATOR),
    "a key that may only read": key_of(OWNER, scope=KeyScope(read_only=True)),
    "a key for other prefixes": key_of(OWNER, scope=KeyScope(buckets={"photos": (b"other/",)})),
}
OWNERS = {"the account's key", "a user of the account", "the uploader, one of an app's users", "root"}
READERS = {*OWNERS, "a key that may only read"}
ADMINS = {"an administrator", "an administrator's key", "root"}


def image(visibility: Visibility, *, hidden: bool = False, bucket: Bucket = BUCKET) -> ImageFacts:
    return ImageFacts(bucket, b"a/photo.jpg", OWNER.id, UPLOADER, visibility, hidden)


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("visibility", Visibility)
def test_everybody_and_every_visibility(visibility: Visibility, hidden: bool) -> None:
    facts = image(visibility, hidden=hidden)
    always = {*READERS, *ADMINS, "a moderator"}
    open_ = visibility is not Visibility.PRIVATE and not hidden
    assert {name for name, who in WHO.items() if may_see(who, facts)} == (set(WHO) if open_ else always)
    assert {name for name, who in WHO.items() if may_change(who, facts)} == {*OWNERS, *ADMINS}
    assert {name for name, who in WHO.items() if may_see_all(who, facts)} == {*READERS, *ADMINS}


@pytest.mark.parametrize("visibility", Visibility)
def test_what_its_key_shows_no_more_is_for_those_who_have_it(visibility: Visibility) -> None:
    """Overwritten or deleted by S3 in a versioned bucket: strangers cannot see it, whatever its visibility."""
    facts = replace(image(visibility), current=False)
    assert {name for name, who in WHO.items() if may_see(who, facts)} == {*READERS, *ADMINS, "a moderator"}
    assert {name for name, who in WHO.items() if may_change(who, facts)} == {*OWNERS, *ADMINS}
    assert not shown(facts)
    assert shown(image(visibility))


def test_what_a_disabled_account_has_is_closed_to_others() -> None:
    bucket = replace(BUCKET, owner=replace(OWNER, enabled=False))
    facts = image(Visibility.PUBLIC, bucket=bucket)
    assert not may_see(ANONYMOUS, facts)
    assert not may_see(key_of(OTHER), facts)
    assert not owns(key_of(bucket.owner), facts)
    assert may_see(WHO["an administrator"], facts)


principals = st.sampled_from(sorted(WHO)).map(WHO.__getitem__)
images = st.builds(
    ImageFacts,
    st.just(BUCKET),
    st.sampled_from([b"a", b"other/b"]),
    st.sampled_from([OWNER.id, OTHER.id]),
    st.sampled_from([None, UPLOADER, 8, 9]),
    st.sampled_from(Visibility),
    st.booleans(),
    st.booleans(),
)


@given(principals, images)
def test_who_may_do_more_may_do_less(who: Principal, facts: ImageFacts) -> None:
    if may_change(who, facts):
        assert may_see_all(who, facts)
    if may_see_all(who, facts):
        assert may_see(who, facts)
    if may_see(ANONYMOUS, facts):
        assert may_see(who, facts)


@given(principals, images, st.sampled_from(Visibility))
def test_visibility_is_nothing_to_the_owner(who: Principal, facts: ImageFacts, other: Visibility) -> None:
    if owns(who, facts):
        assert owns(who, replace(facts, visibility=other))
        assert may_see(who, replace(facts, visibility=other))
