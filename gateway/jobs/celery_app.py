"""Celery as it is used here: Redis carries the numbers of jobs, nothing else, and is trusted with nothing.

What is to be done, how often it was tried and what came of it stands in the database, so there are no results, retries or
schedules of Celery's. Messages are JSON: nobody who can write to Redis can have code run.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from celery import Celery

from gateway.metadata import jobs
from gateway.redis_address import RedisAddress

KINDS = jobs.KINDS
"""What workers do, a queue each: a thousand uploads do not keep a purge waiting."""
SOCKET_SECONDS = 5.0
VISIBILITY_SECONDS = 3600
"""After which what a worker took and never acknowledged is given to another: by then the dispatcher has sent it again."""
CONNECTIONS = 2


def make_app(address: RedisAddress) -> Celery:
    """A Celery application over that Redis. Nothing is connected yet."""
    app = Celery("pixgate", broker=broker_url(address), set_as_current=False, autofinalize=True, fixups=[])
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        result_backend=None,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_acks_late=True,
        task_reject_on_worker_lost=False,
        task_create_missing_queues=True,
        worker_prefetch_multiplier=1,
        worker_enable_prefetch_count_reduction=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_proc_alive_timeout=60.0,
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=SOCKET_SECONDS,
        broker_pool_limit=CONNECTIONS,
        broker_transport_options=transport_options(address),
        broker_use_ssl=tls_options(address),
        enable_utc=True,
        timezone="UTC",
    )
    return app


def queue_name(deployment: str, kind: str) -> str:
    """Deployments can share a Redis."""
    return f"pixgate-{deployment}-{kind}"


def task_name(kind: str) -> str:
    return f"pixgate.{kind}"


def broker_url(address: RedisAddress) -> str:
    """The address as Celery writes it. It holds the password."""
    login = ""
    if address.password is not None:
        login = f"{quote(address.user or '', safe='')}:{quote(address.password, safe='')}@"
    if address.socket is not None:
        return f"redis+socket://{login}{address.socket}?virtual_host={address.database}"
    if address.kind == "sentinel":
        return ";".join(f"sentinel://{login}{_host(host)}:{port}/{address.database}" for host, port in address.hosts)
    ((host, port),) = address.hosts
    return f"{'rediss' if address.tls else 'redis'}://{login}{_host(host)}:{port}/{address.database}"


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def transport_options(address: RedisAddress) -> Mapping[str, Any]:
    options: dict[str, Any] = {
        "visibility_timeout": VISIBILITY_SECONDS,
        "socket_timeout": SOCKET_SECONDS,
        "socket_connect_timeout": SOCKET_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": 10,
    }
    if address.kind == "sentinel":
        options["master_name"] = address.service
        asking = {
            "username": address.sentinel_user,
            "password": address.sentinel_password,
            **(tls_options(address) or {}),
        }
        options["sentinel_kwargs"] = {name: value for name, value in asking.items() if value is not None}
    return options


def tls_options(address: RedisAddress) -> dict[str, Any] | None:
    if not address.tls:
        return None
    return {
        "ssl_cert_reqs": ssl.CERT_REQUIRED if address.verify else ssl.CERT_NONE,
        "ssl_ca_certs": address.ca,
        "ssl_check_hostname": address.verify,
    }
