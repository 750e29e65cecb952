-- Made by `python -m migrations.newest` from migrations with the digest 87588964386963310c3a071255ff1726e00b761b1919dcf3db1ac425c3975345
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE leases (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        owner TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'dead', 'swept')),
        created_ms INTEGER NOT NULL,
        renewed_ms INTEGER NOT NULL,
        oldest_read_ms INTEGER
    );
CREATE TABLE locks (name TEXT PRIMARY KEY, owner TEXT NOT NULL, until_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE accounts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        canonical_id TEXT NOT NULL UNIQUE,
        enabled INTEGER NOT NULL DEFAULT 1,
        is_root INTEGER NOT NULL DEFAULT 0,
        created_ms INTEGER NOT NULL
    , quota_bytes INTEGER, quota_images INTEGER, duplicates TEXT NOT NULL DEFAULT 'keep', home_bucket_id INTEGER, tokens_from_ms INTEGER NOT NULL DEFAULT 0);
CREATE TABLE access_keys (
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
    , scope TEXT) WITHOUT ROWID;
CREATE INDEX access_keys_account ON access_keys (account_id);
CREATE TABLE buckets (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        account_id INTEGER NOT NULL REFERENCES accounts (id),
        region TEXT NOT NULL,
        versioning TEXT NOT NULL DEFAULT 'Unversioned' CHECK (versioning IN ('Unversioned', 'Enabled', 'Suspended')),
        images_public INTEGER NOT NULL DEFAULT 0,
        ladder TEXT NOT NULL DEFAULT '',
        created_ms INTEGER NOT NULL
    , store TEXT, encryption TEXT, watched INTEGER NOT NULL DEFAULT 0, images TEXT, known_images INTEGER NOT NULL DEFAULT 0);
CREATE INDEX buckets_account ON buckets (account_id, name);
CREATE TABLE usage (
        bucket_id INTEGER PRIMARY KEY,
        objects INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0
    );
CREATE TABLE blobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        store TEXT NOT NULL,
        name TEXT NOT NULL,
        offset INTEGER NOT NULL,
        length INTEGER NOT NULL,
        state TEXT NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'condemned')),
        condemned_ms INTEGER
    , sealed_key BLOB);
CREATE UNIQUE INDEX blobs_place ON blobs (name, offset, store);
CREATE INDEX blobs_condemned ON blobs (condemned_ms) WHERE state = 'condemned';
CREATE TABLE contents (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        uid BLOB NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        checksum_algorithm TEXT,
        checksum_type TEXT,
        checksum_value TEXT,
        part_count INTEGER NOT NULL DEFAULT 0,
        segment_count INTEGER NOT NULL
    , encryption TEXT, customer_key BLOB);
CREATE TABLE segments (
        content_id INTEGER NOT NULL,
        start INTEGER NOT NULL,
        length INTEGER NOT NULL,
        blob_id INTEGER NOT NULL REFERENCES blobs (id),
        blob_offset INTEGER NOT NULL,
        PRIMARY KEY (content_id, start)
    ) WITHOUT ROWID;
CREATE INDEX segments_blob ON segments (blob_id);
CREATE TABLE content_parts (
        content_id INTEGER NOT NULL,
        number INTEGER NOT NULL,
        start INTEGER NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        checksum TEXT,
        PRIMARY KEY (content_id, number)
    ) WITHOUT ROWID;
CREATE TABLE orphans (id INTEGER PRIMARY KEY AUTOINCREMENT, content_id INTEGER NOT NULL);
CREATE TABLE versions (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        bucket_id INTEGER NOT NULL,
        key BLOB NOT NULL,
        nonce BLOB,
        content_id INTEGER REFERENCES contents (id),
        modified_ms INTEGER NOT NULL,
        headers TEXT NOT NULL,
        tags TEXT,
        image_id TEXT
    );
CREATE INDEX versions_key ON versions (bucket_id, key, seq DESC);
CREATE UNIQUE INDEX versions_null ON versions (bucket_id, key) WHERE nonce IS NULL;
CREATE INDEX versions_content ON versions (content_id) WHERE content_id IS NOT NULL;
CREATE UNIQUE INDEX versions_image ON versions (image_id) WHERE image_id IS NOT NULL;
CREATE TABLE heads (
        bucket_id INTEGER NOT NULL,
        key BLOB NOT NULL,
        seq INTEGER NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        modified_ms INTEGER NOT NULL,
        checksum_algorithm TEXT,
        checksum_type TEXT,
        PRIMARY KEY (bucket_id, key)
    ) WITHOUT ROWID;
CREATE TABLE uploads (
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
    , encryption TEXT, customer_key BLOB, app TEXT);
CREATE INDEX uploads_open ON uploads (bucket_id, key, upload_id) WHERE completed_ms IS NULL;
CREATE INDEX uploads_completed ON uploads (completed_ms) WHERE completed_ms IS NOT NULL;
CREATE TABLE parts (
        upload INTEGER NOT NULL REFERENCES uploads (id),
        number INTEGER NOT NULL,
        content_id INTEGER NOT NULL REFERENCES contents (id),
        modified_ms INTEGER NOT NULL,
        PRIMARY KEY (upload, number)
    ) WITHOUT ROWID;
CREATE INDEX parts_content ON parts (content_id);
CREATE TABLE config (id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER NOT NULL);
CREATE TABLE usage_deltas (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        bucket_id INTEGER NOT NULL,
        objects INTEGER NOT NULL,
        bytes INTEGER NOT NULL
    );
CREATE UNIQUE INDEX accounts_root ON accounts (is_root) WHERE is_root = 1;
CREATE UNIQUE INDEX access_keys_root ON access_keys (generated_root) WHERE generated_root = 1;
CREATE TABLE attachments (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        bucket_id INTEGER NOT NULL,
        store TEXT NOT NULL,
        source TEXT NOT NULL,
        prefix BLOB NOT NULL,
        own INTEGER NOT NULL,
        versions INTEGER NOT NULL,
        round INTEGER NOT NULL DEFAULT 0,
        after BLOB,
        objects INTEGER NOT NULL DEFAULT 0,
        created_ms INTEGER NOT NULL,
        finished_ms INTEGER
    );
CREATE TABLE adopted (
        attachment_id INTEGER NOT NULL,
        key BLOB NOT NULL,
        source_version TEXT NOT NULL,
        etag TEXT NOT NULL,
        modified_ms INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (attachment_id, key, source_version)
    ) WITHOUT ROWID;
CREATE TABLE jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        payload TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        run_at_ms INTEGER,
        attempts INTEGER NOT NULL DEFAULT 0,
        claim TEXT,
        error TEXT
    , sent_ms INTEGER, name TEXT);
CREATE INDEX jobs_due ON jobs (kind, run_at_ms, id) WHERE run_at_ms IS NOT NULL;
CREATE INDEX jobs_failed ON jobs (id) WHERE run_at_ms IS NULL;
CREATE TABLE renditions (
        bucket_id INTEGER NOT NULL,
        preset TEXT NOT NULL,
        key BLOB NOT NULL,
        seq INTEGER NOT NULL,
        recipe TEXT NOT NULL,
        derivative_key BLOB NOT NULL,
        content_type TEXT NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        made_ms INTEGER NOT NULL,
        PRIMARY KEY (bucket_id, preset, key)
    ) WITHOUT ROWID;
CREATE TABLE users (
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
    );
CREATE UNIQUE INDEX users_subject ON users (issuer, subject);
CREATE INDEX users_account ON users (account_id);
CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        user_id INTEGER NOT NULL REFERENCES users (id),
        created_ms INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL,
        ended_ms INTEGER,
        address TEXT
    ) WITHOUT ROWID;
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_ms);
CREATE TABLE refresh_tokens (
        hash BLOB PRIMARY KEY,
        session_id TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL,
        used_ms INTEGER
    ) WITHOUT ROWID;
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_ms);
CREATE TABLE password_resets (
        hash BLOB PRIMARY KEY,
        user_id INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL
    ) WITHOUT ROWID;
CREATE INDEX password_resets_user ON password_resets (user_id);
CREATE TABLE revoked_tokens (hash BLOB PRIMARY KEY, expires_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX revoked_tokens_expiry ON revoked_tokens (expires_ms);
CREATE TABLE images (
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
    ) WITHOUT ROWID;
CREATE INDEX images_gallery ON images (created_ms, image_id, listed) WHERE listed = 1;
CREATE INDEX images_gallery_size ON images (size, image_id, listed) WHERE listed = 1;
CREATE INDEX images_account ON images (account_id, created_ms, image_id);
CREATE INDEX images_account_size ON images (account_id, size, image_id);
CREATE INDEX images_user ON images (user_id, created_ms, image_id) WHERE user_id IS NOT NULL;
CREATE INDEX images_user_size ON images (user_id, size, image_id) WHERE user_id IS NOT NULL;
CREATE INDEX images_bytes ON images (account_id, sha256);
CREATE INDEX images_looks ON images (account_id, phash, image_id) WHERE phash IS NOT NULL;
CREATE INDEX images_version ON images (seq);
CREATE INDEX images_moderation ON images (moderation, created_ms) WHERE moderation <> 'none';
CREATE TABLE image_tags (
        image_id TEXT NOT NULL,
        tag TEXT NOT NULL,
        account_id INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        size INTEGER NOT NULL,
        listed INTEGER NOT NULL,
        PRIMARY KEY (image_id, tag)
    ) WITHOUT ROWID;
CREATE INDEX image_tags_gallery ON image_tags (tag, created_ms, image_id, listed) WHERE listed = 1;
CREATE INDEX image_tags_gallery_size ON image_tags (tag, size, image_id, listed) WHERE listed = 1;
CREATE INDEX image_tags_account ON image_tags (account_id, tag, created_ms, image_id);
CREATE TABLE shares (
        id TEXT PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        image_id TEXT NOT NULL,
        user_id INTEGER,
        created_ms INTEGER NOT NULL,
        expires_ms INTEGER,
        revoked_ms INTEGER
    ) WITHOUT ROWID;
CREATE INDEX shares_image ON shares (image_id);
CREATE TABLE same_bytes (
        account_id INTEGER NOT NULL,
        encryption TEXT NOT NULL,
        mark BLOB NOT NULL,
        content_id INTEGER NOT NULL,
        PRIMARY KEY (account_id, encryption, mark)
    ) WITHOUT ROWID;
CREATE INDEX same_bytes_content ON same_bytes (content_id);
CREATE TABLE pins (
        derivative_key BLOB PRIMARY KEY,
        content_id INTEGER NOT NULL,
        name TEXT NOT NULL,
        media_type TEXT NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        size INTEGER NOT NULL,
        made_ms INTEGER NOT NULL,
        gone INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
CREATE INDEX pins_content ON pins (content_id, name);
CREATE INDEX pins_gone ON pins (derivative_key) WHERE gone = 1;
CREATE TABLE image_jobs (
        id TEXT PRIMARY KEY,
        image_id TEXT NOT NULL,
        status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
        attempts INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        result TEXT,
        created_ms INTEGER NOT NULL,
        started_ms INTEGER,
        completed_ms INTEGER
    ) WITHOUT ROWID;
CREATE INDEX image_jobs_image ON image_jobs (image_id);
CREATE INDEX image_jobs_status ON image_jobs (status, created_ms);
CREATE INDEX image_jobs_completed ON image_jobs (completed_ms) WHERE completed_ms IS NOT NULL;
CREATE UNIQUE INDEX jobs_name ON jobs (name) WHERE name IS NOT NULL;
CREATE TABLE upload_windows (
        who TEXT NOT NULL,
        window_ms INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (who, window_ms)
    ) WITHOUT ROWID;
CREATE TABLE audit (
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
    );
CREATE INDEX audit_time ON audit (at_ms);
CREATE INDEX audit_account ON audit (account_id, id);
CREATE INDEX audit_action ON audit (action, id);
CREATE INDEX audit_user ON audit (user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX audit_target ON audit (target, id) WHERE target IS NOT NULL;
CREATE UNIQUE INDEX audit_once ON audit (once) WHERE once IS NOT NULL;
INSERT INTO alembic_version (version_num) VALUES ('0005');
INSERT INTO config (id, generation) VALUES (1, 1);
