"""`python -m bench.adopt [OBJECTS]`: how fast a bucket is adopted, and looked through again. MinIO on the same machine.

The aim is 100,000 objects a minute. Loading the objects takes far longer than adopting them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time

from gateway.blobs.upstream.client import Client
from gateway.blobs.upstream.request import Request
from gateway.settings.stores import S3Store, parse_store
from tests.servers.minio import Minio

SOURCE = "photos"
ABREAST = 32
AIM = 100_000


async def _load(store: S3Store, count: int) -> None:
    client = Client(store)
    await client.call(Request("CreateBucket", "PUT", SOURCE))
    numbers = iter(range(count))

    async def put() -> None:
        for number in numbers:
            key = f"album-{number % 100:02}/photo-{number:08}.jpg".encode()
            headers = (("content-type", "image/jpeg"), ("x-amz-meta-number", str(number)))
            await client.call(Request("PutObject", "PUT", SOURCE, key, headers=headers, body=b"%d" % number))

    await asyncio.gather(*(put() for _ in range(ABREAST)))
    await client.close()


def _adopt(data: str, store_url: str) -> float:
    """Seconds, the start of the command and all."""
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "gateway", "adopt", "--bucket", SOURCE, "--data", data],
        env={**os.environ, "PIXGATE_STORE_URL": store_url},
        check=True,
    )
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("objects", type=int, nargs="?", default=100_000)
    count = parser.parse_args().objects
    with Minio.own() as minio, tempfile.TemporaryDirectory() as folder:
        url = minio.store_url(minio.new_bucket())
        store = parse_store(url)
        assert isinstance(store, S3Store)
        asyncio.run(_load(store, count))
        for what in ("adopted", "looked through again, nothing new"):
            seconds = _adopt(f"{folder}/data", url)
            print(f"{count:,} objects {what}: {seconds:.1f} s, {count / seconds * 60:,.0f} a minute (aim {AIM:,})")


if __name__ == "__main__":
    main()
