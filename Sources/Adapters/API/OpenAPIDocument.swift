/// The description of `/api/v1` for programs, in OpenAPI 3.1.
///
/// Text rather than code, because it is to be read as it is; a test compares it with `APIOperation`.
package enum OpenAPIDocument {
    /// The document, JSON.
    package static let text = [
        head, storePaths + ",", retentionPaths, middle, storeSchemas + ",", retentionSchemas, end,
    ].joined(separator: "\n")

    /// Up to the paths.
    private static let head = #"""
        {
          "openapi": "3.1.0",
          "info": {
            "title": "Larder",
            "version": "1",
            "summary": "The store behind a CI system.",
            "description": "Status and this document are for everybody. Everything else is for the user who runs the server (or root), through larder.sock in the data folder. Sizes are bytes, durations seconds, times seconds since 1970. Unknown parameters are ignored."
          },
          "servers": [{"url": "/api/v1"}],
          "paths": {
        """#

    /// From the paths to the schemas.
    private static let middle = #"""
          },
          "components": {
            "parameters": {
              "name": {
                "name": "name",
                "in": "path",
                "required": true,
                "description": "A repository's name; its slashes stand as they are.",
                "schema": {"type": "string", "maxLength": 255},
                "example": "team/app"
              },
              "kind": {
                "name": "kind",
                "in": "path",
                "required": true,
                "description": "A kind of repository.",
                "schema": {"type": "string", "enum": ["cache", "registry", "bucket"]},
                "example": "registry"
              },
              "id": {
                "name": "id",
                "in": "path",
                "required": true,
                "description": "The number of a run.",
                "schema": {"type": "integer", "minimum": 1},
                "example": 7
              },
              "tag": {
                "name": "tag",
                "in": "query",
                "description": "A tag; either this or key.",
                "schema": {"type": "string", "maxLength": 128}
              },
              "key": {
                "name": "key",
                "in": "query",
                "description": "The key of an entry, of an image its digest; either this or tag.",
                "schema": {"type": "string", "maxLength": 1024}
              }
            },
            "responses": {
              "Malformed": {
                "description": "The request means nothing; the sentence says where.",
                "content": {
                  "application/json": {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "examples": {
                      "refusal": {"value": {"error": "malformed: policy: line 1, column 1: the text is no policy"}}
                    }
                  }
                }
              },
              "Forbidden": {
                "description": "Only the user who runs the server may do this, through larder.sock.",
                "content": {
                  "application/json": {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "examples": {
                      "refusal": {
                        "value": {
                          "error": "only the user who runs the server may do this, with the larder command on the server's machine"
                        }
                      }
                    }
                  }
                }
              },
              "NotFound": {
                "description": "There is no such thing.",
                "content": {
                  "application/json": {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "examples": {"refusal": {"value": {"error": "not found: repository team/app"}}}
                  }
                }
              },
              "Conflict": {
                "description": "A setting, a kind, a pin or something that goes on forbids it.",
                "content": {
                  "application/json": {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "examples": {"refusal": {"value": {"error": "not allowed: a run of retention goes on in team/app"}}}
                  }
                }
              },
              "Taken": {
                "description": "A tag names something else by now.",
                "content": {
                  "application/json": {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "examples": {
                      "refusal": {
                        "value": {
                          "error": "condition failed: tag 1.3 names another image by now; say under which tag to restore with --tag"
                        }
                      }
                    }
                  }
                }
              },
              "TooLarge": {
                "description": "The body is larger than 64 KiB.",
                "content": {
                  "application/json": {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "examples": {"refusal": {"value": {"error": "larger than the limit of 64 KiB"}}}
                  }
                }
              },
              "Unavailable": {
                "description": "Too much is waiting, or the server stops; the same may succeed later.",
                "content": {
                  "application/json": {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "examples": {"refusal": {"value": {"error": "too many writes are waiting; try again"}}}
                  }
                }
              }
            },
            "schemas": {
        """#

    /// Behind the schemas.
    private static let end = #"""
            }
          }
        }

        """#
}
