/// The hash functions that name blobs.
package enum DigestAlgorithm: UInt8, Sendable, CaseIterable {
    case sha256 = 1
    case sha512 = 2

    /// Length of a digest in bytes.
    package var byteCount: Int {
        switch self {
        case .sha256: 32
        case .sha512: 64
        }
    }

    /// The registered name, as it stands before the colon of a written digest.
    package var name: String {
        switch self {
        case .sha256: "sha256"
        case .sha512: "sha512"
        }
    }
}

/// The name of a blob: an algorithm and the hash of the blob's bytes.
///
/// The hash is held in place, as big-endian words, so a digest is a plain value that costs no allocation: it is parsed,
/// compared and hashed for every request. Words past the algorithm's length are zero.
package struct Digest: Sendable {
    /// Aligned as its elements are: a vector's 64 bytes were too much for the frames of asynchronous functions.
    private typealias Words = InlineArray<8, UInt64>

    package let algorithm: DigestAlgorithm
    private let words: Words

    /// Makes a digest of raw hash bytes; nil when their number is not the algorithm's.
    package init?(_ algorithm: DigestAlgorithm, bytes: some Collection<UInt8>) {
        guard bytes.count == algorithm.byteCount else { return nil }
        var words = Words(repeating: 0)
        for (index, byte) in bytes.enumerated() {
            words[index >> 3] |= UInt64(byte) << UInt64(56 - (index & 7) * 8)
        }
        self.algorithm = algorithm
        self.words = words
    }

    /// Makes a digest of lowercase hexadecimal digits; nil for anything else, uppercase included.
    ///
    /// Build caches and registries compare names byte by byte, so two spellings of one digest are not accepted.
    package init?(_ algorithm: DigestAlgorithm, hex: some Collection<UInt8>) {
        // Texts are contiguous in practice, and a walk over a buffer is ten times faster than one over string indices.
        let words =
            hex.withContiguousStorageIfAvailable { Self.words($0, of: algorithm) }
            ?? Array(hex).withUnsafeBufferPointer { Self.words($0, of: algorithm) }
        guard let words else { return nil }
        self.algorithm = algorithm
        self.words = words
    }

    /// The same for a part of a text, without the detour through a generic collection: it is done for every request.
    package init?(_ algorithm: DigestAlgorithm, hex: Substring) {
        var hex = hex
        guard let words = hex.withUTF8({ Self.words($0, of: algorithm) }) else { return nil }
        self.algorithm = algorithm
        self.words = words
    }

    private static func words(_ hex: UnsafeBufferPointer<UInt8>, of algorithm: DigestAlgorithm) -> Words? {
        guard hex.count == algorithm.byteCount * 2 else { return nil }
        var words = Words(repeating: 0)
        for word in 0..<(hex.count / 16) {
            var value: UInt64 = 0
            for position in (word * 16)..<(word * 16 + 16) {
                let character = hex[position]
                let nibble: UInt8
                switch character {
                case 0x30...0x39: nibble = character &- 0x30
                case 0x61...0x66: nibble = character &- 0x57
                default: return nil
                }
                value = value << 4 | UInt64(nibble)
            }
            words[word] = value
        }
        return words
    }

    /// Parses `sha256:<hex>` or `sha512:<hex>` (OCI image specification, "Digests").
    package init?(_ text: String) {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let name = text[..<colon]
        guard let algorithm = DigestAlgorithm.allCases.first(where: { $0.name == name }) else { return nil }
        self.init(algorithm, hex: text.utf8[text.utf8.index(after: colon)...])
    }

    /// The SHA-256 of no bytes: a blob that every cache protocol takes as always present.
    package static let emptySHA256 = IncrementalHasher.digest(of: [UInt8]())

    /// The raw hash, `algorithm.byteCount` bytes.
    package var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: algorithm.byteCount) { buffer, count in
            for index in 0..<algorithm.byteCount {
                buffer[index] = UInt8(truncatingIfNeeded: words[index >> 3] >> UInt64(56 - (index & 7) * 8))
            }
            count = algorithm.byteCount
        }
    }

    /// The hash in lowercase hexadecimal.
    package var hex: String {
        String(unsafeUninitializedCapacity: algorithm.byteCount * 2) { writeHex(to: .init($0)) }
    }

    /// Writes the hash in lowercase hexadecimal to the start of a buffer that is long enough; returns the length.
    @discardableResult
    package func writeHex(to buffer: UnsafeMutableRawBufferPointer) -> Int {
        let digits: StaticString = "0123456789abcdef"
        let length = algorithm.byteCount * 2
        precondition(buffer.count >= length, "a digest needs \(length) bytes in hexadecimal")
        for word in 0..<(length / 16) {
            var value = words[word]
            for position in stride(from: word * 16 + 15, through: word * 16, by: -1) {
                buffer[position] = digits.utf8Start[Int(value & 0xf)]
                value >>= 4
            }
        }
        return length
    }
}

extension Digest: Hashable {
    package static func == (left: Digest, right: Digest) -> Bool {
        guard left.algorithm == right.algorithm else { return false }
        for index in left.words.indices where left.words[index] != right.words[index] {
            return false
        }
        return true
    }

    /// One word of a cryptographic hash is random enough for a hash table.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(words[0])
    }
}

extension Digest: CustomStringConvertible {
    package var description: String { "\(algorithm.name):\(hex)" }
}
