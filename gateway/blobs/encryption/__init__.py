"""Encryption at rest: what lies in a store is sealed here, whatever the store (docs/adr/0024).

`chunks` is the format of a sealed blob, `keys` are the keys of blobs and what wraps them, `reading` opens a sealed blob
while it is read. Nothing here knows a database or a protocol.
"""
