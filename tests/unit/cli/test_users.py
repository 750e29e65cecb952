"""Users at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import bcrypt
import pytest
from click.testing import CliRunner

from gateway.cli import pixgate
from gateway.cli.context import settings_of, with_services
from gateway.errors import CredentialsRefused
from gateway.services import Services
from gateway.services.audit import CLI
from tests.unit.cli.conftest import Run


@pytest.fixture(autouse=True)
def cheap(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXGATE_BCRYPT_COST", "4")


def with_password(data: Path, password: str, *arguments: str, status: int = 0) -> str:
    """The output of a command that reads a password from standard input."""
    done = CliRunner().invoke(pixgate, [*arguments, "--password-stdin", "--data", str(data)], input=password + "\n")
    assert done.exit_code == status, done.output
    assert password not in done.output
    return done.output


def listed(run: Run, *options: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run("users", "list", "--json", *options).stdout)
    return found


def test_a_user_of_ones_own_account_or_of_another(run: Run, data: Path) -> None:
    said = with_password(data, "a password", "users", "create", "ann@example.org", "--name", "Ann")
    assert "ann@example.org is made, #1 of account user-" in said
    with_password(data, "a password", "users", "create", "eve@example.org", "--account", "shop", "--role", "admin")
    ann, eve = listed(run)
    assert (ann["email"], ann["name"], ann["role"], ann["enabled"], ann["issuer"]) == (
        "ann@example.org",
        "Ann",
        "user",
        True,
        None,
    )
    assert (eve["account"], eve["role"]) == ("shop", "admin")
    assert listed(run, "--account", "shop") == [eve]
    assert listed(run, "--account", "nobody") == []
    shown = run("users", "list").stdout
    assert "ann@example.org" in shown
    assert "here" in shown


def test_a_password_is_asked_for_twice(run: Run, data: Path) -> None:
    arguments = ["users", "create", "ann@example.org", "--data", str(data)]
    done = CliRunner().invoke(pixgate, arguments, input="a password\nanother one\na password\na password\n")
    assert done.exit_code == 0, done.output
    assert "do not match" in done.output
    assert "a password\n" not in done.output
    assert len(listed(run)) == 1


def test_what_cannot_be_made(run: Run, data: Path) -> None:
    with_password(data, "a password", "users", "create", "ann@example.org")
    for password, email, why in (
        ("a password", "ANN@example.org", "registered with this address"),
        ("shorter", "bob@example.org", "8 characters"),
        ("x" * 73, "bob@example.org", "72 bytes"),
        ("a password", "bob", "not an address"),
    ):
        assert why in with_password(data, password, "users", "create", email, status=1)
    assert len(listed(run)) == 1


def test_roles_switches_and_passwords(run: Run, data: Path) -> None:
    with_password(data, "a password", "users", "create", "ann@example.org")
    assert "is an admin" in run("users", "set-role", "ann@example.org", "admin").stdout
    assert listed(run)[0]["role"] == "admin"
    run("users", "disable", "#1")
    assert not listed(run)[0]["enabled"]
    account = json.loads(run("accounts", "list", "--json").stdout)
    assert [one["enabled"] for one in account if one["account"].startswith("user-")] == [False]
    run("users", "enable", str(listed(run)[0]["id"]))
    assert listed(run)[0]["enabled"]
    run("accounts", "create", "shop")
    assert "is of account shop" in run("users", "move", "ann@example.org", "shop").stdout
    assert listed(run)[0]["account"] == "shop"
    assert "no account" in run("users", "move", "ann@example.org", "nowhere", status=1).output
    assert "has a new password" in with_password(data, "another one", "users", "set-password", "ann@example.org")
    assert "no such user" in run("users", "disable", "nobody@example.org", status=1).output
    assert "no such user" in run("users", "disable", "#99", status=1).output


def test_users_of_another_service_keep_their_passwords(run: Run, data: Path, tmp_path: Path) -> None:
    made = bcrypt.hashpw(b"their old password", bcrypt.gensalt(10)).decode()
    lines = [
        {"email": "ann@example.org", "password_hash": made, "name": "Ann", "is_active": True},
        {"email": "ANN@example.org", "password_hash": made},
        {"email": "eve@example.org", "password_hash": made.replace("$2b$", "$2y$")},
        {"email": "bob@example.org", "password_hash": made.replace("$10$", "$04$")},
        {"email": "bob@example.org", "password_hash": made.replace("$10$", "$31$")},
        {"email": "bob@example.org", "password_hash": "pbkdf2:sha256"},
        {"email": "bob", "password_hash": made},
        {"email": "bob@example.org"},
        ["bob@example.org"],
    ]
    file = tmp_path / "users.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in lines) + "\n\nno JSON\n")
    done = run("users", "import", str(file), status=1)
    assert "2 taken over, 1 there already, 7 wrong" in done.output
    assert "line 5: " in done.output
    assert made not in done.output
    assert [(one["email"], one["name"]) for one in listed(run)] == [
        ("ann@example.org", "Ann"),
        ("eve@example.org", None),
    ]

    async def look(services: Services) -> None:
        for email in ("ann@example.org", "eve@example.org"):
            grant = await services.users.login(email, "their old password", CLI)
            assert grant.user.email == email
        with pytest.raises(CredentialsRefused):
            await services.users.login("ann@example.org", "another password", CLI)

    with_services(settings_of(None, data=data), look)
