"""What a narrowed access key may do: every permission of S3, every way that a place may be named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.metadata import key_scopes
from gateway.model.accounts import AccessKey, Account, KeyKind, KeyScope
from gateway.model.buckets import Bucket, Versioning
from gateway.policy.decide import decide
from gateway.policy.principal import Principal
from gateway.policy.scope import covers, names, reaches
from gateway.s3.table import OPERATIONS

ALICE = Account(1, "alice", "a" * 64, True, 0)
PHOTOS = Bucket(1, "photos", ALICE, "us-east-1", Versioning.UNVERSIONED, 0)
OTHER = Bucket(2, "other", ALICE, "us-east-1", Versioning.UNVERSIONED, 0)
ROOT = Account(3, "root", "c" * 64, True, 0, is_root=True)
PERMISSIONS = sorted({operation.permission for operation in OPERATIONS})
READS = {permission for permission in PERMISSIONS if permission.startswith(("s3:Get", "s3:List"))}
ABOUT_BUCKETS = {
    "s3:GetBucketLocation",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:GetBucketAcl",
    "s3:GetBucketCORS",
}


def of(scope: KeyScope | None, account: Account = ALICE) -> Principal:
    return Principal(AccessKey("AK", "secret", account, KeyKind.S3, False, True, 0, scope=scope))


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_a_key_for_a_bucket_opens_that_bucket_alone(permission: str) -> None:
    principal = of(KeyScope({"photos": ()}))
    for key in (None, b"", b"a/b"):
        assert decide(principal, permission, PHOTOS, key)
        assert not decide(principal, permission, OTHER, key)
    assert decide(principal, permission, None) is (permission == "s3:ListAllMyBuckets")


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_a_key_for_prefixes_opens_those_alone(permission: str) -> None:
    principal = of(KeyScope({"photos": (b"a/", "ü".encode())}))
    for key in (b"a/", b"a/x", "über".encode()):
        assert decide(principal, permission, PHOTOS, key)
    for other in (None, b"", b"a", b"A/x", b"b/a/", b"\xc3", b"/a/"):
        assert decide(principal, permission, PHOTOS, other) is (permission in ABOUT_BUCKETS), other


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_a_key_that_only_reads_writes_nothing(permission: str) -> None:
    principal = of(KeyScope(read_only=True))
    assert decide(principal, permission, PHOTOS, b"k") is (permission in READS)
    if permission == "s3:CreateBucket":
        assert not decide(principal, permission, None)


def test_what_is_no_read_is_not_taken_for_one() -> None:
    writes = {
        name for name in PERMISSIONS if name.startswith(("s3:Put", "s3:Delete", "s3:Abort", "s3:Create", "s3:Res"))
    }
    assert writes
    assert not writes & READS


@pytest.mark.parametrize("account", [ALICE, ROOT])
def test_a_scope_gives_nothing_that_the_account_does_not_have(account: Account) -> None:
    bob = replace(PHOTOS, owner=replace(ALICE, id=9, name="bob"))
    assert decide(of(KeyScope({"photos": ()}), account), "s3:GetObject", bob, b"k") is account.is_root
    assert not decide(of(KeyScope({}), account), "s3:GetObject", PHOTOS, b"k")


def test_a_narrowed_key_is_no_administrators() -> None:
    admin = AccessKey("AK", "secret", ALICE, KeyKind.S3, True, True, 0)
    assert Principal(admin).admin
    assert Principal(replace(admin, account=ROOT, admin=False)).admin
    for scope in (KeyScope(read_only=True), KeyScope({"photos": ()}), KeyScope(networks=("10.0.0.0/8",))):
        assert not Principal(replace(admin, scope=scope)).admin
        assert not Principal(replace(admin, scope=scope)).moderator
        assert not Principal(replace(admin, account=ROOT, scope=scope)).admin


def test_which_buckets_are_shown() -> None:
    assert names(None, "photos")
    assert names(KeyScope(read_only=True), "photos")
    assert names(KeyScope({"photos": (b"a/",)}), "photos")
    assert not names(KeyScope({"photos": ()}), "other")


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.1.2.3", True),
        ("10.2.0.1", False),
        ("::ffff:10.1.2.3", True),
        ("2001:db8:1::5", True),
        ("2001:db8:1::5%eth0", True),
        ("2001:db8:2::5", False),
        ("192.0.2.7", True),
        ("not an address", False),
        ("", False),
        (None, False),
    ],
)
def test_the_networks_of_a_key(address: str | None, inside: bool) -> None:
    scope = KeyScope(networks=("10.1.0.0/16", "2001:db8:1::/48", "192.0.2.7/32"))
    assert reaches(scope, address) is inside
    assert reaches(KeyScope(), address)
    assert reaches(None, address)


_KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_SCOPES = st.builds(
    KeyScope,
    st.none()
    | st.dictionaries(st.sampled_from(["photos", "other"]), st.lists(_KEYS.map(str.encode), max_size=3).map(tuple)),
    st.booleans(),
    st.lists(st.sampled_from(["10.0.0.0/8", "::/0"]), max_size=2).map(tuple),
)


@given(_SCOPES)
def test_a_scope_comes_back_from_its_row(scope: KeyScope) -> None:
    stored = key_scopes.dump(scope)
    assert key_scopes.load(stored) == (None if scope == KeyScope() else scope)


def test_what_a_later_version_narrows_by_opens_nothing() -> None:
    scope = key_scopes.load('{"buckets":{"photos":[]},"hours":"9-17"}')
    assert scope is not None
    assert not covers(scope, "s3:GetObject", "photos", b"k")


@given(_SCOPES, st.sampled_from(PERMISSIONS), st.sampled_from([None, PHOTOS, OTHER]), _KEYS)
def test_narrowing_never_opens(scope: KeyScope, permission: str, bucket: Bucket | None, key: str) -> None:
    narrowed = decide(of(scope), permission, bucket, key.encode())
    assert not narrowed or decide(of(None), permission, bucket, key.encode())
