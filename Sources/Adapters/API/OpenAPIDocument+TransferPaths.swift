extension OpenAPIDocument {
    /// What is asked about blobs and uploads.
    static let transferPaths = #"""
            "/blobs/{name}/missing": {
              "parameters": [{"$ref": "#/components/parameters/name"}, {"$ref": "#/components/parameters/contentKind"}],
              "post": {
                "operationId": "findMissingBlobs",
                "x-larder-action": "write",
                "summary": "Which of some blobs must be sent.",
                "description": "What another repository has that the sender may read is linked here and need not be sent. What is there is protected as if it had been sent now.",
                "requestBody": {"$ref": "#/components/requestBodies/Digests"},
                "responses": {
                  "200": {
                    "description": "A bit for each digest, in order: bit i is bit i % 8 of byte i / 8, the lowest first; 1: the blob must be sent.",
                    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {
                    "$ref": "#/components/responses/NotFound",
                    "description": "There is no such repository, and none is created by writes."
                  },
                  "409": {"$ref": "#/components/responses/Conflict"},
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              }
            },
            "/blobs/{name}/sizes": {
              "parameters": [{"$ref": "#/components/parameters/name"}],
              "post": {
                "operationId": "findBlobSizes",
                "x-larder-action": "read",
                "summary": "Which sizes any blob of at least 16 MiB in the store has.",
                "description": "A file of another size is surely not there: it can be sent without being hashed before. Blobs of less than 16 MiB are not looked at.",
                "requestBody": {
                  "required": true,
                  "content": {"application/json": {"schema": {"$ref": "#/components/schemas/BlobSizes"}}}
                },
                "responses": {
                  "200": {
                    "description": "An answer for each size, in order.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/KnownSizes"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },
            "/blobs/{name}/pack": {
              "parameters": [{"$ref": "#/components/parameters/name"}, {"$ref": "#/components/parameters/contentKind"}],
              "post": {
                "operationId": "putPack",
                "x-larder-action": "write",
                "summary": "Send blobs.",
                "description": "Any number, in a pack of blob frames and an end frame. When it breaks off, what came of it may have been kept: ask what is missing, and send that.",
                "requestBody": {
                  "required": true,
                  "content": {
                    "application/vnd.larder.pack": {"schema": {"$ref": "#/components/schemas/Pack"}},
                    "application/octet-stream": {"schema": {"$ref": "#/components/schemas/Pack"}}
                  }
                },
                "responses": {
                  "200": {
                    "description": "All of them are verified and on the disk.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PackReceipt"}}}
                  },
                  "400": {"$ref": "#/components/responses/BadContent"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {
                    "$ref": "#/components/responses/NotFound",
                    "description": "There is no such repository, and none is created by writes."
                  },
                  "409": {"$ref": "#/components/responses/Conflict"},
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              }
            },
            "/blobs/{name}/fetch": {
              "parameters": [{"$ref": "#/components/parameters/name"}, {"$ref": "#/components/parameters/contentKind"}],
              "post": {
                "operationId": "fetchBlobs",
                "x-larder-action": "read",
                "summary": "Read blobs.",
                "requestBody": {"$ref": "#/components/requestBodies/Digests"},
                "responses": {
                  "200": {
                    "description": "A pack: for each digest, in order, a blob frame, or a missing frame where there is no such blob here; then the end frame. A pack without it broke off.",
                    "content": {"application/vnd.larder.pack": {"schema": {"$ref": "#/components/schemas/Pack"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {
                    "$ref": "#/components/responses/NotFound",
                    "description": "There is no such repository of this kind."
                  },
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },
            "/uploads/{name}": {
              "parameters": [{"$ref": "#/components/parameters/name"}, {"$ref": "#/components/parameters/contentKind"}],
              "post": {
                "operationId": "beginUpload",
                "x-larder-action": "write",
                "summary": "Begin to send a large blob in parts.",
                "description": "An upload is given up when nothing comes for the time of upload-lifetime (24 hours), and after an hour while it is empty.",
                "requestBody": {
                  "required": true,
                  "content": {"application/json": {"schema": {"$ref": "#/components/schemas/UploadRequest"}}}
                },
                "responses": {
                  "201": {
                    "description": "The upload.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Upload"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {
                    "$ref": "#/components/responses/NotFound",
                    "description": "There is no such repository, and none is created by writes."
                  },
                  "409": {"$ref": "#/components/responses/Conflict"},
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              },
              "get": {
                "operationId": "getUpload",
                "x-larder-action": "write",
                "summary": "How far an upload has come.",
                "description": "To be asked after a break, also when the server was started anew: it takes further parts only then.",
                "parameters": [{"$ref": "#/components/parameters/upload"}],
                "responses": {
                  "200": {
                    "description": "The upload.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Upload"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound", "description": "The upload is over or was given up."}
                }
              },
              "delete": {
                "operationId": "cancelUpload",
                "x-larder-action": "write",
                "summary": "Give an upload up.",
                "parameters": [{"$ref": "#/components/parameters/upload"}],
                "responses": {
                  "204": {"description": "It is gone."},
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {
                    "$ref": "#/components/responses/NotFound",
                    "description": "The upload is over or was given up, or a part of it is being sent."
                  },
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              }
            },
            "/uploads/{name}/part": {
              "parameters": [{"$ref": "#/components/parameters/name"}, {"$ref": "#/components/parameters/contentKind"}],
              "put": {
                "operationId": "putPart",
                "x-larder-action": "write",
                "summary": "Send a part of a large blob.",
                "description": "Parts come in any order, several at a time. One that has come already is read and thrown away, so it may be sent again; one that shares only some bytes with another is refused, so parts are cut at the same places each time.",
                "parameters": [
                  {"$ref": "#/components/parameters/upload"},
                  {
                    "name": "offset",
                    "in": "query",
                    "required": true,
                    "description": "Where the part begins, in bytes.",
                    "schema": {"type": "integer", "minimum": 0},
                    "example": 33554432
                  }
                ],
                "requestBody": {
                  "required": true,
                  "description": "The bytes, partSize of them or, at the end, fewer; with Content-Length.",
                  "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
                },
                "responses": {
                  "204": {"description": "The part has come."},
                  "400": {"$ref": "#/components/responses/BadContent"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {"$ref": "#/components/responses/NotFound", "description": "The upload is over or was given up."},
                  "409": {
                    "$ref": "#/components/responses/Conflict",
                    "description": "Some of the bytes came or come with another part, the upload is being finished, or the repository is of another kind."
                  },
                  "411": {
                    "description": "The request has no Content-Length.",
                    "content": {
                      "application/json": {
                        "schema": {"$ref": "#/components/schemas/Error"},
                        "examples": {"refusal": {"value": {"error": "a part needs its length (Content-Length)"}}}
                      }
                    }
                  },
                  "413": {
                    "$ref": "#/components/responses/TooLarge",
                    "description": "The part ends behind the size that the upload was begun with."
                  },
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              }
            },
            "/uploads/{name}/finish": {
              "parameters": [{"$ref": "#/components/parameters/name"}, {"$ref": "#/components/parameters/contentKind"}],
              "post": {
                "operationId": "finishUpload",
                "x-larder-action": "write",
                "summary": "Make a blob of the parts that were sent.",
                "parameters": [
                  {"$ref": "#/components/parameters/upload"},
                  {
                    "name": "digest",
                    "in": "query",
                    "required": true,
                    "description": "The SHA-256 of the whole.",
                    "schema": {"type": "string"},
                    "example": "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
                  }
                ],
                "responses": {
                  "201": {"description": "The blob is verified and on the disk, and the upload is over."},
                  "400": {
                    "$ref": "#/components/responses/BadContent",
                    "description": "What was sent has another digest: the upload is over. Or a parameter means nothing."
                  },
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "404": {
                    "$ref": "#/components/responses/NotFound",
                    "description": "The upload is over or was given up; it may have been finished, and the answer lost: ask what is missing."
                  },
                  "409": {
                    "$ref": "#/components/responses/Conflict",
                    "description": "Parts are missing (ask how far it has come), or one is being sent."
                  },
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              }
            }
        """#
}
