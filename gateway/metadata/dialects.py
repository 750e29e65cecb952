"""The few statements that the engines spell too differently for one text."""

from __future__ import annotations

# A page of heads with a delimiter, in one statement. One step a row: the first key, and from each key the next behind all
# of what it rolls up into (the prefix with its last byte plus one) or behind itself (a zero byte more).
#
# 1: where to begin, 2: length of the prefix plus one, 3: delimiter, 4: length of the prefix and of the delimiter less two,
# 5: the delimiter's last byte plus one, 6: bucket, 7: where to end, 8: rows. @rows are what is listed, @of which of them,
# @facts what is said of each.

# `||` makes text of blobs, hence the casts.
_SQLITE = """
WITH RECURSIVE step (n, key) AS (
    SELECT 1, (SELECT h.key FROM @rows WHERE @of AND h.key >= ?1 AND h.key < ?7 ORDER BY h.key LIMIT 1)
    UNION ALL
    SELECT n + 1, (
        SELECT h.key FROM @rows WHERE @of AND h.key < ?7 AND h.key >= CASE
            WHEN instr(substr(step.key, ?2), ?3) > 0 THEN
                CAST(substr(step.key, 1, ?4 + instr(substr(step.key, ?2), ?3)) || ?5 AS BLOB)
            ELSE CAST(step.key || x'00' AS BLOB) END
        ORDER BY h.key LIMIT 1
    ) FROM step WHERE n < ?8 AND step.key IS NOT NULL
)
SELECT step.key, @facts
FROM step CROSS JOIN @rows WHERE @of AND h.key = step.key AND step.key IS NOT NULL ORDER BY step.n
"""

_POSTGRESQL = """
WITH RECURSIVE step (n, key, size, etag, modified_ms, checksum_algorithm, checksum_type) AS (
    (SELECT 1, h.key, @facts
    FROM @rows WHERE @of AND h.key >= $1::bytea AND h.key < $7::bytea ORDER BY h.key LIMIT 1)
    UNION ALL
    SELECT n + 1, next.* FROM step, LATERAL (
        SELECT h.key, @facts
        FROM @rows WHERE @of AND h.key < $7::bytea AND h.key >= CASE
            WHEN position($3::bytea IN substring(step.key FROM $2::int)) > 0 THEN
                substring(step.key FROM 1 FOR $4::int + position($3::bytea IN substring(step.key FROM $2::int)))
                || $5::bytea
            ELSE step.key || decode('00', 'hex') END
        ORDER BY h.key LIMIT 1
    ) next WHERE n < $8::int
)
SELECT key, size, etag, modified_ms, checksum_algorithm, checksum_type FROM step ORDER BY n
"""

_HEADS = "heads h"
_HEAD_FACTS = "h.size, h.etag, h.modified_ms, h.checksum_algorithm, h.checksum_type"
_RENDITIONS = "renditions h JOIN heads k ON k.bucket_id = h.bucket_id AND k.key = h.key AND k.seq = h.seq"
_RENDITION_FACTS = "h.size, h.etag, h.made_ms, NULL, NULL"
_TYPED_FACTS = "h.size, h.etag, h.made_ms, NULL::text, NULL::text"


def _filled(text: str, rows: str, of: str, facts: str) -> str:
    return text.replace("@rows", rows).replace("@of", of).replace("@facts", facts)


WALK = {
    "sqlite": _filled(_SQLITE, _HEADS, "h.bucket_id = ?6", _HEAD_FACTS),
    "postgresql": _filled(_POSTGRESQL, _HEADS, "h.bucket_id = $6::bigint", _HEAD_FACTS),
}

# 9: preset, 10: recipe.
WALK_RENDITIONS = {
    "sqlite": _filled(_SQLITE, _RENDITIONS, "h.bucket_id = ?6 AND h.preset = ?9 AND h.recipe = ?10", _RENDITION_FACTS),
    "postgresql": _filled(
        _POSTGRESQL,
        _RENDITIONS,
        "h.bucket_id = $6::bigint AND h.preset = $9::text AND h.recipe = $10::text",
        _TYPED_FACTS,
    ),
}

PLAIN_RENDITIONS = (
    f"SELECT h.key, {_RENDITION_FACTS} FROM {_RENDITIONS} WHERE h.bucket_id = ? AND h.preset = ? AND h.recipe = ? "
    "AND h.key >= ? AND h.key < ? ORDER BY h.key LIMIT ?"
)
