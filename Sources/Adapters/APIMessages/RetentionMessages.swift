/// The JSON of retention in `/api/v1`. Sizes are bytes, times seconds since 1970.

/// GET and PUT /api/v1/policies/NAME.
package struct PolicyMessage: Codable, Sendable {
    /// As it was given, JSON or YAML.
    package var policy: String
    /// Whether it is that of all repositories of the kind which have none of their own.
    package var isDefault: Bool
    /// When it is applied next by schedule; nil: never.
    package var nextRun: Int64?

    package init(policy: String, isDefault: Bool, nextRun: Int64? = nil) {
        self.policy = policy
        self.isDefault = isDefault
        self.nextRun = nextRun
    }
}

/// An element of GET /api/v1/default-policies, and the answer of PUT /api/v1/default-policies/KIND.
package struct DefaultPolicyMessage: Codable, Sendable {
    /// `cache`, `registry` or `bucket`.
    package var kind: String
    package var policy: String

    package init(kind: String, policy: String) {
        self.kind = kind
        self.policy = policy
    }
}

/// An element of GET /api/v1/pins/NAME, and the answer of PUT.
package struct PinMessage: Codable, Sendable {
    /// What the tag names stays; nil: see `key`.
    package var tag: String?
    package var key: String?
    package var reason: String
    package var pinnedAt: Int64
    /// nil: for good.
    package var pinnedUntil: Int64?

    package init(tag: String? = nil, key: String? = nil, reason: String, pinnedAt: Int64, pinnedUntil: Int64? = nil) {
        self.tag = tag
        self.key = key
        self.reason = reason
        self.pinnedAt = pinnedAt
        self.pinnedUntil = pinnedUntil
    }
}

/// The body of PUT /api/v1/pins/NAME.
package struct PinRequestMessage: Codable, Sendable {
    package var reason: String
    /// For so long; nil: for good.
    package var seconds: Int64?

    package init(reason: String, seconds: Int64? = nil) {
        self.reason = reason
        self.seconds = seconds
    }
}

/// An element of GET /api/v1/removed/NAME.
package struct RemovedEntryMessage: Codable, Sendable {
    package var key: String
    package var scope: String?
    /// Those that it had, or of what is still there, one that was taken away.
    package var tags: [String]
    package var removedAt: Int64
    package var undoUntil: Int64
    /// `person` or `run`.
    package var removedBy: String
    /// The run of retention that removed it, while there is a record of it.
    package var run: Int64?
    /// The key of what it went with, and comes back with; nil: it went for itself.
    package var root: String?
    /// Whether only a tag was removed, and the entry itself is there.
    package var isTagOnly: Bool

    package init(
        key: String,
        scope: String? = nil,
        tags: [String],
        removedAt: Int64,
        undoUntil: Int64,
        removedBy: String,
        run: Int64? = nil,
        root: String? = nil,
        isTagOnly: Bool
    ) {
        self.key = key
        self.scope = scope
        self.tags = tags
        self.removedAt = removedAt
        self.undoUntil = undoUntil
        self.removedBy = removedBy
        self.run = run
        self.root = root
        self.isTagOnly = isTagOnly
    }
}

/// The body of POST /api/v1/restores/NAME: a tag or a key.
package struct RestoreRequestMessage: Codable, Sendable {
    package var tag: String?
    package var key: String?
    /// Tags to come back with instead of those that it had; also such as name something else by now.
    package var asTags: [String]?

    package init(tag: String? = nil, key: String? = nil, asTags: [String]? = nil) {
        self.tag = tag
        self.key = key
        self.asTags = asTags
    }
}

/// POST /api/v1/restores/NAME: what came back.
package struct RestorationMessage: Codable, Sendable {
    package var keys: [String]
    package var tags: [String]
    /// Tags that name something else by now and were left there.
    package var takenTags: [String]

    package init(keys: [String], tags: [String], takenTags: [String]) {
        self.keys = keys
        self.tags = tags
        self.takenTags = takenTags
    }
}
