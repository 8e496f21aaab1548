import CZlib
import Glibc
package import LarderCore

/// Reads gzip (RFC 1952): one member or several in a row, as `cat a.gz b.gz` makes them.
///
/// Zeros after the last member are passed over, as gzip does (tapes have them).
package struct GzipReader: ~Copyable, Sendable {
    private enum State {
        /// Nothing came yet.
        case empty
        case member
        case betweenMembers
        case padding
        case failed(any Error)
    }

    /// The most bytes that are handed over at once.
    package static let pieceByteCountMax = 64 << 10
    /// zlib is told lengths as 32-bit numbers.
    private static let inputByteCountMax = 1 << 30

    /// At an address that stays, because zlib's state points back to it.
    private let memory = HeapMemory(count: 1, repeating: z_stream())
    private let piece = HeapMemory<UInt8>(count: Self.pieceByteCountMax, repeating: 0)
    private let outputLimit: ByteCount?
    private var state = State.empty

    /// Bytes that were handed over so far.
    package private(set) var outputByteCount: Int64 = 0

    /// Takes about 105 KiB of memory.
    ///
    /// `outputLimit`: All members together may have so many bytes.
    package init(outputLimit: ByteCount? = nil) {
        self.outputLimit = outputLimit
        let code = inflateInit2_(memory.start, MAX_WBITS + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(code == Z_OK, "zlib has memory and is the version that it was built against")
    }

    deinit {
        inflateEnd(memory.start)
    }

    /// Takes the next bytes of the file and hands over what they hold, in pieces of at most 64 KiB.
    ///
    /// `receive`: Called any number of times; the piece is valid during the call.
    ///
    /// CPU-bound: 150 to 500 MB/s of output.
    ///
    /// - Throws: `StoreError.invalidContent` for damage, `.tooLarge` past the limit (what is within it was handed over
    ///   before), or what `receive` throws. A reader that threw throws the same from then on.
    package mutating func feed(
        _ bytes: UnsafeRawBufferPointer,
        _ receive: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        if case .failed(let error) = state { throw error }
        do {
            var rest = bytes[...]
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.inputByteCountMax))
                let used = try take(part, receive)
                rest = rest.dropFirst(used)
            }
        } catch {
            state = .failed(error)
            throw error
        }
    }

    /// Says that no more bytes come.
    ///
    /// - Throws: `StoreError.invalidContent` when the file breaks off here.
    package func finish() throws {
        switch state {
        case .betweenMembers, .padding: return
        case .empty: throw StoreError.invalidContent("gzip: the file is empty")
        case .member: throw StoreError.invalidContent("gzip: the file breaks off")
        case .failed(let error): throw error
        }
    }

    /// Takes bytes of one member at most; returns how many.
    private mutating func take(
        _ bytes: UnsafeRawBufferPointer,
        _ receive: (UnsafeRawBufferPointer) throws -> Void
    ) throws -> Int {
        switch state {
        case .betweenMembers where bytes[0] == 0, .padding:
            state = .padding
            guard bytes.allSatisfy({ $0 == 0 }) else {
                throw StoreError.invalidContent("gzip: something else follows the last member")
            }
            return bytes.count
        case .betweenMembers:
            inflateReset(memory.start)
        case .empty, .member, .failed:
            break
        }
        state = .member
        return try inflateMember(bytes, receive)
    }

    private mutating func inflateMember(
        _ bytes: UnsafeRawBufferPointer,
        _ receive: (UnsafeRawBufferPointer) throws -> Void
    ) throws -> Int {
        let stream = memory.start
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.assumingMemoryBound(to: UInt8.self).baseAddress
        )
        stream.pointee.avail_in = uInt(bytes.count)
        var code = Z_OK
        repeat {
            stream.pointee.next_out = piece.start
            stream.pointee.avail_out = uInt(piece.count)
            code = inflate(stream, Z_NO_FLUSH)
            try handOver(piece.count - Int(stream.pointee.avail_out), receive)
            // Z_BUF_ERROR: there was nothing to do, because the last round ended exactly at the end of its output.
            guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else { throw failure(code) }
        } while code != Z_STREAM_END && stream.pointee.avail_out == 0
        if code == Z_STREAM_END { state = .betweenMembers }
        return bytes.count - Int(stream.pointee.avail_in)
    }

    private mutating func handOver(_ made: Int, _ receive: (UnsafeRawBufferPointer) throws -> Void) throws {
        let allowed = outputLimit.map { max(0, Int(clamping: $0.bytes - outputByteCount)) } ?? made
        let given = min(made, allowed)
        if given > 0 {
            outputByteCount += Int64(given)
            try receive(UnsafeRawBufferPointer(start: piece.start, count: given))
        }
        if let outputLimit, made > given { throw StoreError.tooLarge(limit: outputLimit) }
    }

    private func failure(_ code: Int32) -> StoreError {
        if code == Z_MEM_ERROR { return .io(operation: "allocating memory for", path: "gzip", code: ENOMEM) }
        let reason = memory.start.pointee.msg.map { String(cString: $0) } ?? "zlib's error \(code)"
        return .invalidContent("gzip: \(reason)")
    }
}
