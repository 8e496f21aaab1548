import LarderArchive
import LarderCore
import LarderTestSupport
import Testing

/// tar, written and read by the same hands.
@Suite struct TarTests {
    static let items = [
        SampleItem(name: "folder/", mode: 0o755, kind: .folder),
        SampleItem(name: "folder/tool", mode: 0o4750, kind: .file(Array(repeating: 9, count: 700))),
        SampleItem(name: "folder/" + String(repeating: "long", count: 60), mode: 0o644, kind: .file([1, 2, 3])),
        SampleItem(name: "folder/link", mode: 0o777, kind: .symbolicLink("tool")),
        SampleItem(name: "folder/empty", mode: 0o600, kind: .file([])),
        SampleItem(name: "folder/same", mode: 0o4750, kind: .hardLink("folder/tool")),
        SampleItem(name: "ä", mode: 0o644, kind: .symbolicLink(String(repeating: "ß", count: 51))),
    ]

    @Test func whatWasWrittenIsRead() throws {
        let members = try untarred(tarred(Self.items))
        #expect(members.map(\.item) == Self.items)
        #expect(members.allSatisfy { $0.member.modified == 0 })
    }

    @Test func randomTreesComeBack() throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for round in 0..<40 {
            let items = sampleTree(&generator, hasHardLinks: true)
            let modified = Int64.random(in: -(1 << 60)...1 << 60, using: &generator)
            let archive = try tarred(items, modified: modified)
            let longest = [1, 100, 600, 5000].randomElement(using: &generator) ?? 1
            let members = try untarred(archive) { Int.random(in: 1...longest, using: &generator) }
            // Folders come back with a slash.
            #expect(members.map(\.item.line) == items.map(\.line), "seed \(seed), round \(round)")
            #expect(members.allSatisfy { $0.member.modified == modified }, "seed \(seed), round \(round)")
        }
    }

    /// All lengths around those at which a name is cut in two or goes to a PAX header.
    @Test func namesOfAllLengthsComeBack() throws {
        let deep = "d/" + String(repeating: "abcdefg/", count: 40)
        for length in 1...280 {
            for whole in [String(repeating: "n", count: 280), deep, "/" + deep, String(repeating: "é", count: 140)] {
                let name = String(decoding: Array(whole.utf8.prefix(length)), as: UTF8.self)
                let target = String(whole.prefix(length))
                let kinds: [SampleItem.Kind] = [.folder, .symbolicLink(target), .hardLink(target)]
                let last: [SampleItem.Kind] = name.hasSuffix("/") ? [] : [.file([1])]
                let items = (kinds + last).map { SampleItem(name: name, mode: 0o755, kind: $0) }
                #expect(try untarred(tarred(items)).map(\.item.line) == items.map(\.line))
            }
        }
    }

    @Test(
        arguments: [
            0, 1, -1, 999_999_999, 1_000_000_000, -1_000_000_000, -1_500_000_000, 1_780_000_000_123_456_789,
            8_589_934_591_000_000_000, 8_589_934_592_000_000_000, .max, .min + 1,
        ] as [Int64]
    )
    func timesComeBack(modified: Int64) throws {
        let items = [SampleItem(name: "a", mode: 0o644, kind: .file([]))]
        #expect(try untarred(tarred(items, modified: modified)).map(\.member.modified) == [modified])
    }

    @Test(arguments: [0o77_777_777_777, 0o77_777_777_777 + 1, 9 << 30, 1 << 50, .max - 4096] as [Int64])
    func largeSizesComeBack(size: Int64) throws {
        var (writer, reader) = (TarWriter(), TarReader())
        var (output, told): ([UInt8], [TarMember]) = ([], [])
        let member = TarMember(name: "large", mode: 0o644, content: .file(size: size))
        try writer.begin(member, to: &output)
        #expect(output.count == (size >> 33 == 0 ? 512 : 3 * 512))
        try output.withUnsafeBytes { bytes in
            try reader.feed(bytes) { if case .member(let member) = $0 { told.append(member) } }
        }
        #expect(told == [member])
    }

    @Test func theBytesAreThoseOfPOSIX() throws {
        let items = [SampleItem(name: "bin/tool", mode: 0o755, kind: .file(Array("hi\n".utf8)))]
        let archive = try tarred(items, modified: 1_000_000_000_000_000_000)
        var header = [UInt8](repeating: 0, count: 512)
        for (offset, text) in [
            (0, "bin/tool"), (100, "0000755\u{0}0000000\u{0}0000000\u{0}00000000003\u{0}07346545000\u{0}"),
            (148, "010713\u{0} 0"), (257, "ustar\u{0}00"), (329, "0000000\u{0}0000000\u{0}"),
        ] {
            header.replaceSubrange(offset..<offset + text.utf8.count, with: Array(text.utf8))
        }
        #expect(Array(archive[..<512]) == header)
        #expect(Array(archive[512..<515]) == Array("hi\n".utf8))
        #expect(archive.count == 4 * 512)
        #expect(archive[515...].allSatisfy { $0 == 0 })
    }

    @Test func whatTheWriterCannotSayIsRefused() throws {
        var writer = TarWriter()
        var output: [UInt8] = []
        for content in [
            .file(size: -1), .symbolicLink(target: ""), .hardLink(target: "a\u{0}"), .other(type: 0x33, size: 0),
        ] as [TarMember.Content] {
            #expect(throws: StoreError.self) {
                try writer.begin(TarMember(name: "a", mode: 0, content: content), to: &output)
            }
        }
        for name in ["", "a\u{0}b"] {
            #expect(throws: StoreError.self) {
                try writer.begin(TarMember(name: name, mode: 0, content: .folder), to: &output)
            }
        }
        #expect(output.isEmpty)
    }

    @Test func contentsOfAnotherLengthAreRefused() throws {
        var writer = TarWriter()
        var output: [UInt8] = []
        try writer.begin(TarMember(name: "a", mode: 0o644, content: .file(size: 3)), to: &output)
        try [1, 2].withUnsafeBytes { try writer.write(UnsafeRawBufferPointer(rebasing: $0.prefix(2)), to: &output) }
        #expect(throws: StoreError.lengthMismatch(expected: 3, actual: 2)) { try writer.endMember(to: &output) }
        #expect(throws: StoreError.lengthMismatch(expected: 3, actual: 4)) {
            try [UInt8](repeating: 0, count: 2).withUnsafeBytes { try writer.write($0, to: &output) }
        }
    }
}
