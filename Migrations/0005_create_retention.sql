-- Retention: policies and schedules, pins, what was removed and can be brought back, records of runs.

-- As it was given; NULL: the default policy of the repository's kind, if there is one.
ALTER TABLE repository ADD COLUMN policy TEXT;
ALTER TABLE repository ADD COLUMN policy_set_at INTEGER;
-- A cron expression, or 'off'; NULL: the store's.
ALTER TABLE repository ADD COLUMN prune_schedule TEXT;
-- In milliseconds; NULL: that of the kind.
ALTER TABLE repository ADD COLUMN undo_time INTEGER CHECK (undo_time >= 0);
-- When a run by schedule began last.
ALTER TABLE repository ADD COLUMN pruned_at INTEGER;

-- Policies of repositories that have none of their own.
CREATE TABLE default_policy (
    kind TEXT PRIMARY KEY CHECK (kind IN ('cache', 'registry', 'bucket')),
    policy TEXT NOT NULL,
    set_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- When a manifest lost its last tag; NULL: it has some, or never had one.
ALTER TABLE entry ADD COLUMN untagged_at INTEGER;
-- When a rule moved it to the archive; a later use brings it back.
ALTER TABLE entry ADD COLUMN archived_at INTEGER;
-- The first use after that.
ALTER TABLE entry ADD COLUMN restored_at INTEGER;

-- Entries that were removed and can be brought back (entry.hidden_at is set).
CREATE TABLE hidden (
    entry_id INTEGER PRIMARY KEY REFERENCES entry (id),
    repository_id INTEGER NOT NULL,
    -- The entry with which it went; its own number for what went for itself.
    root_id INTEGER NOT NULL,
    undo_until INTEGER NOT NULL,
    -- The run that removed it; NULL: a person did.
    run_id INTEGER
) STRICT;

CREATE INDEX hidden_undo ON hidden (undo_until);
CREATE INDEX hidden_repository ON hidden (repository_id, entry_id);
CREATE INDEX hidden_by_run ON hidden (repository_id, undo_until) WHERE run_id IS NOT NULL;
CREATE INDEX hidden_root ON hidden (root_id);

-- Tags that were removed and can be brought back, of entries that are hidden or not.
CREATE TABLE removed_tag (
    id INTEGER PRIMARY KEY,
    repository_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    entry_id INTEGER NOT NULL REFERENCES entry (id),
    removed_at INTEGER NOT NULL,
    undo_until INTEGER NOT NULL,
    run_id INTEGER
) STRICT;

CREATE INDEX removed_tag_name ON removed_tag (repository_id, name, removed_at);
CREATE INDEX removed_tag_entry ON removed_tag (entry_id);
CREATE INDEX removed_tag_undo ON removed_tag (undo_until);

-- What nothing automatic removes: an entry by its key, or the entry that a tag names.
CREATE TABLE pin (
    repository_id INTEGER NOT NULL,
    item TEXT NOT NULL CHECK (item IN ('entry', 'tag')),
    name TEXT NOT NULL,
    reason TEXT NOT NULL,
    pinned_at INTEGER NOT NULL,
    -- NULL: for good.
    pinned_until INTEGER,
    PRIMARY KEY (repository_id, item, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX pin_until ON pin (pinned_until) WHERE pinned_until IS NOT NULL;

-- Annotations of manifests and labels of their configurations.
CREATE TABLE label (
    entry_id INTEGER NOT NULL REFERENCES entry (id),
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (entry_id, name)
) STRICT, WITHOUT ROWID;

-- The manifests that an index refers to, by the blobs of their bytes: to be asked from the child's side.
CREATE TABLE manifest_child (
    repository_id INTEGER NOT NULL,
    blob_id INTEGER NOT NULL,
    entry_id INTEGER NOT NULL REFERENCES entry (id),
    PRIMARY KEY (repository_id, blob_id, entry_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX manifest_child_entry ON manifest_child (entry_id);

INSERT INTO manifest_child (repository_id, blob_id, entry_id)
SELECT e.repository_id, r.blob_id, r.entry_id FROM manifest m
JOIN entry e ON e.id = m.entry_id JOIN reference r ON r.entry_id = m.entry_id JOIN blob b ON b.id = r.blob_id
JOIN entry c ON c.repository_id = e.repository_id AND c.scope = '' AND c.key = 'sha256:' || lower(hex(b.sha256))
JOIN manifest cm ON cm.entry_id = c.id
WHERE m.media_type IN ('application/vnd.oci.image.index.v1+json',
    'application/vnd.docker.distribution.manifest.list.v2+json');

-- Runs of retention.
CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    repository_id INTEGER NOT NULL,
    repository_name TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    reason TEXT NOT NULL CHECK (reason IN ('schedule', 'person', 'pressure')),
    actor TEXT NOT NULL,
    -- Empty: only undo was ended.
    policy TEXT NOT NULL,
    -- Entries that were looked at, and what became of them.
    considered_count INTEGER NOT NULL DEFAULT 0,
    removed_count INTEGER NOT NULL DEFAULT 0,
    tag_count INTEGER NOT NULL DEFAULT 0,
    archived_count INTEGER NOT NULL DEFAULT 0,
    -- Changed since they were looked at.
    skipped_count INTEGER NOT NULL DEFAULT 0,
    -- Bytes that are free when the undo time is over, and those of them that are.
    planned_bytes INTEGER NOT NULL DEFAULT 0,
    freed_bytes INTEGER NOT NULL DEFAULT 0,
    -- Why it ended early, or what else there is to say.
    note TEXT
) STRICT;

CREATE INDEX run_repository ON run (repository_id, id);
CREATE INDEX run_unfinished ON run (id) WHERE ended_at IS NULL;

-- What a run did, in order.
CREATE TABLE run_decision (
    run_id INTEGER NOT NULL REFERENCES run (id),
    number INTEGER NOT NULL,
    -- The entry's key, and its tags with spaces between.
    name TEXT NOT NULL,
    tags TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('removed', 'tag removed', 'archived', 'changed')),
    -- NULL: it followed another one.
    rule INTEGER,
    explanation TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (run_id, number)
) STRICT, WITHOUT ROWID;
