"""The server's certificate."""

from __future__ import annotations

import ssl

from gateway.settings.settings import Settings


class TlsRefused(Exception):
    """Certificate and key do not load; the text names the settings."""


def load_tls(settings: Settings) -> ssl.SSLContext | None:
    """The TLS context of the settings' certificate, read now; None for plain HTTP. Raises TlsRefused."""
    if settings.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise TlsRefused(f"PIXGATE_TLS_CERT / PIXGATE_TLS_KEY: they do not load: {error}") from error
    return context
