extension OpenAPIDocument {
    /// The messages of retention.
    static let retentionSchemas = #"""
              "Policy": {
                "type": "object",
                "properties": {
                  "policy": {"type": "string", "description": "As it was given, JSON or YAML."},
                  "isDefault": {
                    "type": "boolean",
                    "description": "Whether it is the default policy of the repository's kind."
                  },
                  "nextRun": {
                    "type": "integer",
                    "description": "When it is applied next by schedule, absent: never; seconds since 1970"
                  }
                },
                "required": ["policy", "isDefault"],
                "examples": [
                  {
                    "policy": "rules: [{rulePriority: 1, selection: {tagStatus: any, countType: imageCountMoreThan, countNumber: 10}, action: {type: expire}}]",
                    "isDefault": false,
                    "nextRun": 1767322800
                  }
                ]
              },
              "DefaultPolicy": {
                "type": "object",
                "properties": {
                  "kind": {"type": "string", "enum": ["cache", "registry", "bucket"]},
                  "policy": {"type": "string", "description": "As it was given, JSON or YAML."}
                },
                "required": ["kind", "policy"],
                "examples": [
                  {
                    "kind": "registry",
                    "policy": "rules: [{rulePriority: 1, selection: {tagStatus: any, countType: imageCountMoreThan, countNumber: 10}, action: {type: expire}}]"
                  }
                ]
              },
              "PreviewLine": {
                "oneOf": [
                  {"$ref": "#/components/schemas/PreviewEntry"},
                  {
                    "type": "object",
                    "properties": {"summary": {"$ref": "#/components/schemas/PreviewSummary"}},
                    "required": ["summary"],
                    "examples": [
                      {
                        "summary": {
                          "repository": "team/app",
                          "entries": 12,
                          "removed": 2,
                          "archived": 0,
                          "tagsRemoved": 0,
                          "bytes": 104857600
                        }
                      }
                    ]
                  }
                ],
                "description": "Every entry in the order in which they were stored, and at the end the sums."
              },
              "PreviewEntry": {
                "type": "object",
                "properties": {
                  "name": {"type": "string", "description": "The key; of an image the digest."},
                  "scope": {"type": "string"},
                  "tags": {"type": "array", "items": {"type": "string"}},
                  "pushedAt": {"type": "integer", "description": "seconds since 1970"},
                  "lastUsedAt": {"type": "integer", "description": "seconds since 1970"},
                  "decision": {"type": "string", "enum": ["kept", "removed", "archived", "tags removed"]},
                  "rule": {"type": "integer", "description": "The priority of the rule that decided; absent: none did."},
                  "group": {"type": "string", "description": "The group in which it was counted."},
                  "explanation": {"type": "string", "description": "Why, for people."},
                  "bytes": {"type": "integer", "description": "Free when it is gone for good."},
                  "removedTags": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "Tags that go while the entry stays."
                  }
                },
                "required": [
                  "name",
                  "tags",
                  "pushedAt",
                  "lastUsedAt",
                  "decision",
                  "explanation",
                  "bytes",
                  "removedTags"
                ],
                "examples": [
                  {
                    "name": "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
                    "tags": ["1.3"],
                    "pushedAt": 1767225600,
                    "lastUsedAt": 1767229200,
                    "decision": "removed",
                    "rule": 1,
                    "explanation": "rule 1: number 11, and 10 are kept",
                    "bytes": 52428800,
                    "removedTags": []
                  }
                ]
              },
              "PreviewSummary": {
                "type": "object",
                "properties": {
                  "repository": {"type": "string"},
                  "entries": {"type": "integer"},
                  "removed": {"type": "integer"},
                  "archived": {"type": "integer"},
                  "tagsRemoved": {"type": "integer", "description": "Tags that go while their entries stay."},
                  "bytes": {"type": "integer", "description": "Free when the undo time is over."}
                },
                "required": ["repository", "entries", "removed", "archived", "tagsRemoved", "bytes"]
              },
              "Run": {
                "type": "object",
                "properties": {
                  "id": {"type": "integer"},
                  "repository": {"type": "string"},
                  "startedAt": {"type": "integer", "description": "seconds since 1970"},
                  "endedAt": {"type": "integer", "description": "Absent: it goes on; seconds since 1970"},
                  "reason": {"type": "string", "enum": ["schedule", "person", "pressure"]},
                  "actor": {"type": "string", "description": "Who asked for it."},
                  "policy": {"type": "string", "description": "As it was then; empty: only undo was ended."},
                  "considered": {"type": "integer", "description": "Entries that were looked at."},
                  "removed": {"type": "integer"},
                  "tagsRemoved": {"type": "integer"},
                  "archived": {"type": "integer"},
                  "skipped": {"type": "integer", "description": "Changed since they were looked at."},
                  "plannedBytes": {"type": "integer", "description": "Free when the undo time is over."},
                  "freedBytes": {"type": "integer", "description": "Those of them that are free by now."},
                  "note": {"type": "string", "description": "Why it ended early, or what else there is to say."}
                },
                "required": [
                  "id",
                  "repository",
                  "startedAt",
                  "reason",
                  "actor",
                  "policy",
                  "considered",
                  "removed",
                  "tagsRemoved",
                  "archived",
                  "skipped",
                  "plannedBytes",
                  "freedBytes"
                ],
                "examples": [
                  {
                    "id": 7,
                    "repository": "team/app",
                    "startedAt": 1767322800,
                    "endedAt": 1767322801,
                    "reason": "schedule",
                    "actor": "schedule",
                    "policy": "rules: [{rulePriority: 1, selection: {tagStatus: any, countType: imageCountMoreThan, countNumber: 10}, action: {type: expire}}]",
                    "considered": 12,
                    "removed": 2,
                    "tagsRemoved": 0,
                    "archived": 0,
                    "skipped": 0,
                    "plannedBytes": 104857600,
                    "freedBytes": 0
                  }
                ]
              },
              "RunDecision": {
                "type": "object",
                "properties": {
                  "number": {"type": "integer", "description": "From 1."},
                  "name": {"type": "string"},
                  "tags": {"type": "array", "items": {"type": "string"}},
                  "outcome": {"type": "string", "enum": ["removed", "tag removed", "archived", "changed"]},
                  "rule": {"type": "integer", "description": "Absent: it followed another one."},
                  "explanation": {"type": "string"},
                  "bytes": {"type": "integer"}
                },
                "required": ["number", "name", "tags", "outcome", "explanation", "bytes"],
                "examples": [
                  {
                    "number": 1,
                    "name": "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
                    "tags": ["1.3"],
                    "outcome": "removed",
                    "rule": 1,
                    "explanation": "rule 1: number 11, and 10 are kept",
                    "bytes": 52428800
                  }
                ]
              },
              "RunDetails": {
                "type": "object",
                "properties": {
                  "run": {"$ref": "#/components/schemas/Run"},
                  "decisions": {"type": "array", "items": {"$ref": "#/components/schemas/RunDecision"}},
                  "next": {"type": "integer", "description": "To be asked for with after; absent: this is the end."}
                },
                "required": ["run", "decisions"],
                "examples": [
                  {
                    "run": {
                      "id": 7,
                      "repository": "team/app",
                      "startedAt": 1767322800,
                      "endedAt": 1767322801,
                      "reason": "schedule",
                      "actor": "schedule",
                      "policy": "rules: [{rulePriority: 1, selection: {tagStatus: any, countType: imageCountMoreThan, countNumber: 10}, action: {type: expire}}]",
                      "considered": 12,
                      "removed": 2,
                      "tagsRemoved": 0,
                      "archived": 0,
                      "skipped": 0,
                      "plannedBytes": 104857600,
                      "freedBytes": 0
                    },
                    "decisions": [
                      {
                        "number": 1,
                        "name": "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
                        "tags": ["1.3"],
                        "outcome": "removed",
                        "rule": 1,
                        "explanation": "rule 1: number 11, and 10 are kept",
                        "bytes": 52428800
                      }
                    ]
                  }
                ]
              },
              "Pin": {
                "type": "object",
                "description": "Has either a tag or a key.",
                "properties": {
                  "tag": {"type": "string", "description": "Whatever the tag names stays."},
                  "key": {"type": "string", "description": "The entry of this key stays; of an image, its digest."},
                  "reason": {"type": "string"},
                  "pinnedAt": {"type": "integer", "description": "seconds since 1970"},
                  "pinnedUntil": {"type": "integer", "description": "Absent: for good; seconds since 1970"}
                },
                "required": ["reason", "pinnedAt"],
                "examples": [
                  {"tag": "1.4", "reason": "deployed to production", "pinnedAt": 1767225600, "pinnedUntil": 1769817600}
                ]
              },
              "PinRequest": {
                "type": "object",
                "properties": {
                  "reason": {"type": "string", "description": "Why, on one line.", "minLength": 1, "maxLength": 1000},
                  "seconds": {
                    "type": "integer",
                    "description": "For so long; absent: for good.",
                    "minimum": 1,
                    "maximum": 86400000000
                  }
                },
                "required": ["reason"],
                "examples": [{"reason": "deployed to production", "seconds": 2592000}]
              },
              "RemovedEntry": {
                "type": "object",
                "properties": {
                  "key": {"type": "string"},
                  "scope": {"type": "string"},
                  "tags": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "Those that it had; where only a tag was removed, that tag."
                  },
                  "removedAt": {"type": "integer", "description": "seconds since 1970"},
                  "undoUntil": {"type": "integer", "description": "When it goes for good; seconds since 1970"},
                  "removedBy": {"type": "string", "enum": ["person", "run"]},
                  "run": {"type": "integer", "description": "The run of retention, while there is a record of it."},
                  "root": {"type": "string", "description": "The key of what it went with and comes back with."},
                  "isTagOnly": {
                    "type": "boolean",
                    "description": "Whether only a tag was removed, and the entry itself is there."
                  }
                },
                "required": ["key", "tags", "removedAt", "undoUntil", "removedBy", "isTagOnly"],
                "examples": [
                  {
                    "key": "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
                    "tags": ["1.3"],
                    "removedAt": 1767322800,
                    "undoUntil": 1767409200,
                    "removedBy": "run",
                    "run": 7,
                    "isTagOnly": false
                  }
                ]
              },
              "RestoreRequest": {
                "type": "object",
                "description": "Has either a tag or a key.",
                "properties": {
                  "tag": {"type": "string", "description": "The tag that was removed last under this name."},
                  "key": {"type": "string", "description": "The key of an entry; of an image, its digest."},
                  "asTags": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "Tags to come back with instead of those that it had; they may name something else by now."
                  }
                },
                "required": [],
                "examples": [{"tag": "1.3"}]
              },
              "Restoration": {
                "type": "object",
                "properties": {
                  "keys": {"type": "array", "items": {"type": "string"}, "description": "Entries that are there again."},
                  "tags": {"type": "array", "items": {"type": "string"}, "description": "Tags that they have."},
                  "takenTags": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "Tags that name something else by now and were left there."
                  }
                },
                "required": ["keys", "tags", "takenTags"],
                "examples": [
                  {
                    "keys": ["sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"],
                    "tags": ["1.3"],
                    "takenTags": []
                  }
                ]
              }
        """#
}
