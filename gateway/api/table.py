"""All operations of the JSON door, in the order in which the OpenAPI document names them."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.api import openapi
from gateway.api.admin import access_keys, accounts, audit, buckets, moderation, stores, users
from gateway.api.admin import jobs as admin_jobs
from gateway.api.errors import ApiError
from gateway.api.operation import Operation
from gateway.api.v1 import (
    auth,
    batch,
    batch_upload,
    changes,
    files,
    gallery,
    health,
    images,
    jobs,
    keys,
    reports,
    resumable,
    shares,
    upload,
)

OPERATIONS: tuple[Operation, ...] = (
    *auth.OPERATIONS,
    *keys.OPERATIONS,
    *upload.OPERATIONS,
    *batch_upload.OPERATIONS,
    *resumable.OPERATIONS,
    *changes.OPERATIONS,
    *gallery.OPERATIONS,
    *batch.OPERATIONS,
    *images.OPERATIONS,
    *files.OPERATIONS,
    *shares.OPERATIONS,
    *reports.OPERATIONS,
    *jobs.OPERATIONS,
    *health.OPERATIONS,
    *accounts.OPERATIONS,
    *users.OPERATIONS,
    *access_keys.OPERATIONS,
    *buckets.OPERATIONS,
    *stores.OPERATIONS,
    *moderation.OPERATIONS,
    *audit.OPERATIONS,
    *admin_jobs.OPERATIONS,
    *openapi.OPERATIONS,
)


def resolve(method: str, path: str) -> tuple[Operation, Mapping[str, str]]:
    """The operation of a path, decoded, and the values of its places. Raises ApiError NOT_FOUND, METHOD_NOT_ALLOWED.

    A slash at the end makes no difference. Where several match, the one with the fewest places is meant.
    """
    path = path.rstrip("/")
    found = [(one, values) for one in OPERATIONS if (values := one.match(path)) is not None]
    if not found:
        raise ApiError("NOT_FOUND")
    wanted = "GET" if method == "HEAD" else method
    fitting = [pair for pair in found if pair[0].method == wanted]
    if not fitting:
        methods = sorted(
            {one.method for one, _ in found} | ({"HEAD"} if any(o.method == "GET" for o, _ in found) else set())
        )
        raise ApiError("METHOD_NOT_ALLOWED", headers=(("Allow", ", ".join(methods)),))
    return min(fitting, key=lambda pair: len(pair[1]))
