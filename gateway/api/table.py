"""All operations of the JSON door, in the order in which the OpenAPI document names them."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.api import openapi
from gateway.api.admin import access_keys, accounts, audit, buckets, moderation, stores, users
from gateway.api.admin import jobs as admin_jobs
from gateway.api.operation import Operation
from gateway.api.routes import Routes
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

_ROUTES = Routes(OPERATIONS)


def resolve(method: str, path: str) -> tuple[Operation, Mapping[str, str]]:
    """The operation of a path, decoded, and the values of its places. Raises ApiError NOT_FOUND, METHOD_NOT_ALLOWED."""
    return _ROUTES.find(method, path)
