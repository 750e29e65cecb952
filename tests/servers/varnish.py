"""A real Varnish in front of a gateway, with the settings of the CDN guide."""

from __future__ import annotations

import os
from pathlib import Path

from tests.servers.front import Front
from tests.servers.guide import blocks, put_in
from tests.servers.ports import free_port
from tests.servers.process import Command
from tests.servers.programs import find

PURGE_TOKEN = "purge-token"
"""The one that the guide shows."""


class Varnish(Front):
    """Listens on a free loopback port. With `xkey` it is purged by that module, else by bans."""

    program = "varnishd"

    def __init__(self, folder: Path, gateway: str, port: int = 0, *, xkey: bool = False) -> None:
        port = port or free_port()
        host, _, origin = gateway.rpartition(":")
        (settings,) = (block for block in blocks("vcl") if ("import xkey" in block) is xkey)
        vcl = put_in(settings, {'.host = "127.0.0.1"': f'.host = "{host}"', '.port = "9090"': f'.port = "{origin}"'})
        (folder / "pixgate.vcl").write_text(vcl)
        (folder / "work").mkdir()
        arguments = (
            str(find("varnishd")), "-F", "-j", "none", "-f", str(folder / "pixgate.vcl"), "-a", f"127.0.0.1:{port}",
            "-n", str(folder / "work"), "-s", "malloc,64m", "-T", "none",
        )  # fmt: skip
        super().__init__(Command(arguments, {"PATH": os.defpath + ":/usr/sbin"}), folder, port)

    @staticmethod
    def has_xkey() -> bool:
        """Whether the module is installed."""
        return any(Path("/usr/lib").glob("**/varnish/vmods/libvmod_xkey.so"))
