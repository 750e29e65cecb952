"""Settings: sources, their order, every mistake at once, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import SettingsError, load
from gateway.settings.address import Address
from gateway.settings.fields import parse_size
from gateway.settings.settings import Settings
from gateway.settings.shown import format_size, shown_value, variable
from gateway.settings.weak_secrets import is_weak_secret

STRONG = "f0rty-characters-that-nobody-else-knows-"
ROOT = {"PIXGATE_ROOT_ACCESS_KEY": "someone"}
JWT = {"PIXGATE_JWT_SECRET": "Zm9ydHktZWlnaHQgY2hhcmFjdGVycyBvZiBub2JvZHkncw"}
"""What an address needs that others can reach."""


def problems(**given: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(**given)  # type: ignore[arg-type]
    return caught.value.problems


def test_the_defaults_are_what_the_documentation_promises() -> None:
    settings = load(environ={})
    assert str(settings.listen) == "127.0.0.1:9090"
    assert settings.data == Path("data")
    assert settings.region == "us-east-1"
    assert settings.workers >= 1
    assert settings.trusted_proxies == ()
    assert settings.base_url() == "http://127.0.0.1:9090"


def test_each_source_yields_to_the_stronger_one(tmp_path: Path) -> None:
    toml, env = tmp_path / "pixgate.toml", tmp_path / ".env"
    toml.write_text('region = "toml-1"\nworkers = 2\nlisten = "127.0.0.1:1"\ndomain = ["a.example", "b.example"]\n')
    env.write_text("PIXGATE_WORKERS=3\nPIXGATE_LISTEN=127.0.0.1:2\nOTHER=ignored\n")
    environ = {"PIXGATE_LISTEN": "127.0.0.1:3", "PIXGATE_DATA": "/from/environment"}
    settings = load({"data": "/from/flag", "region": None}, config_file=toml, env_file=env, environ=environ)
    assert settings.region == "toml-1"
    assert settings.workers == 3
    assert settings.listen.port == 3
    assert settings.data == Path("/from/flag")
    assert settings.domain == ("a.example", "b.example")


def test_a_table_of_the_toml_file_stands_before_the_names_in_it(tmp_path: Path) -> None:
    toml = tmp_path / "pixgate.toml"
    toml.write_text(
        'min.free.bytes = "5MB"\n[rate_limits]\nenabled = false\n[image]\nmax_age = 7\n[image.presets]\ncard = "w:300"\n'
    )
    settings = load(config_file=toml, environ={})
    assert (settings.rate_limits_enabled, settings.min_free_bytes, settings.image_max_age) == (False, 5_000_000, 7)
    assert dict(settings.image_presets) == {"card": "w:300"}
    assert load(config_file=toml, environ={"PIXGATE_RATE_LIMITS_ENABLED": "true"}).rate_limits_enabled

    toml.write_text(
        "rate_limits_enabled = true\n[rate_limits]\nenabled = false\nenabeld = 1\n[image]\nmax_age = -1\n[empty]\n"
    )
    assert sorted(problems(config_file=toml, environ={})) == [
        f"empty in {toml}: there is no such setting",
        f"image.max_age in {toml}: Input should be greater than or equal to 0",
        f"rate_limits.enabeld in {toml}: there is no such setting; did you mean rate_limits_enabled?",
        f"rate_limits.enabled in {toml}: is there twice, as rate_limits_enabled besides",
    ]


def test_the_toml_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    toml = tmp_path / "pixgate.toml"
    toml.write_text('region = "toml-1"\n')
    assert load(environ={"PIXGATE_CONFIG": str(toml)}).region == "toml-1"


def test_a_variable_that_is_empty_is_unset() -> None:
    assert load(environ={"PIXGATE_REGION": "", "PIXGATE_DOMAIN": ""}).region == "us-east-1"


def test_all_mistakes_are_told_at_once_with_the_names_as_given(tmp_path: Path) -> None:
    toml, env = tmp_path / "pixgate.toml", tmp_path / ".env"
    toml.write_text('regoin = "x"\n')
    env.write_text("PIXGATE_KEEPALIVE_TIMEOUT=soon\n")
    environ = {
        "PIXGATE_WORKRES": "2",
        "PIXGATE_LISTEN": "nowhere",
        "PIXGATE_TLS_CERT": "/not/there.pem",
        "PIXGATE_ROOT_ACCESS_KEY": "only-this",
    }
    found = "\n".join(problems(flags={"workers": 0}, config_file=toml, env_file=env, environ=environ))
    assert f"regoin in {toml}: there is no such setting; did you mean region?" in found
    assert f"PIXGATE_KEEPALIVE_TIMEOUT in {env}:" in found
    assert "PIXGATE_WORKRES: there is no such setting; did you mean PIXGATE_WORKERS?" in found
    assert "PIXGATE_LISTEN: is not host:port" in found
    assert "--workers: " in found
    assert "PIXGATE_TLS_CERT: /not/there.pem cannot be read" in found
    assert "PIXGATE_TLS_CERT / PIXGATE_TLS_KEY: set both or neither" in found
    assert "PIXGATE_ROOT_ACCESS_KEY / PIXGATE_ROOT_SECRET_KEY: set both or neither" in found


def test_a_toml_file_that_is_missing_or_broken_is_one_of_the_mistakes(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("region = \n")
    for path in (broken, tmp_path / "missing.toml"):
        found = problems(config_file=path, environ={"PIXGATE_WORKERS": "many"})
        assert found[0].startswith(f"--config {path}: ")
        assert found[1].startswith("PIXGATE_WORKERS: ")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:9090", "127.0.0.1", 9090),
        ("[::1]:80", "::1", 80),
        (":8080", "0.0.0.0", 8080),
        ("localhost:0", "localhost", 0),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    listen = load({"listen": text}, environ=JWT).listen
    assert (listen.host, listen.port) == (host, port)


@pytest.mark.parametrize("text", ["9090", "host:", "host:65536", "::1:9090", "host:９"])
def test_what_is_no_address_is_refused(text: str) -> None:
    assert problems(environ={"PIXGATE_LISTEN": text})[0].startswith("PIXGATE_LISTEN: ")


@pytest.mark.parametrize(
    "secret", ["minioadmin", "short-but-odd", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "x" * 15]
)
@pytest.mark.parametrize("listen", ["0.0.0.0:9090", "192.0.2.1:9090", "[::]:9090", "files.example.com:443"])
def test_a_weak_secret_is_refused_where_others_can_reach_it(secret: str, listen: str) -> None:
    environ = {**ROOT, **JWT, "PIXGATE_ROOT_SECRET_KEY": secret, "PIXGATE_LISTEN": listen}
    (found,) = problems(environ=environ)
    assert found.startswith("PIXGATE_ROOT_SECRET_KEY: ")
    assert secret not in found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "https://files.example.com"),
        ("CDN_URL", "http://192.0.2.1:8080"),
        ("TRUSTED_PROXIES", "127.0.0.1/32"),
    ],
)
def test_a_weak_secret_is_refused_behind_a_proxy(name: str, value: str) -> None:
    environ = {**ROOT, "PIXGATE_ROOT_SECRET_KEY": "minioadmin", f"PIXGATE_{name}": value}
    (found,) = problems(environ=environ)
    assert found.startswith("PIXGATE_ROOT_SECRET_KEY: ")
    local = {"PIXGATE_PUBLIC_URL": "http://localhost:9090", "PIXGATE_CDN_URL": "http://[::1]:9090"}
    load(environ={**ROOT, "PIXGATE_ROOT_SECRET_KEY": "minioadmin", **local})


@pytest.mark.parametrize("listen", ["127.0.0.1:9090", "[::1]:9090", "localhost:9090", "127.8.8.8:1"])
def test_a_weak_secret_is_allowed_on_loopback(listen: str) -> None:
    environ = {**ROOT, "PIXGATE_ROOT_SECRET_KEY": "minioadmin", "PIXGATE_LISTEN": listen}
    assert load(environ=environ).root_secret_key == "minioadmin"


def test_a_strong_secret_is_allowed_everywhere() -> None:
    environ = {**ROOT, **JWT, "PIXGATE_ROOT_SECRET_KEY": STRONG, "PIXGATE_LISTEN": "0.0.0.0:9090"}
    assert load(environ=environ).listen.port == 9090


def test_a_secret_equal_to_its_access_key_is_weak() -> None:
    assert is_weak_secret("the-very-same-text", "the-very-same-text")
    assert not is_weak_secret("the-very-same-text", "another")


def test_secrets_are_in_no_repr_and_no_listing() -> None:
    environ = {
        **ROOT,
        "PIXGATE_ROOT_SECRET_KEY": STRONG,
        "PIXGATE_MASTER_KEY": "ab" * 32,
        "PIXGATE_METRICS_TOKEN": "token-of-the-scraper",
    }
    settings = load(environ=environ)
    shown = repr(settings) + "".join(shown_value(settings, name) for name in Settings.model_fields)
    assert STRONG not in shown
    assert "token-of-the-scraper" not in shown
    assert repr(bytes.fromhex("ab" * 32)) not in shown
    assert shown_value(settings, "root_secret_key") == "(set)"


@pytest.mark.parametrize("text", ["ab" * 32, "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="])
def test_a_master_key_is_hex_or_base64(text: str) -> None:
    assert load(environ={"PIXGATE_MASTER_KEY": text}).master_key == b"\xab" * 32


def test_a_master_key_of_another_length_is_refused_without_being_shown() -> None:
    (found,) = problems(environ={"PIXGATE_MASTER_KEY": "ab" * 31})
    assert found.startswith("PIXGATE_MASTER_KEY: ")
    assert "abab" not in found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("domain", "https://files.example.com"),
        ("domain", "a b"),
        ("region", "US East"),
        ("public_url", "ftp://files.example.com"),
        ("public_url", "https://files.example.com/below"),
        ("trusted_proxies", "10.0.0.0/8, nonsense"),
        ("min_free_bytes", "lots"),
        ("log_level", "loud"),
        ("root_access_key", "a/b"),
    ],
)
def test_values_that_are_not_what_a_setting_takes(name: str, text: str) -> None:
    assert any(one.startswith(variable(name) + ":") for one in problems(environ={variable(name): text}))


NUMBERS = [name for name, field in Settings.model_fields.items() if field.annotation in (int, float)]


@pytest.mark.parametrize("name", NUMBERS)
def test_no_number_is_beyond_what_a_server_can_count_with(name: str) -> None:
    whole = Settings.model_fields[name].annotation is int
    for text in ("99999999999999999999",) if whole else ("inf", "nan", "1e12"):
        (problem,) = problems(environ={variable(name): text})
        assert problem.startswith(variable(name) + ":"), problem


@pytest.mark.parametrize("name", ["share_expiry", "share_expiry_max", "delete_token_expiry"])
def test_what_is_for_people_ends_within_a_century(name: str) -> None:
    load(environ={variable(name): "3153600000"})
    assert problems(environ={variable(name): "3153600001"})


@pytest.mark.parametrize(
    ("text", "size"),
    [("4096", 4096), ("20 MB", 20_000_000), ("1.5GiB", 1_610_612_736), ("1k", 1000), ("2TiB", 2 * 1024**4)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@given(st.integers(min_value=0, max_value=2**50))
def test_a_size_that_is_shown_reads_back(size: int) -> None:
    assert parse_size(format_size(size)) == size


def test_the_url_for_clients() -> None:
    assert load(environ={**JWT, "PIXGATE_LISTEN": "0.0.0.0:8080"}).base_url() == "http://127.0.0.1:8080"
    assert load(environ={"PIXGATE_LISTEN": "[::1]:0"}).base_url(Address("::1", 7)) == "http://[::1]:7"
    assert load(environ={"PIXGATE_PUBLIC_URL": "https://files.example.com/"}).base_url() == "https://files.example.com"


def test_every_setting_says_what_it_is() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_a_line_of_the_env_file_that_cannot_be_read_is_told_without_its_text(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("OTHERS SETTING\n\nPIXGATE WORKERS=3\nPIXGATE_ROOT_SECRET_KEY='half a secret\nPIXGATE_WORKERS=2\n")
    found = problems(env_file=env, environ={})
    assert found == (f"line 3 in {env}: is not NAME=value", f"line 4 in {env}: is not NAME=value")
    env.write_bytes(b"PIXGATE_REGION=\xff\n")
    assert problems(env_file=env, environ={}) == (f"{env}: is not UTF-8",)


def test_presets_are_a_line_or_a_table(tmp_path: Path) -> None:
    wanted = {"card": "w:300,h:200,fit:cover", "hero": "w:1200"}
    line = "card=w:300,h:200,fit:cover; hero=w:1200;"
    assert load(environ={"PIXGATE_IMAGE_PRESETS": line}, env_file=tmp_path / "none").image_presets == wanted
    file = tmp_path / "pixgate.toml"
    file.write_text('[image_presets]\ncard = "w:300,h:200,fit:cover"\nhero = "w:1200"\n')
    settings = load(environ={}, env_file=tmp_path / "none", config_file=file)
    assert settings.image_presets == wanted
    assert shown_value(settings, "image_presets") == "card=w:300,h:200,fit:cover;hero=w:1200"


@pytest.mark.parametrize(
    ("line", "message"),
    [("card", "is not name=options"), ("a=w:1;a=w:2", "two presets 'a'"), ("a b=w:1", "no name of a preset"),
     ("a=w:wide", "preset 'a': Option 'w'"), ("a=zoom:2", "preset 'a': Option 'zoom'"), ("a=p:b", "names no other")],
)  # fmt: skip
def test_a_preset_that_cannot_work_is_told_at_the_start(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        load(environ={"PIXGATE_IMAGE_PRESETS": line}, env_file=tmp_path / "none")


def test_where_links_begin(tmp_path: Path) -> None:
    def base(**environ: str) -> tuple[str, tuple[str, ...]]:
        settings = load(environ={f"PIXGATE_{name}": url for name, url in environ.items()}, env_file=tmp_path / "none")
        return settings.link_base, settings.hosts

    public, cdn = "https://files.example.com:8443", "https://cdn.example.com"
    assert base() == ("", ())
    assert base(PUBLIC_URL=public) == (public, ("files.example.com:8443",))
    assert base(PUBLIC_URL=public, CDN_URL=cdn + "/") == (cdn, ("files.example.com:8443", "cdn.example.com"))
    with pytest.raises(SettingsError, match="PIXGATE_CDN_URL"):
        base(CDN_URL="cdn.example.com")
    with pytest.raises(SettingsError, match="bucket/key"):
        load(environ={"PIXGATE_IMAGE_FALLBACK": "photo.jpg"}, env_file=tmp_path / "none")


def test_celery_needs_a_redis_that_it_can_work_with() -> None:
    assert not load(environ={}).by_celery
    assert load(environ={"PIXGATE_CELERY_URL": "redis://h"}).by_celery
    assert load(environ={"PIXGATE_JOBS_ENGINE": "celery", "PIXGATE_REDIS_URL": "redis://h"}).by_celery
    assert not load(environ={"PIXGATE_JOBS_ENGINE": "in-process", "PIXGATE_CELERY_URL": "redis://h"}).by_celery
    (text,) = problems(environ={"PIXGATE_JOBS_ENGINE": "celery"})
    assert "set celery_url or redis_url" in text
    (text,) = problems(environ={"PIXGATE_JOBS_ENGINE": "celery", "PIXGATE_REDIS_URL": "redis+cluster://h"})
    assert "is a cluster" in text
    (text,) = problems(environ={"PIXGATE_CELERY_URL": "redis+cluster://h"})
    assert "is a cluster" in text
