"""How a render broker is to run."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """All there is to set; only the socket's path has no default."""

    socket_path: str
    decoders: int = 0
    """Decoder processes; 0: as many as there are cores."""
    cache_bytes: int = 256 << 20
    """Memory for renditions, in bytes, shared by all workers of the node."""
    queue_jobs: int = 256
    """Renders that may wait."""
    queue_ms: int = 10_000
    """Estimated work that may wait, in milliseconds for each decoder; an empty queue takes any one job."""
    job_seconds: float = 20.0
    """Time after which a render is ended, in seconds."""
    cpu_seconds: int = 20
    """Processor time of one render, in seconds."""
    drawing_seconds: int = 5
    """Processor time of a drawing, in seconds, beside what the picture around it is estimated to take; it may last twice
    as long on a machine that is busy. Its end is a fact about the drawing."""
    memory_bytes: int = 2 << 30
    """Memory that one render may take beyond what an idle decoder has, in bytes of address space: AVIF of 50 megapixels
    takes 1.4 GiB."""
    jobs_per_decoder: int = 500
    """Renders after which a decoder is replaced."""
    source_seconds: float = 30.0
    """Time that a worker has to bring a source, in seconds, before another one is asked."""
    failure_seconds: float = 60.0
    """How long it is remembered that an image cannot be decoded, in seconds."""
    poison_seconds: float = 30.0
    """How long it is remembered that an image killed its decoder or took too long, in seconds."""
    quiet_seconds: float = 2.0
    """Where somebody asked for a rendition within this time, one decoder is left to those who ask next, in seconds."""
    fonts: str = ""
    """Folder of the fonts that text may be drawn in; empty: the distribution's."""
    nice: int = 10
    """How far decoders stand back behind the workers."""

    @property
    def decoder_count(self) -> int:
        """The number of decoders that is wanted."""
        return self.decoders or len(os.sched_getaffinity(0))
