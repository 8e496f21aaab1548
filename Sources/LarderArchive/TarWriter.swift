package import LarderCore

/// Writes a tar archive: POSIX ustar, with PAX headers where a name, target, size or time asks for one.
///
/// The bytes depend on the members only: owner and group are 0 without names. Output is appended to a buffer that the
/// caller empties. After an error of `write` or `endMember` the archive is to be given up.
package struct TarWriter: Sendable {
    /// What PAX headers are called; Python's name for them, which tells nothing about the member.
    private static let paxName = Array("././@PaxHeader".utf8)

    /// Bytes that the file begun was announced with; nil when none is begun.
    private var size: Int64?
    private var written: Int64 = 0

    package init() {}

    /// Begins a member; after a file its contents (`write`) and its end (`endMember`) must follow.
    ///
    /// - Throws: `StoreError.malformed` for an empty name or target, one with a NUL, a negative size, or a member of
    ///   another kind.
    package mutating func begin(_ member: TarMember, to output: inout [UInt8]) throws(StoreError) {
        precondition(size == nil, "the file before was ended")
        var header = try Self.header(of: member)
        var records: [UInt8] = []
        if TarHeader.split(header.name) == nil { records += PaxRecords.record("path", header.name) }
        if !TarHeader.fits(link: header.link) { records += PaxRecords.record("linkpath", header.link) }
        if !TarHeader.fits(size: header.size) { records += PaxRecords.record("size", Array("\(header.size)".utf8)) }
        let (seconds, fraction) = member.modified.quotientAndRemainder(dividingBy: TarTime.nanosecondsPerSecond)
        if fraction != 0 || !TarHeader.fits(modified: seconds) {
            records += PaxRecords.record("mtime", Array(TarTime.text(member.modified).utf8))
        }
        header.modified = seconds
        if !records.isEmpty {
            var extended = TarHeader(name: Self.paxName, type: UInt8(ascii: "x"))
            extended.size = Int64(records.count)
            extended.write(to: &output)
            output += records
            Self.pad(Int64(records.count), &output)
        }
        header.write(to: &output)
        if case .file(let size) = member.content { (self.size, written) = (size, 0) }
    }

    /// Adds contents to the file begun.
    ///
    /// - Throws: `StoreError.lengthMismatch` for more bytes than were announced.
    package mutating func write(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) throws(StoreError) {
        written += Int64(bytes.count)
        guard let size, written <= size else { throw .lengthMismatch(expected: size ?? 0, actual: written) }
        output.append(contentsOf: bytes)
    }

    /// Ends the file begun; nothing is to be ended after other members.
    ///
    /// - Throws: `StoreError.lengthMismatch` when bytes are missing.
    package mutating func endMember(to output: inout [UInt8]) throws(StoreError) {
        guard let size else { return }
        guard written == size else { throw .lengthMismatch(expected: size, actual: written) }
        Self.pad(size, &output)
        (self.size, written) = (nil, 0)
    }

    /// Ends the archive.
    package func finish(to output: inout [UInt8]) {
        precondition(size == nil, "the last file was ended")
        output.append(contentsOf: repeatElement(0, count: 2 * TarHeader.byteCount))
    }

    private static func pad(_ size: Int64, _ output: inout [UInt8]) {
        output.append(contentsOf: repeatElement(0, count: Int(-size & Int64(TarHeader.byteCount - 1))))
    }

    private static func header(of member: TarMember) throws(StoreError) -> TarHeader {
        var header = TarHeader(name: try checked(member.name, "name"), type: UInt8(ascii: "0"))
        header.mode = member.mode
        switch member.content {
        case .folder:
            header.type = UInt8(ascii: "5")
            if header.name.last != UInt8(ascii: "/") { header.name.append(UInt8(ascii: "/")) }
        case .file(let size):
            guard size >= 0 else { throw .malformed("a tar member's size is negative") }
            header.size = size
        case .symbolicLink(let target):
            header.type = UInt8(ascii: "2")
            header.link = try checked(target, "target")
        case .hardLink(let target):
            header.type = UInt8(ascii: "1")
            header.link = try checked(target, "target")
        case .other:
            throw .malformed("tar members of other kinds are not written")
        }
        return header
    }

    private static func checked(_ text: String, _ what: String) throws(StoreError) -> [UInt8] {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty, !bytes.contains(0) else {
            throw .malformed("a tar member's \(what) is empty or has a NUL")
        }
        return bytes
    }
}
