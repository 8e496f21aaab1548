import APIMessages
import HTTPTypes
import HummingbirdCore
import LarderCore
import LarderHTTP
import LarderStore

/// `/api/v1/uploads/NAME`: one large blob in parts, which come side by side and are not sent again after a break.
extension APIAdapter {
    func beginUpload(_ call: APICall) async throws -> Response {
        let message: UploadRequestMessage = try await call.message("an upload, such as {\"size\": 1073741824}")
        guard message.size > 0 else { throw StoreError.malformed("size: bytes, 1 or more") }
        let (name, kind) = (try call.name, call.contentKind)
        try call.store.admit(name, kind: kind, length: message.size, limit: call.store.configuration.blobSizeLimit)
        let id = sources.makeUploadID()
        try await call.store.beginUpload(id, in: name, kind: kind)
        _ = call.store.declareUpload(id, size: message.size, in: name)
        return try Self.json(Self.message(id, receivedBytes: 0), status: 201)
    }

    func getUpload(_ call: APICall) throws -> Response {
        let id = try Self.uploadID(call)
        guard let received = call.store.receivedLength(ofUpload: id, in: try call.name) else { throw Self.noUpload }
        return try Self.json(Self.message(id, receivedBytes: received))
    }

    func putPart(_ call: APICall) async throws -> Response {
        let id = try Self.uploadID(call)
        guard let offset = try call.number("offset", in: 0...(.max)) else {
            throw StoreError.malformed("offset: where the part begins, in bytes")
        }
        guard let length = call.request.headers[.contentLength].flatMap({ Int64($0) }) else {
            return Self.failure(411, "a part needs its length (Content-Length)").response
        }
        let outcome = try await call.store.putPart(
            of: id,
            in: try call.name,
            at: offset,
            body: call.request.body,
            length: length
        )
        return try Self.answer(to: outcome, status: 204)
    }

    func finishUpload(_ call: APICall) async throws -> Response {
        guard try call.digest("digest").algorithm == .sha256 else {
            throw StoreError.malformed("digest: of uploads in parts a SHA-256")
        }
        let outcome = try await call.store.finishParts(
            of: try Self.uploadID(call),
            in: try call.name,
            kind: call.contentKind,
            as: try call.digest("digest")
        )
        return try Self.answer(to: outcome, status: 201)
    }

    func cancelUpload(_ call: APICall) async throws -> Response {
        guard try await call.store.cancelUpload(try Self.uploadID(call), in: try call.name) else { throw Self.noUpload }
        return HTTPAnswer(204).response
    }

    private static let noUpload = StoreError.notFound("an upload of this id; it ended, or was given up")

    private static func message(_ id: String, receivedBytes: Int64) -> UploadMessage {
        UploadMessage(id: id, partSize: Store.uploadPartSize.bytes, receivedBytes: receivedBytes)
    }

    private static func uploadID(_ call: APICall) throws(StoreError) -> String {
        guard let id = call.query["id"] else { throw .malformed("id: that of the upload") }
        return id
    }

    private static func answer(to outcome: UploadOutcome, status: Int) throws(StoreError) -> Response {
        switch outcome {
        case .accepted: HTTPAnswer(status).response
        case .unknown: throw noUpload
        case .busy: failure(409, "another request is sending these bytes, or finishes the upload; try again").response
        case .outOfOrder(let length): failure(409, "parts are missing behind the first \(length) bytes").response
        }
    }
}
