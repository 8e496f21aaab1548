import Glibc
package import LarderCore

/// Writes a zip archive (PKWARE's APPNOTE 6.3) as a stream: nothing is held but the central directory.
///
/// Files are deflated with their sizes behind them (general purpose bit 3), names are UTF-8 (bit 11), modes and
/// symbolic links are said as Info-ZIP says them. Zip64 is used where a size, an offset or the number of entries needs
/// it, and only there: Java's `ZipInputStream` tells 8-byte from 4-byte sizes behind a file by its true size alone.
package struct ZipWriter: ~Copyable, Sendable {
    package struct Entry: Hashable, Sendable {
        package enum Content: Hashable, Sendable {
            case folder
            /// `size`: Bytes that will be written.
            case file(size: Int64)
            case symbolicLink(target: String)
        }

        /// Relative, with slashes; a folder's may lack the one at its end.
        package var name: String
        /// Permission bits, 0…0o7777.
        package var mode: UInt16
        /// Nanoseconds since 1970, written as UTC in steps of two seconds from 1980 to 2107; nil: 1980-01-01.
        package var modified: Int64?
        package var content: Content

        package init(name: String, mode: UInt16, modified: Int64? = nil, content: Content) {
            self.name = name
            self.mode = mode
            self.modified = modified
            self.content = content
        }
    }

    /// From where on numbers don't fit into their old fields.
    ///
    /// Tests set lower ones.
    struct Zip64Limits {
        /// Sizes and offsets in bytes.
        var size: Int64 = 0xffff_ffff
        var entryCount = 0xffff
    }

    private var deflater: Deflater
    private let limits: Zip64Limits
    private var directory: [UInt8] = []
    private var entryCount = 0
    /// Bytes of the archive so far.
    private var offset: Int64 = 0
    /// The file begun.
    private var open: ZipRecord?
    private var openSize: Int64 = 0

    /// Takes about 320 KiB of memory, and about 50 bytes and its name for each entry.
    ///
    /// `level`: Of deflate, 0 (stored) to 9 (slowest).
    package init(level: Int = 1) {
        self.init(level: level, limits: Zip64Limits())
    }

    init(level: Int, limits: Zip64Limits) {
        deflater = Deflater(level: level)
        self.limits = limits
    }

    /// Begins an entry; after a file its contents (`write`) and its end (`endEntry`) must follow.
    ///
    /// - Throws: `StoreError.malformed` for a name that is empty, has a NUL or more than 65,535 bytes, a target that is
    ///   empty or as long, or a negative size; nothing is written then.
    package mutating func begin(_ entry: Entry, to output: inout [UInt8]) throws(StoreError) {
        precondition(open == nil, "the file before was ended")
        var record = ZipRecord(name: try Self.name(of: entry), time: ZipTime(entry.modified))
        record.offset = offset
        let start = output.count
        switch entry.content {
        case .folder:
            record.attributes = Self.attributes(S_IFDIR, entry.mode) | 0x10
            record.writeLocalHeader(to: &output)
            add(record)
        case .symbolicLink(let target):
            let bytes = Array(target.utf8)
            guard !bytes.isEmpty, bytes.count <= Int(UInt16.max) else {
                throw .malformed("a zip link's target is empty or too long")
            }
            record.attributes = Self.attributes(S_IFLNK, 0o777)
            record.checksum = bytes.withUnsafeBytes { Deflater.checksum(0, $0) }
            (record.size, record.compressedSize) = (Int64(bytes.count), Int64(bytes.count))
            record.writeLocalHeader(to: &output)
            output += bytes
            add(record)
        case .file(let size):
            guard size >= 0 else { throw .malformed("a zip entry's size is negative") }
            record.attributes = Self.attributes(S_IFREG, entry.mode)
            record.isDeflated = true
            // What can't be compressed grows, by less than this.
            record.isZip64 = size >= limits.size - min(limits.size, size / 1024 + 1024)
            record.writeLocalHeader(to: &output)
            deflater.reset()
            (open, openSize) = (record, size)
        }
        offset += Int64(output.count - start)
    }

    /// Adds contents to the file begun.
    ///
    /// CPU-bound: 60 to 300 MB/s at level 1.
    ///
    /// - Throws: `StoreError.lengthMismatch` for more bytes than were announced; the archive is to be given up then.
    package mutating func write(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) throws(StoreError) {
        let length = deflater.inputByteCount + Int64(bytes.count)
        guard open != nil, length <= openSize else { throw .lengthMismatch(expected: openSize, actual: length) }
        let start = output.count
        deflater.write(bytes, to: &output)
        offset += Int64(output.count - start)
    }

    /// Ends the file begun; nothing is to be ended after other entries.
    ///
    /// - Throws: `StoreError.lengthMismatch` when bytes are missing; the archive is to be given up then.
    package mutating func endEntry(to output: inout [UInt8]) throws(StoreError) {
        guard var record = open else { return }
        guard deflater.inputByteCount == openSize else {
            throw .lengthMismatch(expected: openSize, actual: deflater.inputByteCount)
        }
        let start = output.count
        deflater.finish(to: &output)
        record.checksum = deflater.checksum
        (record.size, record.compressedSize) = (deflater.inputByteCount, deflater.outputByteCount)
        record.writeDataDescriptor(to: &output)
        offset += Int64(output.count - start)
        add(record)
        (open, openSize) = (nil, 0)
    }

    /// Writes the central directory and ends the archive.
    package mutating func finish(to output: inout [UInt8]) {
        precondition(open == nil, "the last file was ended")
        output += directory
        let size = Int64(directory.count)
        let isZip64 = entryCount >= limits.entryCount || size >= limits.size || offset >= limits.size
        if isZip64 { writeZip64End(directorySize: size, to: &output) }
        output.appendLittleEndian(0x0605_4b50 as UInt32)
        output.appendLittleEndian(0 as UInt32)  // Disk numbers.
        let count = isZip64 ? .max : UInt16(entryCount)
        output.appendLittleEndian(count)
        output.appendLittleEndian(count)
        output.appendLittleEndian(isZip64 ? .max : UInt32(size))
        output.appendLittleEndian(isZip64 ? .max : UInt32(offset))
        output.appendLittleEndian(0 as UInt16)  // No comment.
    }

    private func writeZip64End(directorySize: Int64, to output: inout [UInt8]) {
        output.appendLittleEndian(0x0606_4b50 as UInt32)
        output.appendLittleEndian(44 as UInt64)  // Bytes of this record that follow.
        output.appendLittleEndian(ZipRecord.madeBy)
        output.appendLittleEndian(ZipRecord.versionOfZip64)
        output.appendLittleEndian(0 as UInt64)  // Disk numbers.
        output.appendLittleEndian(Int64(entryCount))
        output.appendLittleEndian(Int64(entryCount))
        output.appendLittleEndian(directorySize)
        output.appendLittleEndian(offset)
        // The locator.
        output.appendLittleEndian(0x0706_4b50 as UInt32)
        output.appendLittleEndian(0 as UInt32)
        output.appendLittleEndian(offset + directorySize)
        output.appendLittleEndian(1 as UInt32)  // One disk.
    }

    private mutating func add(_ record: ZipRecord) {
        record.writeDirectoryEntry(to: &directory, sizeLimit: limits.size)
        entryCount += 1
    }

    private static func name(of entry: Entry) throws(StoreError) -> [UInt8] {
        var name = Array(entry.name.utf8)
        let isFolder = entry.content == .folder
        if isFolder, name.last != UInt8(ascii: "/") { name.append(UInt8(ascii: "/")) }
        guard !entry.name.isEmpty, !name.contains(0), name.count <= Int(UInt16.max) else {
            throw .malformed("a zip entry's name is empty, too long or has a NUL")
        }
        // A slash at the end is what makes an entry a folder.
        guard isFolder || name.last != UInt8(ascii: "/") else { throw .malformed("a zip file's name ends in a slash") }
        return name
    }

    /// The Unix mode in the upper half, as Info-ZIP has it.
    private static func attributes(_ type: mode_t, _ mode: UInt16) -> UInt32 {
        (type | UInt32(mode & 0o7777)) << 16
    }
}
