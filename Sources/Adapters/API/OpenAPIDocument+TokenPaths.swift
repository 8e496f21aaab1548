extension OpenAPIDocument {
    /// What is asked about who may do what.
    static let tokenPaths = #"""
            "/principal": {
              "get": {
                "operationId": "getPrincipal",
                "x-larder-action": "any",
                "summary": "Who the sender is, and what they may do.",
                "responses": {
                  "200": {
                    "description": "The sender.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Principal"}}}
                  },
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"}
                }
              }
            },
            "/tokens": {
              "get": {
                "operationId": "listTokens",
                "x-larder-action": "server-admin",
                "summary": "All tokens, by name, without their secrets.",
                "description": "Those whose time is over are listed for a week more.",
                "responses": {
                  "200": {
                    "description": "The tokens.",
                    "content": {
                      "application/json": {
                        "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Token"}},
                        "example": [
                          {
                            "name": "ci",
                            "grants": ["team/*:read,write", "*:read"],
                            "scope": "",
                            "readScopes": [""],
                            "createdAt": 1767225600,
                            "expiresAt": 1775001600,
                            "lastUsedAt": 1767322800
                          }
                        ]
                      }
                    }
                  },
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"}
                }
              },
              "post": {
                "operationId": "createToken",
                "x-larder-action": "server-admin",
                "summary": "Make a token.",
                "description": "It is valid at once. Its secret is in the answer and nowhere else: the server keeps only a digest of it.",
                "requestBody": {
                  "required": true,
                  "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TokenRequest"}}}
                },
                "responses": {
                  "201": {
                    "description": "The new token with its secret.",
                    "headers": {"Cache-Control": {"schema": {"type": "string", "const": "no-store"}}},
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewToken"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "403": {"$ref": "#/components/responses/Forbidden"},
                  "409": {
                    "$ref": "#/components/responses/Conflict",
                    "description": "There are 100,000 tokens, and no more can be."
                  },
                  "412": {
                    "$ref": "#/components/responses/Taken",
                    "description": "There is a token of this name, perhaps one whose time is over; it can be revoked."
                  },
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "500": {"$ref": "#/components/responses/Failed"},
                  "503": {"$ref": "#/components/responses/Unavailable"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              }
            },
            "/tokens/{token}": {
              "delete": {
                "operationId": "revokeToken",
                "x-larder-action": "server-admin",
                "summary": "Take a token back.",
                "description": "It lets nobody in from then on, nor does what a registry client got for it.",
                "parameters": [{"$ref": "#/components/parameters/token"}],
                "responses": {
                  "204": {"description": "It is gone."},
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
