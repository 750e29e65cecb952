"""The reference pages that are made from the code's own tables: `python -m gateway.reference [--check]`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Literal, get_args, get_origin

from gateway.api import reference_page as api_page
from gateway.img.dialects import page as dialects_page
from gateway.s3.errors import CODES
from gateway.s3.operation import Level
from gateway.s3.table import OPERATIONS
from gateway.settings.address import Address
from gateway.settings.auth import AuthSettings, Issuer
from gateway.settings.dialects import ImgproxyKey, ThumborKey
from gateway.settings.jobs import JobSettings
from gateway.settings.limits import LimitSettings
from gateway.settings.server import Network
from gateway.settings.settings import Settings
from gateway.settings.shown import SIZES, is_secret, shown_value, variable
from gateway.settings.stores import FolderStore, S3Store
from gateway.settings.uploads import UploadSettings
from transforms import options_page

ROOT = Path(__file__).resolve().parent.parent
_FOREIGN = "URLs of imgproxy, thumbor and imagor"
NOTICE = "This page is made from the code's tables by `make docs`."


def files() -> dict[str, Callable[[], str]]:
    """What is generated: path from the repository's root, and what makes its text."""
    return {
        ".env.example": env_example,
        "docs/reference/settings.md": settings_page,
        "docs/reference/operations.md": operations_page,
        "docs/reference/errors.md": errors_page,
        "docs/reference/api.md": lambda: api_page.page(NOTICE),
        "docs/reference/image-options.md": options_page.page,
        "docs/reference/url-dialects.md": dialects_page.page,
    }


def main(arguments: list[str]) -> int:
    """Write the files; with `--check` only say which are not current."""
    check = arguments == ["--check"]
    stale = []
    for name, make in files().items():
        path = ROOT / name
        text = make()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{name}: " + ("not current; run make docs" if check else "written"))
    return 1 if check and stale else 0


def kind(name: str) -> str:
    """What a setting takes, in words."""
    return _kind(Settings.model_fields[name].annotation, name)


def _kind(annotation: object, name: str) -> str:
    if name == "master_key":
        return "32 bytes, hex or base64"
    if name in SIZES:
        return "size (`500MB`, `1GiB`)"
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0], name)
    if get_origin(annotation) is Mapping:
        extra = Settings.model_fields[name].json_schema_extra
        return str(extra["form"]) if isinstance(extra, dict) and "form" in extra else "`name=options;name=options`"
    if isinstance(annotation, UnionType) and annotation != FolderStore | S3Store:
        kept = [one for one in get_args(annotation) if one is not type(None)]
        return "network" if set(kept) == set(get_args(Network)) else _kind(kept[0], name)
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is tuple:
        kind_of_each = _kind(get_args(annotation)[0], name)
        return f"list of {kind_of_each}" + ("" if kind_of_each.endswith("`") else "s")
    words: dict[object, str] = {
        Address: "`host:port`",
        Path: "path",
        bool: "`true` or `false`",
        int: "whole number" if not name.endswith("_age") else "seconds",
        float: "seconds" if "megapixels" not in name else "number",
        str: "host name" if name == "domain" else "text",
        FolderStore | S3Store: "table",
        Issuer: "table",
        ImgproxyKey: "key",
        ThumborKey: "key",
    }
    return words[annotation]


def default(name: str) -> str:
    """A setting's default as it would be written; empty where it is unset."""
    field = Settings.model_fields[name]
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "shown" in extra:
        return str(extra["shown"])
    return shown_value(Settings(), name)


def _groups() -> Iterator[tuple[str, list[str]]]:
    """Settings by what they are about."""
    titles: dict[str, Callable[[str], bool]] = {
        "Server": lambda _: True,
        "Images": lambda name: name.startswith("image_"),
        _FOREIGN: lambda name: name.startswith(("dialect", "source_", "imgproxy_", "thumbor_")),
        "Limits": lambda name: (
            name
            in {
                *LimitSettings.model_fields,
                "verify_at_once",
                "max_connections",
                "max_in_flight_bytes",
                "header_timeout",
                "keepalive_timeout",
                "body_min_rate",
                "body_stall_timeout",
                "drain_delay",
                "stop_timeout",
            }
        ),
        "Database, stores, Redis": lambda name: name.startswith(
            ("database_", "redis_", "store", "default_store", "blob_memory")
        ),
        "Watching": lambda name: name in {"log_level", "metrics_token", "metrics_networks", "audit_retention_days"},
        "Accounts": AuthSettings.model_fields.__contains__,
        "Uploads": UploadSettings.model_fields.__contains__,
        "Jobs": JobSettings.model_fields.__contains__,
    }
    special = [title for title in titles if title != "Server"]
    grouped: dict[str, list[str]] = {title: [] for title in titles}
    for name in Settings.model_fields:
        grouped[next((title for title in special if titles[title](name)), "Server")].append(name)
    order = (
        "Server",
        "Database, stores, Redis",
        "Watching",
        "Limits",
        "Accounts",
        "Uploads",
        "Jobs",
        "Images",
        _FOREIGN,
    )
    yield from ((title, grouped[title]) for title in order if grouped[title])


def settings_page() -> str:
    lines = [
        "# Settings",
        "",
        NOTICE,
        "",
        "Each setting can be given, the stronger first, as a flag of `pixgate serve` (`--min-free-bytes`), as an environment "
        "variable, in a file `.env` in the working directory, or in a TOML file named by `--config` or `PIXGATE_CONFIG`, "
        "there under its name in lower case without the prefix (`min_free_bytes`); what stands in a table has the table's name "
        "before its own, so `enabled = false` in `[rate_limits]` is `rate_limits_enabled = false`. A variable that is set but empty counts "
        "as unset. Secrets have no flag, since everyone on a machine sees command lines. An unknown name is a mistake, and "
        "all mistakes are told at once: `pixgate check-config` looks without starting anything.",
    ]
    for title, names in _groups():
        lines += ["", f"## {title}", "", "| Variable | Takes | Default | Meaning |", "|---|---|---|---|"]
        for name in names:
            shown = default(name)
            extra = Settings.model_fields[name].json_schema_extra
            plain = isinstance(extra, dict) and "shown" in extra
            cell = shown if plain or not shown else f"`{shown}`"
            secret = " Secret: no flag." if is_secret(name) else ""
            text = (Settings.model_fields[name].description or "") + secret
            lines.append(f"| `{variable(name)}` | {kind(name)} | {cell} | {text.replace('|', chr(92) + '|')} |")
    lines += [
        "",
        "## A store",
        "",
        "What a `[[stores]]` table may hold besides `name`: either `url`, or these; and what may stand behind the `?` of an "
        "`s3://` URL (but the first two and the secret key). `path` alone makes it a folder.",
        "",
        "| Field | Default | Meaning |",
        "|---|---|---|",
    ]
    for name, field in S3Store.model_fields.items():
        if name not in ("kind", "name"):
            shown = "" if field.is_required() or field.default in (None, "") else f"`{field.default}`"
            lines.append(f"| `{name}` | {shown.lower()} | {field.description} |")
    return "\n".join(lines) + "\n"


def env_example() -> str:
    lines = [
        "# Settings of Pixgate. Copy this file to .env and take the # from what you change.",
        "# It is made from the settings table by `make docs`; docs/reference/settings.md says more.",
    ]
    for title, names in _groups():
        lines += ["", f"# --- {title}"]
        for name in names:
            field = Settings.model_fields[name]
            extra = field.json_schema_extra
            plain = isinstance(extra, dict) and "shown" in extra
            lines += ["", f"# {field.description}", f"#{variable(name)}={'' if plain else default(name)}"]
            if plain:
                lines[-2] += f" Default: {default(name)}."
    return "\n".join(lines) + "\n"


def operations_page() -> str:
    lines = [
        "# S3 operations",
        "",
        NOTICE,
        "",
        "Every operation of S3 has a row. What is not built answers `501 NotImplemented`, and so does a header that asks for "
        "something not built: nothing is ignored. Names are those of the AWS API, and of the `operation` label of the metrics.",
    ]
    for level, title in ((Level.SERVICE, "Service"), (Level.BUCKET, "Buckets"), (Level.OBJECT, "Objects")):
        lines += ["", f"## {title}", "", "| Operation | Request | Permission | Built |", "|---|---|---|---|"]
        for row in OPERATIONS:
            if row.level is level:
                query = ("?" + "&".join(row.query)) if row.query else ""
                header = f" with `{row.header}`" if row.header else ""
                built = "yes" if row.built else "no"
                request = f"{row.method} {query}".strip()
                lines.append(f"| {row.name} | `{request}`{header} | `{row.permission}` | {built} |")
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    lines = [
        "# S3 errors",
        "",
        NOTICE,
        "",
        "The codes that the S3 door answers with, as AWS names them. Every answer carries `x-amz-request-id`, which is also "
        "in the request's log line.",
        "",
        "| Code | Status | Message |",
        "|---|---|---|",
    ]
    lines += [
        f"| {name} | {code.status} | {code.message.replace('|', chr(92) + '|')} |" for name, code in CODES.items()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
