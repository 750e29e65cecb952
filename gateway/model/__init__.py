"""The value types that doors, services and adapters share: frozen, parsed, never half valid.

accounts.py    accounts, their users and keys
buckets.py     buckets, and how their images are treated
contents.py    immutable bytes: segments, and how they are encrypted
checksums.py   the additional checksums
objects.py     versions of objects, conditions, what is put and what comes back
listings.py    pages of listings
uploads.py     uploads in parts
images.py      what apps know of an image

Units: sizes and offsets in bytes, times in milliseconds since the epoch (UTC).
"""
