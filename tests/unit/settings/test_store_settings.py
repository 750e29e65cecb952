"""Stores as they are written down: URLs, tables, and mistakes in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import SettingsError, load
from gateway.settings.settings import Settings
from gateway.settings.shown import shown_value
from gateway.settings.stores import FolderStore, S3Store, parse_store


def s3(url: str) -> S3Store:
    store = parse_store(url)
    assert isinstance(store, S3Store)
    return store


def test_a_url_with_everything() -> None:
    store = s3(
        "s3://AK%2FID:s%3Ae%40c@minio.example.com:9000/photos?tls=off&style=path&region=eu-west-1&prefix=/a/b/&sse=AES256"
        "&connections=32"
    )
    assert (store.access_key, store.secret_key) == ("AK/ID", "s:e@c")
    assert (store.host, store.port, store.tls, store.bucket, store.prefix) == (
        "minio.example.com",
        9000,
        False,
        "photos",
        "a/b",
    )
    assert (store.effective_style, store.effective_region, store.sse, store.connections) == (
        "path",
        "eu-west-1",
        "AES256",
        32,
    )
    assert "s:e@c" not in repr(store)
    assert not store.is_loopback


def test_defaults_fit_aws_and_others() -> None:
    aws = s3("s3://s3.eu-central-1.amazonaws.com/bucket?credentials=chain")
    assert (aws.effective_style, aws.effective_region, aws.port, aws.tls) == ("virtual", "eu-central-1", 443, True)
    other = s3("s3://k:s@[::1]:9000/bucket?tls=off")
    assert (other.effective_style, other.effective_region, other.host, other.port) == ("path", "us-east-1", "::1", 9000)
    assert other.is_loopback
    assert s3("s3://k:s@host/bucket?tls=off").port == 80


def test_a_folder() -> None:
    assert parse_store("file:///srv/my%20files") == FolderStore(name="main", path=Path("/srv/my files"))
    assert parse_store({"name": "cold", "path": "/srv/cold"}) == FolderStore(name="cold", path=Path("/srv/cold"))


def test_a_table_with_fields_or_with_a_url() -> None:
    fields = {
        "name": "a",
        "endpoint": "h:1",
        "bucket": "bbb",
        "access_key": "k",
        "secret_key_file": "/run/s",
        "tls": False,
    }
    store = parse_store(fields)
    assert isinstance(store, S3Store)
    assert (store.name, store.secret_key_file) == ("a", Path("/run/s"))
    mixed = parse_store({"name": "b", "url": "s3://h:1/bbb?tls=off", "access_key": "k", "secret_key": "s"})
    assert isinstance(mixed, S3Store)
    assert mixed.secret_key == "s"


MISTAKES = {
    "http://host/bucket": "neither s3://",
    "s3://k:s@host:9000": "names no bucket",
    "s3:///bucket": "names no host",
    "s3://k:s@host/bucket/more": "more than a bucket",
    "s3://k:ab/cd+ef==@host/bucket": "percent-encode the secret",
    "s3://k:ab/cd/ef@host:9000/bucket?tls=off": "percent-encode the secret",
    "s3://k:ab?cd@host/bucket": "percent-encode the secret",
    "s3://key@host/bucket": "key:secret",
    "s3://host/bucket": "has no access key and secret key",
    "s3://host/bucket?access_key=k": "has no secret key",
    "s3://k:s@host/bucket?credentials=chain": "from the chain",
    "s3://k:s@host/bucket?colour=red": "colour: is not a parameter",
    "s3://k:s@host/bucket?secret_key=x": "secret_key: is not a parameter",
    "s3://k:s@host/bucket?style=path&style=path": "given twice",
    "s3://k:s@host/bucket?tls=maybe": "neither on nor off",
    "s3://k:s@host/bucket?tls=off&ca=/x.pem": "TLS is off",
    "s3://k:s@host/bucket?style=odd": "style: ",
    "s3://k:s@host/bucket?region=EU": "region: is not a region",
    "s3://k:s@host/bucket?sse=aws:kms": "sse: ",
    "s3://k:s@host/bucket?prefix=../x": "prefix: ",
    "s3://k:s@host/bucket?prefix=a//b": "prefix: ",
    "s3://k:s@host/bucket?connections=1": "connections: ",
    "s3://k:s@host:99999/bucket": "endpoint: ",
    "s3://k:s@ho_st/bucket": "endpoint: ",
    "s3://k:s@127.0.0.1/bucket?style=virtual": "needs style=path",
    "s3://k:s@host/b": "bucket: is not the name",
    "s3://k:s@host/bucket#x": "#",
    "file://host/path": "file:///",
    "file:///path?x=1": "file:///",
}


@pytest.mark.parametrize(("url", "message"), MISTAKES.items())
def test_mistakes_are_told(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        parse_store(url)


def test_an_at_sign_in_a_parameter_is_no_mistake() -> None:
    store = parse_store("s3://host/bucket?credentials=chain&ca=/etc/a@b.pem")
    assert isinstance(store, S3Store)
    assert store.ca == Path("/etc/a@b.pem")


@given(
    st.text(max_size=60),
    st.sampled_from(
        [
            "s3://AKID:hushhush@",
            "s3://hushhush:hushhush@h/",
            "s3://a:hushhush@h/bucket?",
            "s3://a:hushhush/hushhush@h/",
            "s3://a:hushhush?hushhush@h/",
        ]
    ),
)
def test_no_message_holds_a_secret(rest: str, start: str) -> None:
    try:
        said = repr(parse_store(start + rest))
    except ValueError as error:
        said = str(error)
    assert "hushhush" not in said.replace("access_key='hushhush'", "")


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "x" * 33, "ä"])
def test_names_of_stores(name: str) -> None:
    with pytest.raises(ValueError, match="name: "):
        parse_store({"name": name, "path": "/x"})


def settings_of(tmp_path: Path, text: str = "", **environ: str) -> Settings:
    file = tmp_path / "pixgate.toml"
    file.write_text(text)
    return load(config_file=file, env_file=tmp_path / "none", environ=environ)


TWO = """
[[stores]]
name = "cold"
path = "/srv/cold"
[[stores]]
name = "aws"
url = "s3://s3.eu-west-1.amazonaws.com/photos?credentials=chain"
"""


def test_settings_name_stores_and_the_one_for_new_bytes(tmp_path: Path) -> None:
    assert settings_of(tmp_path).new_store == "local"
    assert settings_of(tmp_path).all_stores == ()
    assert settings_of(tmp_path, TWO).new_store == "cold"
    url = "s3://k:hushhush@h:9000/bucket?tls=off"
    both = settings_of(tmp_path, TWO, PIXGATE_STORE_URL=url)
    assert [store.name for store in both.all_stores] == ["main", "cold", "aws"]
    assert both.new_store == "main"
    assert settings_of(tmp_path, TWO, PIXGATE_DEFAULT_STORE="aws").new_store == "aws"
    assert settings_of(tmp_path, TWO, PIXGATE_DEFAULT_STORE="local").new_store == "local"
    assert shown_value(both, "store_url") == shown_value(both, "stores") == "(set)"
    assert "hushhush" not in repr(both)


@pytest.mark.parametrize(
    ("text", "environ", "message"),
    [
        (TWO + '[[stores]]\nname = "cold"\npath = "/x"', {}, "names must differ"),
        ('[[stores]]\nname = "local"\npath = "/x"', {}, "names must differ"),
        (TWO, {"PIXGATE_DEFAULT_STORE": "warm"}, "there is no store 'warm'"),
        ('[[stores]]\npath = "/x"', {}, "number 1: has no name"),
        (
            '[[stores]]\nname = "a"\npath = "x"\n[[stores]]\nname = "b"\nurl = "ftp://x"',
            {},
            "'a': path: .*; 'b': is neither",
        ),
        ('[[stores]]\nname = "a"\npath = "/x"\nbuckets = 1', {}, "buckets: is not a setting"),
        ("", {"PIXGATE_STORES": "x"}, "PIXGATE_STORE_URL"),
        ("", {"PIXGATE_STORE_URL": "s3://k:hushhush@h/b?q=1"}, "PIXGATE_STORE_URL: q: is not"),
    ],
)
def test_mistakes_in_the_settings(tmp_path: Path, text: str, environ: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        settings_of(tmp_path, text, **environ)
    assert "hushhush" not in str(caught.value)
