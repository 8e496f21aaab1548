import CZlib

/// Raw deflate (RFC 1951), with the CRC-32 and the length of what went in.
///
/// At levels 1 to 9 the output depends on the bytes only, not on how they were cut into pieces.
struct Deflater: ~Copyable, Sendable {
    /// zlib is told lengths as 32-bit numbers.
    private static let inputByteCountMax = 1 << 30
    private static let pieceByteCount = 64 << 10

    /// At an address that stays, because zlib's state points back to it.
    private let memory = HeapMemory(count: 1, repeating: z_stream())
    private let piece = HeapMemory<UInt8>(count: Self.pieceByteCount, repeating: 0)

    /// CRC-32 of the input so far.
    private(set) var checksum: UInt32 = 0
    private(set) var inputByteCount: Int64 = 0
    private(set) var outputByteCount: Int64 = 0

    /// Takes about 320 KiB of memory.
    ///
    /// `level`: 0 (stored) to 9 (slowest).
    init(level: Int) {
        precondition((0...9).contains(level), "deflate has levels 0 to 9")
        let code = deflateInit2_(
            memory.start,
            Int32(level),
            Z_DEFLATED,
            -MAX_WBITS,
            8,
            Z_DEFAULT_STRATEGY,
            ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size)
        )
        precondition(code == Z_OK, "zlib has memory and is the version that it was built against")
    }

    deinit {
        deflateEnd(memory.start)
    }

    /// Compresses bytes; what is ready is appended to `output`.
    mutating func write(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        let stream = memory.start
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.inputByteCountMax))
            rest = rest.dropFirst(part.count)
            checksum = Self.checksum(checksum, part)
            inputByteCount += Int64(part.count)
            stream.pointee.next_in = UnsafeMutablePointer(
                mutating: part.assumingMemoryBound(to: UInt8.self).baseAddress
            )
            stream.pointee.avail_in = uInt(part.count)
            run(Z_NO_FLUSH, to: &output)
        }
    }

    /// Ends the stream; the rest of it is appended to `output`.
    mutating func finish(to output: inout [UInt8]) {
        memory.start.pointee.next_in = nil
        memory.start.pointee.avail_in = 0
        run(Z_FINISH, to: &output)
    }

    /// Begins another stream.
    mutating func reset() {
        deflateReset(memory.start)
        (checksum, inputByteCount, outputByteCount) = (0, 0, 0)
    }

    /// The CRC-32 of what had `checksum` (0 at the start) and then `bytes`.
    static func checksum(_ checksum: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        // zlib answers a null pointer with the CRC of nothing.
        guard let start = bytes.assumingMemoryBound(to: UInt8.self).baseAddress else { return checksum }
        return UInt32(truncatingIfNeeded: crc32_z(uLong(checksum), start, bytes.count))
    }

    private mutating func run(_ flush: Int32, to output: inout [UInt8]) {
        let stream = memory.start
        repeat {
            stream.pointee.next_out = piece.start
            stream.pointee.avail_out = uInt(piece.count)
            let code = deflate(stream, flush)
            precondition(code != Z_STREAM_ERROR, "a deflate stream that was ended is not written to")
            let made = piece.count - Int(stream.pointee.avail_out)
            output.append(contentsOf: UnsafeMutableBufferPointer(start: piece.start, count: made))
            outputByteCount += Int64(made)
        } while stream.pointee.avail_out == 0
    }
}
