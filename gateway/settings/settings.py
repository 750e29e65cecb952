"""All groups of settings as one model, and what follows from several of them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import field_validator

from gateway.settings.address import Address
from gateway.settings.admin import AdminSettings
from gateway.settings.auth import AuthSettings, is_loopback
from gateway.settings.dialects import DialectSettings
from gateway.settings.images import ImageSettings
from gateway.settings.jobs import JobSettings
from gateway.settings.limits import LimitSettings
from gateway.settings.reading import ReadingSettings
from gateway.settings.server import ServerSettings
from gateway.settings.stores import StoreSettings, parse_store
from gateway.settings.uploads import UploadSettings
from transforms.fonts import DEFAULT_FOLDER as DEFAULT_FONTS
from transforms.fonts import fingerprint
from transforms.rendering import Rendering

LOCAL_STORE = "local"
"""The name of the folder in the data folder."""
MAIN_STORE = "main"
"""The name of the store of `store_url`."""
LARGEST_NUMBER = 1_000_000_000
"""Of seconds (32 years) and megapixels."""
LARGEST_WHOLE = 1 << 53
"""Of bytes, pixels and things: 9 petabytes."""


class Settings(
    AdminSettings,
    LimitSettings,
    JobSettings,
    ReadingSettings,
    UploadSettings,
    AuthSettings,
    DialectSettings,
    ImageSettings,
    ServerSettings,
):
    """Everything that can be set, in the order of the last group to the first. Sizes in bytes, times in seconds."""

    @field_validator("*")
    @classmethod
    def _check_number(cls, value: object) -> object:
        """Infinity, and what 64 bits or a timer cannot hold, is told at the start and not by what first counts with it."""
        if isinstance(value, float) and not abs(value) <= LARGEST_NUMBER:
            raise ValueError(f"is not a number up to {LARGEST_NUMBER:,}")
        if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
            raise ValueError(f"is not a whole number up to {LARGEST_WHOLE:,}")
        return value

    @property
    def all_stores(self) -> tuple[StoreSettings, ...]:
        """The stores that are named here; the folder in the data folder, `local`, is not among them."""
        main = () if self.store_url is None else (parse_store(self.store_url, MAIN_STORE),)
        return (*main, *self.stores)

    @property
    def new_store(self) -> str:
        """The name of the store that new bytes go to, where their bucket does not say."""
        names = [store.name for store in self.all_stores]
        return self.default_store or (names[0] if names else LOCAL_STORE)

    @property
    def rendering(self) -> Rendering:
        """What decides how renditions look where their URL leaves it open."""
        qualities = {name: getattr(self, f"image_quality_{name}") for name in ("jpeg", "webp", "avif", "tiff")}
        fonts = fingerprint(self.fonts_folder)
        return Rendering(
            qualities, self.image_mezzanines, self.image_mezzanine_pixels, self.image_variant_quality, fonts
        )

    @property
    def fonts_folder(self) -> str:
        """The folder of the fonts for text."""
        return DEFAULT_FONTS if self.image_fonts is None else str(self.image_fonts.absolute())

    @property
    def link_base(self) -> str:
        """What image URLs that are handed out begin with; empty where no address is set: then they begin with `/img`."""
        return self.cdn_url or self.public_url or ""

    @property
    def run_folder(self) -> Path:
        """What lives only while the server runs: sockets, its lock, its address."""
        return self.data / "run"

    @property
    def render_socket(self) -> Path:
        return self.run_folder / "render.sock"

    @property
    def rate_limits_file(self) -> Path:
        """Where the workers of this node count what is limited, while no Redis does."""
        return self.run_folder / "limits.sqlite"

    @property
    def upload_slots_file(self) -> Path:
        """Whose locked bytes are the uploads under way."""
        return self.run_folder / "upload-slots"

    @property
    def server_lock(self) -> Path:
        return self.run_folder / "server.lock"

    @property
    def address_file(self) -> Path:
        """Where a server that is ready leaves its URL, for commands that print links."""
        return self.run_folder / "address"

    @property
    def scheme(self) -> str:
        return "https" if self.tls_cert else "http"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts (with port) that clients may have signed for, before a proxy changed the Host header."""
        return tuple(urlsplit(url).netloc for url in (self.public_url, self.cdn_url) if url)

    @property
    def exposed(self) -> bool:
        """Whether others than this machine can reach the server: by its own address, or as far as we know by a proxy."""
        named = [urlsplit(url).hostname or "" for url in (self.public_url, self.cdn_url) if url]
        return not self.listen.is_loopback or bool(self.trusted_proxies) or not all(map(is_loopback, named))

    def base_url(self, address: Address | None = None) -> str:
        """The URL that clients use, no trailing slash: the public one, else the listening address (`address` if bound)."""
        if self.public_url:
            return self.public_url
        bound = address or self.listen
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound.host, bound.host)  # noqa: S104 -- a comparison, not a bind
        return f"{self.scheme}://{Address(host, bound.port)}"
