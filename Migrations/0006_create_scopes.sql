-- Caches whose entries may be saved again with other content.
ALTER TABLE repository ADD COLUMN allows_overwrite INTEGER NOT NULL DEFAULT 0 CHECK (allows_overwrite IN (0, 1));

-- Whether there can be a large blob is asked by its size, before a client hashes it.
CREATE INDEX blob_large ON blob (size) WHERE size >= 16777216;

-- Artifacts of a repository, the newest first.
CREATE INDEX manifest_repository ON manifest (repository_id, entry_id);
