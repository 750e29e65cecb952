"""The first schema: accounts, keys, buckets, blobs, contents, versions, heads, uploads."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

SQLITE = (
    # Small facts of the deployment: its id, the master key's check value, config_generation.
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE leases (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        owner TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'dead', 'swept')),
        created_ms INTEGER NOT NULL,
        renewed_ms INTEGER NOT NULL,
        oldest_read_ms INTEGER
    )""",
    "CREATE TABLE locks (name TEXT PRIMARY KEY, owner TEXT NOT NULL, until_ms INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TABLE accounts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        canonical_id TEXT NOT NULL UNIQUE,
        enabled INTEGER NOT NULL DEFAULT 1,
        is_root INTEGER NOT NULL DEFAULT 0,
        created_ms INTEGER NOT NULL
    )""",
    """CREATE TABLE access_keys (
        access_key TEXT PRIMARY KEY,
        account_id INTEGER NOT NULL REFERENCES accounts (id),
        sealed_secret BLOB NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('s3', 'link')),
        admin INTEGER NOT NULL DEFAULT 0,
        enabled INTEGER NOT NULL DEFAULT 1,
        generated_root INTEGER NOT NULL DEFAULT 0,
        bucket TEXT,
        prefix TEXT,
        description TEXT NOT NULL DEFAULT '',
        created_ms INTEGER NOT NULL,
        expires_ms INTEGER
    ) WITHOUT ROWID""",
    "CREATE INDEX access_keys_account ON access_keys (account_id)",
    """CREATE TABLE buckets (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        account_id INTEGER NOT NULL REFERENCES accounts (id),
        region TEXT NOT NULL,
        versioning TEXT NOT NULL DEFAULT 'Unversioned' CHECK (versioning IN ('Unversioned', 'Enabled', 'Suspended')),
        images_public INTEGER NOT NULL DEFAULT 0,
        ladder TEXT NOT NULL DEFAULT '',
        created_ms INTEGER NOT NULL
    )""",
    "CREATE INDEX buckets_account ON buckets (account_id, name)",
    # What a bucket holds, counted in the transaction of each change: current objects and the bytes of all versions.
    """CREATE TABLE usage (
        bucket_id INTEGER PRIMARY KEY,
        objects INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0
    )""",
    # (store, name, offset) says where bytes lie: several small blobs share one pack file, a large one has its own.
    """CREATE TABLE blobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        store TEXT NOT NULL,
        name TEXT NOT NULL,
        offset INTEGER NOT NULL,
        length INTEGER NOT NULL,
        state TEXT NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'condemned')),
        condemned_ms INTEGER
    )""",
    "CREATE UNIQUE INDEX blobs_place ON blobs (name, offset, store)",
    "CREATE INDEX blobs_condemned ON blobs (condemned_ms) WHERE state = 'condemned'",
    """CREATE TABLE contents (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        uid BLOB NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        checksum_algorithm TEXT,
        checksum_type TEXT,
        checksum_value TEXT,
        part_count INTEGER NOT NULL DEFAULT 0,
        segment_count INTEGER NOT NULL
    )""",
    """CREATE TABLE segments (
        content_id INTEGER NOT NULL,
        start INTEGER NOT NULL,
        length INTEGER NOT NULL,
        blob_id INTEGER NOT NULL REFERENCES blobs (id),
        blob_offset INTEGER NOT NULL,
        PRIMARY KEY (content_id, start)
    ) WITHOUT ROWID""",
    "CREATE INDEX segments_blob ON segments (blob_id)",
    """CREATE TABLE content_parts (
        content_id INTEGER NOT NULL,
        number INTEGER NOT NULL,
        start INTEGER NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        checksum TEXT,
        PRIMARY KEY (content_id, number)
    ) WITHOUT ROWID""",
    # Contents that lost a reference: the sweep looks only here. Never the decision itself.
    "CREATE TABLE orphans (id INTEGER PRIMARY KEY AUTOINCREMENT, content_id INTEGER NOT NULL)",
    # seq orders the versions of a key; nonce keeps a public version id from being guessed.
    """CREATE TABLE versions (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        bucket_id INTEGER NOT NULL,
        key BLOB NOT NULL,
        nonce BLOB,
        content_id INTEGER REFERENCES contents (id),
        modified_ms INTEGER NOT NULL,
        headers TEXT NOT NULL,
        tags TEXT,
        image_id TEXT
    )""",
    "CREATE INDEX versions_key ON versions (bucket_id, key, seq DESC)",
    # nonce is NULL for what the clients call the `null` version: at most one a key.
    "CREATE UNIQUE INDEX versions_null ON versions (bucket_id, key) WHERE nonce IS NULL",
    "CREATE INDEX versions_content ON versions (content_id) WHERE content_id IS NOT NULL",
    "CREATE UNIQUE INDEX versions_image ON versions (image_id) WHERE image_id IS NOT NULL",
    """CREATE TABLE heads (
        bucket_id INTEGER NOT NULL,
        key BLOB NOT NULL,
        seq INTEGER NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        modified_ms INTEGER NOT NULL,
        checksum_algorithm TEXT,
        checksum_type TEXT,
        PRIMARY KEY (bucket_id, key)
    ) WITHOUT ROWID""",
    """CREATE TABLE uploads (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        upload_id TEXT NOT NULL UNIQUE,
        bucket_id INTEGER NOT NULL,
        key BLOB NOT NULL,
        headers TEXT NOT NULL,
        tags TEXT NOT NULL,
        checksum_algorithm TEXT NOT NULL,
        checksum_type TEXT NOT NULL,
        checksum_asked INTEGER NOT NULL,
        initiator TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        completed_ms INTEGER,
        completion BLOB,
        result TEXT
    )""",
    "CREATE INDEX uploads_open ON uploads (bucket_id, key, upload_id) WHERE completed_ms IS NULL",
    "CREATE INDEX uploads_completed ON uploads (completed_ms) WHERE completed_ms IS NOT NULL",
    """CREATE TABLE parts (
        upload INTEGER NOT NULL REFERENCES uploads (id),
        number INTEGER NOT NULL,
        content_id INTEGER NOT NULL REFERENCES contents (id),
        modified_ms INTEGER NOT NULL,
        PRIMARY KEY (upload, number)
    ) WITHOUT ROWID""",
    "CREATE INDEX parts_content ON parts (content_id)",
    "INSERT INTO meta (name, value) VALUES ('config_generation', 1)",
)


# What PostgreSQL spells differently, replaced in this order. Keys that a client names are compared as bytes in both, hence
# the collation. References of rows that every PUT writes are not checked there either: each check is a query and a write
# to the row referred to, and the locks that metadata/ takes say the same.
POSTGRESQL = (
    ("INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
    (" REFERENCES blobs (id)", ""),
    (" REFERENCES contents (id)", ""),
    (" WITHOUT ROWID", ""),
    (" INTEGER", " BIGINT"),
    (" BLOB", " BYTEA"),
    (" TEXT", ' TEXT COLLATE "C"'),
    (" offset ", ' "offset" '),
    (", offset,", ', "offset",'),
    ("'config_generation', 1", "'config_generation', '1'"),
)


def postgresql(statement: str) -> str:
    """A statement of SQLite's schema as PostgreSQL takes it."""
    for ours, theirs in POSTGRESQL:
        statement = statement.replace(ours, theirs)
    return statement


def upgrade() -> None:
    for statement in SQLITE:
        op.execute(statement if op.get_context().dialect.name == "sqlite" else postgresql(statement))
