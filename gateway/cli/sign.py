"""`pixgate sign`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import click

from gateway.cli.context import data_options, settings_of, with_services
from gateway.cli.duration import Moment, parse_duration
from gateway.errors import GatewayError, KeyNotFound
from gateway.model import AccessKey, KeyKind

if TYPE_CHECKING:
    from gateway.config import Settings
    from gateway.services import Services

DEFAULT_EXPIRY = "7d"


@click.command()
@click.argument("link")
@click.option("--key", "key_id", help="Link key or access key to sign with. Default: the root key.")
@click.option("--expires", type=Moment(), help=f"When the link ends: 7d, 12h, or a date. Default: {DEFAULT_EXPIRY}.")
@click.option("--path", "only_path", is_flag=True, help="Print path and query, without the server's address.")
@data_options
def sign(
    link: str, key_id: str | None, expires: int | None, only_path: bool, data: Path | None, config_file: Path | None
) -> None:
    """Sign LINK, a path and options such as '/img/<image id>?w=300', and print the URL.

    The link can do what the key's account may read at the moment of use; it ends with the key.
    """
    from signing.errors import LinkRefused
    from signing.image_link import raw_link_key, s3_link_key, sign_url

    settings = settings_of(config_file, data=data)
    if not link.startswith("/img/"):
        raise click.UsageError("the link begins with /img/, as in '/img/<image id>?w=300'")
    _check_options(link)
    key = with_services(settings, lambda services: _find(services, key_id))
    secret = raw_link_key(key.secret) if key.kind is KeyKind.LINK else s3_link_key(key.secret)
    moment = expires if expires is not None else int(time.time()) + parse_duration(DEFAULT_EXPIRY)
    try:
        signed = sign_url(link, key_id=key.access_key, key=secret, expires=moment)
    except ValueError as error:
        raise click.UsageError(f"{link!r} cannot be signed: {error}") from error
    except LinkRefused:
        reason = "a percent sign is written %25, other bytes of a key as %XX, in UTF-8"
        raise click.UsageError(f"{link!r} cannot be signed: {reason}") from None
    if not key.usable(int(time.time() * 1000)):
        click.echo(f"{key.access_key} is switched off or has expired: the link will be refused.", err=True)
    click.echo(signed if only_path else _base_url(settings) + signed)


def _check_options(link: str) -> None:
    """Raises UsageError where the server would answer the link with 400, whoever signed it."""
    from signing.image_link import RESERVED
    from transforms.errors import OptionError
    from transforms.options import parse_query

    pairs = parse_qsl(link.partition("?")[2], keep_blank_values=True)
    try:
        parse_query((name, value) for name, value in pairs if name not in RESERVED)
    except OptionError as error:
        raise click.UsageError(str(error)) from error


async def _find(services: Services, key_id: str | None) -> AccessKey:
    if key_id is None:
        root = await services.keys.root()
        if root is None:
            raise KeyNotFound("There are no root credentials yet: name a key with --key.")
        return root
    found = await services.directory.access_key(key_id)
    if found is None:
        raise GatewayError(f"There is no key {key_id!r}.")
    return found


def _base_url(settings: Settings) -> str:
    """The server's address: the public one, else where the server that runs (or ran last) on this folder listens."""
    if settings.public_url:
        return settings.public_url
    try:
        return settings.address_file.read_text(encoding="utf-8").strip() or settings.base_url()
    except OSError:
        return settings.base_url()
