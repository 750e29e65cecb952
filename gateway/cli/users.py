"""`pixgate users`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from gateway.cli.context import data_options, json_option, print_json, settings_of, with_services
from gateway.cli.duration import utc

if TYPE_CHECKING:
    from gateway.model.accounts import User
    from gateway.services import Services

ROLES = ("user", "moderator", "admin")
PAGE = 1000

password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it."
)
user_argument = click.argument("user", metavar="USER")


@click.group()
def users() -> None:
    """People who sign in.

    USER is an address, the `sub` of a token, or #NUMBER as `users list` shows it. Digits alone are a `sub` or a number,
    whichever there is; where that is two people, #NUMBER tells them apart.
    """


@users.command("list")
@click.option("--account", help="Only those of this account.")
@json_option
@data_options
def list_users(account: str | None, as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """List the users, in the order in which they came."""

    async def work(services: Services) -> list[User]:
        found: list[User] = []
        while page := await services.users.list(account=account, after_id=found[-1].id if found else 0, limit=PAGE):
            found += page
        return found

    found = with_services(settings_of(config_file, data=data), work)
    if as_json:
        print_json([_document(user) for user in found])
        return
    from gateway.cli.table import print_table

    print_table(
        ("NUMBER", "USER", "ACCOUNT", "ROLE", "STATE", "ISSUER", "CREATED"),
        [
            (
                f"#{user.id}",
                user.email if user.email is not None and not user.issuer else user.subject,
                user.account.name,
                user.role.value,
                _state(user),
                user.issuer or "here",
                utc(user.created_ms),
            )
            for user in found
        ],
    )


@users.command()
@click.argument("email")
@click.option("--name", help="What to call them.")
@click.option("--role", type=click.Choice(ROLES), default="user", show_default=True)
@click.option("--account", help="The account they are of, made where it is new. Without it: one of their own.")
@password_option
@json_option
@data_options
def create(
    email: str,
    name: str | None,
    role: str,
    account: str | None,
    password_stdin: bool,
    as_json: bool,
    data: Path | None,
    config_file: Path | None,
) -> None:
    """Make a user who signs in with an address and a password."""
    from gateway.model.accounts import Role

    settings = settings_of(config_file, data=data)
    password = _password(password_stdin)
    made = with_services(
        settings,
        lambda services: services.users.create(email, password, name=name, role=Role(role), account=account),
        make=True,
    )
    if as_json:
        print_json(_document(made))
        return
    click.echo(f"{made.email} is made, #{made.id} of account {made.account.name}")


@users.command()
@user_argument
@json_option
@data_options
def show(user: str, as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """Show a user."""
    found = with_services(settings_of(config_file, data=data), lambda services: services.users.find(user))
    if as_json:
        print_json(_document(found))
        return
    from gateway.cli.table import print_table

    print_table(
        ("", "VALUE"), [(name, "none" if value is None else str(value)) for name, value in _document(found).items()]
    )


@users.command("set-role")
@user_argument
@click.argument("role", type=click.Choice(ROLES))
@data_options
def set_role(user: str, role: str, data: Path | None, config_file: Path | None) -> None:
    """Make somebody a moderator or an administrator, or neither."""
    from gateway.model.accounts import Role

    changed = with_services(
        settings_of(config_file, data=data), lambda services: services.users.set_role(user, Role(role))
    )
    click.echo(f"{_name(changed)} is {'an' if role == 'admin' else 'a'} {role}")


@users.command()
@user_argument
@click.argument("account")
@data_options
def move(user: str, account: str, data: Path | None, config_file: Path | None) -> None:
    """Make somebody a user of ACCOUNT, which must be there. What they uploaded stays where it is, and theirs.

    Keys stay with the account that they are of: end those that this user made there.
    """
    changed = with_services(settings_of(config_file, data=data), lambda services: services.users.move(user, account))
    click.echo(f"{_name(changed)} is of account {changed.account.name}")


@users.command()
@user_argument
@data_options
def disable(user: str, data: Path | None, config_file: Path | None) -> None:
    """Switch somebody off: tokens end at once and for good. So does an account that was made for nobody else."""
    changed = with_services(
        settings_of(config_file, data=data), lambda services: services.users.set_enabled(user, False)
    )
    click.echo(f"{_name(changed)} is off")


@users.command()
@user_argument
@data_options
def enable(user: str, data: Path | None, config_file: Path | None) -> None:
    """Switch somebody on again, who then signs in anew."""
    changed = with_services(
        settings_of(config_file, data=data), lambda services: services.users.set_enabled(user, True)
    )
    click.echo(f"{_name(changed)} is on")


@users.command("set-password")
@user_argument
@password_option
@data_options
def set_password(user: str, password_stdin: bool, data: Path | None, config_file: Path | None) -> None:
    """Give somebody a new password. Every session ends."""
    settings = settings_of(config_file, data=data)
    password = _password(password_stdin)
    changed = with_services(settings, lambda services: services.users.set_password(user, password))
    click.echo(f"{_name(changed)} has a new password")


@users.command("import")
@click.argument("file", type=click.File(encoding="utf-8"))
@data_options
def import_users(file: TextIO, data: Path | None, config_file: Path | None) -> None:
    """Take over the users of another service, with their passwords.

    FILE has a JSON object a line: "email", "password_hash" (bcrypt) and, where there is one, "name". Who is there already is left
    as they are, so it can be run again. `-` is standard input.
    """
    from gateway.errors import EmailExists, InvalidValue

    async def work(services: Services) -> tuple[int, int, int]:
        made = known = wrong = 0
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                email, password_hash, name = _entry(line)
                await services.users.take_over(email, password_hash, name=name)
                made += 1
            except EmailExists:
                known += 1
            except InvalidValue as error:
                wrong += 1
                click.echo(f"line {number}: {error}", err=True)
        return made, known, wrong

    made, known, wrong = with_services(settings_of(config_file, data=data), work, make=True)
    click.echo(f"{made} taken over, {known} there already, {wrong} wrong")
    if wrong:
        raise SystemExit(1)


def _entry(line: str) -> tuple[str, str, str | None]:
    """Address, hash and name of a line. Raises InvalidValue."""
    from gateway.errors import InvalidValue

    try:
        given = json.loads(line)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise InvalidValue("This is not a JSON object.")
    email, password_hash, name = given.get("email"), given.get("password_hash"), given.get("name")
    if not isinstance(email, str) or not isinstance(password_hash, str) or not isinstance(name, str | None):
        raise InvalidValue("It needs email and password_hash.")
    return email, password_hash, name


def _password(from_stdin: bool) -> str:
    """Never an argument: everyone on a machine sees command lines."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    prompted: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return prompted


def _name(user: User) -> str:
    return user.email or user.subject


def _state(user: User) -> str:
    if not user.enabled:
        return "off"
    return "on" if user.account.enabled else "account off"


def _document(user: User) -> dict[str, object]:
    return {
        "number": user.id,
        "id": user.subject,
        "email": user.email,
        "name": user.name,
        "account": user.account.name,
        "role": user.role.value,
        "enabled": user.enabled,
        "issuer": user.issuer or None,
        "created": utc(user.created_ms),
    }
