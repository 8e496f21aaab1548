/// What the names of archive members mean as paths.
package enum ArchivePath {
    /// The parts of a member's name below the folder that the archive is unpacked into.
    ///
    /// `.` and empty parts (a slash at the end, two in a row) are dropped, so the folder itself (`./`) has no parts at
    /// all. A link that leads elsewhere is for the caller to look out for: this looks at nothing but the name.
    ///
    /// - Returns: nil for what names nothing there: an empty or absolute name, one with a `..` part or a NUL.
    package static func components(_ name: String) -> [String]? {
        let bytes = name.utf8
        guard let first = bytes.first, first != UInt8(ascii: "/"), !bytes.contains(0) else { return nil }
        let parts = bytes.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }.filter { $0 != "." }
        return parts.contains("..") ? nil : parts
    }
}
