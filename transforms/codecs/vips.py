"""libvips as we allow it to be used: the bundled library, few loaders, one thread, no cache of operations."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import pyvips

MINIMUM = (8, 18, 3)
"""The oldest libvips that may decode strangers' images."""

_LOADERS = ("Jpeg", "Png", "Webp", "Nsgif", "Heif", "Tiff")


class WrongVips(RuntimeError):
    """pyvips runs on a library that Pixgate does not trust."""


@cache
def prepare() -> None:
    """Blocks every loader that is not named here, and everything libvips itself calls untrusted. Once a process."""
    pyvips.operation_block_set("VipsForeignLoad", True)
    for name in _LOADERS:
        pyvips.operation_block_set(f"VipsForeignLoad{name}", False)
    pyvips.block_untrusted_set(True)
    # A render never repeats an operation of another one, and a cached operation would keep its source alive.
    pyvips.cache_set_max(0)


def vips_version() -> str:
    """The version of the library that is loaded."""
    return ".".join(str(pyvips.version(part)) for part in range(3))


def check_bundled_vips() -> str:
    """The version of libvips, if it is the one that pyvips-binary carries and is new enough.

    Raises WrongVips otherwise: where libvips' headers are installed, pip may build pyvips against the system's library,
    which is slower and has known holes.
    """
    version = vips_version()
    if not pyvips.API_mode or not _binding_is_bundled():
        raise WrongVips(f"pyvips uses a libvips {version} of the system; reinstall pyvips-binary, then pyvips")
    if tuple(pyvips.version(part) for part in range(3)) < MINIMUM:
        raise WrongVips(f"libvips {version} is older than {'.'.join(map(str, MINIMUM))}")
    return version


def _binding_is_bundled() -> bool:
    """Whether the extension that pyvips imported is a file of the distribution pyvips-binary."""
    import _libvips  # type: ignore[import-not-found]  # the compiled half of pyvips, which has no stubs

    try:
        bundled = files("pyvips-binary") or ()
    except PackageNotFoundError:
        return False
    loaded = Path(_libvips.__file__).resolve()
    return any(Path(str(file.locate())).resolve() == loaded for file in bundled if file.name.startswith("_libvips"))
