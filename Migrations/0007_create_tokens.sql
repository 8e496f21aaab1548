-- Access: tokens, and the keys that sign what is derived from them.

-- Secrets are random and kept as their SHA-256 only. An id is never used twice, as signed tokens name it.
CREATE TABLE token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    -- One per line.
    grants TEXT NOT NULL,
    -- What it writes to caches is under this scope; '' for nobody's.
    scope TEXT NOT NULL DEFAULT '',
    -- The scopes that it reads behind its own, one per line, each behind an `=`.
    read_scopes TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    -- NULL: never.
    expires_at INTEGER,
    last_used INTEGER
) STRICT;

CREATE TABLE signing_key (
    purpose TEXT PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT, WITHOUT ROWID;
