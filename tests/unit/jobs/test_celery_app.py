"""Where Celery finds Redis, from the same URLs that everything else takes; and what it is trusted with."""

from __future__ import annotations

import ssl

import pytest

from gateway.jobs.celery_app import KINDS, broker_url, make_app, queue_name, tls_options, transport_options
from gateway.jobs.celery_worker import limits_of
from gateway.metadata import jobs
from gateway.redis_address import parse_redis_url


@pytest.mark.parametrize(
    ("given", "celery"),
    [
        ("redis://h", "redis://h:6379/0"),
        ("redis://:p%40ss@h:7000/3", "redis://:p%40ss@h:7000/3"),
        ("redis://me:s@[::1]:7000", "redis://me:s@[::1]:7000/0"),
        ("rediss://h:1/2", "rediss://h:1/2"),
        ("unix:///run/redis.sock?db=4", "redis+socket:///run/redis.sock?virtual_host=4"),
        ("redis+sentinel://:p@a:1,b/main/5", "sentinel://:p@a:1/5;sentinel://:p@b:26379/5"),
    ],
)
def test_the_address_is_said_as_celery_says_it(given: str, celery: str) -> None:
    address = parse_redis_url(given)
    assert broker_url(address) == celery
    # Celery can make something of it.
    with make_app(address).connection_for_write() as connection:
        assert connection.as_uri()


def test_sentinels_and_certificates() -> None:
    options = transport_options(parse_redis_url("redis+sentinel://a/main?sentinel_user=u&sentinel_password=s"))
    assert (options["master_name"], options["sentinel_kwargs"]) == ("main", {"username": "u", "password": "s"})
    assert tls_options(parse_redis_url("redis://h")) is None
    strict = tls_options(parse_redis_url("rediss://h?ca=/ca.pem"))
    assert strict == {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": "/ca.pem", "ssl_check_hostname": True}


def test_redis_is_trusted_with_nothing() -> None:
    conf = make_app(parse_redis_url("redis://h")).conf
    assert (list(conf.accept_content), conf.task_serializer) == (["json"], "json"), "no code comes out of Redis"
    assert (conf.task_ignore_result, conf.result_backend, conf.task_acks_late) == (True, None, True)
    assert conf.broker_transport_options["visibility_timeout"] > limits_of(jobs.PROCESS, 120).hard


def test_each_kind_of_each_deployment_has_its_queue() -> None:
    names = {queue_name(deployment, kind) for deployment in ("a", "b") for kind in KINDS}
    assert len(names) == 2 * len(KINDS)
    assert limits_of(jobs.PROCESS, 100).soft < limits_of(jobs.PROCESS, 100).hard < limits_of(jobs.SCHEDULED, 100).soft
