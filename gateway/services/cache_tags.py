"""The tags by which CDNs purge: every picture carries those of its bucket and its object.

They are MACs, because an answer for an image id is seen by people who may not know the names of bucket and key, and a
plain hash of a name can be guessed. Whoever has no key cannot tell which tags belong to which name.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode

_BYTES = 12
PURPOSE = b"cache tags"


class CacheTags:
    """Tags of one deployment. `secret` is derived from its master key: another master key makes other tags."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of_bucket(self, bucket_id: int) -> str:
        """The tag of all pictures of a bucket: `b` and 16 characters of base64url."""
        return "b" + self._mac(b"bucket %d" % bucket_id)

    def of_object(self, bucket_id: int, key: bytes) -> str:
        """The tag of all pictures of a key, whatever its version: `o` and 16 characters of base64url."""
        return "o" + self._mac(b"object %d " % bucket_id + key)

    def _mac(self, text: bytes) -> str:
        return urlsafe_b64encode(hmac.digest(self._secret, text, "sha256")[:_BYTES]).decode("ascii")
