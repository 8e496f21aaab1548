import APIMessages
import HTTPTypes
import HummingbirdCore
import LarderCore
import LarderHTTP
import LarderStore
import NIOCore

/// `/api/v1/blobs/NAME/…`: many blobs in one request.
extension APIAdapter {
    private static let sizeCountMax = 10_000
    /// What a digest of a list takes in memory, in bytes.
    static let digestMemory: Int64 = 72

    /// Says which blobs must be sent, one bit for each.
    func findMissingBlobs(_ call: APICall) async throws -> Response {
        let share = try digestShare(call)
        defer { share.release() }
        let digests = try call.digests(in: try await call.body(atMost: APICall.digestListLimit))
        let present = try await call.store.claim(
            digests,
            in: try call.name,
            kind: call.contentKind,
            isReadable: call.isReadable
        )
        var bits = [UInt8](repeating: 0, count: (digests.count + 7) / 8)
        for (index, digest) in digests.enumerated() where !present.contains(digest) {
            bits[index >> 3] |= 1 << UInt8(index & 7)
        }
        return Response(
            status: .ok,
            headers: [.contentType: "application/octet-stream"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bits))
        )
    }

    /// Says which sizes of large files some blob has, so that others need not be hashed before they are sent.
    func findBlobSizes(_ call: APICall) async throws -> Response {
        let message: BlobSizesMessage = try await call.message(
            "sizes, such as {\"sizes\": [104857600]}",
            atMost: APICall.sizeListLimit
        )
        guard message.sizes.count <= Self.sizeCountMax else {
            throw StoreError.malformed("sizes: at most \(Self.sizeCountMax)")
        }
        _ = try call.name
        let known = try await call.store.largeBlobSizes(among: message.sizes)
        return try Self.json(KnownSizesMessage(known: message.sizes.map(known.contains)))
    }

    func putPack(_ call: APICall) async throws -> Response {
        let name = try call.name
        return try await transferBudget.withBytes(PackReceiver.memoryLimit.bytes) {
            var receiver = PackReceiver(store: call.store, repository: name, kind: call.contentKind)
            try await receiver.receive(call.request.body)
            return try Self.json(
                PackReceiptMessage(blobCount: receiver.blobCount, byteCount: receiver.byteCount)
            )
        }
    }

    func fetchBlobs(_ call: APICall) async throws -> Response {
        let share = try digestShare(call)
        let digests = try call.digests(in: try await call.body(atMost: APICall.digestListLimit))
        guard let repository = call.store.directory.id(of: try call.name, kind: call.contentKind) else {
            throw StoreError.notFound("repository \(call.argument)")
        }
        var seen: Set<Digest> = []
        let wanted = digests.filter { seen.insert($0).inserted }
        return try pack(of: wanted, in: repository, note: nil, share, call.store)
    }

    /// Memory for a list of digests, as it comes and as it is used.
    func digestShare(_ call: APICall) throws(StoreError) -> ByteBudget.Share {
        let length = call.request.headers[.contentLength].flatMap { Int64($0) } ?? APICall.digestListLimit.bytes
        return try readBudget.take(min(max(length, 0), APICall.digestListLimit.bytes) / 32 * 3 * Self.digestMemory)
    }

    /// An answer that is a pack.
    ///
    /// `note`: What its first frame says, as JSON. `share`: Of the memory that the digests take.
    ///
    /// - Throws: `overloaded`.
    func pack(
        of digests: [Digest],
        in repository: RepositoryID,
        note: ByteBuffer?,
        _ share: ByteBudget.Share,
        _ store: Store
    ) throws(StoreError) -> Response {
        let sending = try readBudget.take(PackSender.memoryLimit.bytes)
        let body = ResponseBody { writer in
            defer {
                sending.release()
                share.release()
            }
            if let note {
                var frame = ByteBuffer(bytes: PackFrame.note(size: note.readableBytes).head)
                frame.writeImmutableBuffer(note)
                try await writer.write(frame)
            }
            var sender = PackSender(store: store, repository: repository, digests: digests)
            while let piece = try await sender.next() { try await writer.write(piece) }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: "application/vnd.larder.pack"], body: body)
    }
}
