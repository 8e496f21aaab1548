import AsyncHTTPClient
import Foundation
import NIOCore

/// The bytes of a blob from some place on, from an answer or from a file.
struct BlobBytes: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    private enum Origin: Sendable {
        case answer(HTTPClientResponse.Body)
        case file(String)
    }

    private let origin: Origin
    /// Bytes at the start that are not handed out.
    private let skipped: Int64

    init(_ answer: HTTPClientResponse.Body, dropping count: Int64) {
        origin = .answer(answer)
        skipped = count
    }

    init(file: String, from offset: Int64) {
        origin = .file(file)
        skipped = offset
    }

    func makeAsyncIterator() -> AsyncIterator {
        switch origin {
        case .answer(let body): AsyncIterator(state: .answer(body.makeAsyncIterator()), skipped: skipped)
        case .file(let path): AsyncIterator(state: .closed(path), skipped: skipped)
        }
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate enum State {
            case answer(HTTPClientResponse.Body.AsyncIterator)
            case closed(String)
            case open(FileHandle, String)
        }

        fileprivate var state: State
        fileprivate var skipped: Int64

        fileprivate init(state: State, skipped: Int64) {
            self.state = state
            self.skipped = skipped
        }

        mutating func next() async throws -> ByteBuffer? {
            switch state {
            case .answer(var iterator):
                defer { state = .answer(iterator) }
                while var piece = try await iterator.next() {
                    let count = Swift.min(skipped, Int64(piece.readableBytes))
                    piece.moveReaderIndex(forwardBy: Int(count))
                    skipped -= count
                    if piece.readableBytes > 0 { return piece }
                }
                return nil
            case .closed(let path):
                guard let file = FileHandle(forReadingAtPath: path) else { throw ClientError("can't open \(path)") }
                try FileTrouble.describing("read", path) { try file.seek(toOffset: UInt64(skipped)) }
                state = .open(file, path)
                return try Self.read(file, path)
            case .open(let file, let path):
                return try Self.read(file, path)
            }
        }

        /// Blocks its thread for the time of one read of 1 MiB, which a program with nothing else to do can afford.
        private static func read(_ file: FileHandle, _ path: String) throws -> ByteBuffer? {
            let data = try FileTrouble.describing("read", path) { try file.read(upToCount: 1 << 20) }
            guard let data, !data.isEmpty else { return nil }
            return ByteBuffer(bytes: data)
        }
    }
}

/// Errors of files as sentences.
enum FileTrouble {
    static func describing<Value>(_ verb: String, _ path: String, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch {
            throw ClientError("can't \(verb) \(path): \(error.localizedDescription)")
        }
    }
}
