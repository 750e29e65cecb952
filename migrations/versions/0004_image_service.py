"""The image service: users and their sessions, images with what apps know of them, jobs, shares, limits, the audit log."""

from __future__ import annotations

from alembic import op

from migrations.spelling import postgresql

revision = "0004"
down_revision = "0003"

ACCOUNTS = (
    # NULL: no limit. `duplicates`: what an upload of bytes that the account has already is answered with.
    "ALTER TABLE accounts ADD COLUMN quota_bytes INTEGER",
    "ALTER TABLE accounts ADD COLUMN quota_images INTEGER",
    "ALTER TABLE accounts ADD COLUMN duplicates TEXT NOT NULL DEFAULT 'keep'",
    # The bucket of uploads that name none.
    "ALTER TABLE accounts ADD COLUMN home_bucket_id INTEGER",
    # Whether an image of the bucket has, or had, a row in `images`, whose visibility counts instead of the bucket's.
    "ALTER TABLE buckets ADD COLUMN known_images INTEGER NOT NULL DEFAULT 0",
    # What a key is narrowed to (buckets, prefixes, read-only, networks) as JSON.
    "ALTER TABLE access_keys ADD COLUMN scope TEXT",
    # `issuer` is empty for who registered here; `subject` is the `sub` of their tokens. `email_key` is the address as it
    # is compared. Tokens that were issued before `tokens_from_ms` are not valid.
    """CREATE TABLE users (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        account_id INTEGER NOT NULL REFERENCES accounts (id),
        issuer TEXT NOT NULL DEFAULT '',
        subject TEXT NOT NULL,
        email TEXT,
        email_key TEXT UNIQUE,
        name TEXT,
        password_hash TEXT,
        role TEXT NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'moderator', 'admin')),
        enabled INTEGER NOT NULL DEFAULT 1,
        tokens_from_ms INTEGER NOT NULL DEFAULT 0,
        created_ms INTEGER NOT NULL,
        last_login_ms INTEGER
    )""",
    "CREATE UNIQUE INDEX users_subject ON users (issuer, subject)",
    "CREATE INDEX users_account ON users (account_id)",
    """CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        user_id INTEGER NOT NULL REFERENCES users (id),
        created_ms INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL,
        ended_ms INTEGER,
        address TEXT
    ) WITHOUT ROWID""",
    "CREATE INDEX sessions_user ON sessions (user_id)",
    "CREATE INDEX sessions_expiry ON sessions (expires_ms)",
    # Of tokens only hashes are kept. A refresh token that is used a second time ends its session.
    """CREATE TABLE refresh_tokens (
        hash BLOB PRIMARY KEY,
        session_id TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL,
        used_ms INTEGER
    ) WITHOUT ROWID""",
    "CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id)",
    "CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_ms)",
    """CREATE TABLE password_resets (
        hash BLOB PRIMARY KEY,
        user_id INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX password_resets_user ON password_resets (user_id)",
    # Tokens of others, which have no session here, that were logged out.
    "CREATE TABLE revoked_tokens (hash BLOB PRIMARY KEY, expires_ms INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX revoked_tokens_expiry ON revoked_tokens (expires_ms)",
)

IMAGES = (
    # What apps know of an image beyond its version (`seq`), which is what exists: a row whose version is gone means
    # nothing and is swept. `listed` is 1 for what the public gallery shows. `phash` is 64 bits as a signed number. `tags`
    # is a JSON list; the same tags are rows to look for, with what the lists are sorted by. `revision` counts changes.
    """CREATE TABLE images (
        image_id TEXT PRIMARY KEY,
        seq INTEGER NOT NULL,
        bucket_id INTEGER NOT NULL,
        account_id INTEGER NOT NULL,
        user_id INTEGER,
        filename TEXT NOT NULL,
        content_type TEXT NOT NULL,
        size INTEGER NOT NULL,
        sha256 BLOB,
        width INTEGER,
        height INTEGER,
        visibility TEXT NOT NULL CHECK (visibility IN ('public', 'unlisted', 'private')),
        moderation TEXT NOT NULL DEFAULT 'none' CHECK (moderation IN ('none', 'reported', 'pending', 'approved', 'hidden')),
        listed INTEGER NOT NULL,
        metadata TEXT,
        tags TEXT,
        upload_ip TEXT,
        delete_hash BLOB,
        delete_expires_ms INTEGER,
        dominant_color TEXT,
        blurhash TEXT,
        phash INTEGER,
        status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
        job_id TEXT,
        created_ms INTEGER NOT NULL,
        updated_ms INTEGER NOT NULL,
        revision INTEGER NOT NULL DEFAULT 1
    ) WITHOUT ROWID""",
    # `listed` is in them so that a count along them reads no rows.
    "CREATE INDEX images_gallery ON images (created_ms, image_id, listed) WHERE listed = 1",
    "CREATE INDEX images_gallery_size ON images (size, image_id, listed) WHERE listed = 1",
    "CREATE INDEX images_account ON images (account_id, created_ms, image_id)",
    "CREATE INDEX images_account_size ON images (account_id, size, image_id)",
    "CREATE INDEX images_user ON images (user_id, created_ms, image_id) WHERE user_id IS NOT NULL",
    "CREATE INDEX images_user_size ON images (user_id, size, image_id) WHERE user_id IS NOT NULL",
    "CREATE INDEX images_bytes ON images (account_id, sha256)",
    "CREATE INDEX images_looks ON images (account_id, phash, image_id) WHERE phash IS NOT NULL",
    "CREATE INDEX images_version ON images (seq)",
    "CREATE INDEX images_moderation ON images (moderation, created_ms) WHERE moderation <> 'none'",
    """CREATE TABLE image_tags (
        image_id TEXT NOT NULL,
        tag TEXT NOT NULL,
        account_id INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        size INTEGER NOT NULL,
        listed INTEGER NOT NULL,
        PRIMARY KEY (image_id, tag)
    ) WITHOUT ROWID""",
    "CREATE INDEX image_tags_gallery ON image_tags (tag, created_ms, image_id, listed) WHERE listed = 1",
    "CREATE INDEX image_tags_gallery_size ON image_tags (tag, size, image_id, listed) WHERE listed = 1",
    "CREATE INDEX image_tags_account ON image_tags (account_id, tag, created_ms, image_id)",
    # Links that show an image to whoever has them.
    """CREATE TABLE shares (
        id TEXT PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        image_id TEXT NOT NULL,
        user_id INTEGER,
        created_ms INTEGER NOT NULL,
        expires_ms INTEGER,
        revoked_ms INTEGER
    ) WITHOUT ROWID""",
    "CREATE INDEX shares_image ON shares (image_id)",
    # Of a multipart upload that an app began for an image: what it is to become, as JSON.
    "ALTER TABLE uploads ADD COLUMN app TEXT",
    # Equal bytes of one account and one encryption class share their content: `mark` is an HMAC of their SHA-256.
    """CREATE TABLE same_bytes (
        account_id INTEGER NOT NULL,
        encryption TEXT NOT NULL,
        mark BLOB NOT NULL,
        content_id INTEGER NOT NULL,
        PRIMARY KEY (account_id, encryption, mark)
    ) WITHOUT ROWID""",
    "CREATE INDEX same_bytes_content ON same_bytes (content_id)",
    # Derivatives that no cache may forget while their content lives. `gone`: it does not, the bytes are to be removed.
    """CREATE TABLE pins (
        derivative_key BLOB PRIMARY KEY,
        content_id INTEGER NOT NULL,
        name TEXT NOT NULL,
        media_type TEXT NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        size INTEGER NOT NULL,
        made_ms INTEGER NOT NULL,
        gone INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID""",
    "CREATE INDEX pins_content ON pins (content_id, name)",
    "CREATE INDEX pins_gone ON pins (derivative_key) WHERE gone = 1",
)

JOBS = (
    # The state of an image's processing as apps see it; the row of `jobs` is what has to be done.
    """CREATE TABLE image_jobs (
        id TEXT PRIMARY KEY,
        image_id TEXT NOT NULL,
        status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
        attempts INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        result TEXT,
        created_ms INTEGER NOT NULL,
        started_ms INTEGER,
        completed_ms INTEGER
    ) WITHOUT ROWID""",
    "CREATE INDEX image_jobs_image ON image_jobs (image_id)",
    "CREATE INDEX image_jobs_status ON image_jobs (status, created_ms)",
    "CREATE INDEX image_jobs_completed ON image_jobs (completed_ms) WHERE completed_ms IS NOT NULL",
    # When a job was handed to a queue beyond the database, and the name that there may be one job of at a time.
    "ALTER TABLE jobs ADD COLUMN sent_ms INTEGER",
    "ALTER TABLE jobs ADD COLUMN name TEXT",
    "CREATE UNIQUE INDEX jobs_name ON jobs (name) WHERE name IS NOT NULL",
)

RECORDS = (
    """CREATE TABLE upload_windows (
        who TEXT NOT NULL,
        window_ms INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (who, window_ms)
    ) WITHOUT ROWID""",
    """CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms INTEGER NOT NULL,
        action TEXT NOT NULL,
        via TEXT NOT NULL,
        account_id INTEGER,
        user_id INTEGER,
        access_key TEXT,
        target TEXT,
        address TEXT,
        request_id TEXT,
        detail TEXT,
        once TEXT
    )""",
    "CREATE INDEX audit_time ON audit (at_ms)",
    "CREATE INDEX audit_account ON audit (account_id, id)",
    "CREATE INDEX audit_action ON audit (action, id)",
    "CREATE INDEX audit_user ON audit (user_id, id) WHERE user_id IS NOT NULL",
    "CREATE INDEX audit_target ON audit (target, id) WHERE target IS NOT NULL",
    "CREATE UNIQUE INDEX audit_once ON audit (once) WHERE once IS NOT NULL",
)


def upgrade() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
    for statement in (*ACCOUNTS, *IMAGES, *JOBS, *RECORDS):
        op.execute(statement if sqlite else postgresql(statement))
