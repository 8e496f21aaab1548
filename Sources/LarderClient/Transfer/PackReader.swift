import LarderCore

/// Reads a pack as it comes, in pieces of any length.
struct PackReader {
    private enum Place {
        case head
        case blob(left: Int64)
        case note(left: Int)
        case end
    }

    private var place = Place.head
    /// What came of a head or a note so far.
    private var collected: [UInt8] = []
    private var blobCount = 0

    private static let damaged = ClientError("the server's answer is damaged: this is no pack", isTransient: true)

    /// Takes the next piece.
    ///
    /// - Throws: `ClientError` when the pack is none; what the sink throws.
    mutating func take(_ bytes: UnsafeRawBufferPointer, into sink: some PackSink) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            switch place {
            case .head:
                let part = rest.prefix(PackFrame.headLength - collected.count)
                rest = rest.dropFirst(part.count)
                if part.count == PackFrame.headLength {
                    try open(UnsafeRawBufferPointer(rebasing: part), sink)
                    continue
                }
                collected.append(contentsOf: part)
                guard collected.count == PackFrame.headLength else { return }
                let head = collected
                collected = []
                try head.withUnsafeBytes { try open($0, sink) }
            case .blob(let left):
                let part = rest.prefix(Int(min(left, Int64(rest.count))))
                rest = rest.dropFirst(part.count)
                try sink.write(UnsafeRawBufferPointer(rebasing: part))
                try advance(left - Int64(part.count), sink)
            case .note(let left):
                let part = rest.prefix(left)
                rest = rest.dropFirst(part.count)
                collected.append(contentsOf: part)
                try closeNote(left - part.count, sink)
            case .end:
                throw ClientError("the server's answer is damaged: bytes follow the end of the pack")
            }
        }
    }

    /// Checks that the pack is whole.
    ///
    /// - Throws: `ClientError`.
    func finish() throws(ClientError) {
        guard case .end = place else { throw ClientError("the server's answer broke off", isTransient: true) }
    }

    private mutating func open(_ head: UnsafeRawBufferPointer, _ sink: some PackSink) throws {
        guard let frame = try? PackFrame(head: head) else { throw Self.damaged }
        switch frame.kind {
        case .blob:
            guard let digest = frame.digest else { throw Self.damaged }
            try sink.begin(digest, size: frame.size)
            blobCount += 1
            try advance(frame.size, sink)
        case .missing:
            guard let digest = frame.digest else { throw Self.damaged }
            try sink.missing(digest)
        case .note:
            try closeNote(Int(frame.size), sink)
        case .end:
            guard frame.size == blobCount else {
                throw ClientError("the server's answer is damaged: \(blobCount) of \(frame.size) blobs came")
            }
            place = .end
        }
    }

    private mutating func advance(_ left: Int64, _ sink: some PackSink) throws {
        place = left > 0 ? .blob(left: left) : .head
        if left == 0 { try sink.end() }
    }

    private mutating func closeNote(_ left: Int, _ sink: some PackSink) throws {
        place = left > 0 ? .note(left: left) : .head
        guard left == 0 else { return }
        let note = collected
        collected = []
        try sink.note(note)
    }
}
