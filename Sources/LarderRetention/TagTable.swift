import LarderCore

/// The names of all tags in one piece of memory: patterns are held against millions of them, and a `String` each time costs
/// more than the comparison.
struct TagTable: Sendable {
    private var bytes: [UInt8] = []
    /// Where each tag ends; it begins where the one before ends.
    private var ends: [Int] = [0]
    /// The first tag of each item, and behind the last item the number of all.
    private var firsts: [Int] = [0]

    init(_ items: [RetentionItem]) {
        for item in items {
            for tag in item.tags {
                bytes.append(contentsOf: tag.name.utf8)
                ends.append(bytes.count)
            }
            firsts.append(ends.count - 1)
        }
        // So that the memory has an address.
        if bytes.isEmpty { bytes = [0] }
    }

    /// Hands out the tags of items for the duration of a call.
    func withTags<Value>(_ body: (TagReader) -> Value) -> Value {
        bytes.withUnsafeBufferPointer { bytes in
            ends.withUnsafeBufferPointer { ends in
                firsts.withUnsafeBufferPointer { body(TagReader(bytes: bytes, ends: ends, firsts: $0)) }
            }
        }
    }
}

/// The tags of a table; valid only during `withTags`.
struct TagReader {
    fileprivate let bytes: UnsafeBufferPointer<UInt8>
    fileprivate let ends: UnsafeBufferPointer<Int>
    fileprivate let firsts: UnsafeBufferPointer<Int>

    func tags(of item: Int) -> TagNames { TagNames(reader: self, range: firsts[item]..<firsts[item + 1]) }
}

/// The tags of one item, by name.
struct TagNames {
    fileprivate let reader: TagReader
    let range: Range<Int>

    var isEmpty: Bool { range.isEmpty }

    /// The bytes of a tag, by its place among all.
    subscript(place: Int) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: reader.bytes[reader.ends[place]..<reader.ends[place + 1]])
    }

    func contains(_ isWanted: (UnsafeBufferPointer<UInt8>) -> Bool) -> Bool {
        for place in range where isWanted(self[place]) { return true }
        return false
    }

    /// What a closure makes of the tags; nil is left out.
    func compactMap<Value>(_ convert: (UnsafeBufferPointer<UInt8>) -> Value?) -> [Value] {
        var result: [Value] = []
        for place in range {
            if let value = convert(self[place]) { result.append(value) }
        }
        return result
    }
}
