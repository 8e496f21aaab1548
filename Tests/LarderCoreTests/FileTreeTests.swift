import LarderCore
import LarderTestSupport
import Testing

extension FileTree.Entry {
    static func folder(_ path: String, root: Int = 0, mode: UInt16 = 0o755, modified: Int64 = 0) -> Self {
        Self(root: root, path: path, mode: mode, modified: modified, content: .folder)
    }

    /// A file whose content is a text.
    static func file(
        _ path: String,
        _ text: String = "",
        root: Int = 0,
        mode: UInt16 = 0o644,
        modified: Int64 = 0
    ) -> Self {
        let digest = IncrementalHasher.digest(of: Array(text.utf8))
        return Self(
            root: root,
            path: path,
            mode: mode,
            modified: modified,
            content: .file(digest, size: Int64(text.utf8.count))
        )
    }

    /// A file of a size that no content has.
    static func file(_ path: String, size: Int64, root: Int = 0) -> Self {
        Self(root: root, path: path, mode: 0o644, modified: 0, content: .file(.emptySHA256, size: size))
    }

    static func link(_ path: String, to target: String, root: Int = 0, modified: Int64 = 0) -> Self {
        Self(root: root, path: path, mode: 0o777, modified: modified, content: .symbolicLink(target: target))
    }

    static func hardLink(_ path: String, to index: Int, root: Int = 0, modified: Int64 = 0) -> Self {
        Self(root: root, path: path, mode: 0o644, modified: modified, content: .hardLink(to: index))
    }
}

/// A tree of everything that there is, with bytes that were made from the description of the format by another program.
let sampleTree = (
    roots: ["node_modules", "~/.m2"],
    entries: [
        .folder("", modified: 1_700_000_000_000_000_000),
        .folder("a", mode: 0o2750, modified: 1_700_000_000_000_000_001),
        .file("a/abc", "abc", modified: -1),
        .link("a/b", to: "../ü"),
        .file("a.empty", mode: 0o400, modified: 1_700_000_000_000_000_000),
        .folder("", root: 1, mode: 0o700, modified: 1_700_000_000_000_000_000),
        .hardLink("abc", to: 2, root: 1, modified: -1),
    ] as [FileTree.Entry],
    encoded: """
    6c61726465722e747265652e310a020c6e6f64655f6d6f64756c6573057e2f2e6d320700000000ed038080d0e2c6bfce\
    972f0000000161e80b02010001042f616263a4038380d0e2c6bfce972f03ba7816bf8f01cfea414140de5dae2223b003\
    61a396177a9cb410ff61f20015ad0200020162ff0302052e2e2fc3bc010001062e656d70747980028080d0e2c6bfce97\
    2f00e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85500010000c0030003000003616263\
    a4038180d0e2c6bfce972f04
    """,
    contentDigest: "sha256:261b7df24b81d19f7a8bdda1ca7a4c705dcbcf960000857ef3ab509f761d79fb"
)

/// Trees with names of all alphabets, deep and wide, made from a seed.
struct RandomTrees {
    private static let alphabets: [[Character]] = [
        Array("abcxyz0189-_.+ "), Array("äöüßéñ"), Array("日本語テスト"), Array("😀🚀\u{1}\n\t\\\"'*?%"),
        Array("e\u{301}a\u{308}"),
    ]

    var generator: SeededGenerator
    private var entries: [FileTree.Entry] = []
    private var files: [Int] = []

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    /// `entryCountMax`: About so many entries at most in each root.
    mutating func next(entryCountMax: Int = 60) throws -> FileTree {
        (entries, files) = ([], [])
        let roots = (0..<Int.random(in: 0...3, using: &generator)).map { "root \($0)" }
        for root in roots.indices where Int.random(in: 0..<5, using: &generator) > 0 {
            var rest = Int.random(in: 1...entryCountMax, using: &generator)
            add("", to: root, depth: 0, isFolder: Int.random(in: 0..<10, using: &generator) > 0, &rest)
        }
        return try FileTree(roots: roots, entries: entries)
    }

    private mutating func add(_ path: String, to root: Int, depth: Int, isFolder: Bool, _ rest: inout Int) {
        rest -= 1
        let mode = UInt16.random(in: 0...0o7777, using: &generator)
        let modified = modified()
        let content: FileTree.Entry.Content = isFolder ? .folder : content()
        if case .file = content { files.append(entries.count) }
        entries.append(FileTree.Entry(root: root, path: path, mode: mode, modified: modified, content: content))
        guard isFolder else { return }
        for name in names(atMost: rest) {
            let child = path.isEmpty ? name : "\(path)/\(name)"
            guard rest > 0, child.utf8.count < 3000 else { return }
            let isFolder = depth < 200 && Int.random(in: 0..<3, using: &generator) == 0
            add(child, to: root, depth: depth + 1, isFolder: isFolder, &rest)
        }
    }

    /// Different names in the order of their bytes.
    private mutating func names(atMost limit: Int) -> [String] {
        var names: Set<[UInt8]> = []
        for _ in 0..<min(limit, Int.random(in: 0...8, using: &generator)) {
            let alphabet = Self.alphabets.randomElement(using: &generator) ?? []
            let length = [1, 2, 5, 40].randomElement(using: &generator) ?? 1
            let name = String((0..<length).map { _ in alphabet.randomElement(using: &generator) ?? "a" })
            if name != ".", name != ".." { names.insert(Array(name.utf8)) }
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }.map { String(decoding: $0, as: UTF8.self) }
    }

    private mutating func modified() -> Int64 {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0: .random(in: .min ... .max, using: &generator)
        case 1: [.min, .max, 0, -1].randomElement(using: &generator) ?? 0
        default: Int64.random(in: 1_600_000_000_000_000_000...1_800_000_000_000_000_000, using: &generator)
        }
    }

    private mutating func content() -> FileTree.Entry.Content {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0:
            let targets = ["../x", "/etc/passwd", "ü/ö", "."]
            return .symbolicLink(target: targets.randomElement(using: &generator) ?? "x")
        case 1:
            if let file = files.randomElement(using: &generator) { return .hardLink(to: file) }
            fallthrough
        default:
            let digest = IncrementalHasher.digest(of: generator.bytes(Int.random(in: 0...2, using: &generator)))
            return .file(digest, size: .random(in: 0...(1 << 40), using: &generator))
        }
    }
}

func bytes(ofHex text: String) -> [UInt8] {
    let digits = Array(text.utf8)
    return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
        UInt8(String(decoding: digits[$0..<($0 + 2)], as: UTF8.self), radix: 16)
    }
}

/// A tree keeps what it is given, in bytes that never change.
@Suite struct FileTreeTests {
    @Test(arguments: 0..<8)
    func treesSurviveTheirEncodedForm(run: Int) throws {
        let seed = testSeed() &+ UInt64(run)
        var trees = RandomTrees(seed: seed)
        for _ in 0..<25 {
            let comment: Comment = "LARDER_TEST_SEED=\(seed &- UInt64(run))"
            let tree = try trees.next()
            let encoded = tree.encoded()
            let read = try FileTree(encoded: encoded)
            #expect(read == tree, comment)
            #expect(read.entries.map { Array($0.path.utf8) } == tree.entries.map { Array($0.path.utf8) }, comment)
            #expect(read.encoded() == encoded, comment)
            #expect(read.contentDigest == tree.contentDigest, comment)
        }
    }

    @Test func theFormatIsWhatItWasWhenTheFirstTreeWasStored() throws {
        let tree = try FileTree(roots: sampleTree.roots, entries: sampleTree.entries)
        #expect(tree.encoded() == bytes(ofHex: sampleTree.encoded))
        #expect(try FileTree(encoded: bytes(ofHex: sampleTree.encoded)) == tree)
        #expect(tree.contentDigest.description == sampleTree.contentDigest)
    }

    @Test func aTreeOfNothingIsATree() throws {
        let tree = try FileTree(roots: [], entries: [])
        #expect(tree.encoded() == Array("larder.tree.1\n".utf8) + [0, 0])
        #expect(try FileTree(encoded: tree.encoded()) == tree)
        #expect((tree.fileCount, tree.byteCount) == (0, 0))
        #expect(tree.blobs == [])
    }

    @Test func aRootMayBeAFileOrNothingAtAll() throws {
        let tree = try FileTree(
            roots: ["nothing", "file", "link", "nothing either"],
            entries: [.file("", "a", root: 1), .hardLink("", to: 0, root: 2)]
        )
        #expect(try FileTree(encoded: tree.encoded()) == tree)
    }

    @Test func filesAreCountedEachAndContentsOnce() throws {
        let tree = try FileTree(
            roots: ["r"],
            entries: [
                .folder(""), .file("a", "four"), .file("b", "seven77"), .file("c", "four"), .hardLink("d", to: 1),
                .link("e", to: "a"), .file("f"),
            ]
        )
        #expect(tree.fileCount == 4)
        #expect(tree.byteCount == 15)
        let sizes = ["four", "seven77", ""].map {
            BlobDescriptor(digest: IncrementalHasher.digest(of: Array($0.utf8)), size: Int64($0.utf8.count))
        }
        #expect(tree.blobs == sizes)
    }

    // MARK: Order

    /// Each stands before all that follow.
    private static let ordered = [
        "", "A", "a", "a/b", "a/b/c", "a/b/c/d", "a/b\u{1}", "a/b-", "a/ba", "a/ä", "a\u{1}", "a\u{1}b", "a b", "a-b",
        "a.b", "a0", "aa", "aa/a", "b", "e\u{301}", "\u{e9}", "日", "\u{ffff}", "😀",
    ]

    @Test(arguments: 0..<24)
    func whatIsInAFolderFollowsIt(index: Int) throws {
        try #require(Self.ordered.count == 24)
        for (other, path) in Self.ordered.enumerated() {
            #expect(FileTree.precedes(Self.ordered[index], path) == (index < other), "\(path)")
        }
    }

    // MARK: What makes two trees the same

    private static func changed(
        _ index: Int,
        _ change: (inout FileTree.Entry) -> Void
    ) throws -> FileTree {
        var entries = sampleTree.entries
        change(&entries[index])
        return try FileTree(roots: sampleTree.roots, entries: entries)
    }

    @Test(arguments: sampleTree.entries.indices)
    func timesAreNoPartOfTheContent(index: Int) throws {
        let tree = try FileTree(roots: sampleTree.roots, entries: sampleTree.entries)
        for time in [Int64.min, -1_000_000_000, 0, .max] {
            let other = try Self.changed(index) { $0.modified = time }
            #expect(other.contentDigest == tree.contentDigest)
            #expect((other.encoded() == tree.encoded()) == (time == tree.entries[index].modified))
        }
    }

    @Test func everythingElseIs() throws {
        let others = [
            try FileTree(roots: ["node_modules", "~/.m3"], entries: sampleTree.entries),
            try FileTree(roots: sampleTree.roots + ["r"], entries: sampleTree.entries),
            try FileTree(roots: sampleTree.roots, entries: sampleTree.entries.dropLast()),
            try Self.changed(1) { $0.mode = 0o750 },
            try Self.changed(2) { $0.path = "a/abd" },
            try Self.changed(2) { $0.content = .file(.emptySHA256, size: 3) },
            try Self.changed(2) { $0.content = .file(IncrementalHasher.digest(of: Array("abc".utf8)), size: 4) },
            try Self.changed(3) { $0.content = .symbolicLink(target: "../o") },
            try Self.changed(3) { $0.content = .hardLink(to: 2) },
            try Self.changed(6) { $0.content = .hardLink(to: 4) },
            try Self.changed(6) { $0.content = .folder },
        ]
        let digests = Set(others.map(\.contentDigest.description) + [sampleTree.contentDigest])
        #expect(digests.count == others.count + 1)
    }

    // MARK: What is no tree

    private static func refusal(of roots: [String] = ["r"], _ entries: [FileTree.Entry]) -> String? {
        do {
            _ = try FileTree(roots: roots, entries: entries)
            return nil
        } catch {
            if case .invalidContent(let why) = error { return why }
            return "it is refused otherwise: \(error)"
        }
    }

    private static let long = String(repeating: "p", count: 4097)

    @Test(
        arguments: [
            ([.folder("", mode: 0o10000)], "entry 0 has no valid mode"),
            ([.folder(""), .file("a", mode: .max)], "entry 1 has no valid mode"),
            ([.folder("", root: 1)], "entry 0 is in no root, or out of order"),
            ([.folder("", root: -1)], "entry 0 is in no root, or out of order"),
            ([.folder(""), .folder("", root: 1)], "entry 1 is in no root, or out of order"),
            ([.folder("a")], "entry 0 is in a root that is no folder"),
            ([.folder("a"), .folder("")], "entry 0 is in a root that is no folder"),
            ([.file("a")], "entry 0 is in a root that is no folder"),
            ([.folder(""), .folder("")], "entry 1 is out of order or comes twice"),
            ([.folder(""), .file("a"), .file("a")], "entry 2 is out of order or comes twice"),
            ([.folder(""), .file("b"), .file("a")], "entry 2 is out of order or comes twice"),
            ([.folder(""), .folder("a"), .file("a-"), .file("a/b")], "entry 3 is out of order or comes twice"),
            ([.folder(""), .file("\u{e9}"), .file("e\u{301}")], "entry 2 is out of order or comes twice"),
            ([.folder(""), .file("a/b")], "entry 1 is in a folder that is none"),
            ([.folder(""), .folder("a"), .file("a/b/c")], "entry 2 is in a folder that is none"),
            ([.folder(""), .folder("a"), .file("aa/b")], "entry 2 is in a folder that is none"),
            ([.folder(""), .file("a"), .file("a/b")], "entry 2 is in a folder that is none"),
            ([.folder(""), .link("a", to: "/"), .file("a/b")], "entry 2 is in a folder that is none"),
            ([.folder(""), .file("a"), .hardLink("b", to: 1), .file("b/c")], "entry 3 is in a folder that is none"),
            ([.file(""), .file("a")], "entry 1 is in a folder that is none"),
            // A name in other bytes is another name, whatever the alphabet says.
            ([.folder(""), .folder("e\u{301}"), .file("\u{e9}/a")], "entry 2 is in a folder that is none"),
            ([.folder(""), .file("a", size: -1)], "entry 1 has no valid content"),
            ([.folder(""), .file("a", size: .max), .file("b", size: 1)], "entry 2 has no valid size"),
            ([.folder(""), .link("a", to: "")], "entry 1 links to nothing"),
            ([.folder(""), .link("a", to: "b\0c")], "entry 1 links to nothing"),
            ([.folder(""), .link("a", to: long)], "entry 1 links to nothing"),
            ([.folder(""), .hardLink("a", to: 1)], "entry 1 is another name of what is no file before it"),
            ([.folder(""), .hardLink("a", to: 2), .file("b")], "entry 1 is another name of what is no file before it"),
            ([.folder(""), .hardLink("a", to: -1)], "entry 1 is another name of what is no file before it"),
            ([.folder(""), .hardLink("a", to: 0)], "entry 1 is another name of what is no file before it"),
            ([.folder(""), .link("a", to: "b"), .hardLink("b", to: 1)], "entry 2 is another name of what is no file"),
            ([.folder(""), .file("a"), .hardLink("b", to: 1), .hardLink("c", to: 2)], "entry 3 is another name"),
        ] as [(entries: [FileTree.Entry], says: String)]
    )
    func whatIsNoTreeIsRefused(entries: [FileTree.Entry], says: String) {
        let refusal = Self.refusal(entries)
        #expect(refusal?.hasPrefix("the tree's \(says)") == true, "\(refusal ?? "it is taken")")
    }

    @Test(
        arguments: [
            ".", "..", "/", "/a", "a/", "a//b", "a/.", "a/..", "./a", "../a", "a/./b", "a/../b", "a\0", "\0", "//",
            "../..",
            "a/../../b",
        ]
    )
    func noPathLeavesItsRoot(path: String) {
        for parent in ["", "a/"] {
            let entries: [FileTree.Entry] = [.folder("")] + (parent.isEmpty ? [] : [.folder("a")])
            let refusal = Self.refusal(entries + [.file(parent + path)])
            #expect(refusal?.hasSuffix("has a path that leaves its root") == true, "\(refusal ?? "it is taken")")
        }
    }

    @Test(arguments: ["...", "..a", ".a", "a..", "a.", " ", "\u{1}", "-", "~", "a:b", "a\\b", "\n", "é", "e\u{301}"])
    func strangeNamesAreNames(name: String) throws {
        let tree = try FileTree(roots: ["r"], entries: [.folder(""), .folder(name), .file("\(name)/\(name)")])
        #expect(try FileTree(encoded: tree.encoded()) == tree)
    }

    @Test func aDigestOfAnotherKindNamesNoFile() throws {
        let digest = try #require(Digest(.sha512, bytes: [UInt8](repeating: 1, count: 64)))
        let entry = FileTree.Entry(root: 0, path: "", mode: 0o644, modified: 0, content: .file(digest, size: 1))
        #expect(Self.refusal([entry]) == "the tree's entry 0 has no valid content")
    }

    @Test(arguments: [(length: 4096, isValid: true), (length: 4097, isValid: false)])
    func pathsAndTargetsHaveAtMost4096Bytes(length: Int, isValid: Bool) {
        let text = String(repeating: "p", count: length)
        #expect((Self.refusal([.folder(""), .file(text)]) == nil) == isValid)
        #expect((Self.refusal([.folder(""), .link("a", to: text)]) == nil) == isValid)
        #expect((Self.refusal(of: [text], []) == nil) == isValid)
    }

    @Test(
        arguments: [
            ([""], false), (["a\0"], false), (["a", ""], false), (["a", "a"], true), (["/", "~", ".."], true),
        ] as [(roots: [String], areValid: Bool)]
    )
    func rootsAreTexts(roots: [String], areValid: Bool) {
        #expect((Self.refusal(of: roots, []) == nil) == areValid)
    }

    @Test(arguments: [(count: 1000, isValid: true), (count: 1001, isValid: false)])
    func thereAreAtMost1000Roots(count: Int, isValid: Bool) {
        let roots = (0..<count).map { "\($0)" }
        #expect((Self.refusal(of: roots, roots.indices.map { .folder("", root: $0) }) == nil) == isValid)
    }

    @Test(arguments: [(depth: 255, isValid: true), (depth: 256, isValid: false)])
    func foldersHaveAtMost255Folders(depth: Int, isValid: Bool) throws {
        let paths = (0..<depth).map { Array(repeating: "f", count: $0).joined(separator: "/") }
        let entries = paths.map { FileTree.Entry.folder($0) } + [.file("\(paths.last ?? "")/file")]
        let refusal = Self.refusal(entries)
        #expect(refusal == (isValid ? nil : "the tree's entry 255 is in too many folders"))
        if isValid {
            let tree = try FileTree(roots: ["r"], entries: entries)
            #expect(try FileTree(encoded: tree.encoded()) == tree)
        }
    }
}
