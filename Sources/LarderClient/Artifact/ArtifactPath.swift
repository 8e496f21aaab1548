/// Rules for the paths of files, folders and links in artifacts.
package enum ArtifactPath {
    /// In bytes (Linux: `PATH_MAX`).
    package static let lengthMax = 4096
    /// Of one part, in bytes (Linux: `NAME_MAX`).
    package static let partLengthMax = 255

    /// Whether a path is relative, goes down only, and can be one.
    package static func isSafe(_ path: String) -> Bool {
        guard !path.isEmpty, path.utf8.count <= lengthMax, !path.utf8.contains(0) else { return false }
        return path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { part in
            !part.isEmpty && part.count <= partLengthMax && !part.elementsEqual(".".utf8)
                && !part.elementsEqual("..".utf8)
        }
    }

    /// The path without `.` and empty parts; empty: the folder itself; nil: it is absolute or goes up.
    package static func normalized(_ path: String) -> String? {
        guard !path.hasBytePrefix("/") else { return nil }
        let parts = path.pathParts.filter { $0 != "." }
        return parts.contains("..") ? nil : parts.joined(separator: "/")
    }

    /// The folder that a path begins with; nil: there is none.
    package static func topFolder(_ path: String) -> String? {
        path.utf8.firstIndex(of: UInt8(ascii: "/")).map { String(path[..<$0]) }
    }

    /// The folders that a path lies in, the outermost first.
    package static func folders(of path: String) -> [String] {
        path.utf8.indices.filter { path.utf8[$0] == UInt8(ascii: "/") }.map { String(path[..<$0]) }
    }

    /// Bytewise, so that the order is the same everywhere.
    package static func precedes(_ first: String, _ second: String) -> Bool {
        first.utf8.lexicographicallyPrecedes(second.utf8)
    }

    /// The digits that stand for a mode.
    package static func text(ofMode mode: UInt16) -> String { String(mode & 0o777, radix: 8) }

    /// The permission bits that digits stand for; nil: they are none.
    package static func mode(_ text: String) -> UInt16? {
        guard (1...6).contains(text.utf8.count), let mode = UInt16(text, radix: 8) else { return nil }
        return mode & 0o777
    }
}
