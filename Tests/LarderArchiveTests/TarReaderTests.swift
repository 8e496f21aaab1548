import LarderArchive
import LarderCore
import LarderTestSupport
import Testing

/// What the reader of tar makes of archives that others made, or that are no good.
@Suite struct TarReaderTests {
    private static let refusal = StoreError.self

    /// An archive with one header that says what it shouldn't; its checksum is right.
    private func archive(
        _ edit: (inout [UInt8]) -> Void,
        item: SampleItem = SampleItem(name: "name", mode: 0o644, kind: .file([1, 2, 3]))
    ) throws -> [UInt8] {
        var archive = try tarred([item])
        var header = Array(archive[..<512])
        edit(&header)
        header.replaceSubrange(148..<156, with: Array("        ".utf8))
        let sum = header.reduce(0) { $0 + Int($1) }
        let digits = String(sum, radix: 8)
        header.replaceSubrange(148..<148 + digits.utf8.count, with: Array(digits.utf8))
        archive.replaceSubrange(..<512, with: header)
        return archive
    }

    /// An extended header of some type, and then a file `name` with the contents 1, 2, 3.
    private func archive(after type: Character, _ contents: [UInt8], size: Int? = nil) throws -> [UInt8] {
        let item = SampleItem(name: "extended", mode: 0, kind: .file(contents))
        let extended = try archive(
            { header in
                header[156] = type.asciiValue ?? 0
                let digits = String(size ?? contents.count, radix: 8)
                patch(124, String(repeating: "0", count: 12 - digits.count) + digits)(&header)
            },
            item: item
        )
        return try Array(extended.dropLast(1024)) + archive { _ in }
    }

    private func patch(_ offset: Int, _ text: String) -> (inout [UInt8]) -> Void {
        { $0.replaceSubrange(offset..<offset + text.utf8.count, with: Array(text.utf8)) }
    }

    // MARK: - Headers

    @Test func fieldsOfOldProgramsAreRead() throws {
        // Spaces before and behind, and no magic at all.
        let archive = try archive { header in
            patch(100, "   644 \u{0}")(&header)
            patch(124, "          3 ")(&header)
            patch(136, "12345670123 ")(&header)
            header[156] = 0
            for index in 257..<512 { header[index] = 0 }
        }
        let time: Int64 = 0o12_345_670_123 * 1_000_000_000
        let wanted = TarMember(name: "name", mode: 0o644, modified: time, content: .file(size: 3))
        #expect(try untarred(archive).map(\.member) == [wanted])
    }

    @Test func aFileWithASlashIsAFolderOfOldPrograms() throws {
        let item = SampleItem(name: "old", mode: 0o755, kind: .file([]))
        let folder = try archive(patch(0, "old/"), item: item)
        #expect(try untarred(folder).map(\.member.content) == [.folder])
        #expect(throws: Self.refusal) { try untarred(archive(patch(0, "name/"))) }
    }

    @Test func numbersInBase256AreRead() throws {
        let archive = try archive { header in
            header.replaceSubrange(124..<136, with: [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3])
            header.replaceSubrange(136..<148, with: [UInt8](repeating: 0xff, count: 11) + [0xfe])
        }
        let members = try untarred(archive)
        #expect(members.map(\.contents) == [[1, 2, 3]])
        #expect(members.map(\.member.modified) == [-2_000_000_000])
    }

    @Test(
        arguments: [
            // Negative, beyond 63 bits, just beyond what is bearable.
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            [0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            [0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0],
            [0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            Array("-0000000003\u{0}".utf8), Array("00000000009\u{0}".utf8), Array("0000 000003\u{0}".utf8),
            Array("0x0000000003".utf8),
        ] as [[UInt8]]
    )
    func impossibleSizesAreRefused(field: [UInt8]) throws {
        let archive = try archive { $0.replaceSubrange(124..<136, with: field) }
        #expect(throws: Self.refusal) { try untarred(archive) }
    }

    @Test func aWrongChecksumIsRefused() throws {
        for offset in 0..<512 {
            var archive = try tarred([SampleItem(name: "name", mode: 0o644, kind: .file([1]))])
            archive[offset] ^= 1
            // But for fillers within the checksum's own field.
            if offset == 154 || offset == 155 { continue }
            #expect(throws: Self.refusal, "offset \(offset)") { try untarred(archive) }
        }
    }

    @Test func aSignedChecksumIsRight() throws {
        var archive = try archive { $0.replaceSubrange(..<2, with: [0xc3, 0xa4]) }
        let sum = 256 + (archive[..<148] + archive[156..<512]).reduce(0) { $0 + Int(Int8(bitPattern: $1)) }
        archive.replaceSubrange(148..<156, with: Array("\(String(sum, radix: 8))\u{0}       ".utf8.prefix(8)))
        #expect(try untarred(archive).map(\.member.name) == ["äme"])
    }

    @Test(arguments: [(type: "S", why: "sparse"), (type: "M", why: "volumes")])
    func whatCannotBeReadIsNamed(type: String, why: String) throws {
        let archive = try archive(patch(156, type))
        let error = try #require(throws: StoreError.self) { try untarred(archive) }
        #expect(error.description.contains(why))
    }

    @Test func otherKindsArePassedOn() throws {
        let device = try archive(patch(156, "3"), item: SampleItem(name: "device", mode: 0o600, kind: .file([])))
        #expect(try untarred(device).map(\.member.content) == [.other(type: 0x33, size: 0)])
        let unknown = try archive(patch(156, "Z"))
        #expect(try untarred(unknown).map(\.contents) == [[1, 2, 3]])
        // Links and folders have no contents, whatever their size says.
        let item = SampleItem(name: "folder", mode: 0o755, kind: .folder)
        #expect(try untarred(archive(patch(124, "00000000777\u{0}"), item: item)).map(\.member.content) == [.folder])
    }

    @Test(arguments: [[0xff], [0x61, 0xff], [0xc0, 0xaf], [0]] as [[UInt8]])
    func namesThatAreNoTextAreRefused(name: [UInt8]) throws {
        let archive = try archive { header in
            header.replaceSubrange(..<100, with: name + [UInt8](repeating: 0, count: 100 - name.count))
        }
        #expect(throws: Self.refusal) { try untarred(archive) }
    }

    // MARK: - Extended headers

    @Test func recordsCountForTheNextMemberOnly() throws {
        let records = "13 path=ähm\n20 mtime=-1.5000009\n8 x=y=z\n8 gid=1\n"
        let file = SampleItem(name: "next", mode: 0o644, kind: .file([4]))
        let archive = try archive(after: "x", Array(records.utf8)).dropLast(1024) + tarred([file])
        let wanted = [
            TarMember(name: "ähm", mode: 0o644, modified: -1_500_000_900, content: .file(size: 3)),
            TarMember(name: "next", mode: 0o644, modified: 0, content: .file(size: 1)),
        ]
        #expect(try untarred(Array(archive)).map(\.member) == wanted)
    }

    @Test func anEmptyValueTakesBackAnEarlierOne() throws {
        #expect(try untarred(archive(after: "x", Array("9 path=x\n8 path=\n".utf8))).map(\.member.name) == ["name"])
        #expect(try untarred(archive(after: "x", [])).map(\.member.name) == ["name"])
    }

    @Test func globalHeadersArePassedOver() throws {
        #expect(try untarred(archive(after: "g", Array("9 path=x\n".utf8))).map(\.member.name) == ["name"])
        let long = [UInt8](repeating: 9, count: 3 << 20)
        #expect(try untarred(archive(after: "g", long)).map(\.member.name) == ["name"])
    }

    @Test(arguments: [
        "x", "11 path=x\n", "8 path=x\n", "9 path=x ", "9path=x\n", "-1 path=x\n", "0 path=x\n", "5 =x\n", "7 path\n",
        "5 ab\n", "99999999999999999999 path=x\n", "9 path=x\n3", "12 path=a\u{0}b\n", "9 size=x\n", "11 size=-1\n",
        "28 size=9223372036854775807\n", "28 size=9223372036854775808\n", "11 mtime=x\n", "11 mtime=.\n",
        "11 mtime=-\n", "22 GNU.sparse.major=1\n",
    ])
    func damagedRecordsAreRefused(records: String) throws {
        #expect(throws: Self.refusal) { try untarred(archive(after: "x", Array(records.utf8))) }
    }

    @Test(arguments: ["30 mtime=99999999999999999999\n", "31 mtime=-99999999999999999999\n"])
    func timesOutOfReachBecomeTheFarthest(records: String) throws {
        let modified = try untarred(archive(after: "x", Array(records.utf8))).map(\.member.modified)
        #expect(modified == [records.contains("-") ? -.max : .max])
    }

    @Test(arguments: ["x", "L", "K"] as [Character])
    func largeExtendedHeadersAreRefused(type: Character) throws {
        let archive = try archive(after: type, [1], size: 1 << 20 + 1)
        #expect(throws: StoreError.tooLarge(limit: .mebibytes(1))) { try untarred(archive) }
        let huge = try self.archive(after: type, [1], size: 1 << 33 - 1)
        #expect(throws: StoreError.tooLarge(limit: .mebibytes(1))) { try untarred(huge) }
    }

    @Test func aLongNameMayHaveAMebibyte() throws {
        let name = String(repeating: "n", count: 1 << 20)
        #expect(try untarred(archive(after: "L", Array(name.utf8))).map(\.member.name) == [name])
    }

    @Test func gnuNamesEndAtTheirZeros() throws {
        #expect(try untarred(archive(after: "L", Array("ü\u{0}\u{0}".utf8))).map(\.member.name) == ["ü"])
        #expect(throws: Self.refusal) { try untarred(archive(after: "L", Array("a\u{0}b".utf8))) }
        #expect(throws: Self.refusal) { try untarred(archive(after: "L", Array("\u{0}".utf8))) }
    }

    @Test func anExtendedHeaderNeedsAMember() throws {
        for (type, contents) in [("x", "9 path=x\n"), ("L", "long"), ("K", "long")] as [(Character, String)] {
            let whole = try archive(after: type, Array(contents.utf8))
            let lonely = Array(whole[..<1024]) + [UInt8](repeating: 0, count: 1024)
            #expect(throws: Self.refusal) { try untarred(lonely) }
        }
    }

    // MARK: - Ends, cuts and chance

    @Test func theEndIsTwoBlocksOfZeros() throws {
        let zeros = [UInt8](repeating: 0, count: 512)
        #expect(try untarred(zeros + zeros).isEmpty)
        #expect(try untarred(tarred([]) + Array("whatever follows".utf8)).isEmpty)
        #expect(throws: Self.refusal) { try untarred(zeros) }
        #expect(throws: Self.refusal) { try untarred([]) }
        #expect(throws: StoreError.invalidContent("tar: a lone block of zeros")) {
            try untarred(zeros + tarred(TarTests.items))
        }
    }

    @Test func everyTruncationIsFound() throws {
        let archive = try tarred(TarTests.items)
        for length in 0..<archive.count {
            #expect(throws: Self.refusal, "cut at \(length)") { try untarred(Array(archive[..<length])) }
        }
    }

    @Test func howItIsCutDoesNotMatter() throws {
        let archive = try tarred(TarTests.items)
        let whole = try untarred(archive)
        for length in [1, 2, 3, 255, 511, 512, 513, 1000] {
            #expect(try untarred(archive, pieceLength: { length }) == whole)
        }
    }

    @Test func aReaderThatFailedStaysSo() throws {
        struct Refusal: Error {}
        let archive = try tarred(TarTests.items)
        var reader = TarReader()
        #expect(throws: Refusal.self) { try archive.withUnsafeBytes { try reader.feed($0) { _ in throw Refusal() } } }
        #expect(throws: Refusal.self) { try archive.withUnsafeBytes { try reader.feed($0) { _ in } } }
        #expect(throws: Refusal.self) { try reader.finish() }
    }

    /// It may read something else, but never fails otherwise than with an error, and tells no more than there is.
    @Test func damageDoesNoHarm() throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        let tree = sampleTree(&generator, hasHardLinks: true, itemCount: 12)
        let archives = try [tarred(TarTests.items), tarred(tree, modified: -5)]
        for round in 0..<3000 {
            var damaged = archives[round % 2]
            for _ in 0...Int.random(in: 0...3, using: &generator) {
                let index = Int.random(in: 0..<damaged.count, using: &generator)
                damaged[index] = UInt8.random(in: 0...255, using: &generator)
                // Half of them with a checksum that is right, so that the other fields are looked at.
                if round % 4 < 2 { repairChecksum(&damaged, around: index) }
            }
            do {
                let members = try untarred(damaged) { Int.random(in: 1...2000, using: &generator) }
                #expect(members.reduce(0) { $0 + $1.contents.count } < damaged.count, "seed \(seed), round \(round)")
            } catch is StoreError {}
        }
    }

    private func repairChecksum(_ archive: inout [UInt8], around index: Int) {
        let start = index / 512 * 512
        archive.replaceSubrange(start + 148..<start + 156, with: Array("        ".utf8))
        let sum = archive[start..<start + 512].reduce(0) { $0 + Int($1) }
        let digits = String(sum, radix: 8)
        archive.replaceSubrange(start + 148..<start + 148 + digits.utf8.count, with: Array(digits.utf8))
    }

    @Test func noiseDoesNoHarm() {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let noise = generator.bytes(Int.random(in: 1...4000, using: &generator))
            #expect(throws: Self.refusal, "seed \(seed)") { try untarred(noise) }
        }
    }
}
