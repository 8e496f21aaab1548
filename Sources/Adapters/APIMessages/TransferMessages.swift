/// The JSON of transfers of blobs in `/api/v1`. Sizes are bytes.

/// The body of POST /api/v1/blobs/NAME/sizes.
package struct BlobSizesMessage: Codable, Sendable {
    package var sizes: [Int64]

    package init(sizes: [Int64]) {
        self.sizes = sizes
    }
}

/// The answer of POST /api/v1/blobs/NAME/sizes.
package struct KnownSizesMessage: Codable, Sendable {
    /// Of each size that was asked for, in order: whether a blob has it.
    package var known: [Bool]

    package init(known: [Bool]) {
        self.known = known
    }
}

/// The answer of POST /api/v1/blobs/NAME/pack.
package struct PackReceiptMessage: Codable, Sendable, Equatable {
    package var blobCount: Int
    /// Of the blobs.
    package var byteCount: Int64

    package init(blobCount: Int, byteCount: Int64) {
        self.blobCount = blobCount
        self.byteCount = byteCount
    }
}

/// The body of POST /api/v1/uploads/NAME.
package struct UploadRequestMessage: Codable, Sendable {
    package var size: Int64

    package init(size: Int64) {
        self.size = size
    }
}

/// A resumable upload: POST and GET /api/v1/uploads/NAME.
package struct UploadMessage: Codable, Sendable, Equatable {
    package var id: String
    /// Of each part but the last.
    package var partSize: Int64
    /// So many from the start need not be sent again.
    package var receivedBytes: Int64

    package init(id: String, partSize: Int64, receivedBytes: Int64) {
        self.id = id
        self.partSize = partSize
        self.receivedBytes = receivedBytes
    }
}
