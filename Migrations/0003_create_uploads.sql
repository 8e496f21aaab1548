-- Resumable uploads in progress. `length` is what was acknowledged: after a restart the file is cut to it.
CREATE TABLE upload (
    id TEXT PRIMARY KEY,
    repository_id INTEGER NOT NULL REFERENCES repository (id),
    file_name TEXT NOT NULL,
    length INTEGER NOT NULL CHECK (length >= 0),
    started_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX upload_expiry ON upload (expires_at);

-- Protects a link until a time that is renewed while somebody still works on it.
CREATE TABLE lease (
    id INTEGER PRIMARY KEY,
    repository_id INTEGER NOT NULL,
    blob_id INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    FOREIGN KEY (repository_id, blob_id) REFERENCES link (repository_id, blob_id)
) STRICT;

CREATE INDEX lease_link ON lease (repository_id, blob_id);
CREATE INDEX lease_expiry ON lease (expires_at);

-- Files whose row is gone and whose name is still to be removed (D1).
CREATE TABLE removal (
    id INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    generation INTEGER NOT NULL
) STRICT;
