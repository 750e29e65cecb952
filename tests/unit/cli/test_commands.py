"""The commands, on a data folder without a server."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.cli import COMMANDS
from gateway.config import load
from gateway.data_folder import server_runs
from signing.image_link import parse_link, raw_link_key, s3_link_key, verify_link
from tests.unit.cli.conftest import Run


def test_a_new_key_makes_its_account_and_shows_its_secret_once(run: Run) -> None:
    made = json.loads(run("keys", "create", "--account", "anna", "--json").stdout)
    assert made["account"] == "anna"
    assert len(made["access_key"]) == 20
    assert len(made["secret_key"]) == 40
    assert "anna" in run("accounts", "list").stdout
    listed = run("keys", "list", "--json").stdout
    assert made["secret_key"] not in listed
    (row,) = [row for row in json.loads(listed) if row["access_key"] == made["access_key"]]
    assert (row["account"], row["kind"], row["admin"], row["enabled"]) == ("anna", "s3", False, True)


def test_a_quota_in_images_is_a_number_and_one_in_bytes_a_size(run: Run) -> None:
    run("accounts", "create", "anna")
    for text in ("5MB", "1.5", "-1", "", "\N{SUPERSCRIPT TWO}"):
        told = run("accounts", "set", "anna", f"--quota-images={text}", status=2).output
        assert f"{text!r} is not a number of images such as 5000, nor `none`" in " ".join(told.split()), told
    told = run("accounts", "set", "anna", "--quota=-1", status=2).output
    assert "'-1' is not a size such as 500MB, 1GiB or 4096, nor `none`" in " ".join(told.split()), told
    run("accounts", "set", "anna", "--quota", "5MB", "--quota-images", "5000")
    shown = json.loads(run("accounts", "show", "anna", "--json").stdout)
    assert (shown["quota_bytes"], shown["quota_images"]) == (5_000_000, 5_000)
    run("accounts", "set", "anna", "--quota", "none", "--quota-images", "none")
    shown = json.loads(run("accounts", "show", "anna", "--json").stdout)
    assert (shown["quota_bytes"], shown["quota_images"]) == (None, None)


def test_a_key_for_people_has_its_warning_on_standard_error(run: Run) -> None:
    result = run("keys", "create", "--account", "anna")
    assert "secret key  " in result.stdout
    assert "this once" in result.stderr


def test_keys_are_switched_off_on_and_deleted(run: Run) -> None:
    key = json.loads(run("keys", "create", "--account", "anna", "--json").stdout)["access_key"]

    def state() -> list[bool]:
        rows = json.loads(run("keys", "list", "--json").stdout)
        return [row["enabled"] for row in rows if row["access_key"] == key]

    run("keys", "disable", key)
    assert state() == [False]
    run("keys", "enable", key)
    assert state() == [True]
    run("keys", "delete", key)
    assert state() == []


def test_rotation_gives_a_new_pair_with_the_same_rights(run: Run) -> None:
    old = json.loads(run("keys", "create", "--account", "anna", "--admin", "--description", "backup", "--json").stdout)
    new = json.loads(run("keys", "rotate", old["access_key"], "--end-old", "--json").stdout)
    assert new["secret_key"] != old["secret_key"]
    rows = {row["access_key"]: row for row in json.loads(run("keys", "list", "--json").stdout)}
    assert rows[new["access_key"]]["admin"]
    assert rows[new["access_key"]]["description"] == "backup"
    assert not rows[old["access_key"]]["enabled"]


def test_an_expiry_is_kept(run: Run) -> None:
    made = json.loads(run("keys", "create", "--account", "anna", "--expires", "2099-01-31", "--json").stdout)
    assert made["expires"] == "2099-01-31T00:00:00Z"
    result = run("keys", "create", "--account", "anna", "--expires", "2001-01-01", status=2)
    assert "in the past" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("keys", "disable", "NOPE"), "There is no access key"),
        (("keys", "create", "--account", "a/b"), "no account name"),
        (("keys", "create", "--account", "anna", "--prefix", "x"), "link key"),
        (("keys", "create", "--account", "anna", "--links", "--admin"), "link"),
        (("accounts", "disable", "root"), "cannot be disabled"),
        (("buckets", "create", "UPPER"), "3 to 63 lower-case letters"),
        (("buckets", "create", "photos", "--account", "nobody"), "There is no account"),
        (("buckets", "set", "photos", "--images", "public"), "There is no bucket"),
        (("sign", "/img/photos/x", "--key", "NOPE"), "There is no key"),
    ],
)
def test_mistakes_are_one_line_without_a_traceback(run: Run, arguments: tuple[str, ...], message: str) -> None:
    run("migrate")
    result = run(*arguments, status=1)
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_an_expiry_beyond_the_calendar_is_refused(run: Run) -> None:
    assert "after the year 9999" in run("keys", "create", "--account", "a", "--expires", "9999999d", status=2).stderr
    run("keys", "create", "--account", "a", "--expires", "9999-12-31")
    assert "9999-12-31T00:00:00Z" in run("keys", "list").stdout


def test_a_bucket_that_is_there_and_an_account_that_is_off_are_told(run: Run) -> None:
    run("accounts", "create", "anna")
    run("buckets", "create", "photos", "--account", "anna")
    assert "There is a bucket 'photos' already" in run("buckets", "create", "photos", status=1).stderr
    run("accounts", "disable", "anna")
    assert "anna is switched off" in run("keys", "create", "--account", "anna").stderr


def test_reading_commands_do_not_make_a_data_folder(run: Run, data: Path) -> None:
    assert "there is no database" in run("keys", "list", status=1).stderr
    assert not data.exists()


def test_wrong_settings_are_all_told_and_exit_with_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXGATE_WORKRES", "2")
    monkeypatch.setenv("PIXGATE_LISTEN", "nowhere")
    result = run("check-config", status=2)
    assert "PIXGATE_WORKERS?" in result.stderr
    assert "PIXGATE_LISTEN" in result.stderr


def test_check_config_shows_what_is_in_force(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pixgate.toml").write_text('region = "eu-central-1"\n')
    monkeypatch.setenv("PIXGATE_METRICS_TOKEN", "not-to-be-shown")
    result = run("check-config", "--json", "--config", str(tmp_path / "pixgate.toml"))
    assert json.loads(result.stdout)["region"] == "eu-central-1"
    assert "not-to-be-shown" not in result.output


def test_check_config_loads_the_certificate(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cert", "key"):
        (tmp_path / name).write_text("not PEM")
        monkeypatch.setenv(f"PIXGATE_TLS_{name.upper()}", str(tmp_path / name))
    assert "PIXGATE_TLS_CERT" in run("check-config", status=1).stderr


def test_how_a_bucket_shows_its_images(run: Run) -> None:
    run("buckets", "create", "photos")

    def settings() -> dict[str, object]:
        found: dict[str, object] = json.loads(run("buckets", "show", "photos", "--json").stdout)["image_settings"]
        return found

    usual = settings()
    assert usual == {
        "presets": {},
        "only_presets": False,
        "max_width": None,
        "fallback": None,
        "renditions": [],
        "exif": False,
        "raw": True,
        "cors": ["*"],
        "purge": False,
        "catalogue": False,
    }
    run(
        "buckets", "set", "photos", "--preset", "card=w:400,h:300,fit:cover", "--preset", "big=w:2000", "--only-presets"
    )
    run(
        "buckets",
        "set",
        "photos",
        "--rendition",
        "p:card",
        "--rendition",
        "w:800,f:webp",
        "--purge",
        "--exif",
        "--no-raw",
    )
    run(
        "buckets", "set", "photos", "--max-width", "2000", "--fallback", "none.png", "--cors", "https://www.example.org"
    )
    assert settings() == {
        "presets": {"card": "w:400,h:300,fit:cover", "big": "w:2000"},
        "only_presets": True,
        "max_width": 2000,
        "fallback": "none.png",
        "renditions": ["p:card", "w:800,f:webp"],
        "exif": True,
        "raw": False,
        "cors": ["https://www.example.org"],
        "purge": True,
        "catalogue": False,
    }
    shown = run("buckets", "show", "photos").stdout
    assert "preset card\tw:400,h:300,fit:cover" in shown
    assert "purge\tyes" in shown
    (row,) = json.loads(run("buckets", "list", "--json").stdout)
    assert row["image_settings"]["presets"]["big"] == "w:2000"
    run("buckets", "set", "photos", "--preset", "big=", "--any-options", "--max-width", "none", "--fallback", "")
    run("buckets", "set", "photos", "--rendition", "", "--cors", "*", "--no-purge", "--no-exif", "--raw")
    assert settings() == usual | {"presets": {"card": "w:400,h:300,fit:cover"}}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--preset", "card=w:wide"), "preset card"),
        (("--preset", "card=p:other"), "preset card"),
        (("--preset", "a b=w:300"), "letters, digits"),
        (("--rendition", "p:nobody"), "neither the bucket nor the server"),
        (("--rendition", "w:0"), "rendition w:0"),
        (("--cors", "www.example.org"), "https://www.example.org"),
        (("--max-width", "0"), "1 to 16384"),
        (("--fallback", "k" * 1025), "1024 bytes"),
    ],
)
def test_what_a_bucket_cannot_be_told_of_its_images(run: Run, arguments: tuple[str, str], said: str) -> None:
    run("buckets", "create", "photos")
    before = run("buckets", "show", "photos", "--json").stdout
    assert said in run("buckets", "set", "photos", *arguments, status=1).stderr
    assert run("buckets", "show", "photos", "--json").stdout == before


def test_work_that_failed_for_good_is_tried_again_or_deleted(run: Run, tmp_path: Path) -> None:
    run("buckets", "create", "photos")
    database = next(tmp_path.rglob("pixgate.sqlite"))

    def add(*run_at: int | None) -> None:
        with sqlite3.connect(database) as connection:
            for due in run_at:
                payload = json.dumps({"bucket": 1, "name": "photos", "key": "61ff"})
                values = ("purge", payload, 5, due, 3, "PurgeRefused: 403")
                sql = (
                    "INSERT INTO jobs (kind, payload, created_ms, run_at_ms, attempts, error) VALUES (?, ?, ?, ?, ?, ?)"
                )
                connection.execute(sql, values)
        connection.close()

    def listed(*options: str) -> list[int]:
        return [job["id"] for job in json.loads(run("jobs", "list", "--json", *options).stdout)["jobs"]]

    add(None, None, None, 1 << 50)
    assert (listed(), listed("--failed")) == ([4], [1, 2, 3])
    shown = run("jobs", "list", "--failed")
    assert shown.stdout.startswith("1\tpurge\tfailed\tphotos\ta\\xff\t3\t1970-01-01T00:00:00Z\t\tPurgeRefused: 403\n")
    assert "purge: 1 waiting or running, 3 failed for good" in shown.stderr
    assert "There is no job 4" in run("jobs", "retry", "4", status=1).stderr
    run("jobs", "retry", "2")
    assert (listed(), listed("--failed")) == ([2, 4], [1, 3])
    run("jobs", "delete", "1")
    run("jobs", "retry", "--all")
    assert (listed(), listed("--failed")) == ([2, 3, 4], [])
    assert "give the id" in run("jobs", "retry", status=2).stderr
    assert "give the id" in run("jobs", "delete", "3", "--all", status=2).stderr


def test_prewarm_needs_a_server(run: Run) -> None:
    run("buckets", "create", "photos")
    assert "pixgate serve" in run("prewarm", "photos", "--options", "w:100", status=1).stderr
    assert "There is no bucket" in run("prewarm", "nobody", "--options", "w:100", status=1).stderr


def test_buckets_and_their_images(run: Run) -> None:
    run("accounts", "create", "anna")
    run("buckets", "create", "photos", "--account", "anna")
    run("buckets", "set", "photos", "--images", "public", "--ladder", "600,150, 300")
    (row,) = json.loads(run("buckets", "list", "--json").stdout)
    assert (row["bucket"], row["account"], row["images"], row["ladder"]) == (
        "photos",
        "anna",
        "public",
        [150, 300, 600],
    )
    run("buckets", "set", "photos", "--images", "private")
    (row,) = json.loads(run("buckets", "list", "--json").stdout)
    assert (row["images"], row["ladder"]) == ("private", [150, 300, 600])
    assert "widths in pixels" in run("buckets", "set", "photos", "--ladder", "wide", status=2).stderr
    assert "say what to set" in run("buckets", "set", "photos", status=2).stderr


def test_a_link_is_signed_with_a_link_key(run: Run) -> None:
    key = json.loads(run("keys", "create", "--account", "anna", "--links", "--json").stdout)
    url = run(
        "sign", "/img/photos/at%20sea.jpg?w=300&f=webp", "--key", key["access_key"], "--expires", "1h"
    ).stdout.strip()
    parts = urlsplit(url)
    assert parts.netloc == "127.0.0.1:9090"
    claims = parse_link(parts.path.encode(), parts.query.encode())
    assert claims is not None
    assert claims.key_id == key["access_key"]
    assert claims.parameters == (("w", "300"), ("f", "webp"))
    assert 3500 < claims.expires - time.time() <= 3600
    verify_link(claims, raw_link_key(key["secret_key"]), time.time())


def test_a_link_is_signed_with_the_root_key_by_default(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("migrate")
    assert "no root credentials" in run("sign", "/img/photos/a.jpg", status=1).stderr
    monkeypatch.setenv("PIXGATE_ROOT_ACCESS_KEY", "someone")
    monkeypatch.setenv("PIXGATE_ROOT_SECRET_KEY", "something-secret")
    monkeypatch.setenv("PIXGATE_PUBLIC_URL", "https://img.example.com")
    signed = run("sign", "/img/photos/a.jpg?w=9").stdout.strip()
    assert signed.startswith("https://img.example.com/img/photos/a.jpg?w=9&exp=")
    path = run("sign", "/img/photos/a.jpg?w=9", "--path").stdout.strip()
    claims = parse_link(*(piece.encode() for piece in path.split("?", 1)))
    assert claims is not None
    verify_link(claims, s3_link_key("something-secret"), time.time())
    for key, warned in (("../a.jpg", True), ("a/%2E/b", True), ("..a/b..", False), ("a//b", False)):
        assert ("Browsers resolve" in run("sign", f"/img/photos/{key}?w=9").stderr) == warned
    assert parse_qs(urlsplit(path).query)["kid"] == ["someone"]


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("/photos/a.jpg", "begins with /img/"),
        ("/img/photos/a?sig=x", "exp, kid and sig are added by signing"),
        ("/img/nowhere", "no image id"),
        ("/img/w_wide/photos/a", "a whole number from 1"),
        ("/img/photos/a?w=%zz", "Option 'w' is malformed"),
        ("/img/photos/100%.jpg?w=3", "A percent sign is written %25"),
        ("/img/photos/%ff.jpg?w=3", "in UTF-8"),
        ("/img/photos/a?w=wide", "a whole number from 1"),
        ("/img/photos/a?w=3&width=4", "is repeated"),
        ("/img/photos/a?size=3", "Option 'size' is unknown"),
    ],
)
def test_what_cannot_be_signed(run: Run, monkeypatch: pytest.MonkeyPatch, link: str, message: str) -> None:
    monkeypatch.setenv("PIXGATE_ROOT_ACCESS_KEY", "someone")
    monkeypatch.setenv("PIXGATE_ROOT_SECRET_KEY", "something-secret")
    run("migrate")
    assert message in run("sign", link, status=2).stderr


def test_the_root_pair_is_shown_only_when_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("migrate")
    assert "no root credentials yet" in run("keys", "root", status=1).stderr
    monkeypatch.setenv("PIXGATE_ROOT_ACCESS_KEY", "someone")
    monkeypatch.setenv("PIXGATE_ROOT_SECRET_KEY", "something-secret")
    assert "something-secret" not in run("keys", "root").output
    assert "something-secret" in run("keys", "root", "--show").stdout
    assert json.loads(run("keys", "root", "--show", "--json").stdout)["secret_key"] == "something-secret"


def test_the_master_key_is_rotated_and_secrets_stay_what_they_were(run: Run, data: Path) -> None:
    key = json.loads(run("keys", "create", "--account", "anna", "--links", "--json").stdout)
    before = (data / "master.key").read_text()
    assert "sealed anew" in run("keys", "rotate-master").stdout
    assert (data / "master.key").read_text() != before
    assert (data / "master.key").stat().st_mode & 0o777 == 0o600
    path = run("sign", "/img/a/b", "--key", key["access_key"], "--path").stdout.strip()
    claims = parse_link(*(piece.encode() for piece in path.split("?", 1)))
    assert claims is not None
    verify_link(claims, raw_link_key(key["secret_key"]), time.time())


def test_a_rotation_that_was_cut_short_is_finished(run: Run, data: Path) -> None:
    run("keys", "create", "--account", "anna")
    old = (data / "master.key").read_text()
    run("keys", "rotate-master")
    os.rename(data / "master.key", data / "master.key.new")
    (data / "master.key").write_text(old)
    run("keys", "list")
    assert (data / "master.key").read_text() != old
    assert not (data / "master.key.new").exists()


def test_another_master_key_is_refused(run: Run, data: Path) -> None:
    run("keys", "create", "--account", "anna")
    (data / "master.key").write_text("00" * 32 + "\n")
    assert "master key" in run("keys", "list", status=1).stderr


def test_a_missing_master_key_is_not_made_anew_for_a_database_that_has_one(run: Run, data: Path) -> None:
    run("keys", "create", "--account", "anna")
    (data / "master.key").rename(data / "copy")
    assert "put your copy back" in run("keys", "list", status=1).stderr
    assert not (data / "master.key").exists()
    (data / "copy").rename(data / "master.key")
    assert "anna" in run("keys", "list").stdout


@pytest.mark.parametrize("command", [("keys", "list"), ("keys", "create", "--account", "a"), ("migrate",), ("fsck",)])
def test_a_file_that_is_no_database_is_one_line_without_a_traceback(
    run: Run, data: Path, command: tuple[str, ...]
) -> None:
    data.mkdir()
    (data / "pixgate.sqlite").write_bytes(b"not a database, but long enough to be read as one" * 100)
    assert "file is not a database" in run(*command, status=1).stderr


def test_migrate_says_what_it_did(run: Run) -> None:
    assert "to be migrated" in run("migrate", "--check", status=1).stdout
    assert "migrated" in run("migrate").stdout
    assert "nothing to do" in run("migrate").stdout
    run("migrate", "--check")


def test_sweep_frees_what_was_deleted_at_once_where_it_is_told_to(run: Run) -> None:
    run("migrate")
    assert json.loads(run("sweep", "--json").stdout) == {"contents": 0, "blobs": 0, "names": 0, "waiting": []}
    assert "0 blobs" in run("sweep", "--grace", "0s").stdout


def test_fsck_of_an_empty_folder_is_clean(run: Run) -> None:
    run("migrate")
    assert "nothing is wrong" in run("fsck").stdout
    assert json.loads(run("fsck", "--json").stdout)["clean"] is True


def test_doctor_finds_a_key_that_others_can_read(run: Run, data: Path) -> None:
    run("keys", "create", "--account", "anna")
    findings = {one["subject"]: one["verdict"] for one in json.loads(run("doctor", "--json").stdout)}
    assert findings["libvips"] == "ok"
    assert findings["database"] == "ok"
    (data / "master.key").chmod(0o644)
    assert "FAILED   master key" in run("doctor", status=1).stdout


def test_nobody_serves_a_folder_that_nobody_serves(run: Run, data: Path) -> None:
    run("migrate")
    assert not server_runs(load({"data": data}, environ={}))


def test_unknown_commands_get_a_hint(run: Run) -> None:
    assert "Did you mean 'keys'?" in run("kyes", status=2, folder=False).stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run: Run, command: str) -> None:
    assert "Usage: " in run(command, "--help", folder=False).stdout


def test_the_command_line_starts_fast_because_it_imports_little() -> None:
    code = "import sys; import gateway.cli; print([m for m in ('aiohttp', 'pydantic', 'sqlalchemy', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_export_of_the_audit_log_is_for_its_owner_alone(run: Run, data: Path, tmp_path: Path) -> None:
    run("keys", "create", "--account", "anna")
    there = tmp_path / "there.csv"
    there.write_text("old")
    there.chmod(0o640)
    before = os.umask(0o022)
    try:
        for name in ("made.json", "there.csv"):
            run("audit", "export", "--output", str(tmp_path / name))
    finally:
        os.umask(before)
    assert (tmp_path / "made.json").stat().st_mode & 0o777 == 0o600
    assert there.stat().st_mode & 0o777 == 0o640, "who made it chose its mode"
    assert "anna" in there.read_text()
    assert "old" not in there.read_text().splitlines()[0][:3]


def test_the_names_of_views_and_the_buckets_that_hide_them(run: Run) -> None:
    run("keys", "create", "--account", "anna")
    run("keys", "create", "--account", "bob")
    run("buckets", "create", "photos--card", "--account", "bob")
    run("buckets", "create", "photos", "--account", "anna")
    refused = run("buckets", "create", "photos--late", "--account", "bob", status=1).stderr
    assert "kept for views of the bucket photos" in refused
    hidden = run("buckets", "set", "photos", "--preset", "card=w:10", "--preset", "free=w:20")
    assert "photos--card is a bucket of bob" in hidden.stderr
    assert "photos--free" not in hidden.stderr
    assert (
        "stands for the bucket photos" in run("buckets", "create", "photos--free", "--account", "anna", status=1).stderr
    )
    assert run("buckets", "set", "photos", "--preset", "card=", "--preset", "free=w:30").stderr == ""
    assert run("buckets", "set", "photos", "--any-options").stderr == ""
