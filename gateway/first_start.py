"""What is done once before the workers start, in a process of its own: schema, root credentials."""

from __future__ import annotations

import asyncio
import sys

from gateway import data_folder
from gateway.errors import GatewayError, Unavailable, for_operator
from gateway.model.accounts import AccessKey
from gateway.settings.address import Address
from gateway.settings.settings import Settings
from gateway.settings.stores import S3Store
from gateway.supervisor.roles import AWAY
from gateway.web.connect import aws_cli, rclone


def prepare(settings: Settings, address: Address, *, again: bool = False) -> int:
    """Migrate, and make the root pair where nobody gave one.

    Gives an exit status, AWAY where it has to be tried `again`; what is wrong goes to standard error.
    """
    try:
        data_folder.migrate(settings)
        if not again:
            asyncio.run(_look_at_stores(settings))
        made = asyncio.run(_ensure_root(settings))
    except Unavailable as error:
        if not again:
            print(f"Waiting: {for_operator(error)}", file=sys.stderr)
        return AWAY
    except (GatewayError, OSError, RuntimeError) as error:
        print(f"Error: {for_operator(error)}", file=sys.stderr)
        return 1
    if made is not None:
        print(root_message(settings, address, made, terminal=sys.stderr.isatty()), file=sys.stderr, flush=True)
    return 0


async def _look_at_stores(settings: Settings) -> None:
    """Say what is wrong with a store, and what it lacks. Whether the server can go on shows when it opens them."""
    remote = [store for store in settings.all_stores if isinstance(store, S3Store)]
    if not remote:
        return
    from gateway.blobs.upstream.check import check_store

    for found in await asyncio.gather(*(check_store(store) for store in remote)):
        for text in (*found.problems, *found.warnings):
            print(f"Store {found.name}: {text}", file=sys.stderr)
        if found.missing:
            print(f"Store {found.name} lacks: {', '.join(found.missing)}", file=sys.stderr, flush=True)


async def _ensure_root(settings: Settings) -> AccessKey | None:
    services = await data_folder.open_services(settings)
    try:
        if settings.jwt_private_key is not None:
            # Whether it is one shows as it is read. Here the start is refused; a worker could only end again and again.
            services.complete()
        return await services.keys.ensure_root()
    finally:
        await services.close()


def root_message(settings: Settings, address: Address, root: AccessKey, *, terminal: bool) -> str:
    """The new pair with settings to paste; where standard error is no terminal, only how to see it."""
    show = f"pixgate keys root --show --data {settings.data}"
    if not terminal:
        return f"Root credentials were made at this first start. See them with: {show}"
    url, region = settings.base_url(address), settings.region
    blocks = (
        ("aws-cli:", aws_cli(url, region, root.access_key, root.secret)),
        ("rclone (in rclone.conf):", rclone(url, region, root.access_key, root.secret)),
    )
    lines = [
        "",
        "Root credentials, made at this first start and kept encrypted in the data folder:",
        "",
        f"  access key  {root.access_key}",
        f"  secret key  {root.secret}",
    ]
    for title, text in blocks:
        lines += ["", title, "", *(f"  {line}" for line in text.splitlines())]
    lines += ["", f"See them again with: {show}", ""]
    return "\n".join(lines)
