import Foundation
import LarderArchive
import LarderCore
import LarderTestSupport
import Testing

/// tar and the programs that people have: GNU tar and Python; bsdtar and busybox where they are installed.
@Suite struct TarProgramTests {
    /// Writes the lines of an archive's members, and their times.
    private static let lister = """
        import sys, tarfile
        t = tarfile.open(sys.argv[1], 'r:')
        for m in t:
            kind = 'd' if m.isdir() else 'l' if m.issym() else 'h' if m.islnk() else 'f'
            body = t.extractfile(m).read() if kind == 'f' else m.linkname.encode() if kind != 'd' else b''
            mode = 0o777 if kind == 'l' else m.mode
            assert (m.uid, m.gid, m.uname, m.gname) == (0, 0, '', ''), m.get_info()
            assert float(m.mtime) == float(sys.argv[2]), m.get_info()
            print(kind, '%o' % mode, m.name.encode().hex(), body.hex())
        """

    private func randomItems() -> (items: [SampleItem], seed: UInt64) {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        return (sampleTree(&generator, hasHardLinks: true, itemCount: 80), seed)
    }

    @Test func pythonReadsWhatWasWritten() async throws {
        let (items, seed) = randomItems()
        try await withTemporaryFolder { folder in
            for (modified, time) in [
                (0, "0"), (-1_500_000_000, "-1.5"), (1_234_567_890_250_000_000, "1234567890.25"),
                (9_000_000_000_000_000_000, "9000000000"),
            ] as [(Int64, String)] {
                try write(tarred(items, modified: modified), to: "\(folder)/a.tar")
                let output = try await runToSuccess("python3", ["-c", Self.lister, "\(folder)/a.tar", time])
                #expect(output.split(separator: "\n").map(String.init) == items.map(\.line), "seed \(seed)")
            }
        }
    }

    @Test(arguments: ["tar", "bsdtar", "busybox"])
    func programsUnpackWhatWasWritten(program: String) async throws {
        var (items, seed) = randomItems()
        // Busybox knows no PAX: it gets what ustar can say.
        if program == "busybox" { items = items.filter { isPlain($0, items) } }
        try await withTemporaryFolder { folder in
            try FileManager.default.createDirectory(atPath: "\(folder)/out", withIntermediateDirectories: false)
            try write(tarred(items, modified: 1_000_000_000_000_000_000), to: "\(folder)/a.tar")
            let arguments = ["-x", "-p", "-f", "\(folder)/a.tar", "-C", "\(folder)/out"]
            try await runToSuccess(program, (program == "busybox" ? ["tar"] : []) + arguments)
            #expect(try lines(below: "\(folder)/out") == linesOnDisk(items), "seed \(seed)")
        }
    }

    private func isPlain(_ item: SampleItem, _ items: [SampleItem]) -> Bool {
        let isShort = { (text: String) in text.utf8.count < 100 && text.utf8.allSatisfy { $0 < 0x80 } }
        return switch item.kind {
        case .symbolicLink(let target), .hardLink(let target): isShort(item.name) && isShort(target)
        case .folder, .file: isShort(item.name)
        }
    }

    @Test func gnuTarKeepsTimesAndHardLinks() async throws {
        try await withTemporaryFolder { folder in
            try write(tarred(TarTests.items, modified: 1_234_567_890_123_456_789), to: "\(folder)/a.tar")
            try await runToSuccess("tar", ["-x", "-p", "-f", "a.tar"], in: folder)
            var (tool, same) = (stat(), stat())
            #expect(lstat("\(folder)/folder/tool", &tool) == 0 && lstat("\(folder)/folder/same", &same) == 0)
            #expect(tool.st_ino == same.st_ino)
            #expect(tool.st_mode & 0o7777 == 0o4750)
            #expect(tool.st_mtim.tv_sec == 1_234_567_890 && tool.st_mtim.tv_nsec == 123_456_789)
            // Warnings would go to its error output, and none is due.
            let listing = try await runProgram("tar", ["-tvf", "a.tar"], in: folder)
            #expect(listing.errors.isEmpty)
            #expect(listing.output.contains("-rwsr-x--- 0/0 "))
        }
    }

    @Test(arguments: ["gnu", "oldgnu", "pax", "posix", "ustar"])
    func whatGNUTarWritesIsRead(format: String) async throws {
        var (items, seed) = randomItems()
        if format == "ustar" { items = items.filter { isPlain($0, items) } }
        try await withTemporaryFolder { folder in
            try FileManager.default.createDirectory(atPath: "\(folder)/in", withIntermediateDirectories: false)
            try write(tarred(items, modified: 1_234_567_890_000_000_000), to: "\(folder)/a.tar")
            // The tree isn't in order: a folder gets its time before its last member unless this is said.
            let order = "--delay-directory-restore"
            try await runToSuccess("tar", ["-x", "-p", order, "-f", "a.tar", "-C", "in"], in: folder)
            try await runToSuccess("tar", ["-c", "--format=\(format)", "-f", "b.tar", "-C", "in", "."], in: folder)
            let members = try untarred(read("\(folder)/b.tar"))
            #expect(linesBelowRoot(members) == linesOnDisk(items), "seed \(seed)")
            #expect(members.dropFirst().allSatisfy { $0.member.modified == 1_234_567_890_000_000_000 })
        }
    }

    /// The archive of `.`, its names without the `./`.
    private func linesBelowRoot(_ members: [ReadMember]) -> [String] {
        let items = members.map(\.item).compactMap { item -> SampleItem? in
            guard let parts = ArchivePath.components(item.name), !parts.isEmpty else { return nil }
            var item = item
            item.name = parts.joined(separator: "/")
            if case .hardLink(let target) = item.kind {
                item.kind = .hardLink(ArchivePath.components(target)?.joined(separator: "/") ?? "")
            }
            return item
        }
        return linesOnDisk(items)
    }

    @Test func sparseFilesAreRefused() async throws {
        try await withTemporaryFolder { folder in
            try await runToSuccess("truncate", ["-s", "1M", "holes"], in: folder)
            for format in ["gnu", "pax"] {
                let options = ["-c", "--sparse", "--format=\(format)", "-f", "s.tar", "holes"]
                try await runToSuccess("tar", options, in: folder)
                let archive = try read("\(folder)/s.tar")
                let error = try #require(throws: StoreError.self) { try untarred(archive) }
                #expect(error.description.contains("sparse"))
            }
        }
    }

    @Test(arguments: ["USTAR_FORMAT", "GNU_FORMAT", "PAX_FORMAT"])
    func whatPythonWritesIsRead(format: String) async throws {
        let script = """
            import io, sys, tarfile
            t = tarfile.open(sys.argv[1], 'w', format=tarfile.\(format))
            def add(name, type, size=0, link='', mtime=7):
                i = tarfile.TarInfo(name); i.type = type; i.size = size; i.linkname = link
                i.mode = 0o640; i.mtime = mtime
                t.addfile(i, io.BytesIO(b'x' * size))
            add('d', tarfile.DIRTYPE)
            add('d/' + 'p' * 120 + '/' + 'f' * 90, tarfile.REGTYPE, 700)
            add('l', tarfile.SYMTYPE, 0, 't' * 90)
            add('h', tarfile.LNKTYPE, 0, 'd/' + 'p' * 90)
            add('fifo', tarfile.FIFOTYPE)
            t.close()
            """
        try await withTemporaryFolder { folder in
            try await runToSuccess("python3", ["-c", script, "\(folder)/p.tar"])
            let members = try untarred(read("\(folder)/p.tar")).map(\.member)
            let (p, f) = (String(repeating: "p", count: 120), String(repeating: "f", count: 90))
            let contents: [(name: String, content: TarMember.Content)] = [
                ("d/", .folder), ("d/\(p)/\(f)", .file(size: 700)),
                ("l", .symbolicLink(target: String(repeating: "t", count: 90))),
                ("h", .hardLink(target: "d/\(p.prefix(90))")), ("fifo", .other(type: 0x36, size: 0)),
            ]
            let wanted = contents.map {
                TarMember(name: $0.name, mode: 0o640, modified: 7_000_000_000, content: $0.content)
            }
            #expect(members == wanted)
        }
    }
}
