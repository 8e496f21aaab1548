extension OpenAPIDocument {
    /// What is asked about retention.
    static let retentionPaths = #"""
            "/policies/{name}": {
              "parameters": [{"$ref": "#/components/parameters/name"}],
              "get": {
                "operationId": "getPolicy",
                "x-larder-action": "admin",
                "summary": "The policy that holds for a repository.",
                "responses": {
                  "200": {
                    "description": "The policy.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Policy"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              },
              "put": {
                "operationId": "setPolicy",
                "x-larder-action": "admin",
                "summary": "Set a repository's own policy.",
                "requestBody": {
                  "required": true,
                  "description": "The policy itself, JSON or YAML, whatever the content type says.",
                  "content": {
                    "application/json": {"schema": {"type": "object"}},
                    "application/yaml": {"schema": {"type": "string"}},
                    "text/plain": {"schema": {"type": "string"}}
                  }
                },
                "responses": {
                  "200": {
                    "description": "The policy.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Policy"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              },
              "delete": {
                "operationId": "removePolicy",
                "x-larder-action": "admin",
                "summary": "Take a repository's own policy away; the default of its kind holds then.",
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
            "/default-policies": {
              "get": {
                "operationId": "listDefaultPolicies",
                "x-larder-action": "server-admin",
                "summary": "Policies of repositories that have none of their own.",
                "responses": {
                  "200": {
                    "description": "At most one for each kind.",
                    "content": {
                      "application/json": {
                        "schema": {"type": "array", "items": {"$ref": "#/components/schemas/DefaultPolicy"}},
                        "example": [
                          {
                            "kind": "registry",
                            "policy": "rules: [{rulePriority: 1, selection: {tagStatus: any, countType: imageCountMoreThan, countNumber: 10}, action: {type: expire}}]"
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
            "/default-policies/{kind}": {
              "parameters": [{"$ref": "#/components/parameters/kind"}],
              "put": {
                "operationId": "setDefaultPolicy",
                "x-larder-action": "server-admin",
                "summary": "Set the default policy of a kind of repository.",
                "requestBody": {
                  "required": true,
                  "description": "The policy itself, JSON or YAML, whatever the content type says.",
                  "content": {
                    "application/json": {"schema": {"type": "object"}},
                    "application/yaml": {"schema": {"type": "string"}},
                    "text/plain": {"schema": {"type": "string"}}
                  }
                },
                "responses": {
                  "200": {
                    "description": "The policy.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/DefaultPolicy"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              },
              "delete": {
                "operationId": "removeDefaultPolicy",
                "x-larder-action": "server-admin",
                "summary": "Take the default policy of a kind away.",
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
            "/previews/{name}": {
              "parameters": [{"$ref": "#/components/parameters/name"}],
              "post": {
                "operationId": "previewPolicy",
                "x-larder-action": "admin",
                "summary": "What a policy would do now; changes nothing.",
                "requestBody": {
                  "required": false,
                  "description": "The policy to try; none: the one that holds.",
                  "content": {
                    "application/json": {"schema": {"type": "object"}},
                    "application/yaml": {"schema": {"type": "string"}},
                    "text/plain": {"schema": {"type": "string"}}
                  }
                },
                "responses": {
                  "200": {
                    "description": "Lines of JSON: every entry, then the sums.",
                    "content": {
                      "application/x-ndjson": {
                        "schema": {"$ref": "#/components/schemas/PreviewLine"},
                        "example": "{\"name\":\"gradle/4f53\",\"tags\":[],\"pushedAt\":1767225600,\"lastUsedAt\":1767229200,\"decision\":\"removed\",\"rule\":1,\"explanation\":\"rule 1: number 11, and 10 are kept\",\"bytes\":52428800,\"removedTags\":[]}\n{\"summary\":{\"repository\":\"team/app\",\"entries\":12,\"removed\":2,\"archived\":0,\"tagsRemoved\":0,\"bytes\":104857600}}\n"
                      }
                    }
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },
            "/prunes/{name}": {
              "parameters": [{"$ref": "#/components/parameters/name"}],
              "post": {
                "operationId": "prune",
                "x-larder-action": "admin",
                "summary": "Apply the policy of a repository now.",
                "parameters": [
                  {
                    "name": "dry-run",
                    "in": "query",
                    "description": "Whether only to tell what would be done.",
                    "schema": {"type": "boolean"}
                  }
                ],
                "responses": {
                  "200": {
                    "description": "The record of the run; with dry-run the same as a preview.",
                    "content": {
                      "application/json": {"schema": {"$ref": "#/components/schemas/Run"}},
                      "application/x-ndjson": {"schema": {"$ref": "#/components/schemas/PreviewLine"}}
                    }
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "409": {"$ref": "#/components/responses/Conflict"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              }
            },
            "/runs": {
              "get": {
                "operationId": "listRuns",
                "x-larder-action": "server-admin",
                "summary": "Records of runs, the newest first.",
                "parameters": [
                  {
                    "name": "repository",
                    "in": "query",
                    "description": "Only of this repository.",
                    "schema": {"type": "string"}
                  },
                  {
                    "name": "before",
                    "in": "query",
                    "description": "Only those with smaller numbers.",
                    "schema": {"type": "integer", "minimum": 1}
                  },
                  {
                    "name": "limit",
                    "in": "query",
                    "description": "How many at most.",
                    "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 50}
                  }
                ],
                "responses": {
                  "200": {
                    "description": "The records.",
                    "content": {
                      "application/json": {
                        "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Run"}},
                        "example": [
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
                      }
                    }
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
            "/runs/{id}": {
              "get": {
                "operationId": "getRun",
                "x-larder-action": "server-admin",
                "summary": "A run and what it did, in order.",
                "parameters": [
                  {"$ref": "#/components/parameters/id"},
                  {
                    "name": "after",
                    "in": "query",
                    "description": "Only decisions with larger numbers.",
                    "schema": {"type": "integer", "minimum": 0, "default": 0}
                  },
                  {
                    "name": "limit",
                    "in": "query",
                    "description": "How many decisions at most.",
                    "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1000}
                  }
                ],
                "responses": {
                  "200": {
                    "description": "The run.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RunDetails"}}}
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
            "/pins/{name}": {
              "parameters": [{"$ref": "#/components/parameters/name"}],
              "get": {
                "operationId": "listPins",
                "x-larder-action": "admin",
                "summary": "The pins of a repository.",
                "responses": {
                  "200": {
                    "description": "The pins.",
                    "content": {
                      "application/json": {
                        "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Pin"}},
                        "example": [
                          {
                            "tag": "1.4",
                            "reason": "deployed to production",
                            "pinnedAt": 1767225600,
                            "pinnedUntil": 1769817600
                          }
                        ]
                      }
                    }
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              },
              "put": {
                "operationId": "pin",
                "x-larder-action": "admin",
                "summary": "Pin an entry, or whatever a tag names: nothing automatic removes it.",
                "parameters": [{"$ref": "#/components/parameters/tag"}, {"$ref": "#/components/parameters/key"}],
                "requestBody": {
                  "required": true,
                  "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PinRequest"}}}
                },
                "responses": {
                  "200": {
                    "description": "The pin.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pin"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              },
              "delete": {
                "operationId": "unpin",
                "x-larder-action": "admin",
                "summary": "Take a pin away.",
                "parameters": [{"$ref": "#/components/parameters/tag"}, {"$ref": "#/components/parameters/key"}],
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
            "/removed/{name}": {
              "parameters": [{"$ref": "#/components/parameters/name"}],
              "get": {
                "operationId": "listRemoved",
                "x-larder-action": "admin",
                "summary": "What can be brought back, what was removed last first; at most 10,000.",
                "responses": {
                  "200": {
                    "description": "What can be brought back.",
                    "content": {
                      "application/json": {
                        "schema": {"type": "array", "items": {"$ref": "#/components/schemas/RemovedEntry"}},
                        "example": [
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
                      }
                    }
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
            "/restores/{name}": {
              "parameters": [{"$ref": "#/components/parameters/name"}],
              "post": {
                "operationId": "restore",
                "x-larder-action": "admin",
                "summary": "Bring back what was removed, with its tags.",
                "requestBody": {
                  "required": true,
                  "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RestoreRequest"}}}
                },
                "responses": {
                  "200": {
                    "description": "What came back.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Restoration"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "409": {"$ref": "#/components/responses/Conflict"},
                  "412": {"$ref": "#/components/responses/Taken"},
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              }
            }
        """#
}
