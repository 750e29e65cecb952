"""A request of this door, on its way to an answer."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp.web import BaseRequest

from gateway.img.access import Permit
from gateway.img.asker import Asker
from gateway.img.target import Target


@dataclass(slots=True)
class Asked:
    """A request on its way: what is known of it so far."""

    request: BaseRequest
    target: Target
    now: float
    asker: Asker | None = None
    permit: Permit | None = None
