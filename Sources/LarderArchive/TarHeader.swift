import LarderCore

/// A header block of a tar archive: 512 bytes of fixed fields, as POSIX (pax, "ustar Interchange Format") has them.
///
/// Beyond that it knows GNU's base-256 numbers.
struct TarHeader {
    static let byteCount = 512

    private enum Field {
        static let name = 0..<100
        static let mode = 100..<108
        static let user = 108..<116
        static let group = 116..<124
        static let size = 124..<136
        static let modified = 136..<148
        static let checksum = 148..<156
        static let type = 156
        static let link = 157..<257
        static let magic = 257..<265
        static let deviceMajor = 329..<337
        static let deviceMinor = 337..<345
        static let prefix = 345..<500
    }

    private static let posixMagic = Array("ustar\u{0}00".utf8)
    private static let slash = UInt8(ascii: "/")

    /// Bytes, because a name that no reader shall see may be anything.
    var name: [UInt8]
    var mode: UInt16 = 0o644
    /// Seconds since 1970.
    var modified: Int64 = 0
    var size: Int64 = 0
    var type: UInt8
    var link: [UInt8] = []

    init(name: [UInt8], type: UInt8) {
        self.name = name
        self.type = type
    }

    // MARK: - Reading

    /// Reads a block of 512 bytes; nil when it is all zeros.
    init?(_ block: [UInt8]) throws(StoreError) {
        precondition(block.count == Self.byteCount)
        let (sum, signedSum) = Self.sums(block)
        // The field itself counts as eight spaces.
        guard sum != 8 * 0x20 || block.contains(where: { $0 != 0 }) else { return nil }
        let wanted = try Self.number(block[Field.checksum], "checksum")
        guard wanted == sum || wanted == signedSum else {
            throw .invalidContent("tar: a header's checksum is wrong")
        }
        let mode = try Self.number(block[Field.mode], "mode")
        size = try Self.number(block[Field.size], "size")
        guard mode >= 0, size >= 0 else { throw .invalidContent("tar: a negative mode or size") }
        self.mode = UInt16(mode & 0o7777)
        modified = try Self.number(block[Field.modified], "time")
        type = block[Field.type]
        link = Self.text(block[Field.link])
        name = Self.text(block[Field.name])
        if block[Field.magic].elementsEqual(Self.posixMagic) {
            let prefix = Self.text(block[Field.prefix])
            if !prefix.isEmpty { name = prefix + [Self.slash] + name }
        }
    }

    /// The sum of all bytes, the checksum's own taken as spaces; the second as some old programs did it, signed.
    private static func sums(_ block: [UInt8]) -> (Int64, Int64) {
        var (sum, highCount) = (8 * 0x20, 0)
        for part in [block[..<Field.checksum.lowerBound], block[Field.checksum.upperBound...]] {
            for byte in part {
                sum += Int(byte)
                highCount += Int(byte >> 7)
            }
        }
        return (Int64(sum), Int64(sum - 256 * highCount))
    }

    private static func text(_ field: ArraySlice<UInt8>) -> [UInt8] { Array(field.prefix { $0 != 0 }) }

    /// Octal digits among spaces and NULs, or (when the first bit is set) a number in two's complement.
    private static func number(_ field: ArraySlice<UInt8>, _ what: String) throws(StoreError) -> Int64 {
        if let first = field.first, first & 0x80 != 0 {
            var value: Int64 = first & 0x40 == 0 ? 0 : -1
            for (index, byte) in field.enumerated() {
                guard (Int64.min >> 8...Int64.max >> 8).contains(value) else {
                    throw .invalidContent("tar: a header's \(what) is too large")
                }
                let isMarked = index == 0 && first & 0x40 == 0
                value = value << 8 | Int64(isMarked ? byte & 0x7f : byte)
            }
            return value
        }
        let isFiller = { (byte: UInt8) in byte == 0 || byte == 0x20 }
        let digits = field.drop(while: isFiller).prefix { !isFiller($0) }
        guard digits.allSatisfy({ (0x30...0x37).contains($0) }), field[digits.endIndex...].allSatisfy(isFiller) else {
            throw .invalidContent("tar: a header's \(what) is no number")
        }
        return digits.reduce(0) { $0 << 3 | Int64($1 & 7) }
    }

    // MARK: - Writing

    /// Name and prefix that together say `name`; nil when it doesn't fit or isn't ASCII.
    static func split(_ name: [UInt8]) -> (prefix: ArraySlice<UInt8>, name: ArraySlice<UInt8>)? {
        guard isPortable(name) else { return nil }
        if name.count <= Field.name.count { return ([], name[...]) }
        // The first slash whose right side fits leaves the shortest prefix. Neither side may be empty.
        let start = name.count - Field.name.count - 1
        guard let cut = name[start...].firstIndex(of: slash), cut > 0, cut <= Field.prefix.count, cut + 1 < name.count
        else { return nil }
        return (name[..<cut], name[(cut + 1)...])
    }

    /// Whether a link's target can stand in a header.
    static func fits(link: [UInt8]) -> Bool { link.count <= Field.link.count && isPortable(link) }

    /// Whether seconds since 1970 can stand in a header.
    static func fits(modified: Int64) -> Bool { fitsOctal(modified, Field.modified) }

    /// Whether a size can stand in a header as all programs read it: below 8 GiB.
    static func fits(size: Int64) -> Bool { fitsOctal(size, Field.size) }

    private static func isPortable(_ name: [UInt8]) -> Bool { name.allSatisfy { $0 < 0x80 } }

    private static func fitsOctal(_ value: Int64, _ field: Range<Int>) -> Bool {
        value >= 0 && value >> Int64(3 * (field.count - 1)) == 0
    }

    /// The block's 512 bytes, owner and group 0 without names.
    ///
    /// What doesn't fit is said as well as it can be (a cut name, a size in base 256); a PAX header says it in full.
    func write(to output: inout [UInt8]) {
        var block = [UInt8](repeating: 0, count: Self.byteCount)
        let (prefix, name) = Self.split(name) ?? ([], Self.portablePrefix(self.name))
        block.replaceSubrange(Field.prefix.lowerBound..<Field.prefix.lowerBound + prefix.count, with: prefix)
        block.replaceSubrange(0..<name.count, with: name)
        let link = Self.portablePrefix(link)
        block.replaceSubrange(Field.link.lowerBound..<Field.link.lowerBound + link.count, with: link)
        Self.writeOctal(Int64(mode & 0o7777), to: &block, Field.mode)
        for field in [Field.user, Field.group, Field.deviceMajor, Field.deviceMinor] {
            Self.writeOctal(0, to: &block, field)
        }
        if Self.fits(size: size) {
            Self.writeOctal(size, to: &block, Field.size)
        } else {
            block[Field.size.lowerBound] = 0x80
            withUnsafeBytes(of: size.bigEndian) {
                block.replaceSubrange(Field.size.upperBound - 8..<Field.size.upperBound, with: $0)
            }
        }
        Self.writeOctal(Self.fits(modified: modified) ? modified : 0, to: &block, Field.modified)
        block[Field.type] = type
        block.replaceSubrange(Field.magic, with: Self.posixMagic)
        // Six digits, a NUL and a space.
        Self.writeOctal(Self.sums(block).0, to: &block, Field.checksum.dropLast())
        block[Field.checksum.upperBound - 1] = 0x20
        output.append(contentsOf: block)
    }

    private static func portablePrefix(_ name: [UInt8]) -> ArraySlice<UInt8> {
        name.prefix(Field.name.count).map { $0 < 0x80 ? $0 : UInt8(ascii: "?") }[...]
    }

    /// Digits to fill the field but for the NUL at its end.
    private static func writeOctal(_ value: Int64, to block: inout [UInt8], _ field: Range<Int>) {
        var rest = value
        for index in field.dropLast().reversed() {
            block[index] = 0x30 | UInt8(rest & 7)
            rest >>= 3
        }
    }
}
