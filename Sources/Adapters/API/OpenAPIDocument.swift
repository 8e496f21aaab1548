/// The description of `/api/v1` for programs, in OpenAPI 3.1.
///
/// Text rather than code, because it is to be read as it is; a test compares it with `APIOperation`.
package enum OpenAPIDocument {
    /// The document, JSON.
    package static let text = [
        head,
        [storePaths, tokenPaths, retentionPaths, transferPaths, cachePaths, artifactPaths].joined(separator: ",\n"),
        middle,
        [storeSchemas, tokenSchemas, retentionSchemas, transferSchemas, cacheSchemas, artifactSchemas]
            .joined(separator: ",\n"),
        end,
    ].joined(separator: "\n")

    /// Up to the paths.
    private static let head = #"""
        {
          "openapi": "3.1.0",
          "info": {
            "title": "Larder",
            "version": "1",
            "summary": "The store behind a CI system.",
            "description": "Grants say who may do what, and x-larder-action which action an operation demands: none; any, which every grant allows; read, write, delete or admin of the repository that the path names, or where it names none, of any one; server-admin, which is admin of all repositories (*) and so of the server. A client shows its token as a Bearer token, or as the password beside any user name. One that shows none is anonymous: the server's setting allow-anonymous says whether it may do nothing, read, or also write and delete, everywhere. A wrong token is refused also where anonymous clients are let in, unless there are no tokens at all. Through larder.sock in the data folder the user who runs the server (or root) may do everything. Sizes are bytes, durations seconds; times are seconds since 1970, or of caches and artifacts texts such as 2026-11-24T12:00:00Z. Digests are sha256: and 64 hexadecimal digits in lowercase. What can be asked with GET can be asked with HEAD. Unknown parameters are ignored, and a + in a query stands for itself. What is no request of this document at all is refused with a line of plain text."
          },
          "servers": [{"url": "/api/v1"}],
          "security": [{}, {"bearer": []}, {"basic": []}],
          "paths": {
        """#

    /// From the paths to the schemas.
    private static let middle = #"""
          },
          "components": {
            "securitySchemes": {
              "bearer": {"type": "http", "scheme": "bearer", "description": "The secret of a token."},
              "basic": {
                "type": "http",
                "scheme": "basic",
                "description": "The same as the password beside any user name, or as the user name without a password."
              }
            },
            "parameters": {
              "name": {
                "name": "name",
                "in": "path",
                "required": true,
                "description": "A repository's name; its slashes stand as they are, or as %2F.",
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
              "token": {
                "name": "token",
                "in": "path",
                "required": true,
                "description": "The name of a token, not its secret.",
                "schema": {"type": "string", "maxLength": 100},
                "example": "ci"
              },
              "contentKind": {
                "name": "kind",
                "in": "query",
                "description": "What the repository is, or becomes with the first write; the same in all requests of an upload.",
                "schema": {"type": "string", "enum": ["cache", "registry"], "default": "cache"}
              },
              "upload": {
                "name": "id",
                "in": "query",
                "required": true,
                "description": "The id of the upload.",
                "schema": {"type": "string"},
                "example": "6f1c9a52-7d3e-4a86-9b0c-2f5e8d1a4c37"
              },
              "scope": {
                "name": "scope",
                "in": "query",
                "description": "Whose the entry is, such as a branch: up to 512 bytes without control characters, not beginning with #; absent or empty: nobody's.",
                "schema": {"type": "string", "maxLength": 512},
                "example": "refs/heads/main"
              },
              "version": {
                "name": "version",
                "in": "query",
                "description": "What tells entries of one key apart, such as a digest of the paths: up to 64 lowercase letters and digits, or nothing.",
                "schema": {"type": "string", "pattern": "^[0-9a-z]{0,64}$"},
                "example": "1f9a"
              },
              "ref": {
                "name": "ref",
                "in": "query",
                "description": "A tag, or the digest of a version; absent or empty: the newest version.",
                "schema": {"type": "string"},
                "example": "1.4"
              },
              "move": {
                "name": "move",
                "in": "query",
                "description": "Whether tags that name another version are moved, as far as the repository allows it.",
                "schema": {"type": "boolean", "default": false}
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
            "requestBodies": {
              "Digests": {
                "required": true,
                "description": "SHA-256 digests of 32 bytes each, one behind the other, at most 250,000.",
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
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
              "BadContent": {
                "description": "The request means nothing, or what was sent is not what it was said to be, breaks off, or names content that is not there; the sentence says which.",
                "content": {
                  "application/json": {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "examples": {
                      "digest": {
                        "value": {
                          "error": "the content's digest is sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945, not sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a as named"
                        }
                      },
                      "pack": {"value": {"error": "invalid content: the pack ends too early"}},
                      "missing": {
                        "value": {
                          "error": "content that it names is not there: sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
                        }
                      }
                    }
                  }
                }
              },
              "Unauthorized": {
                "description": "Anonymous clients may not do this, or the token that was shown lets nobody in; the sentence says which.",
                "headers": {
                  "WWW-Authenticate": {"schema": {"type": "string"}, "example": "Bearer realm=\"Larder\""}
                },
                "content": {
                  "application/json": {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "examples": {
                      "anonymous": {"value": {"error": "a token is needed to write to team/app"}},
                      "wrong": {"value": {"error": "the token is unknown, or was revoked"}}
                    }
                  }
                }
              },
              "Forbidden": {
                "description": "No grant of the token allows this.",
                "content": {
                  "application/json": {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "examples": {"refusal": {"value": {"error": "ci may not write to team/app"}}}
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
                "description": "A tag names something else by now, or a token has the name.",
                "content": {
                  "application/json": {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "examples": {
                      "tag": {
                        "value": {
                          "error": "condition failed: tag 1.3 names another image by now; say under which tag to restore with --tag"
                        }
                      },
                      "token": {
                        "value": {
                          "error": "condition failed: there is a token named ci already; revoke it first, or choose another name"
                        }
                      }
                    }
                  }
                }
              },
              "TooLarge": {
                "description": "The body, or what is to be stored, is larger than a limit allows; where nothing else is said, a body may have 64 KiB.",
                "content": {
                  "application/json": {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "examples": {"refusal": {"value": {"error": "larger than the limit of 64 KiB"}}}
                  }
                }
              },
              "Failed": {
                "description": "The server could not read or write its data, or found them damaged; its log says more.",
                "content": {
                  "application/json": {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "examples": {"refusal": {"value": {"error": "the server could not read or write its data"}}}
                  }
                }
              },
              "Full": {
                "description": "The store, the disk or the repository's quota is full, and nothing there may be removed to make room.",
                "content": {
                  "application/json": {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "examples": {
                      "refusal": {"value": {"error": "no space: the store is full and nothing in it may be evicted"}}
                    }
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
