"""Where the stores of a test lie, and how what lies there is seen past them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.blobs.port import Store
from tests.servers.s3 import S3Server

DEPLOYMENT = "d1"
PREFIX = "under/here"

Maker = Callable[[str], Store]
"""Makes a store of a deployment."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the stores of a test share, seen past them: in place of the folder or of the prefix in a bucket."""

    folder: Path
    server: S3Server | None = None
    bucket: str = ""

    async def put(self, name: str, data: bytes) -> None:
        if self.server is not None:
            client = self.server.client()
            await asyncio.to_thread(client.put_object, Bucket=self.bucket, Key=f"{PREFIX}/{name}", Body=data)
            return
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    async def has(self, name: str) -> bool:
        if self.server is None:
            return (self.folder / name).exists()
        return f"{PREFIX}/{name}" in await self._keys(self.server)

    async def probes(self) -> list[str]:
        """What lies there of probes."""
        if self.server is None:
            return [path.name for path in self.folder.iterdir() if path.name.startswith(".probe-")]
        return [key for key in await self._keys(self.server) if key.startswith(f"{PREFIX}/probe-")]

    async def _keys(self, server: S3Server) -> list[str]:
        found = await asyncio.to_thread(server.client().list_objects_v2, Bucket=self.bucket)
        return [one["Key"] for one in found.get("Contents", [])]
