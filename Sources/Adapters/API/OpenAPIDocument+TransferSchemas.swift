extension OpenAPIDocument {
    /// The messages about blobs and uploads.
    static let transferSchemas = #"""
              "Pack": {
                "type": "string",
                "format": "binary",
                "description": "Many blobs as one stream of frames. A frame is a head of 41 bytes and a body. The head: the kind (1 byte), a SHA-256 (32 bytes), a size (8 bytes, the highest first, at most 2^63-1). Kind 1, blob: the body has as many bytes as size says, and the SHA-256 is theirs. Kind 2, end: the last frame; its size is the number of blob frames, its SHA-256 zeros; no body, and nothing follows. Kind 3, missing: no blob of this SHA-256 is there; size 0, no body. Kind 4, note: the SHA-256 is zeros, the body is JSON of size bytes, at most 1 MiB. Requests have blob frames and an end frame only. A pack without an end frame broke off."
              },
              "BlobSizes": {
                "type": "object",
                "properties": {
                  "sizes": {
                    "type": "array",
                    "items": {"type": "integer"},
                    "maxItems": 10000,
                    "description": "The body is at most 64 KiB."
                  }
                },
                "required": ["sizes"],
                "examples": [{"sizes": [104857600, 52428801]}]
              },
              "KnownSizes": {
                "type": "object",
                "properties": {
                  "known": {
                    "type": "array",
                    "items": {"type": "boolean"},
                    "description": "Whether a blob has the size; then ask by digest what is missing."
                  }
                },
                "required": ["known"],
                "examples": [{"known": [true, false]}]
              },
              "PackReceipt": {
                "type": "object",
                "properties": {
                  "blobCount": {"type": "integer"},
                  "byteCount": {"type": "integer", "description": "Of the blobs, without the heads."}
                },
                "required": ["blobCount", "byteCount"],
                "examples": [{"blobCount": 812, "byteCount": 10485760}]
              },
              "UploadRequest": {
                "type": "object",
                "properties": {"size": {"type": "integer", "description": "Of the whole.", "minimum": 1}},
                "required": ["size"],
                "examples": [{"size": 1073741824}]
              },
              "Upload": {
                "type": "object",
                "properties": {
                  "id": {"type": "string", "description": "Names the upload in further requests."},
                  "partSize": {"type": "integer", "description": "Of each part but the last."},
                  "receivedBytes": {
                    "type": "integer",
                    "description": "So many from the start need not be sent again; parts behind a gap do not count."
                  }
                },
                "required": ["id", "partSize", "receivedBytes"],
                "examples": [
                  {"id": "6f1c9a52-7d3e-4a86-9b0c-2f5e8d1a4c37", "partSize": 33554432, "receivedBytes": 67108864}
                ]
              }
        """#
}
