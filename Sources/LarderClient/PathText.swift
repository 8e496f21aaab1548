extension String {
    /// The parts of a path, byte by byte: to `String` a slash before a combining mark is no slash.
    var pathParts: [String] {
        utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
    }

    /// Whether the bytes begin with those of another text.
    func hasBytePrefix(_ prefix: String) -> Bool { utf8.starts(with: prefix.utf8) }
}
