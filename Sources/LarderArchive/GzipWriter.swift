/// Writes one gzip member (RFC 1952).
///
/// The same bytes at the same level give the same file with one version of zlib: the header has neither name nor time.
package struct GzipWriter: ~Copyable, Sendable {
    /// Deflate, no flags, no time, no hint at the level, system unknown.
    private static let header: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]

    private var deflater: Deflater
    private var hasBegun = false

    /// Takes about 320 KiB of memory.
    ///
    /// `level`: 0 (stored; then the output also depends on how the input is cut) to 9 (slowest).
    package init(level: Int = 6) {
        deflater = Deflater(level: level)
    }

    /// Compresses bytes; what is ready is appended to `output`, which the caller empties.
    ///
    /// CPU-bound: 30 to 200 MB/s, by level and content.
    package mutating func write(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        begin(&output)
        deflater.write(bytes, to: &output)
    }

    /// Ends the member; the writer is used up.
    package mutating func finish(to output: inout [UInt8]) {
        begin(&output)
        deflater.finish(to: &output)
        output.appendLittleEndian(deflater.checksum)
        output.appendLittleEndian(UInt32(truncatingIfNeeded: deflater.inputByteCount))
    }

    private mutating func begin(_ output: inout [UInt8]) {
        guard !hasBegun else { return }
        hasBegun = true
        output.append(contentsOf: Self.header)
    }
}

extension [UInt8] {
    /// Appends an integer, lowest byte first.
    mutating func appendLittleEndian(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }
}
