-- Settings of registries.
-- 1: a manifest may name content that is not there.
ALTER TABLE repository ADD COLUMN allows_sparse INTEGER NOT NULL DEFAULT 0 CHECK (allows_sparse IN (0, 1));
-- 1: it once did, and what came later is protected by no reference.
ALTER TABLE repository ADD COLUMN has_been_sparse INTEGER NOT NULL DEFAULT 0 CHECK (has_been_sparse IN (0, 1));
-- 1: a tag stays with the manifest that it was given to first.
ALTER TABLE repository ADD COLUMN has_immutable_tags INTEGER NOT NULL DEFAULT 0 CHECK (has_immutable_tags IN (0, 1));
-- Patterns, separated by spaces, of tags that move nevertheless.
ALTER TABLE repository ADD COLUMN mutable_tags TEXT NOT NULL DEFAULT '';

-- What a registry tells about an entry that is a manifest; the entry's key is its SHA-256, its value its bytes, its
-- references the content and the manifests that it names.
CREATE TABLE manifest (
    entry_id INTEGER PRIMARY KEY REFERENCES entry (id),
    -- Without a foreign key, whose check would want an index of its own; that of the entry guards.
    repository_id INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    -- The digest under which it was pushed.
    digest TEXT NOT NULL,
    -- The digest of the manifest that this one is about, and this one's descriptor in the list of those, as JSON.
    subject TEXT,
    referrer TEXT,
    CHECK ((subject IS NULL) = (referrer IS NULL))
) STRICT;

CREATE INDEX manifest_subject ON manifest (repository_id, subject, entry_id) WHERE subject IS NOT NULL;

-- Manifests that lost an index or a subject: from a moment on they are removed unless something else keeps them.
CREATE TABLE review (
    entry_id INTEGER PRIMARY KEY REFERENCES entry (id),
    due_at INTEGER NOT NULL
) STRICT;

CREATE INDEX review_due ON review (due_at);

-- Manifests with more references than one transaction adds, while they are added: no name leads to them.
CREATE INDEX entry_pending ON entry (id) WHERE scope = '#pending';
