"""A real nginx in front of a gateway, with the settings of the CDN guide."""

from __future__ import annotations

import os
from pathlib import Path

from tests.servers.front import Front
from tests.servers.guide import blocks, put_in
from tests.servers.ports import free_port
from tests.servers.process import Command
from tests.servers.programs import find


class Nginx(Front):
    """Listens on a free loopback port; keeps its cache in `folder`."""

    program = "nginx"

    def __init__(self, folder: Path, gateway: str, port: int = 0) -> None:
        port = port or free_port()
        (settings,) = blocks("nginx")
        site = put_in(
            settings,
            {
                "/var/cache/nginx/pixgate": str(folder / "cache"),
                "server 127.0.0.1:9090;": f"server {gateway};",
                "listen 80;": f"listen 127.0.0.1:{port};",
            },
        )
        temporary = " ".join(
            f"{kind}_temp_path {folder / kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        # Its workers must get at the folder, which is ours alone.
        user = "user root; " if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(
            f"{user}daemon off; worker_processes 1; pid {folder / 'pid'}; error_log stderr;\n"
            f"events {{ worker_connections 256; }}\nhttp {{ access_log off; {temporary}\n{site} }}\n"
        )
        arguments = (str(find("nginx")), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr")
        super().__init__(Command(arguments), folder, port)
