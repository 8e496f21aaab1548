import Glibc

/// What a zip archive says about an entry: before its contents, behind them, and in the central directory.
struct ZipRecord {
    static let versionOfZip64: UInt16 = 45
    /// Unix, and the version of the specification.
    static let madeBy: UInt16 = 3 << 8 | 63
    private static let zip64Field: UInt16 = 1

    let name: [UInt8]
    let time: ZipTime
    /// Unix mode and MS-DOS attributes.
    var attributes: UInt32 = 0
    var offset: Int64 = 0
    /// Deflated, sizes and checksum behind the contents; or stored, and all is known from the start.
    var isDeflated = false
    /// Its sizes have 8 bytes everywhere, whether they need them or not.
    var isZip64 = false
    var checksum: UInt32 = 0
    var compressedSize: Int64 = 0
    var size: Int64 = 0

    init(name: [UInt8], time: ZipTime) {
        self.name = name
        self.time = time
    }

    func writeLocalHeader(to output: inout [UInt8]) {
        output.appendLittleEndian(0x0403_4b50 as UInt32)
        writeCommonFields(to: &output, isZip64: isZip64)
        output.appendLittleEndian(UInt16(name.count))
        output.appendLittleEndian(isZip64 ? 20 : 0 as UInt16)
        output += name
        guard isZip64 else { return }
        output.appendLittleEndian(Self.zip64Field)
        output.appendLittleEndian(16 as UInt16)
        output.appendLittleEndian(size)
        output.appendLittleEndian(compressedSize)
    }

    func writeDataDescriptor(to output: inout [UInt8]) {
        output.appendLittleEndian(0x0807_4b50 as UInt32)
        output.appendLittleEndian(checksum)
        if isZip64 {
            output.appendLittleEndian(compressedSize)
            output.appendLittleEndian(size)
        } else {
            output.appendLittleEndian(UInt32(compressedSize))
            output.appendLittleEndian(UInt32(size))
        }
    }

    /// `sizeLimit`: From there on an offset has 8 bytes.
    func writeDirectoryEntry(to output: inout [UInt8], sizeLimit: Int64) {
        // The order of these is fixed.
        let isFar = offset >= sizeLimit
        let wide = (isZip64 ? [size, compressedSize] : []) + (isFar ? [offset] : [])
        output.appendLittleEndian(0x0201_4b50 as UInt32)
        output.appendLittleEndian(Self.madeBy)
        writeCommonFields(to: &output, isZip64: isZip64, isFar: isFar)
        output.appendLittleEndian(UInt16(name.count))
        output.appendLittleEndian(UInt16(wide.isEmpty ? 0 : 4 + 8 * wide.count))
        output.append(contentsOf: repeatElement(0, count: 6))  // No comment, disk 0, no internal attributes.
        output.appendLittleEndian(attributes)
        output.appendLittleEndian(isFar ? .max : UInt32(offset))
        output += name
        guard !wide.isEmpty else { return }
        output.appendLittleEndian(Self.zip64Field)
        output.appendLittleEndian(UInt16(8 * wide.count))
        for number in wide { output.appendLittleEndian(number) }
    }

    /// From the version needed to the sizes: the same in the local header and in the directory.
    private func writeCommonFields(to output: inout [UInt8], isZip64: Bool, isFar: Bool = false) {
        output.appendLittleEndian(isZip64 || isFar ? Self.versionOfZip64 : 20)
        output.appendLittleEndian((isDeflated ? 1 << 3 : 0) | 1 << 11 as UInt16)
        output.appendLittleEndian(isDeflated ? 8 : 0 as UInt16)
        output.appendLittleEndian(time.time)
        output.appendLittleEndian(time.date)
        output.appendLittleEndian(checksum)
        output.appendLittleEndian(isZip64 ? .max : UInt32(compressedSize))
        output.appendLittleEndian(isZip64 ? .max : UInt32(size))
    }
}

/// A time as MS-DOS has it: two seconds are the smallest step, 1980 the first year and 2107 the last.
struct ZipTime {
    var time: UInt16 = 0
    var date: UInt16 = 1 << 5 | 1

    /// `nanoseconds`: Since 1970, nil for 1980-01-01.
    init(_ nanoseconds: Int64?) {
        guard let nanoseconds else { return }
        // From 1980-01-01 00:00:00 to 2107-12-31 23:59:58.
        var seconds = time_t(min(max(nanoseconds / TarTime.nanosecondsPerSecond, 315_532_800), 4_354_819_198))
        var parts = tm()
        gmtime_r(&seconds, &parts)
        time = UInt16(parts.tm_hour << 11 | parts.tm_min << 5 | parts.tm_sec / 2)
        date = UInt16((parts.tm_year - 80) << 9 | (parts.tm_mon + 1) << 5 | parts.tm_mday)
    }
}
