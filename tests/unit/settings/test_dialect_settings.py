"""The settings of foreign URLs, read from variables and from a TOML file."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import SettingsError, load
from gateway.settings.settings import Settings
from gateway.settings.shown import shown_value


def settings(tmp_path: Path, **variables: str) -> Settings:
    return load(
        env_file=tmp_path / "none", environ={f"PIXGATE_{name.upper()}": text for name, text in variables.items()}
    )


def test_hosts_maps_and_presets_from_variables(tmp_path: Path) -> None:
    read = settings(
        tmp_path,
        dialects="imgproxy,imagor",
        dialect_hosts="IMG.example.org=imgproxy; thumbs.example.org.=thumbor",
        source_map="HTTPS://Cdn.example.org/Media/=photos/media;=photos;https://x/?a=b/=other",
        imgproxy_presets="card=rs:fill:300:200/g:sm;sharp=sh:1",
    )
    assert read.dialects == ("imgproxy", "imagor")
    assert dict(read.dialect_hosts) == {"img.example.org": "imgproxy", "thumbs.example.org": "thumbor"}
    assert dict(read.source_map) == {
        "https://cdn.example.org/Media/": "photos/media",
        "": "photos",
        "https://x/?a=b/": "other",
    }
    assert dict(read.imgproxy_presets) == {"card": "rs:fill:300:200/g:sm", "sharp": "sh:1"}


def test_tables_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "pixgate.toml"
    file.write_text(
        'dialect_hosts = {"img.example.org" = "imgproxy"}\n'
        'imgproxy_keys = ["0a0b:0c:LINKKEY", "0d:0e:OTHER"]\n'
        'thumbor_keys = ["a, b: c:LINKKEY"]\n'
        '[source_map]\n"https://cdn.example.org/" = "photos"\n'
    )
    read = load(config_file=file, env_file=tmp_path / "none", environ={})
    assert [(key.key, key.salt, key.access_key) for key in read.imgproxy_keys] == [
        (b"\x0a\x0b", b"\x0c", "LINKKEY"),
        (b"\x0d", b"\x0e", "OTHER"),
    ]
    assert read.thumbor_keys[0].key == b"a, b: c"
    assert dict(read.source_map) == {"https://cdn.example.org/": "photos"}


def test_keys_are_shown_nowhere(tmp_path: Path) -> None:
    read = settings(tmp_path, imgproxy_keys="5ec2e7:5a17:LINKKEY", thumbor_keys="sesame:LINKKEY")
    for text in (repr(read), repr(read.imgproxy_keys), repr(read.thumbor_keys), shown_value(read, "imgproxy_keys")):
        assert "5ec2e7" not in text
        assert "sesame" not in text
        assert repr(bytes.fromhex("5ec2e7"))[2:-1] not in text
    assert shown_value(read, "thumbor_keys") == "(set)"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dialects", "imgproxy,gimp"),
        ("dialects", "thumbor,imagor"),
        ("dialect_hosts", "img.example.org"),
        ("dialect_hosts", "https://img.example.org=imgproxy"),
        ("dialect_hosts", "img.example.org=gimp"),
        ("dialect_hosts", "a.example.org=imgproxy;a.example.org=thumbor"),
        ("source_map", "https://cdn.example.org=photos"),
        ("source_map", "https://cdn.example.org/media=photos"),
        ("source_map", "https://cdn.example.org/="),
        ("source_map", "https:///=photos"),
        ("imgproxy_keys", "5ec2e7:5a17"),
        ("imgproxy_keys", "5ec2e7x:5a17:LINKKEY"),
        ("imgproxy_keys", ":5a17:LINKKEY"),
        ("imgproxy_keys", "5ec2e7:5a17:a b"),
        ("imgproxy_signature_size", "4"),
        ("imgproxy_presets", "card=300"),
        ("imgproxy_presets", "card=rs:fill//g:sm"),
        ("imgproxy_watermark", "photos"),
        ("thumbor_keys", "5ec2e7"),
        ("thumbor_keys", ":LINKKEY"),
        ("thumbor_algorithm", "md5"),
        ("thumbor_signature_length", "6"),
        ("source_query", "keep"),
    ],
)
def test_mistakes_name_the_setting_and_no_key(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path, **{name: value})
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(f"PIXGATE_{name.upper()}")
    assert "5ec2e7" not in caught.value.problems[0]


def test_a_dialects_host_is_not_the_servers_own(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"files\.example\.org"):
        settings(tmp_path, public_url="https://files.example.org", dialect_hosts="files.example.org=imgproxy")
