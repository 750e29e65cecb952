"""`pixgate sign`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.context import data_options, settings_of, with_services
from gateway.cli.duration import Moment, parse_duration
from gateway.errors import BucketNotFound, GatewayError, KeyNotFound
from gateway.model.accounts import AccessKey

if TYPE_CHECKING:
    from gateway.img.target import Target
    from gateway.services import Services
    from gateway.settings.settings import Settings

DEFAULT_EXPIRY = "7d"
_ESCAPES = "a percent sign is written %25, other bytes of a key as %XX, in UTF-8"


@click.command()
@click.argument("link")
@click.option("--key", "key_id", help="Link key or access key to sign with. Default: the root key.")
@click.option("--expires", type=Moment(), help=f"When the link ends: 7d, 12h, or a date. Default: {DEFAULT_EXPIRY}.")
@click.option("--referer", "hosts", multiple=True, metavar="HOST", help="Only from pages of this host; *.HOST is every "
              "host below it, - a request without Referer. Repeatable.")  # fmt: skip
@click.option("--ip", "networks", multiple=True, metavar="NETWORK", help="Only for clients of this address or network. "
              "Repeatable.")  # fmt: skip
@click.option("--in-path", is_flag=True, help="Write all parameters into the path, for CDNs that drop queries.")
@click.option("--pin", is_flag=True, help="Add v=, the tag of what the image is now: the answer may be kept for ever.")
@click.option("--path", "only_path", is_flag=True, help="Print path and query, without the server's address.")
@data_options
def sign(
    link: str,
    key_id: str | None,
    expires: int | None,
    hosts: tuple[str, ...],
    networks: tuple[str, ...],
    in_path: bool,
    pin: bool,
    only_path: bool,
    data: Path | None,
    config_file: Path | None,
) -> None:
    """Sign LINK, a path and options such as '/img/<image id>?w=300', and print the URL.

    The options may stand in the path (/img/w_300/<image id>). The link can do what the key's account may read at the
    moment of use; it ends with the key.
    """
    from signing.errors import LinkRefused
    from signing.image_link import sign_url
    from signing.link_bindings import parse_bindings

    settings = settings_of(config_file, data=data)
    if not link.startswith("/img/"):
        raise click.UsageError("the link begins with /img/, as in '/img/<image id>?w=300'")
    try:
        bindings = parse_bindings(",".join(hosts) or None, ",".join(networks) or None)
    except ValueError as error:
        raise click.UsageError(f"the link cannot be bound so: {error}") from error
    target = _target(link)
    _warn(target)
    key, tag = with_services(settings, lambda services: _look_up(services, settings, key_id, target if pin else None))
    if tag is not None:
        link += f"{'&' if '?' in link else '?'}v={tag}"
    moment = expires if expires is not None else int(time.time()) + parse_duration(DEFAULT_EXPIRY)
    try:
        signed = sign_url(
            link, key_id=key.access_key, key=_link_key(key), expires=moment, bindings=bindings, in_path=in_path
        )
    except ValueError as error:
        raise click.UsageError(f"{link!r} cannot be signed: {error}") from error
    except LinkRefused:
        raise click.UsageError(f"{link!r} cannot be signed: {_ESCAPES}") from None
    if not key.usable(int(time.time() * 1000)):
        click.echo(f"{key.access_key} is switched off or has expired: the link will be refused.", err=True)
    click.echo(signed if only_path else _base_url(settings) + signed)


def _target(link: str) -> Target:
    """The link taken apart. Raises UsageError where the server would answer it with 400, whoever signed it."""
    from gateway.img.target import AddressError, parse_target
    from signing.errors import LinkRefused
    from transforms.errors import OptionError

    try:
        target = parse_target(link, signed_header=False)
    except AddressError as error:
        hint = "" if error.missing else f" {_ESCAPES[0].upper()}{_ESCAPES[1:]}."
        raise click.UsageError(f"{link!r} cannot be signed: {error}{hint}") from error
    except OptionError as error:
        raise click.UsageError(f"{link!r} cannot be signed: {error}") from error
    except LinkRefused:
        raise click.UsageError(f"{link!r} cannot be signed: exp, kid and sig are added by signing") from None
    if target.signature is not None:
        raise click.UsageError(f"{link!r} is signed already")
    return target


def _warn(target: Target) -> None:
    from gateway.img.target import ImageByKey, changed_by_browsers

    if isinstance(target.address, ImageByKey) and changed_by_browsers(target.address.key):
        click.echo(
            "Browsers resolve . and .. in a path and ask for another key: sign /img/<image id> instead.", err=True
        )


def _link_key(key: AccessKey) -> bytes:
    from gateway.img.signature import link_key

    return link_key(key)


async def _look_up(
    services: Services, settings: Settings, key_id: str | None, target: Target | None
) -> tuple[AccessKey, str | None]:
    """The key, and the tag of what `target` shows; None without one. Raises GatewayError."""
    key = await _find(services, key_id)
    return key, None if target is None else await _tag(services, settings, key, target)


async def _tag(services: Services, settings: Settings, key: AccessKey, target: Target) -> str:
    from gateway.img.asker import Asker
    from gateway.img.overlays import Overlays
    from gateway.img.target import ImageById
    from gateway.policy.principal import Principal
    from gateway.services.content_tag import rendition_tag
    from gateway.services.presets import Presets
    from transforms.errors import OptionError

    if "v" in target.named:
        raise GatewayError("The link has a v= already.")
    address = target.address
    if isinstance(address, ImageById):
        bucket, version = await services.objects.get_by_image_id(address.image_id)
    else:
        found = await services.directory.bucket(address.bucket)
        if found is None:
            raise BucketNotFound(f"There is no bucket {address.bucket!r}.")
        bucket, version = found, await services.objects.get(found, address.key)
    presets = Presets(settings.image_presets)
    find = presets.find(bucket)
    try:
        request = target.request(find)
        asker = Asker(Principal(key), by_link=True)
        overlays = await Overlays(services.watermarks, presets).of(bucket, request, target.named, asker)
    except OptionError as error:
        raise GatewayError(str(error)) from error
    uids = tuple(one.version.content.uid for one in overlays if one.version.content is not None)
    return rendition_tag(version, request.options, preset=target.preset_text(find), overlays=uids)


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
    """The CDN's address, else the server's: the public one, else where the one that runs (or ran last) here listens."""
    if settings.link_base:
        return settings.link_base
    try:
        return settings.address_file.read_text(encoding="utf-8").strip() or settings.base_url()
    except OSError:
        return settings.base_url()
