"""Which layers of the decoders' sandbox this machine lacks: told by the log, by a metric and by `pixgate doctor`."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.render.client import RenderClient
from gateway.render.errors import RenderError
from gateway.render.launch import environment
from gateway.render.sandbox import LAYERS

LOG = logging.getLogger("pixgate.render")

WHAT_IT_TAKES = {
    "network": "unshare(CLONE_NEWNET) or user namespaces",
    "landlock": "Linux 5.13 with CONFIG_SECURITY_LANDLOCK",
    "seccomp": "seccomp filters, on x86-64 or AArch64",
}
"""What each layer needs of the kernel, and of the container that may forbid it."""

_ASK_AGAIN_SECONDS = 1.0
_PROBE = (
    "import json; from gateway.render import sandbox as s; s.forbid_privileges(); "
    "made = [s.leave_network(), s.close_files(), s.filter_calls()]; "
    "print(json.dumps([name for name, done in zip(s.LAYERS, made) if not done]))"
)


def lacking(layers: Sequence[str]) -> str:
    """A sentence about the layers that are missing, with what each takes."""
    return "decoders run without " + ", ".join(f"{name} (needs {WHAT_IT_TAKES[name]})" for name in layers)


def missing_layers(stats: Mapping[str, Any]) -> list[str] | None:
    """Those that the decoders of a broker said they lack, by its figures; None while no decoder has said anything."""
    return [name for name in LAYERS if name in stats["sandbox_missing"]] if stats["vips"] else None


async def announce(client: RenderClient) -> None:
    """Waits for the first decoder and logs a warning for the layers that it lacks, if there are any."""
    while True:
        try:
            layers = missing_layers(await client.stats())
        except RenderError:
            layers = None
        if layers is not None:
            break
        await asyncio.sleep(_ASK_AGAIN_SECONDS)
    if layers:
        LOG.warning("%s", lacking(layers))


def probe() -> list[str]:
    """The layers that a process of its own could not put up here. Raises OSError, ValueError or SubprocessError."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", _PROBE], capture_output=True, text=True, timeout=30, check=True, env=environment()
    )
    return [name for name in LAYERS if name in json.loads(done.stdout)]
