"""Contents by what their bytes are: equal bytes of one account and one encryption class share one."""

from __future__ import annotations

from gateway.metadata import contents
from gateway.metadata.contents import NewContent
from gateway.metadata.port import Transaction


async def hold(tx: Transaction, account_id: int, mark: bytes) -> None:
    await tx.lock("same_bytes", account_id, mark)


async def share(tx: Transaction, account_id: int, encryption: str, mark: bytes, new: NewContent) -> int:
    """The id of a live content of these bytes: one that is there, or `new` inserted.

    Where there is one, the bytes of `new` are inserted too and left to the sweep: a request deletes none. Who comes with
    the same bytes at the same time waits for the other. `mark` tells the bytes; `encryption` names the class.
    """
    await hold(tx, account_id, mark)
    made = await contents.insert(tx, new)
    row = await tx.one(
        "SELECT content_id FROM same_bytes WHERE account_id = ? AND encryption = ? AND mark = ?",
        (account_id, encryption, mark),
    )
    if row is not None and await contents.exists(tx, row[0]):
        await contents.orphan(tx, made)
        return int(row[0])
    await tx.run(
        "INSERT INTO same_bytes (account_id, encryption, mark, content_id) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (account_id, encryption, mark) DO UPDATE SET content_id = excluded.content_id",
        (account_id, encryption, mark, made),
    )
    return made
