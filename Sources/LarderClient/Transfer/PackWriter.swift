import LarderCore
import NIOCore
import Synchronization

/// The chunks of a pack of blobs.
final class PackWriter: ChunkSource {
    private struct State {
        /// Index of the blob that is being written.
        var index = 0
        /// Bytes of it that are written; nil: its head is not.
        var offset: Int64?
        var file: SourceFile?
        var isEnded = false
        var buffers = BufferRing()
    }

    private let blobs: [OutgoingBlob]
    private let progress: @Sendable (Int64) -> Void
    /// One thread writes at a time; the lock says so to the compiler.
    private let state = Mutex(State())

    /// `progress` hears of bytes that are about to be sent.
    init(_ blobs: [OutgoingBlob], progress: @escaping @Sendable (Int64) -> Void) {
        self.blobs = blobs
        self.progress = progress
    }

    /// Bytes of the pack of some blobs.
    static func length(of blobs: [OutgoingBlob]) -> Int64 {
        blobs.reduce(Int64(PackFrame.headLength)) { $0 + $1.size + Int64(PackFrame.headLength) }
    }

    func next() throws -> ByteBuffer? {
        try state.withLock { state in
            guard !state.isEnded else { return nil }
            var buffers = state.buffers
            // The ring alone holds its buffers, or they would be copied.
            state.buffers = BufferRing()
            defer { state.buffers = buffers }
            let chunk = try buffers.fill(capacity: capacity(from: state)) { chunk in
                while chunk.writableBytes >= PackFrame.headLength && !state.isEnded { try fill(&chunk, &state) }
            }
            progress(Int64(chunk.readableBytes))
            return chunk
        }
    }

    /// Enough for what is left, at most a chunk.
    private func capacity(from state: State) -> Int {
        var length = 2 * PackFrame.headLength
        for blob in blobs[state.index...] {
            length += Int(clamping: blob.size) + PackFrame.headLength
            guard length < SourceFile.chunkSize else { return SourceFile.chunkSize }
        }
        return length
    }

    /// Writes the next head or as many bytes of a blob as there is room for.
    private func fill(_ chunk: inout ByteBuffer, _ state: inout State) throws {
        guard state.index < blobs.count else {
            chunk.writeBytes(PackFrame.end(blobCount: blobs.count).head)
            state.isEnded = true
            return
        }
        let blob = blobs[state.index]
        guard let offset = state.offset else {
            if case .file(let path) = blob.source { state.file = try SourceFile(path, size: blob.size) }
            chunk.writeBytes(PackFrame.blob(blob.digest, size: blob.size).head)
            state.offset = 0
            if blob.size == 0 { try close(&state) }
            return
        }
        let count = Int(min(blob.size - offset, Int64(chunk.writableBytes)))
        switch blob.source {
        case .file: try state.file?.read(count, at: offset, into: &chunk)
        case .bytes(let bytes): chunk.writeBytes(bytes[Int(offset)..<Int(offset) + count])
        }
        state.offset = offset + Int64(count)
        if offset + Int64(count) == blob.size { try close(&state) }
    }

    private func close(_ state: inout State) throws {
        try state.file?.checkEnd()
        state.file = nil
        state.index += 1
        state.offset = nil
    }
}
