"""The web door: reserved paths that are neither S3 nor images."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from gateway import __version__
from gateway.errors import GatewayError
from gateway.http import health
from gateway.http.client_address import client_address, within
from gateway.metadata import jobs
from gateway.settings.address import Address
from gateway.settings.settings import Settings
from gateway.telemetry import RequestRecord, Telemetry
from gateway.web import docs, swagger
from gateway.web.connect import recipes
from gateway.web.security import DATA_HEADERS, PAGE_HEADERS

if TYPE_CHECKING:
    from jinja2 import Environment

    from gateway.jobs.engine import Background, State
    from gateway.render.client import RenderClient
    from gateway.services import Services
    from gateway.services.upload_slots import UploadSlots

LOG = logging.getLogger(__name__)

RESERVED_PAGES = ("api", "ui", "health", "livez", "readyz", "metrics", "openapi.json")
SHORT_NAMES = {"docs": "/ui/api/"}
"""Redirects that exist only while no bucket has that name."""
OPERATIONS = ("Livez", "Readyz", "Health", "Metrics", "Page", "Redirect", "NotFound")
_STATIC = Path(__file__).parent / "static"
_STATIC_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

Answer = Awaitable[web.Response]


class WebEndpoint:
    """Answers to GET and HEAD under the reserved paths. `draining` makes the node not ready."""

    def __init__(
        self,
        settings: Settings,
        services: Services,
        telemetry: Telemetry,
        address: Address,
        renders: RenderClient,
        slots: UploadSlots,
        work: Background,
    ) -> None:
        self._settings = settings
        self._services = services
        self._telemetry = telemetry
        self._renders = renders
        self._slots = slots
        self._work = work
        self._base_url = settings.base_url(address)
        self.draining = False
        self._routes: Mapping[str, tuple[str, Callable[[web.BaseRequest], Answer]]] = {
            "livez": ("Livez", self._livez),
            "readyz": ("Readyz", self._readyz),
            "health": ("Health", self._health),
            "metrics": ("Metrics", self._metrics),
            "ui": ("Page", self._page),
        }

    async def takes(self, request: web.BaseRequest, name: str) -> bool:
        """Whether a request for the first path segment `name`, which is not reserved, is for a page all the same.

        True for a browser at `/`, and for the short names that no bucket has.
        """
        if name == "":
            return self._is_browser(request)
        if name in SHORT_NAMES and request.method in ("GET", "HEAD") and not _is_signed(request):
            directory = self._services.directory
            try:
                await directory.refresh()
                return await directory.bucket(name) is None
            except GatewayError:
                return False
        return False

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        record = RequestRecord(door="web", method=request.method, operation="NotFound")
        record.remote = client_address(
            request.remote, request.headers.getall("X-Forwarded-For", []), self._settings.trusted_proxies
        )
        self._telemetry.begin()
        try:
            answer = await self._answer(request, record)
            record.bytes_out = 0 if request.method == "HEAD" else len(answer.body or b"")  # type: ignore[arg-type]
        except Exception:
            LOG.exception("a page failed", extra={"request_id": record.request_id})
            answer = _data(500, {"error": "internal error", "request_id": record.request_id})
        answer.headers["Server"] = "pixgate"
        answer.headers["x-amz-request-id"] = record.request_id
        record.status = answer.status
        self._telemetry.finish(record)
        return answer

    async def _answer(self, request: web.BaseRequest, record: RequestRecord) -> web.Response:
        name = request.raw_path[1:].partition("?")[0].partition("/")[0]
        if request.method not in ("GET", "HEAD"):
            return _data(405, {"error": "method not allowed"}, {"Allow": "GET, HEAD"})
        target = "/ui/" if name == "" else SHORT_NAMES.get(name)
        if target is not None:
            record.operation = "Redirect"
            return web.Response(status=302, headers={**DATA_HEADERS, "Location": target})
        route = self._routes.get(name)
        if route is None:
            return _data(404, {"error": "there is nothing here"})
        record.operation, handler = route
        return await handler(request)

    def _is_browser(self, request: web.BaseRequest) -> bool:
        return (
            request.method in ("GET", "HEAD")
            and not _is_signed(request)
            and "text/html" in request.headers.get("Accept", "")
        )

    async def _livez(self, request: web.BaseRequest) -> web.Response:
        return _text(200, "alive\n")

    async def _readyz(self, request: web.BaseRequest) -> web.Response:
        if self.draining:
            return _text(503, "stopping\n")
        try:
            await self._services.check()
        except GatewayError:
            return _text(503, "not ready\n")
        return _text(200, "ready\n")

    async def _health(self, request: web.BaseRequest) -> web.Response:
        found = await health.report(self._services, self._renders, self._slots, self._work)
        status = 503 if found["status"] == health.UNHEALTHY else 200
        if not self._may_look_inside(request):
            found = {"status": found["status"]}
        return _data(status, found)

    async def _metrics(self, request: web.BaseRequest) -> web.Response:
        if not self._may_look_inside(request):
            return _data(403, {"error": "not from here: see PIXGATE_METRICS_TOKEN and PIXGATE_METRICS_NETWORKS"})
        from gateway.telemetry.exposition import CONTENT_TYPE, exposition

        totals: tuple[int, int] | None = None
        waiting: dict[str, tuple[int, int]] | None = None
        work: State | None = None
        try:
            totals = await self._services.buckets.totals()
            waiting = await self._services.database.read(jobs.backlog)
            work = await self._work.state()
        except GatewayError:
            pass  # the figures of this node are wanted most when its database is away
        body = exposition(self._telemetry.metrics, totals, await health.sandbox(self._renders), waiting, work)
        return web.Response(body=body, headers={**DATA_HEADERS, "Content-Type": CONTENT_TYPE})

    def _may_look_inside(self, request: web.BaseRequest) -> bool:
        token = self._settings.metrics_token
        given = request.headers.get("Authorization", "")
        if token is not None and given.startswith("Bearer "):
            return hmac.compare_digest(given[7:].encode(), token.encode())
        peer = request.remote
        forwarded = request.headers.getall("X-Forwarded-For", [])
        if (forwarded or "Forwarded" in request.headers) and not within(peer or "", self._settings.trusted_proxies):
            return False  # somebody beyond a proxy that we know nothing of
        return within(client_address(peer, forwarded, self._settings.trusted_proxies) or "", self._networks)

    @property
    def _networks(self) -> tuple[Any, ...]:
        return self._settings.metrics_networks

    async def _page(self, request: web.BaseRequest) -> web.Response:
        path = request.raw_path.partition("?")[0]
        if path == "/ui":
            return web.Response(status=308, headers={**PAGE_HEADERS, "Location": "/ui/"})
        rest = path.removeprefix("/ui/")
        if rest == "":
            found = await health.report(self._services, self._renders, self._slots, self._work)
            return self._html("start.html", health=found, recipes=recipes(self._base_url, self._settings.region))
        if rest.startswith("static/"):
            return self._file(request, self._assets.get(rest.removeprefix("static/")))
        if rest == "reset-password":
            return self._html("reset_password.html")
        if rest == "api":
            return web.Response(status=308, headers={**PAGE_HEADERS, "Location": "/ui/api/"})
        if rest == "api/":
            return self._html("api.html", page_headers=swagger.HEADERS)
        if rest.startswith("api/"):
            return self._file(request, swagger.asset(rest.removeprefix("api/")))
        if rest == "docs":
            return web.Response(status=308, headers={**PAGE_HEADERS, "Location": "/ui/docs/"})
        if rest.startswith("docs/"):
            name = rest.removeprefix("docs/") or "index"
            document = docs.documents().get(name)
            if document is not None:
                return self._html("document.html", document=document, content=docs.render(name, self._base_url))
            if name in docs.attachments():
                return web.Response(
                    body=docs.attachments()[name].read_bytes(),
                    headers={**DATA_HEADERS, "Content-Type": "application/json"},
                )
        return self._html("missing.html", status=404)

    def _file(self, request: web.BaseRequest, found: tuple[bytes, str] | None) -> web.Response:
        if found is None:
            return _data(404, {"error": "there is nothing here"})
        body, content_type = found
        etag = f'"{__version__}-{len(body)}"'
        headers = {**PAGE_HEADERS, "Cache-Control": "no-cache", "ETag": etag, "Content-Type": content_type}
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers=headers)

    @cached_property
    def _assets(self) -> dict[str, tuple[bytes, str]]:
        return {path.name: (path.read_bytes(), _STATIC_TYPES[path.suffix]) for path in sorted(_STATIC.iterdir())}

    @cached_property
    def _templates(self) -> Environment:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        return Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def _html(
        self, template: str, *, status: int = 200, page_headers: Mapping[str, str] = PAGE_HEADERS, **values: object
    ) -> web.Response:
        text = self._templates.get_template(template).render(
            version=__version__,
            base_url=self._base_url,
            region=self._settings.region,
            contents=docs.contents(),
            **values,
        )
        headers = {**page_headers, "Cache-Control": "no-cache", "Content-Type": "text/html; charset=utf-8"}
        return web.Response(status=status, body=text.encode(), headers=headers)


def _is_signed(request: web.BaseRequest) -> bool:
    return "Authorization" in request.headers or "X-Amz-" in request.raw_path or "Signature=" in request.raw_path


def _text(status: int, text: str) -> web.Response:
    headers = {**DATA_HEADERS, "Content-Type": "text/plain; charset=utf-8"}
    return web.Response(status=status, body=text.encode(), headers=headers)


def _data(status: int, value: dict[str, Any], headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status,
        body=json.dumps(value).encode() + b"\n",
        headers={**DATA_HEADERS, "Content-Type": "application/json", **(headers or {})},
    )
