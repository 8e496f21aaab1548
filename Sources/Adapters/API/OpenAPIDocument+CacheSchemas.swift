extension OpenAPIDocument {
    /// The messages about dependency caches.
    static let cacheSchemas = #"""
              "Provenance": {
                "type": "object",
                "description": "Where something comes from, as far as it is known.",
                "properties": {
                  "commit": {"type": "string"},
                  "branch": {"type": "string"},
                  "run": {"type": "string", "description": "The number or the address of the run."},
                  "actor": {"type": "string"},
                  "source": {"type": "string", "description": "The address of the repository of sources."},
                  "ci": {"type": "string", "description": "Which CI: github, gitlab and so on."}
                },
                "required": [],
                "examples": [{"commit": "4f0c1a7", "branch": "main", "ci": "github"}]
              },
              "CacheSave": {
                "type": "object",
                "properties": {"provenance": {"$ref": "#/components/schemas/Provenance"}},
                "required": [],
                "examples": [{"provenance": {"commit": "4f0c1a7", "branch": "main", "ci": "github"}}]
              },
              "CacheFind": {
                "type": "object",
                "properties": {
                  "key": {"type": "string", "maxLength": 512},
                  "restoreKeys": {
                    "type": "array",
                    "items": {"type": "string", "maxLength": 512},
                    "maxItems": 100,
                    "description": "Beginnings of keys, in order, that do when there is no entry of the key."
                  },
                  "scopes": {
                    "type": "array",
                    "items": {"type": "string", "maxLength": 512},
                    "maxItems": 100,
                    "description": "Where to look, in order; absent or empty: among what has no scope."
                  },
                  "version": {"type": "string", "maxLength": 64, "description": "As it was saved."}
                },
                "required": ["key"],
                "examples": [
                  {
                    "key": "npm-4f53cda18c2b",
                    "restoreKeys": ["npm-"],
                    "scopes": ["refs/heads/topic", "refs/heads/main"],
                    "version": "1f9a"
                  }
                ]
              },
              "CacheEntry": {
                "type": "object",
                "properties": {
                  "key": {"type": "string"},
                  "scope": {"type": "string"},
                  "version": {"type": "string"},
                  "tree": {"type": "string", "description": "The digest of the encoded tree."},
                  "contentDigest": {
                    "type": "string",
                    "description": "The digest of the tree encoded without times: the same for the same files."
                  },
                  "fileCount": {"type": "integer"},
                  "byteCount": {"type": "integer", "description": "Of all files, those with the same content counted each."},
                  "savedAt": {"type": "string", "format": "date-time"},
                  "lastUsedAt": {"type": "string", "format": "date-time", "description": "Noted once an hour."},
                  "provenance": {"$ref": "#/components/schemas/Provenance"},
                  "match": {
                    "type": "string",
                    "enum": ["exact", "prefix"],
                    "description": "How it was found; absent: it was not looked for."
                  }
                },
                "required": [
                  "key",
                  "scope",
                  "version",
                  "tree",
                  "contentDigest",
                  "fileCount",
                  "byteCount",
                  "savedAt",
                  "lastUsedAt"
                ],
                "examples": [
                  {
                    "key": "npm-4f53cda18c2b",
                    "scope": "refs/heads/main",
                    "version": "1f9a",
                    "tree": "sha256:9b74c9897bac770ffc029102a200c5de0a4e3f0f6b5f1c2d3e4f5a6b7c8d9e0f",
                    "contentDigest": "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
                    "fileCount": 31204,
                    "byteCount": 412876800,
                    "savedAt": "2026-11-24T12:00:00Z",
                    "lastUsedAt": "2026-11-24T12:00:00Z",
                    "provenance": {"commit": "4f0c1a7", "branch": "main", "ci": "github"},
                    "match": "exact"
                  }
                ]
              },
              "CacheEntryList": {
                "type": "object",
                "properties": {
                  "entries": {"type": "array", "items": {"$ref": "#/components/schemas/CacheEntry"}},
                  "next": {"type": "string", "description": "To be asked for with after; absent: this is the end."}
                },
                "required": ["entries"],
                "examples": [{"entries": []}]
              }
        """#
}
