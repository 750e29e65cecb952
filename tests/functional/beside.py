"""What a command does beside a running server, in this process: it takes a tenth of the command's time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from gateway.config import load
from gateway.data_folder import open_services
from gateway.services import Services
from tests.services import environment_of

T = TypeVar("T")


def beside(data: Path, work: Callable[[Services], Awaitable[T]], environment: Mapping[str, str] | None = None) -> T:
    """Do `work` with services of our own on a data folder; `environment`: its settings, where they are not the run's."""
    chosen = environment_of(data) if environment is None else environment
    settings = load(environ={**chosen, "PIXGATE_DATA": str(data)}, env_file=Path(os.devnull))

    async def run() -> T:
        services = await open_services(settings)
        try:
            return await work(services)
        finally:
            await services.close()

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, run()).result()


def set_images(
    data: Path, name: str, *, public: bool | None = None, presets: dict[str, str] | None = None, **values: Any
) -> None:
    """`pixgate buckets set`: presets are added to those that are there, other values replaced."""

    async def work(services: Services) -> None:
        bucket = await services.directory.bucket(name)
        assert bucket is not None
        await services.buckets.change_images(
            bucket, lambda before: replace(before, presets={**before.presets, **(presets or {})}, **values)
        )
        if public is not None:
            await services.buckets.set_images(bucket, public=public)

    beside(data, work)
