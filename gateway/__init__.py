"""Pixgate: an S3-compatible gateway and image proxy."""

__version__ = "0.1.0"
