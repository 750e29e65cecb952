"""Bytes: stores of immutable blobs."""
