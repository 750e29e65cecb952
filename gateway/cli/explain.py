"""`pixgate explain`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.context import data_options, json_option, print_json, settings_of, with_services

if TYPE_CHECKING:
    from gateway.services import Services
    from gateway.settings.settings import Settings


@click.command()
@click.argument("url")
@json_option
@data_options
def explain(url: str, as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """Tell how the server reads URL, of an image: dialect, source, options, signature, and what would refuse it.

    URL is absolute, or a path such as '/img/<image id>?w=300' or '/imgproxy/...'. Nothing is rendered. Exits with 1 where
    it would be refused.
    """
    settings = settings_of(config_file, data=data)
    answer = with_services(settings, lambda services: _explain(services, settings, url))
    if as_json:
        print_json(answer)
    else:
        from gateway.cli.table import print_table

        print_table(("", ""), [(name.replace("_", " "), _shown(value)) for name, value in answer.items()])
    if answer.get("refused"):
        raise SystemExit(1)


async def _explain(services: Services, settings: Settings, url: str) -> dict[str, Any]:
    from gateway.img.access import Access
    from gateway.img.dialects.explain import Explainer
    from gateway.services.presets import Presets

    presets = Presets(settings.image_presets)
    access = Access(
        services.directory,
        services.objects,
        region=settings.region,
        hosts=settings.hosts,
        presets=presets,
        only_presets=settings.image_only_presets,
    )
    return await Explainer(settings, services.directory, access, presets).explain_to_operator(url, time.time())


def _shown(value: Any) -> str:
    if value is None:
        return "no"
    if isinstance(value, dict):
        return ", ".join(f"{name}={text}" for name, text in value.items()) or "none"
    return str(value) or "none"
