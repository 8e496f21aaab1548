extension OpenAPIDocument {
    /// The messages about who may do what.
    static let tokenSchemas = #"""
              "Grant": {
                "type": "string",
                "description": "Leave to do something: PATTERN:ACTIONS. The pattern is for names of repositories, at most 255 characters; a * stands for any characters, slashes too. The actions are read, write, delete and admin, joined by commas. admin includes the other three, and is answered alone. On the pattern * it is also the administration of the server.",
                "pattern": "^[a-z0-9*/._-]+:(read|write|delete|admin)(,(read|write|delete|admin))*$",
                "examples": ["team/*:read,write"]
              },
              "Principal": {
                "type": "object",
                "properties": {
                  "name": {"type": "string", "description": "anonymous, administrator or the name of a token."},
                  "grants": {"type": "array", "items": {"$ref": "#/components/schemas/Grant"}},
                  "scope": {"type": "string", "description": "Whose what it writes to caches is; empty: nobody's."},
                  "readScopes": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "The scopes that it is given entries of, in order, its own first."
                  },
                  "expiresAt": {"type": "integer", "description": "Absent: it does not end by itself."}
                },
                "required": ["name", "grants", "scope", "readScopes"],
                "examples": [
                  {
                    "name": "ci",
                    "grants": ["team/*:read,write", "*:read"],
                    "scope": "",
                    "readScopes": [""],
                    "expiresAt": 1775001600
                  }
                ]
              },
              "Token": {
                "type": "object",
                "properties": {
                  "name": {"type": "string"},
                  "grants": {"type": "array", "items": {"$ref": "#/components/schemas/Grant"}},
                  "scope": {"type": "string", "description": "Whose what it writes to caches is; empty: nobody's."},
                  "readScopes": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "The scopes that it is given entries of, in order, its own first."
                  },
                  "createdAt": {"type": "integer", "description": "seconds since 1970"},
                  "expiresAt": {"type": "integer", "description": "Absent: it does not end by itself."},
                  "lastUsedAt": {"type": "integer", "description": "To some minutes; absent: never."}
                },
                "required": ["name", "grants", "scope", "readScopes", "createdAt"],
                "examples": [
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
              },
              "TokenRequest": {
                "type": "object",
                "properties": {
                  "name": {
                    "type": "string",
                    "description": "No other token has it.",
                    "pattern": "^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$"
                  },
                  "grants": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/Grant"},
                    "minItems": 1,
                    "maxItems": 100
                  },
                  "scope": {
                    "type": "string",
                    "description": "Whose what it writes to caches is, such as refs/pull/7/merge; absent or empty: nobody's.",
                    "maxLength": 512
                  },
                  "readScopes": {
                    "type": "array",
                    "items": {"type": "string", "maxLength": 512},
                    "description": "Further scopes that it is given entries of, in order, before what is nobody's; only with scope.",
                    "maxItems": 10
                  },
                  "seconds": {
                    "type": "integer",
                    "description": "How long it lives; absent: until it is revoked.",
                    "minimum": 1,
                    "maximum": 3162240000
                  }
                },
                "required": ["name", "grants"],
                "examples": [{"name": "ci", "grants": ["team/*:read,write", "*:read"], "seconds": 7776000}]
              },
              "NewToken": {
                "type": "object",
                "properties": {
                  "token": {"$ref": "#/components/schemas/Token"},
                  "secret": {
                    "type": "string",
                    "description": "What clients show. It is told this once.",
                    "pattern": "^larder_[a-z2-7]{52}$"
                  }
                },
                "required": ["token", "secret"],
                "examples": [
                  {
                    "token": {
                      "name": "ci",
                      "grants": ["team/*:read,write", "*:read"],
                      "scope": "",
                      "readScopes": [""],
                      "createdAt": 1767225600,
                      "expiresAt": 1775001600
                    },
                    "secret": "larder_thisisnosecretthisisnosecretthisisnosecretthisisnose"
                  }
                ]
              }
        """#
}
