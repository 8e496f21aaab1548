/// The JSON of dependency caches in `/api/v1`. Sizes are bytes, times text such as `2026-11-24T12:00:00Z`.

/// Where something comes from, as far as it is known.
package struct ProvenanceMessage: Codable, Sendable, Equatable {
    package var commit: String?
    package var branch: String?
    /// The number or the address of the run.
    package var run: String?
    package var actor: String?
    /// The address of the repository of sources.
    package var source: String?
    /// Which CI: `github`, `gitlab` and so on.
    package var ci: String?

    package init(
        commit: String? = nil,
        branch: String? = nil,
        run: String? = nil,
        actor: String? = nil,
        source: String? = nil,
        ci: String? = nil
    ) {
        self.commit = commit
        self.branch = branch
        self.run = run
        self.actor = actor
        self.source = source
        self.ci = ci
    }
}

/// The body of PUT /api/v1/caches/NAME.
package struct CacheSaveMessage: Codable, Sendable {
    package var provenance: ProvenanceMessage?

    package init(provenance: ProvenanceMessage? = nil) {
        self.provenance = provenance
    }
}

/// The body of POST /api/v1/caches/NAME/find, and the first line of that of POST /api/v1/caches/NAME/restore.
package struct CacheFindMessage: Codable, Sendable, Equatable {
    package var key: String
    /// Beginnings of keys, in order, that do when there is no entry of the key.
    package var restoreKeys: [String]
    /// Where to look, in order.
    package var scopes: [String]
    /// What tells entries of one key apart: a digest of the paths.
    package var version: String

    package init(key: String, restoreKeys: [String], scopes: [String], version: String) {
        self.key = key
        self.restoreKeys = restoreKeys
        self.scopes = scopes
        self.version = version
    }

    private enum CodingKeys: String, CodingKey {
        case key, restoreKeys, scopes, version
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        key = try container.decode(String.self, forKey: .key)
        restoreKeys = try container.decodeIfPresent([String].self, forKey: .restoreKeys) ?? []
        scopes = try container.decodeIfPresent([String].self, forKey: .scopes) ?? []
        version = try container.decodeIfPresent(String.self, forKey: .version) ?? ""
    }
}

/// An entry of a dependency cache.
package struct CacheEntryMessage: Codable, Sendable, Equatable {
    package var key: String
    package var scope: String
    package var version: String
    /// The digest of the blob that holds its tree of files.
    package var tree: String
    /// Of the tree without its times: two entries that have it in common hold the same.
    package var contentDigest: String
    package var fileCount: Int64
    package var byteCount: Int64
    package var savedAt: String
    package var lastUsedAt: String
    package var provenance: ProvenanceMessage?
    /// How it was found: `exact` or `prefix`; nil: it was not looked for.
    package var match: String?

    package init(
        key: String,
        scope: String,
        version: String,
        tree: String,
        contentDigest: String,
        fileCount: Int64,
        byteCount: Int64,
        savedAt: String,
        lastUsedAt: String,
        provenance: ProvenanceMessage? = nil,
        match: String? = nil
    ) {
        self.key = key
        self.scope = scope
        self.version = version
        self.tree = tree
        self.contentDigest = contentDigest
        self.fileCount = fileCount
        self.byteCount = byteCount
        self.savedAt = savedAt
        self.lastUsedAt = lastUsedAt
        self.provenance = provenance
        self.match = match
    }
}

/// GET /api/v1/caches/NAME.
package struct CacheEntryListMessage: Codable, Sendable {
    package var entries: [CacheEntryMessage]
    /// What to ask for `after`; nil: that was all.
    package var next: String?

    package init(entries: [CacheEntryMessage], next: String? = nil) {
        self.entries = entries
        self.next = next
    }
}
