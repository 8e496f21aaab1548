import LarderCore
import LarderTestSupport
import Testing

@testable import LarderArchive

/// zip, and the programs that read it: Info-ZIP's unzip, Python, Java as a stream; bsdtar where it is installed.
@Suite struct ZipTests {
    private static let items = [
        SampleItem(name: "bin/", mode: 0o755, kind: .folder),
        SampleItem(name: "bin/tool", mode: 0o750, kind: .file(Array(repeating: 9, count: 70_000))),
        SampleItem(name: "bin/empty", mode: 0o644, kind: .file([])),
        SampleItem(name: "bin/link", mode: 0o777, kind: .symbolicLink("tool")),
        SampleItem(name: "späte Äpfel 日本", mode: 0o600, kind: .file(Array("hello".utf8))),
    ]

    /// Writes the lines of the archives that it is called with, an empty line behind each.
    private static let lister = """
        import stat, sys, zipfile
        for path in sys.argv[1:]:
            z = zipfile.ZipFile(path)
            assert z.testzip() is None
            for i in z.infolist():
                mode = i.external_attr >> 16
                assert i.create_system == 3 and i.is_dir() == stat.S_ISDIR(mode)
                kind = 'd' if stat.S_ISDIR(mode) else 'l' if stat.S_ISLNK(mode) else 'f' if stat.S_ISREG(mode) else '?'
                print(kind, '%o' % (mode & 0o7777), i.filename.rstrip('/').encode().hex(), z.read(i).hex())
            print()
        """

    private func zipped(
        _ items: [SampleItem],
        level: Int = 1,
        limits: ZipWriter.Zip64Limits = ZipWriter.Zip64Limits(),
        modified: Int64? = nil,
        pieceLength: () -> Int = { 1 << 16 }
    ) throws -> [UInt8] {
        var writer = ZipWriter(level: level, limits: limits)
        var output: [UInt8] = []
        for item in items {
            var contents: [UInt8] = []
            let content: ZipWriter.Entry.Content
            switch item.kind {
            case .folder: content = .folder
            case .symbolicLink(let target), .hardLink(let target): content = .symbolicLink(target: target)
            case .file(let bytes):
                contents = bytes
                content = .file(size: Int64(bytes.count))
            }
            let entry = ZipWriter.Entry(name: item.name, mode: item.mode, modified: modified, content: content)
            try writer.begin(entry, to: &output)
            try inPieces(contents, pieceLength) { try writer.write($0, to: &output) }
            try writer.endEntry(to: &output)
        }
        writer.finish(to: &output)
        return output
    }

    private func check(_ output: String, _ trees: [[SampleItem]], _ comment: Comment) {
        let lists = trees.map { $0.map(\.line).joined(separator: "\n") + "\n" }
        #expect(output == lists.joined(separator: "\n") + "\n", comment)
    }

    @Test func pythonReadsRandomTrees() async throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        try await withTemporaryFolder { folder in
            var (trees, paths): ([[SampleItem]], [String]) = ([], [])
            for round in 0..<60 {
                let items = sampleTree(&generator, hasHardLinks: false, itemCount: 20)
                // Some with numbers in zip64 that would do without.
                let low = ZipWriter.Zip64Limits(size: [0, 600, 3000][round % 3], entryCount: [1, 20, 21][round % 3])
                let limits = round % 2 == 0 ? ZipWriter.Zip64Limits() : low
                let zip = try zipped(items, level: round % 10, limits: limits) {
                    Int.random(in: 1...3000, using: &generator)
                }
                paths.append("\(folder)/\(round).zip")
                try write(zip, to: "\(folder)/\(round).zip")
                trees.append(items)
            }
            check(try await runToSuccess("python3", ["-c", Self.lister] + paths), trees, "seed \(seed)")
        }
    }

    @Test(arguments: ["unzip", "bsdtar"])
    func programsUnpackRandomTrees(program: String) async throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        try await withTemporaryFolder { folder in
            for round in 0..<6 {
                let items = sampleTree(&generator, hasHardLinks: false, namesAreTame: true)
                let limits = [ZipWriter.Zip64Limits(), .init(size: 0, entryCount: 0), .init(size: 2000, entryCount: 9)]
                try write(zipped(items, limits: limits[round % 3]), to: "\(folder)/\(round).zip")
                let out = "\(folder)/\(round)"
                try await runToSuccess("mkdir", [out])
                let zip = "\(folder)/\(round).zip"
                // -V: a semicolon and what follows is a part of the name, not a version as VMS has them.
                let options = program == "unzip" ? ["-q", "-V", zip, "-d", out] : ["-xpf", zip, "-C", out]
                try await runToSuccess(program, options)
                let (found, wanted) = (Set(try lines(below: out)), Set(linesOnDisk(items)))
                #expect(found == wanted, "seed \(seed), round \(round)")
            }
        }
    }

    @Test func infoZIPFindsNoFault() async throws {
        try await withTemporaryFolder { folder in
            let zip = "\(folder)/a.zip"
            try write(zipped(Self.items), to: zip)
            let listing = try await runToSuccess("unzip", ["-Z", zip])
            #expect(listing.contains("drwxr-xr-x  6.3 unx        0 b- stor 80-Jan-01 00:00 bin/\n"))
            #expect(listing.contains("-rwxr-x---  6.3 unx    70000 bl defN 80-Jan-01 00:00 bin/tool\n"))
            #expect(listing.contains("lrwxrwxrwx  6.3 unx        4 b- stor 80-Jan-01 00:00 bin/link\n"))
            let test = try await runToSuccess("unzip", ["-t", zip])
            #expect(test.contains("No errors detected"))
        }
    }

    /// A reader that sees no directory tells one entry from the next by what stands before and behind them.
    @Test func javaReadsItAsAStream() async throws {
        let program = """
            import java.io.*;
            import java.util.zip.*;
            class Stream {
                public static void main(String[] args) throws Exception {
                    for (String path : args) {
                        ZipInputStream in = new ZipInputStream(new FileInputStream(path));
                        for (ZipEntry e; (e = in.getNextEntry()) != null; )
                            System.out.println(
                                e.getName().length() + " " + e.isDirectory() + " " + in.readAllBytes().length);
                    }
                }
            }
            """
        try await withTemporaryFolder { folder in
            try write(Array(program.utf8), to: "\(folder)/Stream.java")
            try write(zipped(Self.items), to: "\(folder)/a.zip")
            // A directory in zip64; the sizes need none.
            try write(zipped(Self.items, limits: .init(entryCount: 2)), to: "\(folder)/b.zip")
            let output = try await runToSuccess("java", ["Stream.java", "a.zip", "b.zip"], in: folder)
            let list = "4 true 0\n8 false 70000\n9 false 0\n8 false 4\n14 false 5\n"
            #expect(output == list + list)
        }
    }

    @Test func manyEntriesAreCounted() async throws {
        // One less than the old field holds, and as many, which means "see zip64".
        for count in [65_534, 65_535, 65_536] {
            let items = (0..<count).map { SampleItem(name: "\($0)", mode: 0o644, kind: .symbolicLink("x")) }
            let zip = try zipped(items)
            #expect(zip.suffix(22).prefix(4) == [0x50, 0x4b, 5, 6])
            #expect(zip.suffix(42).prefix(4).elementsEqual([0x50, 0x4b, 6, 7]) == (count > 65_534))
            try await withTemporaryFolder { folder in
                try write(zip, to: "\(folder)/many.zip")
                let listing = try await runToSuccess("unzip", ["-Z", "-h", "\(folder)/many.zip"])
                #expect(listing.contains("number of entries: \(count)\n"))
                let script = "import sys, zipfile; print(len(zipfile.ZipFile(sys.argv[1]).namelist()))"
                #expect(try await runToSuccess("python3", ["-c", script, "\(folder)/many.zip"]) == "\(count)\n")
            }
        }
    }

    @Test(arguments: [
        (size: 4_290_771_000, isWide: false), (size: 4_294_967_295, isWide: true), (size: 1 << 40, isWide: true),
    ])
    func largeFilesAreAnnounced(size: Int64, isWide: Bool) throws {
        var writer = ZipWriter()
        var output: [UInt8] = []
        try writer.begin(ZipWriter.Entry(name: "large", mode: 0o644, content: .file(size: size)), to: &output)
        let sizes = isWide ? [UInt8](repeating: 0xff, count: 8) : [UInt8](repeating: 0, count: 8)
        let field: [UInt8] = isWide ? [1, 0, 16, 0] + [UInt8](repeating: 0, count: 16) : []
        let header: [UInt8] = [0x50, 0x4b, 3, 4, isWide ? 45 : 20, 0, 8, 8, 8, 0, 0, 0, 33, 0, 0, 0, 0, 0]
        #expect(output == header + sizes + [5, 0, UInt8(field.count), 0] + Array("large".utf8) + field)
    }

    @Test(
        arguments: [
            (seconds: nil, text: "1980-01-01 00:00:00"), (seconds: 0, text: "1980-01-01 00:00:00"),
            (seconds: 315_532_800, text: "1980-01-01 00:00:00"), (seconds: 951_782_399, text: "2000-02-28 23:59:58"),
            (seconds: 951_782_400, text: "2000-02-29 00:00:00"), (seconds: 1_780_000_001, text: "2026-05-28 20:26:40"),
            (seconds: 4_354_819_199, text: "2107-12-31 23:59:58"),
            (seconds: 9_000_000_000, text: "2107-12-31 23:59:58"),
            (seconds: -5, text: "1980-01-01 00:00:00"),
        ] as [(seconds: Int64?, text: String)]
    )
    func timesAreThoseOfDOS(seconds: Int64?, text: String) async throws {
        let zip = try zipped(Self.items, modified: seconds.map { $0 * 1_000_000_000 })
        let script = """
            import sys, zipfile
            for i in zipfile.ZipFile(sys.argv[1]).infolist(): print('%d-%02d-%02d %02d:%02d:%02d' % i.date_time)
            """
        try await withTemporaryFolder { folder in
            try write(zip, to: "\(folder)/a.zip")
            let output = try await runToSuccess("python3", ["-c", script, "\(folder)/a.zip"])
            #expect(output == String(repeating: text + "\n", count: Self.items.count))
        }
    }

    @Test func theBytesDoNotDependOnHowTheInputWasCut() throws {
        #expect(try zipped(Self.items) { 7 } == zipped(Self.items) { 1 << 20 })
    }

    @Test func whatTheWriterCannotSayIsRefused() {
        var writer = ZipWriter()
        var output: [UInt8] = []
        for (name, content) in [
            ("", .folder), ("", .file(size: 0)), ("a\u{0}b", .folder), ("a/", .file(size: 0)), ("a", .file(size: -1)),
            ("a", .symbolicLink(target: "")), ("a/", .symbolicLink(target: "b")),
            (String(repeating: "n", count: 65_535), .folder), (String(repeating: "n", count: 65_536), .file(size: 0)),
        ] as [(String, ZipWriter.Entry.Content)] {
            #expect(throws: StoreError.self) {
                try writer.begin(ZipWriter.Entry(name: name, mode: 0, content: content), to: &output)
            }
        }
        #expect(output.isEmpty)
    }

    @Test func contentsOfAnotherLengthAreRefused() throws {
        var writer = ZipWriter()
        var output: [UInt8] = []
        try writer.begin(ZipWriter.Entry(name: "a", mode: 0o644, content: .file(size: 3)), to: &output)
        try [1, 2].withUnsafeBytes { try writer.write(UnsafeRawBufferPointer(rebasing: $0.prefix(2)), to: &output) }
        #expect(throws: StoreError.lengthMismatch(expected: 3, actual: 2)) { try writer.endEntry(to: &output) }
        #expect(throws: StoreError.lengthMismatch(expected: 3, actual: 4)) {
            try [UInt8](repeating: 0, count: 2).withUnsafeBytes { try writer.write($0, to: &output) }
        }
    }
}
