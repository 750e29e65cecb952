"""Signatures, checked and made: AWS Signature Version 4 (header, presigned, chunked) and Pixgate's image links.

Pure and standard library only: bytes, times and secrets come as arguments, nothing here does I/O
or knows HTTP statuses.
"""
