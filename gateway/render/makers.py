"""What a decoder makes, by the kind of its task. Imports pyvips: decoders only."""

from __future__ import annotations

from gateway.render.task import INFO, MEZZANINE, VARIANTS, Original, Task
from transforms.info import describe
from transforms.options import parse_compact
from transforms.pipeline import Rendered, render, render_variants
from transforms.reduce import reduce


def make(task: Task, source: bytes, overlays: tuple[bytes, ...], original: Original | None) -> Rendered:
    """Does a task. Raises facts of `transforms.errors`, and whatever libvips raises where it runs out of memory."""
    options = parse_compact(task.options)
    if task.kind == INFO:
        return describe(source, options, task.limits)
    if task.kind == MEZZANINE:
        return reduce(source, options, task.limits)
    if task.kind == VARIANTS:
        return render_variants(source, task.limits, rendering=task.rendering)
    return render(
        source,
        options,
        task.variant,
        task.limits,
        rendering=task.rendering,
        overlays=overlays,
        original=None if original is None else (original.width, original.height),
        original_format=None if original is None else original.format,
    )
