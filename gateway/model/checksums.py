"""The additional checksums of S3."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ChecksumAlgorithm(StrEnum):
    """The additional checksums of S3, spelled as in `x-amz-checksum-algorithm`."""

    CRC32 = "CRC32"
    CRC32C = "CRC32C"
    SHA1 = "SHA1"
    SHA256 = "SHA256"
    CRC64NVME = "CRC64NVME"

    @property
    def header(self) -> str:
        """The header and trailer that carries the value, such as `x-amz-checksum-crc32`."""
        return f"x-amz-checksum-{self.value.lower()}"


class ChecksumType(StrEnum):
    COMPOSITE = "COMPOSITE"
    FULL_OBJECT = "FULL_OBJECT"


@dataclass(frozen=True, slots=True)
class Checksum:
    """A stored checksum: `value` is base64 (with `-N` behind it where it is composite)."""

    algorithm: ChecksumAlgorithm
    type: ChecksumType
    value: str
