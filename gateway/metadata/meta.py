"""Small facts of the deployment, and the generation that every change of configuration bumps."""

from __future__ import annotations

from gateway.errors import InvalidValue
from gateway.metadata.port import Reader, Transaction


async def get(reader: Reader, name: str) -> bytes | None:
    row = await reader.one("SELECT value FROM meta WHERE name = ?", (name,))
    return None if row is None else bytes(row[0])


DEPLOYMENT = "deployment_id"
"""The fact that tells deployments apart."""
IMPORT = "import"
"""The fact that an import is under way, or was cut off, and where it is."""


async def put_if_absent(tx: Transaction, name: str, value: bytes) -> bytes:
    """Set a fact that nobody has set; gives the one that stands. Raises InvalidValue in a database half imported."""
    if await get(tx, IMPORT) is not None:
        raise InvalidValue("an import of metadata into this database was cut off: run it again to its end")
    await tx.run("INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", (name, value))
    stored = await get(tx, name)
    assert stored is not None
    return stored


async def put(tx: Transaction, name: str, value: bytes) -> None:
    await tx.run(
        "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


GENERATION = "SELECT generation FROM config"


async def bump_generation(tx: Transaction) -> None:
    """Belongs into the transaction of every change of accounts, keys and buckets."""
    await tx.run("UPDATE config SET generation = generation + 1")
