-- One row: what the whole store counts. Every transaction that changes blobs keeps it true.
CREATE TABLE store (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    created_at INTEGER NOT NULL,
    -- Raised by one at every start; the upper part of the generations that the process gives to files.
    start_count INTEGER NOT NULL DEFAULT 0 CHECK (start_count >= 0),
    -- Bytes of all blobs as stored, in files and in blob_bytes.
    used_bytes INTEGER NOT NULL DEFAULT 0 CHECK (used_bytes >= 0),
    blob_count INTEGER NOT NULL DEFAULT 0 CHECK (blob_count >= 0),
    -- The scrub goes on behind this blob.
    scrub_cursor INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE repository (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('cache', 'registry', 'bucket')),
    created_at INTEGER NOT NULL,
    quota_bytes INTEGER CHECK (quota_bytes >= 0),
    quota_entries INTEGER CHECK (quota_entries >= 0),
    -- 1: adapters that know the form of their entries check it on write.
    validates_content INTEGER NOT NULL DEFAULT 1 CHECK (validates_content IN (0, 1)),
    -- 1: on its way out; its rows are removed in slices and its name is free again.
    is_deleted INTEGER NOT NULL DEFAULT 0 CHECK (is_deleted IN (0, 1)),
    used_bytes INTEGER NOT NULL DEFAULT 0 CHECK (used_bytes >= 0),
    entry_count INTEGER NOT NULL DEFAULT 0 CHECK (entry_count >= 0)
) STRICT;

CREATE TABLE blob (
    id INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    size INTEGER NOT NULL CHECK (size >= 0),
    -- The generation in the file's name; NULL: the bytes are in blob_bytes.
    generation INTEGER,
    link_count INTEGER NOT NULL CHECK (link_count >= 0),
    -- 1: damaged; everything that names it misses until the next upload of its digest.
    is_quarantined INTEGER NOT NULL DEFAULT 0 CHECK (is_quarantined IN (0, 1))
) STRICT;

CREATE INDEX blob_quarantined ON blob (id) WHERE is_quarantined = 1;

CREATE TABLE blob_bytes (
    blob_id INTEGER PRIMARY KEY REFERENCES blob (id),
    bytes BLOB NOT NULL
) STRICT;

-- Further names of a blob; SHA-256 is in the blob's own row.
CREATE TABLE digest (
    algorithm INTEGER NOT NULL,
    hash BLOB NOT NULL,
    blob_id INTEGER NOT NULL REFERENCES blob (id),
    PRIMARY KEY (algorithm, hash)
) STRICT, WITHOUT ROWID;

CREATE INDEX digest_blob ON digest (blob_id);

-- A blob can be read in, counted for and referred to from a repository only through a link.
-- blob_id has no foreign key: its check would want an index on blob_id, the second random write of every upload.
-- blob.link_count guards instead, and `larder check` compares both.
CREATE TABLE link (
    repository_id INTEGER NOT NULL REFERENCES repository (id),
    blob_id INTEGER NOT NULL,
    size INTEGER NOT NULL CHECK (size >= 0),
    pushed_at INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    -- Entries of this repository that refer to the blob: while there are any it is no candidate for eviction.
    entry_count INTEGER NOT NULL CHECK (entry_count >= 0),
    -- 1: uploaded under its digest, so it stays when its last entry goes; 0: goes with that entry.
    is_explicit INTEGER NOT NULL CHECK (is_explicit IN (0, 1)),
    PRIMARY KEY (repository_id, blob_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX link_loose ON link (repository_id, last_used) WHERE entry_count = 0;
