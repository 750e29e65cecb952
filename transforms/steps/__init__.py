"""The steps of the pipeline, one a file; `transforms.pipeline` lists them in their order.

Each is a function `step(image, work)` that gives the next image. They run in decoders only: they import pyvips.
"""
