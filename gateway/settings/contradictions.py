"""What no setting shows by itself: several that do not go together."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from gateway.redis_address import parse_redis_url
from gateway.settings.auth import auth_contradictions
from gateway.settings.limits import ANY_ORIGIN
from gateway.settings.settings import LOCAL_STORE, Settings
from gateway.settings.weak_secrets import MIN_SECRET_LENGTH, is_weak_secret

MIN_SIGNATURE_LENGTH = 10
"""Characters that a foreign signature may be cut to."""


def contradictions(settings: Settings) -> list[tuple[tuple[str, ...], str]]:
    """What no field shows by itself: (names of the settings, message)."""
    found: list[tuple[tuple[str, ...], str]] = []
    if (settings.root_access_key is None) != (settings.root_secret_key is None):
        found.append((("root_access_key", "root_secret_key"), "set both or neither"))
    if (settings.tls_cert is None) != (settings.tls_key is None):
        found.append((("tls_cert", "tls_key"), "set both or neither"))
    names = [LOCAL_STORE, *(store.name for store in settings.all_stores)]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        found.append(
            (("stores",), f"names must differ, also from `local` (and `main`, of store_url): {', '.join(twice)}")
        )
    if settings.default_store is not None and settings.default_store not in names:
        found.append((("default_store",), f"there is no store {settings.default_store!r}, only {', '.join(names)}"))
    cached_in = settings.image_store_cache
    if cached_in is not None and cached_in not in names and not cached_in.startswith("file:///"):
        message = f"{cached_in!r} is neither a folder (file:///path) nor one of the stores {', '.join(names)}"
        found.append((("image_store_cache",), message))
    if {"thumbor", "imagor"} <= set(settings.dialects):
        found.append((("dialects",), "thumbor or imagor: both would be below /thumbor/"))
    if 0 < settings.thumbor_signature_length < MIN_SIGNATURE_LENGTH:
        message = f"fewer than {MIN_SIGNATURE_LENGTH} characters can be guessed"
        found.append((("thumbor_signature_length",), message))
    public = urlsplit(settings.public_url or "").hostname
    if public is not None and public in settings.dialect_hosts:
        found.append((("dialect_hosts", "public_url"), f"{public} would answer to foreign URLs alone"))
    if settings.cors_credentials and ANY_ORIGIN in settings.cors_origins:
        message = "pages of every origin could act for whoever visits them: name the origins"
        found.append((("cors_credentials", "cors_origins"), message))
    if settings.jobs_engine == "celery" and settings.celery_url is None:
        if settings.redis_url is None:
            found.append((("jobs_engine", "celery_url"), "celery needs a Redis: set celery_url or redis_url"))
        elif parse_redis_url(settings.redis_url).kind == "cluster":
            message = "redis_url is a cluster, which Celery cannot work with: name one server, or sentinels"
            found.append((("celery_url",), message))
    found += auth_contradictions(settings, reachable=not settings.listen.is_loopback, exposed=settings.exposed)
    if settings.master_key is not None and settings.master_key_file is not None:
        found.append((("master_key", "master_key_file"), "set one of them, not both"))
    for name in ("tls_cert", "tls_key", "master_key_file", "image_fonts", "jwt_private_key"):
        path = getattr(settings, name)
        if path is not None and not os.access(path, os.R_OK):
            found.append(((name,), f"{path} cannot be read"))
    if (
        settings.root_secret_key is not None
        and settings.exposed
        and is_weak_secret(settings.root_secret_key, settings.root_access_key)
    ):
        message = (
            f"the secret is well known or shorter than {MIN_SECRET_LENGTH} characters, which is refused where others can "
            "reach the server (by listen, public_url, cdn_url or trusted_proxies); make one with: openssl rand -base64 30"
        )
        found.append((("root_secret_key",), message))
    return found
