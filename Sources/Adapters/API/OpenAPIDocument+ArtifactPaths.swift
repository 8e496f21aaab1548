extension OpenAPIDocument {
    /// What is asked about artifacts.
    static let artifactPaths = #"""
            "/artifacts/{name}": {
              "parameters": [{"$ref": "#/components/parameters/name"}],
              "get": {
                "operationId": "listArtifacts",
                "x-larder-action": "read",
                "summary": "The versions of an artifact, the newest first.",
                "description": "Every manifest of the registry that is about no other one, without its files. A repository that is not there has none.",
                "parameters": [
                  {
                    "name": "label",
                    "in": "query",
                    "description": "NAME=VALUE: only those with this annotation or label; may come several times, and all must fit. The first 100 of a manifest are found, with names up to 256 and values up to 1,024 bytes.",
                    "schema": {"type": "array", "items": {"type": "string", "pattern": "^[^=]+="}},
                    "example": ["org.opencontainers.image.revision=4f0c1a7"]
                  },
                  {
                    "name": "limit",
                    "in": "query",
                    "description": "How many at most.",
                    "schema": {"type": "integer", "minimum": 1, "maximum": 200, "default": 200}
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
                    "description": "The versions.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ArtifactList"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              },
              "put": {
                "operationId": "putArtifact",
                "x-larder-action": "write",
                "summary": "Store a version under tags.",
                "description": "Its configuration and layers must have been sent before, as blobs of this registry. It becomes visible together with its tags. The same again is a success.",
                "parameters": [
                  {
                    "name": "tag",
                    "in": "query",
                    "description": "May come up to 100 times, or not at all.",
                    "schema": {"type": "array", "items": {"type": "string", "maxLength": 128}, "maxItems": 100},
                    "example": ["1.4", "latest"]
                  },
                  {"$ref": "#/components/parameters/move"}
                ],
                "requestBody": {
                  "required": true,
                  "description": "A manifest of at most 4 MiB, kept as it comes: its SHA-256 is the digest of the version.",
                  "content": {
                    "application/vnd.oci.image.manifest.v1+json": {
                      "schema": {"$ref": "#/components/schemas/ArtifactManifest"}
                    }
                  }
                },
                "responses": {
                  "201": {
                    "description": "It is stored.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ArtifactTags"}}}
                  },
                  "400": {"$ref": "#/components/responses/BadContent"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {
                    "$ref": "#/components/responses/NotFound",
                    "description": "There is no such repository, and none is created by writes."
                  },
                  "409": {
                    "$ref": "#/components/responses/Conflict",
                    "description": "A tag names another version and is not to be moved, or the repository is no registry."
                  },
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              },
              "delete": {
                "operationId": "removeArtifact",
                "x-larder-action": "delete",
                "summary": "Remove a version with all its tags, or only a tag.",
                "description": "It can be brought back until its undo time is over.",
                "parameters": [
                  {"$ref": "#/components/parameters/ref"},
                  {
                    "name": "tagOnly",
                    "in": "query",
                    "description": "Whether only the tag that ref names goes.",
                    "schema": {"type": "boolean", "default": false}
                  }
                ],
                "responses": {
                  "204": {"description": "It is gone."},
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "409": {
                    "$ref": "#/components/responses/Conflict",
                    "description": "An index names the version, or it or a tag of it is pinned."
                  },
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              }
            },
            "/artifacts/{name}/version": {
              "parameters": [{"$ref": "#/components/parameters/name"}],
              "get": {
                "operationId": "getArtifact",
                "x-larder-action": "read",
                "summary": "A version with its files and reports.",
                "parameters": [{"$ref": "#/components/parameters/ref"}],
                "responses": {
                  "200": {
                    "description": "The version. What lies in bundles is not listed.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ArtifactVersion"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },
            "/artifacts/{name}/tags": {
              "parameters": [{"$ref": "#/components/parameters/name"}],
              "put": {
                "operationId": "tagArtifact",
                "x-larder-action": "write",
                "summary": "Give tags to a version that is there.",
                "parameters": [
                  {
                    "name": "tag",
                    "in": "query",
                    "required": true,
                    "description": "May come up to 100 times.",
                    "schema": {
                      "type": "array",
                      "items": {"type": "string", "maxLength": 128},
                      "minItems": 1,
                      "maxItems": 100
                    },
                    "example": ["stable"]
                  },
                  {"$ref": "#/components/parameters/ref"},
                  {"$ref": "#/components/parameters/move"}
                ],
                "responses": {
                  "200": {
                    "description": "It has the tags.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ArtifactTags"}}}
                  },
                  "400": {"$ref": "#/components/responses/BadContent"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "409": {
                    "$ref": "#/components/responses/Conflict",
                    "description": "A tag names another version and is not to be moved."
                  },
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              }
            },
            "/artifacts/{name}/file": {
              "parameters": [{"$ref": "#/components/parameters/name"}],
              "get": {
                "operationId": "getArtifactFile",
                "x-larder-action": "read",
                "summary": "One file of a version.",
                "description": "A file in a bundle is found by reading the bundle up to it, and is always sent whole.",
                "parameters": [
                  {"$ref": "#/components/parameters/ref"},
                  {
                    "name": "path",
                    "in": "query",
                    "required": true,
                    "schema": {"type": "string"},
                    "example": "dist/app.js"
                  },
                  {
                    "name": "Range",
                    "in": "header",
                    "description": "One range of bytes; several are answered with the whole.",
                    "schema": {"type": "string"},
                    "example": "bytes=0-1023"
                  }
                ],
                "responses": {
                  "200": {
                    "description": "The file.",
                    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
                  },
                  "206": {
                    "description": "The range, with Content-Range.",
                    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
                  },
                  "400": {"$ref": "#/components/responses/BadContent"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "416": {"description": "The file has nothing in this range; Content-Range says how long it is."},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },
            "/artifacts/{name}/zip": {
              "parameters": [{"$ref": "#/components/parameters/name"}],
              "get": {
                "operationId": "getArtifactZip",
                "x-larder-action": "read",
                "summary": "All files of a version as a ZIP archive.",
                "description": "Made while it is sent, so its length is not known before. One that broke off has no central directory at its end.",
                "parameters": [{"$ref": "#/components/parameters/ref"}],
                "responses": {
                  "200": {
                    "description": "The archive.",
                    "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            }
        """#
}
