"""Where Redis is, from its URL; and that no mistake in it shows a password."""

from __future__ import annotations

import pytest

from gateway.config import SettingsError, load
from gateway.redis_address import RedisAddress, parse_redis_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://localhost", RedisAddress("single", (("localhost", 6379),))),
        ("redis://10.0.0.1:7000/3", RedisAddress("single", (("10.0.0.1", 7000),), database=3)),
        ("redis://h?db=2", RedisAddress("single", (("h", 6379),), database=2)),
        ("redis://:p%40ss@h", RedisAddress("single", (("h", 6379),), password="p@ss")),
        ("redis://u:p@[::1]:1", RedisAddress("single", (("::1", 1),), user="u", password="p")),
        ("redis://[::1]", RedisAddress("single", (("::1", 6379),))),
        ("rediss://h?ca=/etc/ca.pem", RedisAddress("single", (("h", 6379),), tls=True, ca="/etc/ca.pem")),
        ("rediss://127.0.0.1?verify=off", RedisAddress("single", (("127.0.0.1", 6379),), tls=True, verify=False)),
        ("redis+cluster://a,b:7001", RedisAddress("cluster", (("a", 6379), ("b", 7001)))),
        ("rediss+cluster://a", RedisAddress("cluster", (("a", 6379),), tls=True)),
        (
            "redis+sentinel://u:p@a,b:1/main/4?sentinel_user=s&sentinel_password=t",
            RedisAddress(
                "sentinel",
                (("a", 26379), ("b", 1)),
                service="main",
                database=4,
                user="u",
                password="p",
                sentinel_user="s",
                sentinel_password="t",
            ),
        ),
        ("unix:///run/redis.sock?db=1", RedisAddress("single", (), "/run/redis.sock", database=1)),
        ("unix://u:p@/run/redis.sock", RedisAddress("single", (), "/run/redis.sock", user="u", password="p")),
    ],
)
def test_taken_apart(url: str, expected: RedisAddress) -> None:
    assert parse_redis_url(url) == expected


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://secret@h", "begins with none of"),
        ("h:6379", "begins with none of"),
        ("redis://", "not host:port"),
        ("redis://:secret@h:0", "not host:port"),
        ("redis://:secret@h:x", "not host:port"),
        ("redis://:secret@a,b", "several servers"),
        ("redis://secret@h", "user without a password"),
        ("redis://::1", "brackets"),
        ("redis://:secret@h/x", "not a number"),
        ("redis://:secret@h/1/2", "more than the number"),
        ("redis://:secret@h/1?db=2", "more than the number"),
        ("redis://:secret@h?secret=1&tmeout=3", "not known: secret, tmeout"),
        ("redis://:secret@h?ca=/x", "rediss://"),
        ("rediss://:secret@h?verify=off", "loopback only"),
        ("rediss://:secret@h?verify=no", "neither on nor off"),
        ("redis+sentinel://:secret@h", "names no service"),
        ("redis+cluster://:secret@h/1", "only 0"),
        ("unix://:secret@", "unix:///"),
        ("redis://[::1", "not a URL"),
    ],
)
def test_refused(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        parse_redis_url(url)
    assert "secret@" not in str(refused.value)


def test_no_text_of_it_shows_a_password() -> None:
    address = parse_redis_url("redis+sentinel://user:hidden@a:1,b:2/main?sentinel_password=hidden")
    assert str(address) == repr(address) == "a:1,b:2/main"


def test_the_settings_refuse_it_without_quoting_it() -> None:
    with pytest.raises(SettingsError) as refused:
        load({}, environ={"PIXGATE_REDIS_URL": "redis://:hidden@a,b"})
    assert "PIXGATE_REDIS_URL: names several servers" in str(refused.value)
    assert "hidden" not in str(refused.value)
    settings = load({}, environ={"PIXGATE_REDIS_URL": "redis://:hidden@a"})
    assert "hidden" not in repr(settings)
