"""What a view answers to, of all that S3 knows."""

from __future__ import annotations

import pytest

from gateway.model.accounts import Account
from gateway.model.buckets import Bucket, Versioning
from gateway.s3.derived_views import HANDLERS, NO_BUCKET, shown_bucket, view_handler
from gateway.s3.errors import S3Error
from gateway.s3.table import BY_NAME, OPERATIONS
from gateway.services.renditions import View

OWNER = Account(1, "anna", "c" * 64, True, 5)
VIEW = View("photos--card", Bucket(7, "photos", OWNER, "eu", Versioning.ENABLED, 5, store="main"), "card")


def test_no_operation_that_writes_reaches_a_bucket_through_a_view() -> None:
    assert set(HANDLERS) <= set(BY_NAME)
    for operation in OPERATIONS:
        if operation.method in ("GET", "HEAD"):
            assert view_handler(operation, VIEW) is HANDLERS.get(operation.name)
        else:
            with pytest.raises(S3Error, match="can only be read"):
                view_handler(operation, VIEW)


def test_a_view_has_its_own_name_and_the_id_of_no_bucket() -> None:
    shown = shown_bucket(VIEW)
    assert (shown.id, shown.name, shown.owner, shown.region) == (NO_BUCKET, "photos--card", OWNER, "eu")
    assert (shown.versioning, shown.store) == (Versioning.UNVERSIONED, None)
