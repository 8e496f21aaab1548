import LarderCore
import LarderTestSupport
import Testing

/// An encoded tree, put together byte by byte as no program does.
private struct TreeText {
    var bytes = Array("larder.tree.1\n".utf8)

    /// A number in groups of seven bits.
    func adding(_ number: UInt64) -> TreeText {
        var (result, rest) = (self, number)
        while rest > 0x7f {
            result.bytes.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        result.bytes.append(UInt8(rest))
        return result
    }

    func adding(_ text: String) -> TreeText { adding(UInt64(text.utf8.count)).adding(raw: Array(text.utf8)) }

    func adding(raw: [UInt8]) -> TreeText {
        var result = self
        result.bytes += raw
        return result
    }

    /// The start of an entry up to its time, which is 1970.
    func entry(
        _ kind: UInt8 = 0,
        root: UInt64 = 0,
        sharing shared: UInt64 = 0,
        _ path: String = "",
        mode: UInt64 = 0o644
    ) -> TreeText {
        adding(raw: [kind]).adding(root).adding(shared).adding(path).adding(mode).adding(0)
    }

    /// A tree of one root, up to its first entry.
    static func begin(entryCount: UInt64) -> TreeText {
        TreeText().adding(1).adding("r").adding(entryCount)
    }
}

/// What is read as a tree is one: whatever else comes is refused, in little time and memory.
@Suite struct FileTreeDecodingTests {
    /// Why bytes are no tree; nil when they are one.
    private static func refusal(of bytes: [UInt8]) -> String? {
        do {
            _ = try FileTree(encoded: bytes)
            return nil
        } catch {
            if case .invalidContent(let why) = error { return why }
            return "it is refused otherwise: \(error)"
        }
    }

    @Test func whatIsPutTogetherRightIsATree() throws {
        let long = String(repeating: "p", count: 4090)
        let bytes = TreeText.begin(entryCount: 6).entry(0).entry(0, "a").entry(1, sharing: 1, "/b", mode: 0o4755)
            .adding(3).adding(raw: IncrementalHasher.digest(of: Array("abc".utf8)).bytes)
            .entry(2, sharing: 2, "c").adding("target").entry(3, sharing: 0, "b").adding(2)
            .entry(0, sharing: 1, long).bytes
        let expected: [FileTree.Entry] = [
            .folder("", mode: 0o644), .folder("a", mode: 0o644), .file("a/b", "abc", mode: 0o4755),
            FileTree.Entry(root: 0, path: "a/c", mode: 0o644, modified: 0, content: .symbolicLink(target: "target")),
            .hardLink("b", to: 2), .folder("b\(long)", mode: 0o644),
        ]
        #expect(try FileTree(encoded: bytes) == FileTree(roots: ["r"], entries: expected))
    }

    private static let brokenTexts: [(what: String, bytes: [UInt8], says: String)] = {
        let (one, two) = (TreeText.begin(entryCount: 1), TreeText.begin(entryCount: 2))
        let tooMuch: [UInt8] = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80]
        let hash = [UInt8](repeating: 0, count: 32)
        let long = String(repeating: "p", count: 4000)
        return [
            ("nothing", [], "ends too early"),
            ("another magic", Array("larder.tree.2\n".utf8) + [0, 0], "this is no tree"),
            ("text", Array("{\"roots\":[],\"entries\":[]}".utf8), "this is no tree"),
            ("1001 roots", TreeText().adding(1001).bytes, "too large"),
            ("2^64 - 1 roots", TreeText().adding(.max).bytes, "too large"),
            ("a root of 4097 bytes", TreeText().adding(1).adding(long + long).bytes, "too large"),
            ("a root that is no text", TreeText().adding(1).adding(1).adding(raw: [0xff]).bytes, "not UTF-8"),
            (
                "a root of surrogates", TreeText().adding(1).adding(3).adding(raw: [0xed, 0xa0, 0x80]).bytes,
                "not UTF-8"
            ),
            ("a root of nothing", TreeText().adding(1).adding("").adding(0).bytes, "root has no path"),
            ("a million entries and one", TreeText.begin(entryCount: 1_000_001).bytes, "too large"),
            ("2^64 - 1 entries", TreeText.begin(entryCount: .max).bytes, "too large"),
            ("ten bytes of a number", TreeText().adding(raw: tooMuch + [2]).bytes, "too large"),
            ("eleven bytes of a number", TreeText().adding(raw: tooMuch + [0x81, 0]).bytes, "too large"),
            ("an entry of kind 4", one.entry(4).bytes, "no known kind"),
            ("an entry of kind 255", one.entry(255).bytes, "no known kind"),
            ("an entry of the second root", one.entry(root: 1).bytes, "in no root"),
            ("an entry far behind the roots", one.entry(root: 1001).bytes, "too large"),
            ("a path that shares what was not", one.entry(sharing: 1).bytes, "too large"),
            (
                "a path that shares more",
                TreeText.begin(entryCount: 3).entry().entry(0, "a").entry(sharing: 2).bytes, "too large"
            ),
            ("a path that is no text", one.adding(raw: [0, 0, 0, 1, 0xc3, 0, 0]).bytes, "not UTF-8"),
            (
                "half a letter that is shared",
                TreeText.begin(entryCount: 3).entry().entry(0, "é").entry(sharing: 1).bytes, "not UTF-8"
            ),
            ("a long path", two.entry().entry(0, long + long).bytes, "too large"),
            (
                "a long path in two parts",
                TreeText.begin(entryCount: 3).entry().entry(0, long).entry(sharing: 4000, long).bytes, "too long"
            ),
            ("a path that leads out", two.entry().entry(0, "..").bytes, "leaves its root"),
            ("a mode of five digits", one.entry(mode: 0o10000).bytes, "too large"),
            ("a file of 2^63 bytes", one.entry(1).adding(1 << 63).adding(raw: hash).bytes, "no valid size"),
            ("a target that is no text", one.entry(2).adding(1).adding(raw: [0xff]).bytes, "not UTF-8"),
            ("a long target", one.entry(2).adding(long + long).bytes, "too large"),
            ("a hard link to itself", two.entry().entry(3, "a").adding(0).bytes, "another name of what is no file"),
            ("a hard link to before all", two.entry().entry(3, "a").adding(2).bytes, "another name of what is no file"),
            ("a hard link to far before", two.entry().entry(3, "a").adding(.max).bytes, "too large"),
            ("a byte behind the end", one.entry().adding(raw: [0]).bytes, "bytes behind its end"),
            ("a whole entry behind the end", one.entry().entry(0, "a").bytes, "bytes behind its end"),
        ]
    }()

    @Test(arguments: brokenTexts.indices)
    func brokenTextsAreRefused(index: Int) {
        let (what, bytes, says) = Self.brokenTexts[index]
        let refusal = Self.refusal(of: bytes)
        #expect(refusal?.contains(says) == true, "\(what): \(refusal ?? "it is taken")")
    }

    @Test func aTreeHasAtMost128MiB() {
        let bytes = [UInt8](repeating: 0, count: (128 << 20) + 1)
        #expect(throws: StoreError.tooLarge(limit: .mebibytes(128))) { try FileTree(encoded: bytes) }
    }

    /// Each is refused at once: room for what is only announced would be gigabytes.
    @Test func whatIsAnnouncedFalselyCostsNothing() {
        let texts = [
            TreeText.begin(entryCount: 1_000_000), TreeText.begin(entryCount: 1_000_000).entry(),
            TreeText().adding(1000),
        ]
        for _ in 0..<1000 {
            for text in texts { #expect(Self.refusal(of: text.bytes) == "the tree ends too early") }
        }
    }

    @Test func everyTreeThatIsCutShortIsRefused() throws {
        let seed = testSeed()
        var trees = RandomTrees(seed: seed)
        let encoded = [bytes(ofHex: sampleTree.encoded)] + (try (0..<5).map { _ in try trees.next().encoded() })
        for bytes in encoded {
            for length in 0..<bytes.count {
                let refusal = Self.refusal(of: Array(bytes.prefix(length)))
                #expect(refusal == "the tree ends too early", "\(length) bytes, LARDER_TEST_SEED=\(seed)")
            }
        }
    }

    /// What can be read of damaged bytes is a tree like any other: it is valid, and survives being written.
    @Test(arguments: 0..<4)
    func damagedBytesAreNoTreeOrAnother(run: Int) throws {
        let seed = testSeed() &+ UInt64(run)
        var trees = RandomTrees(seed: seed)
        var readCount = 0
        for round in 0..<5000 {
            var bytes = try trees.next(entryCountMax: 6).encoded()
            for _ in 0..<Int.random(in: 1...3, using: &trees.generator) { Self.damage(&bytes, &trees.generator) }
            guard let tree = try? FileTree(encoded: bytes) else { continue }
            readCount += 1
            let comment: Comment = "round \(round), LARDER_TEST_SEED=\(seed &- UInt64(run))"
            let written = tree.encoded()
            let again = try FileTree(encoded: written)
            try #require(again == tree && again.encoded() == written, comment)
            try #require(try FileTree(roots: tree.roots, entries: tree.entries) == again, comment)
        }
        // Times, modes and digests may be anything.
        #expect(readCount > 100)
    }

    private static func damage(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        let byte = UInt8.random(in: 0...255, using: &generator)
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: bytes[index] = byte
        case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2: bytes.insert(byte, at: index)
        case 3: bytes.remove(at: index)
        default:
            // A piece comes twice.
            let end = min(bytes.count, index + Int.random(in: 1...20, using: &generator))
            bytes.insert(contentsOf: bytes[index..<end], at: end)
        }
    }
}
