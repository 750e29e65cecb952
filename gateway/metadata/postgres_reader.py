"""Reading inside one transaction of PostgreSQL."""

from __future__ import annotations

from gateway.metadata.port import Parameters, Row
from gateway.metadata.postgres_sql import Connection, translated


class PostgresReader:
    """Statements in a transaction that begins with the first of them."""

    engine = "postgresql"

    def __init__(self, connection: Connection, begin: str) -> None:
        self._connection = connection
        self._due: list[str] = [begin]
        self.begun = False

    async def _catch_up(self) -> None:
        """Send BEGIN and the locks that were asked for since the last statement."""
        statements = "; ".join(self._due)
        self._due.clear()
        self.begun = True
        await self._connection.execute(statements)

    async def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        if self._due:
            await self._catch_up()
        row: Row | None = await self._connection.fetchrow(translated(sql), *parameters)
        return row

    async def all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        if self._due:
            await self._catch_up()
        rows: list[Row] = await self._connection.fetch(translated(sql), *parameters)
        return rows
