CREATE TABLE entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    repository_id INTEGER NOT NULL REFERENCES repository (id),
    scope TEXT NOT NULL DEFAULT '',
    key TEXT NOT NULL,
    -- The entry's own bytes: a cache value, an action result, a manifest.
    blob_id INTEGER NOT NULL,
    pushed_at INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    -- 0: some blob that it names is not known to be there; it is looked for at the next read.
    is_complete INTEGER NOT NULL CHECK (is_complete IN (0, 1)),
    -- Rows of reference; removing a large entry goes in slices.
    reference_count INTEGER NOT NULL DEFAULT 0 CHECK (reference_count >= 0),
    -- Hidden entries are invisible and can be restored until their time is over.
    hidden_at INTEGER,
    -- 1: replaced or removed, its key is free again, its references go in slices.
    is_dead INTEGER NOT NULL DEFAULT 0 CHECK (is_dead IN (0, 1)),
    writer TEXT,
    UNIQUE (repository_id, scope, key)
) STRICT;

CREATE INDEX entry_last_used ON entry (repository_id, last_used) WHERE is_dead = 0;
CREATE INDEX entry_dead ON entry (id) WHERE is_dead = 1;

-- The blobs that an entry refers to beside its own.
CREATE TABLE reference (
    entry_id INTEGER NOT NULL REFERENCES entry (id),
    blob_id INTEGER NOT NULL,
    PRIMARY KEY (entry_id, blob_id)
) STRICT, WITHOUT ROWID;

-- Movable names of manifests.
CREATE TABLE tag (
    repository_id INTEGER NOT NULL REFERENCES repository (id),
    name TEXT NOT NULL,
    entry_id INTEGER NOT NULL REFERENCES entry (id),
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (repository_id, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX tag_entry ON tag (entry_id);
