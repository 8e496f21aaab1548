/// A member of a tar archive.
package struct TarMember: Hashable, Sendable {
    package enum Content: Hashable, Sendable {
        case folder
        /// `size`: Bytes that follow.
        case file(size: Int64)
        case symbolicLink(target: String)
        /// `target`: The name of an earlier member.
        case hardLink(target: String)
        /// Devices, pipes and what else the reader passes on unjudged; never written.
        case other(type: UInt8, size: Int64)
    }

    /// As it stands in the archive, whatever it says (see `ArchivePath`); a folder's ends in a slash or doesn't.
    package var name: String
    /// Permission bits, 0…0o7777.
    package var mode: UInt16
    /// When it was modified, in nanoseconds since 1970; may be negative.
    package var modified: Int64
    package var content: Content

    package init(name: String, mode: UInt16, modified: Int64 = 0, content: Content) {
        self.name = name
        self.mode = mode
        self.modified = modified
        self.content = content
    }

    /// Bytes of contents that follow the header.
    package var size: Int64 {
        switch content {
        case .file(let size), .other(_, let size): size
        case .folder, .symbolicLink, .hardLink: 0
        }
    }
}
