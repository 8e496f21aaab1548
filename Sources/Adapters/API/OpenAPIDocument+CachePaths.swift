extension OpenAPIDocument {
    /// What is asked about dependency caches.
    static let cachePaths = #"""
            "/caches/{name}": {
              "parameters": [{"$ref": "#/components/parameters/name"}],
              "get": {
                "operationId": "listCaches",
                "x-larder-action": "read",
                "summary": "The entries of a dependency cache, by scope, version and key.",
                "description": "A repository that is not there has none.",
                "parameters": [
                  {
                    "name": "prefix",
                    "in": "query",
                    "description": "Only keys that begin so; together with version.",
                    "schema": {"type": "string", "maxLength": 512},
                    "example": "npm-"
                  },
                  {
                    "name": "scope",
                    "in": "query",
                    "description": "Only this scope; absent: all of them; empty: what has none.",
                    "schema": {"type": "string", "maxLength": 512}
                  },
                  {
                    "name": "version",
                    "in": "query",
                    "description": "Only this version; absent or empty: all of them.",
                    "schema": {"type": "string", "maxLength": 64}
                  },
                  {
                    "name": "limit",
                    "in": "query",
                    "description": "How many at most.",
                    "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1000}
                  },
                  {
                    "name": "after",
                    "in": "query",
                    "description": "What the answer before gave as next.",
                    "schema": {"type": "string"}
                  }
                ],
                "responses": {
                  "200": {
                    "description": "The entries.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CacheEntryList"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              },
              "put": {
                "operationId": "putCache",
                "x-larder-action": "write",
                "summary": "Save a tree of files under a key.",
                "description": "The tree and all its files must have been sent before, as blobs of this repository. The tree is a blob too. It begins with the 14 bytes of larder.tree.1 and a newline; numbers follow in groups of seven bits, the lowest first, the highest bit set in all but the last byte (at most 10), and texts as their length in bytes and UTF-8. Then: the number of roots (at most 1,000), each a text; the number of entries (at most 1,000,000); the entries. An entry: its kind as one byte (0 folder, 1 file, 2 symbolic link, 3 hard link); the index of its root less that of the entry before (0 before the first); how many bytes its path shares with the path of the entry before (none at the first of a root), and the rest of the path as a text; its mode (at most 07777); its time of modification in nanoseconds since 1970 less that of the entry before (0 before the first; n as 2n, or as -2n-1 below 0); of a file the size and the 32 bytes of its SHA-256; of a symbolic link its target as a text; of a hard link how many entries before it the file is whose other name it is. Nothing follows the last entry, and all is at most 128 MiB. Entries are in order: by root; the root itself with an empty path; then by path, bytewise with / before all other bytes; each behind its folder, none twice. Paths are relative to the root, with / and without empty parts, . and .., at most 4,096 bytes; a root that is a single file or link is one entry with an empty path. The same files at other times are the same content.",
                "parameters": [
                  {
                    "name": "key",
                    "in": "query",
                    "required": true,
                    "schema": {"type": "string", "minLength": 1, "maxLength": 512},
                    "example": "npm-4f53cda18c2b"
                  },
                  {"$ref": "#/components/parameters/scope"},
                  {"$ref": "#/components/parameters/version"},
                  {
                    "name": "tree",
                    "in": "query",
                    "required": true,
                    "description": "The digest of the encoded tree.",
                    "schema": {"type": "string"},
                    "example": "sha256:9b74c9897bac770ffc029102a200c5de0a4e3f0f6b5f1c2d3e4f5a6b7c8d9e0f"
                  },
                  {
                    "name": "overwrite",
                    "in": "query",
                    "description": "Whether other content under the key is replaced; the repository must allow it.",
                    "schema": {"type": "boolean", "default": false}
                  }
                ],
                "requestBody": {
                  "required": false,
                  "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CacheSave"}}}
                },
                "responses": {
                  "200": {
                    "description": "The entry: it was there already with the same content, and stays as it was.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CacheEntry"}}}
                  },
                  "201": {
                    "description": "The new entry.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CacheEntry"}}}
                  },
                  "400": {"$ref": "#/components/responses/BadContent"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {
                    "$ref": "#/components/responses/NotFound",
                    "description": "Somebody emptied or removed the repository meanwhile."
                  },
                  "409": {
                    "$ref": "#/components/responses/Conflict",
                    "description": "The key has other content, which is pinned or not to be overwritten."
                  },
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              },
              "delete": {
                "operationId": "removeCache",
                "x-larder-action": "delete",
                "summary": "Remove an entry of a dependency cache.",
                "parameters": [
                  {
                    "name": "key",
                    "in": "query",
                    "required": true,
                    "schema": {"type": "string", "minLength": 1, "maxLength": 512},
                    "example": "npm-4f53cda18c2b"
                  },
                  {"$ref": "#/components/parameters/scope"},
                  {"$ref": "#/components/parameters/version"}
                ],
                "responses": {
                  "204": {"description": "It is gone."},
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "409": {"$ref": "#/components/responses/Conflict", "description": "It is pinned."},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              }
            },
            "/caches/{name}/find": {
              "parameters": [{"$ref": "#/components/parameters/name"}],
              "post": {
                "operationId": "findCache",
                "x-larder-action": "read",
                "summary": "Look for an entry, by its key or by what its key begins with.",
                "description": "All scopes are asked for the key, in order; then all for the newest entry whose key begins with the first of restoreKeys, and so on.",
                "requestBody": {
                  "required": true,
                  "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CacheFind"}}}
                },
                "responses": {
                  "200": {
                    "description": "The entry, with match.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CacheEntry"}}}
                  },
                  "204": {"description": "There is none."},
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },
            "/caches/{name}/restore": {
              "parameters": [{"$ref": "#/components/parameters/name"}],
              "post": {
                "operationId": "restoreCache",
                "x-larder-action": "read",
                "summary": "Look for an entry as find does, and read its tree and files.",
                "requestBody": {
                  "required": true,
                  "description": "A CacheFind as JSON on one line, a newline, and the SHA-256 of what the client has already, 32 bytes each, one behind the other, at most 250,000; it is not sent.",
                  "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
                },
                "responses": {
                  "200": {
                    "description": "A pack: a note frame with the entry (a CacheEntry with match), the encoded tree, every file of the tree that the client does not have, each once and in the order of the tree, and the end frame. With a missing frame in it, or without an end frame, it is no whole tree.",
                    "content": {"application/vnd.larder.pack": {"schema": {"$ref": "#/components/schemas/Pack"}}}
                  },
                  "204": {"description": "There is none."},
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            }
        """#
}
