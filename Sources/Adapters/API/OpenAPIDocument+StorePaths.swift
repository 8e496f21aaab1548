extension OpenAPIDocument {
    /// What is asked of the store and its repositories.
    static let storePaths = #"""
            "/status": {
              "get": {
                "operationId": "getStatus",
                "x-larder-action": "read",
                "summary": "Space, and those repositories and hit rates that the sender may read.",
                "responses": {
                  "200": {
                    "description": "The status.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Status"}}}
                  },
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },
            "/openapi.json": {
              "get": {
                "operationId": "getOpenAPI",
                "x-larder-action": "none",
                "summary": "This document; for everybody.",
                "responses": {
                  "200": {
                    "description": "The document.",
                    "content": {"application/json": {"schema": {"type": "object"}}}
                  }
                }
              }
            },
            "/check": {
              "post": {
                "operationId": "check",
                "x-larder-action": "server-admin",
                "summary": "Verify every digest, file and counter.",
                "parameters": [
                  {
                    "name": "repair",
                    "in": "query",
                    "description": "Whether to repair what is wrong.",
                    "schema": {"type": "boolean"}
                  }
                ],
                "responses": {
                  "200": {
                    "description": "Lines of JSON: progress, then the report.",
                    "content": {
                      "application/x-ndjson": {
                        "schema": {"$ref": "#/components/schemas/CheckLine"},
                        "example": "{\"phase\":\"blobs\",\"done\":1,\"total\":1}\n{\"report\":{\"blobCount\":1,\"byteCount\":1000,\"problems\":[],\"problemCount\":0,\"repairedCount\":0}}\n"
                      }
                    }
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"}
                }
              }
            },
            "/compact": {
              "post": {
                "operationId": "compact",
                "x-larder-action": "server-admin",
                "summary": "Rewrite the database without its free pages.",
                "responses": {
                  "200": {
                    "description": "Sizes of the database.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Compact"}}}
                  },
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              }
            },
            "/repositories": {
              "get": {
                "operationId": "listRepositories",
                "x-larder-action": "read",
                "summary": "The repositories that the sender may read, by name.",
                "responses": {
                  "200": {
                    "description": "The repositories.",
                    "content": {
                      "application/json": {
                        "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Repository"}},
                        "example": [
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
                      }
                    }
                  },
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"}
                }
              }
            },
            "/repositories/{name}": {
              "parameters": [{"$ref": "#/components/parameters/name"}],
              "get": {
                "operationId": "getRepository",
                "x-larder-action": "read",
                "summary": "One repository.",
                "responses": {
                  "200": {
                    "description": "The repository.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Repository"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound"}
                }
              },
              "put": {
                "operationId": "createRepository",
                "x-larder-action": "admin",
                "summary": "Create a repository.",
                "requestBody": {
                  "required": false,
                  "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RepositoryChange"}}}
                },
                "responses": {
                  "201": {
                    "description": "The new repository.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Repository"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "409": {"$ref": "#/components/responses/Conflict"},
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              },
              "patch": {
                "operationId": "changeRepository",
                "x-larder-action": "admin",
                "summary": "Change a repository's settings.",
                "requestBody": {
                  "required": true,
                  "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RepositoryChange"}}}
                },
                "responses": {
                  "200": {
                    "description": "The repository as it is now.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Repository"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "409": {"$ref": "#/components/responses/Conflict"},
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              },
              "delete": {
                "operationId": "removeRepository",
                "x-larder-action": "admin",
                "summary": "Remove a repository and everything in it, for good.",
                "responses": {
                  "204": {"description": "It is gone."},
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              }
            },
            "/repositories/{name}/flush": {
              "parameters": [{"$ref": "#/components/parameters/name"}],
              "post": {
                "operationId": "flushRepository",
                "x-larder-action": "admin",
                "summary": "Remove everything in a repository for good, but for what is pinned.",
                "responses": {
                  "200": {
                    "description": "What became free.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Flush"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              }
            }
        """#
}
