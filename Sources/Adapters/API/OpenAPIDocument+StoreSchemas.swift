extension OpenAPIDocument {
    /// The messages of the store and its repositories.
    static let storeSchemas = #"""
              "Error": {
                "type": "object",
                "description": "The body of every refusal.",
                "properties": {"error": {"type": "string", "description": "A sentence for people."}},
                "required": ["error"],
                "examples": [{"error": "not found: repository team/app"}]
              },
              "Space": {
                "type": "object",
                "properties": {
                  "usedBytes": {"type": "integer"},
                  "reservedBytes": {"type": "integer"},
                  "capacityBytes": {
                    "type": "integer",
                    "description": "What may be held now: the limit, or less when the disk has less."
                  },
                  "limitBytes": {"type": "integer"},
                  "diskFreeBytes": {"type": "integer"},
                  "diskTotalBytes": {"type": "integer"},
                  "freeDiskFloorBytes": {"type": "integer", "description": "Free disk under which nothing is written."}
                },
                "required": [
                  "usedBytes",
                  "reservedBytes",
                  "capacityBytes",
                  "limitBytes",
                  "diskFreeBytes",
                  "diskTotalBytes",
                  "freeDiskFloorBytes"
                ]
              },
              "Reads": {
                "type": "object",
                "description": "Reads of one tool in one repository since the start.",
                "properties": {
                  "tool": {"type": "string"},
                  "repository": {"type": "string"},
                  "hits": {"type": "integer"},
                  "misses": {"type": "integer"}
                },
                "required": ["tool", "repository", "hits", "misses"]
              },
              "Status": {
                "type": "object",
                "properties": {
                  "version": {"type": "string"},
                  "uptimeSeconds": {"type": "number"},
                  "space": {"$ref": "#/components/schemas/Space"},
                  "blobCount": {"type": "integer"},
                  "quarantinedCount": {"type": "integer", "description": "Damaged blobs."},
                  "evictedBytes": {"type": "integer", "description": "Since the start."},
                  "evictedCount": {"type": "integer", "description": "Since the start."},
                  "lastEvictedAgeSeconds": {
                    "type": "number",
                    "description": "How long what was evicted last had not been used."
                  },
                  "oldestKeptAgeSeconds": {
                    "type": "number",
                    "description": "How long the least recently used thing in all caches has not been used."
                  },
                  "queueLength": {"type": "integer", "description": "Writes that wait."},
                  "walBytes": {"type": "integer", "description": "Size of the database's log."},
                  "repositories": {"type": "array", "items": {"$ref": "#/components/schemas/Repository"}},
                  "reads": {"type": "array", "items": {"$ref": "#/components/schemas/Reads"}}
                },
                "required": [
                  "version",
                  "uptimeSeconds",
                  "space",
                  "blobCount",
                  "quarantinedCount",
                  "evictedBytes",
                  "evictedCount",
                  "queueLength",
                  "walBytes",
                  "repositories",
                  "reads"
                ]
              },
              "Repository": {
                "type": "object",
                "properties": {
                  "name": {"type": "string"},
                  "kind": {"type": "string", "enum": ["cache", "registry", "bucket"]},
                  "createdAt": {"type": "integer", "description": "seconds since 1970"},
                  "usedBytes": {"type": "integer"},
                  "entryCount": {"type": "integer"},
                  "quotaBytes": {"type": "integer", "description": "Absent: no quota of its own."},
                  "quotaEntries": {"type": "integer", "description": "Absent: any number."},
                  "validatesContent": {"type": "boolean", "description": "Whether the content of entries is checked."},
                  "allowsSparse": {
                    "type": "boolean",
                    "description": "Whether manifests may name content that is not there."
                  },
                  "allowsOverwrite": {
                    "type": "boolean",
                    "description": "Whether what a dependency cache saved may be saved again with other content."
                  },
                  "tagsAreImmutable": {
                    "type": "boolean",
                    "description": "Whether a tag stays with what it was given to first."
                  },
                  "mutableTags": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "Patterns of tags that move nevertheless."
                  },
                  "undoTimeSeconds": {
                    "type": "integer",
                    "description": "For so long what was removed can be brought back; absent: as the server has it."
                  },
                  "pruneSchedule": {
                    "type": "string",
                    "description": "A cron expression, or off; absent: as the server has it."
                  },
                  "hasPolicy": {
                    "type": "boolean",
                    "description": "Whether a policy holds, its own or the default of its kind."
                  }
                },
                "required": [
                  "name",
                  "kind",
                  "createdAt",
                  "usedBytes",
                  "entryCount",
                  "validatesContent",
                  "allowsSparse",
                  "allowsOverwrite",
                  "tagsAreImmutable",
                  "mutableTags",
                  "hasPolicy"
                ],
                "examples": [
                  {
                    "name": "team/app",
                    "kind": "registry",
                    "createdAt": 1767225600,
                    "usedBytes": 104857600,
                    "entryCount": 12,
                    "validatesContent": true,
                    "allowsSparse": false,
                    "allowsOverwrite": false,
                    "tagsAreImmutable": true,
                    "mutableTags": ["latest", "pr-*"],
                    "undoTimeSeconds": 172800,
                    "pruneSchedule": "0 4 * * *",
                    "hasPolicy": true
                  }
                ]
              },
              "RepositoryChange": {
                "type": "object",
                "description": "What is absent stays as it is.",
                "properties": {
                  "kind": {
                    "type": "string",
                    "enum": ["cache", "registry", "bucket"],
                    "description": "Only on creation; absent: cache."
                  },
                  "quotaBytes": {"type": "integer", "description": "-1 takes it away.", "minimum": -1},
                  "quotaEntries": {"type": "integer", "description": "-1 takes it away.", "minimum": -1},
                  "validatesContent": {"type": "boolean"},
                  "allowsSparse": {"type": "boolean"},
                  "allowsOverwrite": {"type": "boolean"},
                  "tagsAreImmutable": {"type": "boolean"},
                  "mutableTags": {"type": "array", "items": {"type": "string"}},
                  "undoTimeSeconds": {
                    "type": "integer",
                    "description": "0 for none; -1 takes it away, and the server's holds.",
                    "minimum": -1,
                    "maximum": 86400000000
                  },
                  "pruneSchedule": {
                    "type": "string",
                    "description": "A cron expression in UTC, or with CRON_TZ=Zone before it; off for never; an empty text takes it away."
                  }
                },
                "required": [],
                "examples": [{"quotaBytes": -1, "undoTimeSeconds": 172800}]
              },
              "Flush": {
                "type": "object",
                "properties": {"freedBytes": {"type": "integer"}},
                "required": ["freedBytes"],
                "examples": [{"freedBytes": 104857600}]
              },
              "CheckLine": {
                "type": "object",
                "description": "Progress (phase, done and total), or at the end the report or an error.",
                "properties": {
                  "phase": {"type": "string"},
                  "done": {"type": "integer"},
                  "total": {"type": "integer"},
                  "report": {"$ref": "#/components/schemas/CheckReport"},
                  "error": {"type": "string", "description": "Why the check could not go on."}
                },
                "required": [],
                "examples": [{"phase": "blobs", "done": 10, "total": 100}]
              },
              "CheckReport": {
                "type": "object",
                "properties": {
                  "blobCount": {"type": "integer"},
                  "byteCount": {"type": "integer"},
                  "problems": {"type": "array", "items": {"type": "string"}, "description": "The first of them."},
                  "problemCount": {"type": "integer"},
                  "repairedCount": {"type": "integer"}
                },
                "required": ["blobCount", "byteCount", "problems", "problemCount", "repairedCount"]
              },
              "Compact": {
                "type": "object",
                "properties": {"bytesBefore": {"type": "integer"}, "bytesAfter": {"type": "integer"}},
                "required": ["bytesBefore", "bytesAfter"],
                "examples": [{"bytesBefore": 1048576, "bytesAfter": 524288}]
              }
        """#
}
