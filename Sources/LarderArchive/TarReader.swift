package import LarderCore

/// Reads a tar archive piece by piece: ustar, PAX (path, linkpath, size, mtime) and GNU (long names, base-256 numbers).
///
/// It holds what belongs to one header (at most 1 MiB for each part of it), never contents. Names are handed on as they
/// stand: `ArchivePath` says where one leads. Sparse files and archives over several volumes are refused; global PAX
/// headers are passed over.
package struct TarReader: Sendable {
    package enum Event {
        case member(TarMember)
        /// The next contents of the member; valid during the call.
        case contents(UnsafeRawBufferPointer)
        case endOfMember
        case endOfArchive
    }

    /// Contents of a PAX header or a GNU long name.
    package static let extendedHeaderSizeLimit = ByteCount.mebibytes(1)
    /// Sizes are added to and padded without looking.
    private static let memberByteCountMax = Int64.max - 4096

    private enum State {
        case header(isAfterZeros: Bool)
        case contents(Int64, padding: Int64)
        case extended(UInt8, Int64, padding: Int64)
        case skipping(Int64)
        case ended
        case failed(any Error)
    }

    private var state = State.header(isAfterZeros: false)
    /// The part of a header that came so far.
    private var collected: [UInt8] = []
    private var pax: PaxRecords?
    private var gnuName: [UInt8]?
    private var gnuLink: [UInt8]?

    package init() {}

    /// Takes the next bytes of the archive and tells what they hold.
    ///
    /// `handle`: Called for each event, in order. What follows the end of the archive is passed over.
    ///
    /// Costs next to nothing for contents, which are handed on where they lie, and about 1 µs for a header.
    ///
    /// - Throws: `StoreError.invalidContent` for what is damaged or can't be read, `.tooLarge` for an extended header
    ///   over 1 MiB, or what `handle` throws. A reader that threw throws the same from then on.
    package mutating func feed(_ bytes: UnsafeRawBufferPointer, _ handle: (Event) throws -> Void) throws {
        var rest = bytes[...]
        do {
            while !rest.isEmpty { try step(&rest, handle) }
        } catch {
            state = .failed(error)
            throw error
        }
    }

    /// Says that no more bytes come.
    ///
    /// - Throws: `StoreError.invalidContent` when the archive breaks off here: its end is two blocks of zeros.
    package func finish() throws {
        switch state {
        case .ended: return
        case .failed(let error): throw error
        case .header, .contents, .extended, .skipping:
            throw StoreError.invalidContent("tar: the archive breaks off")
        }
    }

    private mutating func step(
        _ rest: inout Slice<UnsafeRawBufferPointer>,
        _ handle: (Event) throws -> Void
    ) throws {
        switch state {
        case .header(let isAfterZeros):
            guard collect(TarHeader.byteCount, &rest) else { return }
            let block = take()
            if let header = try TarHeader(block) {
                guard !isAfterZeros else { throw StoreError.invalidContent("tar: a lone block of zeros") }
                try begin(header, handle)
            } else {
                guard pax == nil, gnuName == nil, gnuLink == nil else {
                    throw StoreError.invalidContent("tar: no member follows an extended header")
                }
                state = isAfterZeros ? .ended : .header(isAfterZeros: true)
                if isAfterZeros { try handle(.endOfArchive) }
            }
        case .contents(let size, let padding):
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Int(clamping: size)))
            rest = rest.dropFirst(piece.count)
            let left = size - Int64(piece.count)
            state = .contents(left, padding: padding)
            try handle(.contents(piece))
            if left == 0 { try end(padding, handle) }
        case .extended(let type, let size, let padding):
            guard collect(Int(size), &rest) else { return }
            try apply(take(), type)
            skip(padding)
        case .skipping(let size):
            let count = min(size, Int64(rest.count))
            rest = rest.dropFirst(Int(count))
            skip(size - count)
        case .ended:
            rest = rest.suffix(0)
        case .failed(let error):
            throw error
        }
    }

    /// Moves bytes to `collected` until there are so many; false when more must come.
    private mutating func collect(_ count: Int, _ rest: inout Slice<UnsafeRawBufferPointer>) -> Bool {
        let part = rest.prefix(count - collected.count)
        collected.append(contentsOf: UnsafeRawBufferPointer(rebasing: part))
        rest = rest.dropFirst(part.count)
        return collected.count == count
    }

    private mutating func take() -> [UInt8] {
        defer { collected = [] }
        return collected
    }

    private mutating func skip(_ size: Int64) {
        state = size > 0 ? .skipping(size) : .header(isAfterZeros: false)
    }

    private mutating func end(_ padding: Int64, _ handle: (Event) throws -> Void) throws {
        skip(padding)
        try handle(.endOfMember)
    }

    // MARK: - Headers

    private mutating func begin(_ header: TarHeader, _ handle: (Event) throws -> Void) throws {
        guard header.size <= Self.memberByteCountMax else {
            throw StoreError.invalidContent("tar: a member's size is beyond all bounds")
        }
        switch header.type {
        case UInt8(ascii: "x"), UInt8(ascii: "L"), UInt8(ascii: "K"):
            guard header.size <= Self.extendedHeaderSizeLimit.bytes else {
                throw StoreError.tooLarge(limit: Self.extendedHeaderSizeLimit)
            }
            guard header.size > 0 else { return try apply([], header.type) }
            state = .extended(header.type, header.size, padding: Self.padding(header.size))
        case UInt8(ascii: "g"):
            skip(header.size + Self.padding(header.size))
        case UInt8(ascii: "S"):
            throw StoreError.invalidContent("tar: sparse files can't be read; make the archive without --sparse")
        case UInt8(ascii: "M"):
            throw StoreError.invalidContent("tar: archives over several volumes can't be read")
        default:
            let member = try member(header)
            (pax, gnuName, gnuLink) = (nil, nil, nil)
            guard member.size <= Self.memberByteCountMax else {
                throw StoreError.invalidContent("tar: a member's size is beyond all bounds")
            }
            state = .contents(member.size, padding: Self.padding(member.size))
            try handle(.member(member))
            if member.size == 0 { try end(0, handle) }
        }
    }

    private static func padding(_ size: Int64) -> Int64 { -size & Int64(TarHeader.byteCount - 1) }

    private mutating func apply(_ bytes: [UInt8], _ type: UInt8) throws(StoreError) {
        if type == UInt8(ascii: "x") {
            var records = pax ?? PaxRecords()
            try records.read(bytes)
            pax = records
            return
        }
        let name = bytes.prefix { $0 != 0 }
        guard bytes[name.endIndex...].allSatisfy({ $0 == 0 }) else { throw Self.nameWithNUL }
        if type == UInt8(ascii: "L") { gnuName = Array(name) } else { gnuLink = Array(name) }
    }

    private func member(_ header: TarHeader) throws(StoreError) -> TarMember {
        let name = try Self.text(pax?.path ?? gnuName ?? header.name)
        let link = pax?.linkPath ?? gnuLink ?? header.link
        let size = pax?.size ?? header.size
        let content: TarMember.Content
        switch header.type {
        case 0, UInt8(ascii: "0"), UInt8(ascii: "7"):
            // Programs from before POSIX mark a folder so.
            let isFolder = name.utf8.last == UInt8(ascii: "/")
            guard !isFolder || size == 0 else {
                throw .invalidContent("tar: \(name.prefix(200)) is a file with a folder's name")
            }
            content = isFolder ? .folder : .file(size: size)
        case UInt8(ascii: "1"): content = .hardLink(target: try Self.text(link))
        case UInt8(ascii: "2"): content = .symbolicLink(target: try Self.text(link))
        case UInt8(ascii: "5"): content = .folder
        // Devices and pipes; as for links and folders, nothing follows, whatever the size says.
        case UInt8(ascii: "3"), UInt8(ascii: "4"), UInt8(ascii: "6"): content = .other(type: header.type, size: 0)
        default: content = .other(type: header.type, size: size)
        }
        let modified = pax?.modified ?? TarTime.nanoseconds(header.modified)
        return TarMember(name: name, mode: header.mode, modified: modified, content: content)
    }

    private static let nameWithNUL = StoreError.invalidContent("tar: a name or a link's target has a NUL")

    private static func text(_ bytes: [UInt8]) throws(StoreError) -> String {
        guard !bytes.contains(0) else { throw nameWithNUL }
        guard !bytes.isEmpty, let text = String(validating: bytes, as: UTF8.self) else {
            throw .invalidContent("tar: a name or a link's target is empty or not UTF-8")
        }
        return text
    }
}
