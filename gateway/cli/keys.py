"""`pixgate keys`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.context import Command, data_options, json_option, print_json, settings_of, with_services
from gateway.cli.duration import Moment, utc
from gateway.errors import GatewayError
from gateway.model.accounts import AccessKey, KeyKind, KeyScope
from gateway.settings.settings import Settings

if TYPE_CHECKING:
    from gateway.services import Services


@click.group()
def keys() -> None:
    """Access keys for S3, link keys for signed images. A running server notices changes at its next request."""


def described(key: AccessKey) -> dict[str, Any]:
    """A key without its secret, for programs."""
    return {
        "access_key": key.access_key,
        "account": key.account.name,
        "kind": key.kind.value,
        "admin": key.admin,
        "enabled": key.enabled,
        "account_enabled": key.account.enabled,
        "created": utc(key.created_ms),
        "expires": None if key.expires_ms is None else utc(key.expires_ms),
        "bucket": key.bucket,
        "prefix": key.prefix,
        "scope": scope_described(key.scope),
        "description": key.description,
    }


def scope_described(scope: KeyScope | None) -> dict[str, Any] | None:
    """What a key is narrowed to, for programs; None for nothing."""
    if scope is None:
        return None
    buckets = scope.buckets
    return {
        "buckets": None
        if buckets is None
        else {name: [one.decode() for one in some] for name, some in buckets.items()},
        "read_only": scope.read_only,
        "networks": list(scope.networks),
    }


def scope_options(command: Command) -> Command:
    """What a key is narrowed to."""
    for option in (
        click.option(
            "--network", "networks", multiple=True, metavar="NETWORK", help="Where it may be used from. Repeatable."
        ),
        click.option("--read-only", is_flag=True, help="May read and list, no more."),
        click.option(
            "--only",
            "places",
            multiple=True,
            metavar="BUCKET[/PREFIX]",
            help="What it may reach of the account's buckets: a bucket, or the keys in it that begin so. Repeatable.",
        ),
    ):
        command = option(command)
    return command


def scope_of(places: tuple[str, ...], read_only: bool, networks: tuple[str, ...]) -> KeyScope | None:
    """What the options say. Raises click.ClickException."""
    from gateway.services.key_scopes import make_scope

    buckets: dict[str, list[str]] | None = {} if places else None
    for place in places:
        bucket, _, prefix = place.partition("/")
        if buckets is not None:
            # A bucket without a prefix is all of it, whatever else is said of it.
            buckets.setdefault(bucket, []).append(prefix)
    try:
        return make_scope(buckets, read_only=read_only, networks=networks)
    except GatewayError as error:
        raise click.ClickException(str(error)) from error


def _show_new(key: AccessKey, as_json: bool) -> None:
    if not key.account.enabled:
        click.echo(f"The account {key.account.name} is switched off: the key opens nothing until it is on.", err=True)
    if as_json:
        print_json(
            {"access_key": key.access_key, "secret_key": key.secret, "account": key.account.name, **described(key)}
        )
        return
    click.echo(f"access key  {key.access_key}")
    click.echo(f"secret key  {key.secret}")
    click.echo(f"account     {key.account.name}")
    click.echo("The secret is shown this once.", err=True)


@keys.command()
@click.option("--account", required=True, help="Account that the key belongs to; made when it is new.")
@click.option("--admin", is_flag=True, help="May administer. Opens no other account's objects.")
@click.option("--links", is_flag=True, help="A link key: signs links to images and opens nothing else.")
@click.option("--bucket", help="Narrow a link key to a bucket.")
@click.option("--prefix", help="Narrow a link key to keys that begin so (needs --bucket).")
@scope_options
@click.option("--description", default="", help="What it is for.")
@click.option("--expires", type=Moment(), help="When it stops to work: 30d, 12h, or a date.")
@json_option
@data_options
def create(
    account: str,
    admin: bool,
    links: bool,
    bucket: str | None,
    prefix: str | None,
    places: tuple[str, ...],
    read_only: bool,
    networks: tuple[str, ...],
    description: str,
    expires: int | None,
    as_json: bool,
    data: Path | None,
    config_file: Path | None,
) -> None:
    """Make a key. Its secret is printed once and never again."""
    scope = scope_of(places, read_only, networks)
    key = with_services(
        settings_of(config_file, data=data),
        lambda services: services.keys.create(
            account,
            admin=admin,
            kind=KeyKind.LINK if links else KeyKind.S3,
            bucket=bucket,
            prefix=prefix,
            description=description,
            expires_ms=None if expires is None else expires * 1000,
            scope=scope,
        ),
        make=True,
    )
    _show_new(key, as_json)


@keys.command("list")
@click.option("--account", help="Only those of this account.")
@json_option
@data_options
def list_keys(account: str | None, as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """List the keys, without secrets."""

    async def work(services: Services) -> tuple[AccessKey, ...]:
        if account is None:
            return await services.keys.list()
        return await services.keys.of_account(await services.accounts.get(account))

    found = with_services(settings_of(config_file, data=data), work)
    if as_json:
        print_json([described(key) for key in found])
        return
    from gateway.cli.table import print_table

    print_table(
        ("ACCESS KEY", "ACCOUNT", "KIND", "STATE", "CREATED", "EXPIRES", "DESCRIPTION"),
        [
            (
                key.access_key,
                key.account.name,
                _kind(key),
                "on" if key.enabled and key.account.enabled else "account off" if key.enabled else "off",
                utc(key.created_ms),
                "" if key.expires_ms is None else utc(key.expires_ms),
                key.description,
            )
            for key in found
        ],
    )


def _kind(key: AccessKey) -> str:
    if key.kind is KeyKind.LINK:
        return "links" + (f" to {key.bucket}/{key.prefix or ''}" if key.bucket else "")
    return "s3, admin" if key.admin else "s3" if key.scope is None else "s3, narrowed"


@keys.command()
@click.argument("access_key")
@json_option
@data_options
def show(access_key: str, as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """Show a key, without its secret."""
    values = described(
        with_services(settings_of(config_file, data=data), lambda services: services.keys.get(access_key))
    )
    if as_json:
        print_json(values)
        return
    from gateway.cli.table import print_table

    print_table(("", "VALUE"), [(name, "none" if value is None else str(value)) for name, value in values.items()])


@keys.command()
@click.argument("access_key")
@scope_options
@click.option("--all", "everything", is_flag=True, help="All that its account may, from everywhere.")
@data_options
def narrow(
    access_key: str,
    places: tuple[str, ...],
    read_only: bool,
    networks: tuple[str, ...],
    everything: bool,
    data: Path | None,
    config_file: Path | None,
) -> None:
    """Say what a key may reach, in the place of what held before."""
    scope = scope_of(places, read_only, networks)
    if (scope is None) != everything:
        raise click.UsageError("say what it is narrowed to, or --all")
    with_services(settings_of(config_file, data=data), lambda services: services.keys.set_scope(access_key, scope))
    click.echo(f"{access_key} may do all that its account may" if scope is None else f"{access_key} is narrowed")


@keys.command()
@click.argument("access_key")
@click.option("--at", type=Moment(), help="When: 30d, 12h, or a date. Without it: now.")
@click.option("--never", is_flag=True, help="It does not end by itself.")
@data_options
def expire(access_key: str, at: int | None, never: bool, data: Path | None, config_file: Path | None) -> None:
    """Say when a key ends."""
    from gateway.services.clock import now_ms

    if never and at is not None:
        raise click.UsageError("either --at or --never")
    expires_ms = None if never else now_ms() if at is None else at * 1000
    with_services(
        settings_of(config_file, data=data), lambda services: services.keys.set_expiry(access_key, expires_ms)
    )
    click.echo(f"{access_key} " + ("does not end" if expires_ms is None else f"ends {utc(expires_ms)}"))


@keys.command()
@click.argument("access_key")
@data_options
def disable(access_key: str, data: Path | None, config_file: Path | None) -> None:
    """Switch a key off. Its links stop working, too."""
    with_services(settings_of(config_file, data=data), lambda services: services.keys.set_enabled(access_key, False))
    click.echo(f"{access_key} is off")


@keys.command()
@click.argument("access_key")
@data_options
def enable(access_key: str, data: Path | None, config_file: Path | None) -> None:
    """Switch a key on again."""
    with_services(settings_of(config_file, data=data), lambda services: services.keys.set_enabled(access_key, True))
    click.echo(f"{access_key} is on")


@keys.command()
@click.argument("access_key")
@data_options
def delete(access_key: str, data: Path | None, config_file: Path | None) -> None:
    """Delete a key for good."""
    with_services(settings_of(config_file, data=data), lambda services: services.keys.delete(access_key))
    click.echo(f"{access_key} is deleted")


@keys.command()
@click.argument("access_key")
@click.option("--end-old", is_flag=True, help="Switch the old key off at once.")
@json_option
@data_options
def rotate(access_key: str, end_old: bool, as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """Make a new pair with the rights of ACCESS_KEY, which stays valid unless --end-old is given.

    The root pair is the exception: there is one, so the old one ends.
    """

    async def work(services: Any) -> AccessKey:
        new: AccessKey = await services.keys.rotate(access_key, end_old=end_old)
        return new

    _show_new(with_services(settings_of(config_file, data=data), work), as_json)


@keys.command()
@click.option("--show", is_flag=True, help="Print the secret, too.")
@json_option
@data_options
def root(show: bool, as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """Print the root key pair that is in force."""
    key = with_services(settings_of(config_file, data=data), lambda services: services.keys.root())
    if key is None:
        raise click.ClickException("there are no root credentials yet: they are made at the first start")
    if as_json:
        secret = {"secret_key": key.secret} if show else {}
        print_json({"access_key": key.access_key, **secret, "account": key.account.name})
        return
    click.echo(f"access key  {key.access_key}")
    if show:
        click.echo(f"secret key  {key.secret}")


@keys.command("rotate-master")
@data_options
def rotate_master(data: Path | None, config_file: Path | None) -> None:
    """Make a new master key and seal with it every secret and the key of every encrypted blob.

    Keys and links go on working, no object is written anew. With a key from PIXGATE_MASTER_KEY the new one is printed;
    put it in place and start the server again. Run the command again where it was cut short: first it finishes what the
    last one began.
    """
    import os
    import secrets

    from gateway import data_folder
    from gateway.services.secrets import MasterKey

    settings = settings_of(config_file, data=data)
    new = MasterKey(secrets.token_bytes(32))
    with_services(settings, lambda services: services.keyring.rewrap())
    if settings.master_key is not None:
        # Told before it is in force: nothing could be read any more if it were lost in between.
        click.echo(f"PIXGATE_MASTER_KEY={new.hex()}")
        click.echo("The key above is in force as soon as this command says so.", err=True)
        count = with_services(settings, lambda services: services.keys.rotate_master(new))
        click.echo(f"{count} secrets sealed anew. Start the server again with the key above.", err=True)
        _rewrap(settings.model_copy(update={"master_key": bytes.fromhex(new.hex())}))
        return
    path = data_folder.master_key_path(settings)
    waiting = Path(str(path) + data_folder.ROTATED)
    try:
        fd = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise click.ClickException(f"{waiting} exists: a rotation was cut short. Run any command, then this.") from None
    except OSError as error:
        raise click.ClickException(f"{waiting}: {error.strerror}") from error
    with os.fdopen(fd, "w") as file:
        file.write(new.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        count = with_services(settings, lambda services: services.keys.rotate_master(new))
    except click.ClickException:
        waiting.unlink()
        raise
    data_folder.put_master_key(settings)
    click.echo(f"{count} secrets sealed anew; the new key is in {path}")
    _rewrap(settings)


def _rewrap(settings: Settings) -> None:
    count = with_services(settings, lambda services: services.keyring.rewrap())
    if count:
        click.echo(f"the keys of {count} encrypted blobs wrapped anew", err=True)
