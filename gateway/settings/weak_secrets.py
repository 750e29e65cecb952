"""Root secrets that anybody could guess."""

from __future__ import annotations

MIN_SECRET_LENGTH = 16
"""Characters a root secret needs once others can reach the server."""
WELL_KNOWN_SECRETS = frozenset(
    {
        "minioadmin",
        "minio123",
        "admin",
        "administrator",
        "password",
        "passw0rd",
        "secret",
        "secretkey",
        "changeme",
        "changemechangeme",
        "change-me-please",
        "changeit",
        "rustfsadmin",
        "accesskey1",
        "verysecretkey1",
        "12345678",
        "1234567890",
        "1234567890123456",
        "0123456789abcdef",
        "passwordpassword",
        "secretsecretsecret",
        "minioadminminioadmin",
        "adminadminadminadmin",
        "pixgate",
        "pixgatepixgate",
        "wjalrxutnfemi/k7mdeng/bpxrficyexamplekey",
        "je7mtgbclwbf/2zk1utq/h3yco8n.../example",
    }
)


def is_weak_secret(secret: str, access_key: str | None = None) -> bool:
    """Whether a root secret is too short, equal to its access key, or known to everyone."""
    return len(secret) < MIN_SECRET_LENGTH or secret.lower() in WELL_KNOWN_SECRETS or secret == access_key
