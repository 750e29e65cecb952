"""What apps may upload, and where it goes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from gateway.settings.fields import CENTURY, PARSES_SIZE, SettingsGroup, split_commas
from transforms.formats import FORMATS

MAX_UPLOAD_BYTES = 5 * 1024**3
"""What any store takes as one blob."""
FORMATS_TAKEN = {"pixgate": ("jpeg", "png", "webp"), "chitram": ("jpeg", "png")}
BYTES_TAKEN = {"pixgate": 10_000_000, "chitram": 5_000_000}
"""What each profile takes where nothing else is set."""


def _known_formats(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    lower = tuple(dict.fromkeys("jpeg" if name.lower() == "jpg" else name.lower() for name in names))
    unknown = [name for name in lower if name not in FORMATS]
    if unknown or not lower:
        raise ValueError(f"{', '.join(unknown) or 'nothing'} is no format: there are {', '.join(FORMATS)}")
    return lower


class UploadSettings(SettingsGroup):
    """Sizes in bytes, times in seconds."""

    profile: Literal["pixgate", "chitram"] = Field(
        default="pixgate",
        description="`chitram`: JPEG and PNG of at most 5 MB may be uploaded, as that service had it. Settings that are set "
        "win over it.",
    )
    upload_formats: Annotated[tuple[str, ...] | None, BeforeValidator(split_commas), AfterValidator(_known_formats)] = (
        Field(
            default=None,
            description="Formats that `/api/v1` takes, by content, separated by commas. S3 takes everything.",
            json_schema_extra={"shown": "`jpeg,png,webp`"},
        )
    )
    upload_max_bytes: Annotated[int | None, PARSES_SIZE] = Field(
        default=None,
        ge=1,
        le=MAX_UPLOAD_BYTES,
        description="Largest file that `/api/v1` takes.",
        json_schema_extra={"shown": "`10MB`"},
    )
    upload_max_megapixels: float = Field(
        default=50, gt=0, description="Largest image that `/api/v1` takes, in megapixels by its header."
    )
    upload_batch: int = Field(default=20, ge=1, le=1000, description="Files that one batch upload may have.")
    upload_new_buckets: bool = Field(
        default=True, description="Whether an upload to a bucket whose name nobody has makes it for the account."
    )
    upload_url_expiry: int = Field(
        default=3600, ge=60, le=604_800, description="Time that the URLs of a resumable upload work."
    )
    upload_resume_time: int = Field(
        default=86_400, ge=60, description="Time after which a resumable upload that was not completed is ended."
    )
    anonymous_uploads: bool = Field(
        default=False, description="Whether anybody may upload without a login; such images have a delete token."
    )
    anonymous_account: str = Field(
        default="anonymous",
        min_length=1,
        max_length=64,
        description="Account that owns what nobody in particular uploaded.",
    )
    delete_token_expiry: int = Field(
        default=0, ge=0, le=CENTURY, description="Time that a delete token works; 0: as long as its image lives."
    )

    @property
    def formats_taken(self) -> tuple[str, ...]:
        """Names of the formats that may be uploaded."""
        return self.upload_formats or FORMATS_TAKEN[self.profile]

    @property
    def bytes_taken(self) -> int:
        """The largest file that may be uploaded."""
        return self.upload_max_bytes or BYTES_TAKEN[self.profile]

    @property
    def pixels_taken(self) -> int:
        """The largest image that may be uploaded."""
        return int(self.upload_max_megapixels * 1_000_000)
