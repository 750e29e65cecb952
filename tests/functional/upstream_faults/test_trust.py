"""Whom the store trusts, and what it shows of itself: authorities, and keys that change."""

from __future__ import annotations

import ssl
import time
from pathlib import Path

import pytest
import trustme

from gateway.blobs.upstream.store import UpstreamStore
from gateway.errors import StoreUnavailable
from gateway.settings.stores import S3Store, parse_store
from tests.functional.upstream_faults.service import BODY, MEBIBYTE, Service, put, read, well


async def test_tls_trusts_the_authority_that_it_was_told(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    service = Service()
    service.behave = well
    await service.start(context)
    try:
        for more, good in ((f"&ca={tmp_path / 'ca.pem'}", True), ("", False)):
            settings = parse_store(f"s3://key:secret@localhost:{service.port}/bucket?style=path{more}")
            assert isinstance(settings, S3Store)
            store = UpstreamStore(settings, "d1")
            await store.begin_lease(1)
            if good:
                assert await read(store) == BODY
                await put(store, 3 * MEBIBYTE)
            else:
                with pytest.raises(StoreUnavailable):
                    await read(store)
            await store.close()
    finally:
        await service.stop()


async def test_keys_come_from_files_that_may_change_and_from_the_chain(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.blobs.upstream import credentials

    service.behave = well
    (tmp_path / "key").write_text("file-key\n")
    (tmp_path / "secret").write_text("hush\n")

    def used() -> str:
        return service.requests[-1].headers["authorization"].partition("Credential=")[2].partition("/")[0]

    url = f"s3://127.0.0.1:{service.port}/bucket?tls=off"
    settings = parse_store(f"{url}&access_key_file={tmp_path / 'key'}&secret_key_file={tmp_path / 'secret'}")
    assert isinstance(settings, S3Store)
    store = UpstreamStore(settings, "d1")
    assert await read(store) == BODY
    assert used() == "file-key"
    (tmp_path / "key").write_text("new-key\n")
    monkeypatch.setattr(credentials.time, "monotonic", lambda base=time.monotonic: base() + 60)
    assert await read(store) == BODY
    assert used() == "new-key"
    (tmp_path / "key").unlink()
    monkeypatch.setattr(credentials.time, "monotonic", lambda base=time.monotonic: base() + 60)
    assert await read(store) == BODY, "what was read before does while the file is away"
    monkeypatch.undo()
    await store.close()

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "chain-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    settings = parse_store(f"{url}&credentials=chain")
    assert isinstance(settings, S3Store)
    store = UpstreamStore(settings, "d1")
    assert await read(store) == BODY
    assert used() == "chain-key"
    assert service.requests[-1].headers["x-amz-security-token"] == "token"
    await store.close()
