from __future__ import annotations

import pytest

from gateway.model.accounts import AccessKey, Account, KeyKind
from gateway.model.buckets import Bucket, Versioning
from gateway.policy.decide import decide
from gateway.policy.principal import ANONYMOUS, Principal
from gateway.s3.table import OPERATIONS

ALICE = Account(1, "alice", "a" * 64, True, 0)
BOB = Account(2, "bob", "b" * 64, True, 0)
ROOT = Account(3, "root", "c" * 64, True, 0, is_root=True)
OFF = Account(1, "alice", "a" * 64, False, 0)
BUCKET = Bucket(1, "photos", ALICE, "us-east-1", Versioning.UNVERSIONED, 0, images_public=True)
PERMISSIONS = sorted({operation.permission for operation in OPERATIONS})


def of(account: Account, *, admin: bool = False) -> Principal:
    return Principal(AccessKey("AK", "secret", account, KeyKind.S3, admin, True, 0))


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_in_a_bucket(permission: str) -> None:
    assert decide(of(ALICE), permission, BUCKET)
    assert decide(of(ROOT), permission, BUCKET)
    assert not decide(of(BOB), permission, BUCKET)
    assert not decide(of(BOB, admin=True), permission, BUCKET), "administration is not other accounts' objects"
    assert not decide(ANONYMOUS, permission, BUCKET)
    assert not decide(of(OFF), permission, BUCKET)


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_without_a_bucket(permission: str) -> None:
    allowed = permission in ("s3:ListAllMyBuckets", "s3:CreateBucket")
    assert decide(of(BOB), permission, None) is allowed
    assert decide(of(ROOT), permission, None) is allowed
    assert not decide(ANONYMOUS, permission, None)
    assert not decide(of(OFF), permission, None)


def test_a_principal_knows_whether_it_is_anybody() -> None:
    assert ANONYMOUS.anonymous
    assert ANONYMOUS.account is None
    assert of(BOB).account is BOB
    assert not of(BOB).anonymous
