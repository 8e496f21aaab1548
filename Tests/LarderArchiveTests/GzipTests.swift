import LarderArchive
import LarderCore
import LarderTestSupport
import Testing

/// gzip, written and read.
@Suite struct GzipTests {
    private static let text = Array(String(repeating: "All work and no play makes Jack a dull boy. ", count: 40).utf8)

    @Test(arguments: 0...9)
    func whatWasWrittenIsRead(level: Int) throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for size in [0, 1, 1000, 65_535, 65_536, 65_537, 300_000] {
            let halves = generator.bytes(size / 2) + [UInt8](repeating: 5, count: size - size / 2)
            let file = gzipped(halves, level: level) { Int.random(in: 1...9000, using: &generator) }
            let back = try gunzipped(file) { Int.random(in: 1...900, using: &generator) }
            #expect(back == halves, "seed \(seed), size \(size)")
        }
    }

    @Test func theHeaderTellsNothing() {
        #expect(gzipped([]) == [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 3, 0] + [UInt8](repeating: 0, count: 8))
    }

    @Test(arguments: 1...9)
    func theFileDoesNotDependOnHowTheInputWasCut(level: Int) {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        // Words that repeat near and far, and noise between them.
        let words = (0..<500).map { _ in generator.bytes(Int.random(in: 1...60, using: &generator)) }
        let prose = (0..<12_000).flatMap { _ in words.randomElement(using: &generator) ?? [] }
        let bytes = prose + generator.bytes(100_000)
        let whole = gzipped(bytes, level: level)
        #expect(gzipped(bytes, level: level) { 1 + Int(generator.next() % 3000) } == whole, "seed \(seed)")
        #expect(gzipped(bytes, level: level) { 32_768 } == whole, "seed \(seed)")
    }

    @Test func piecesAreBounded() throws {
        let file = gzipped([UInt8](repeating: 0, count: 10_000_000))
        var reader = GzipReader()
        var (total, longest) = (0, 0)
        try file.withUnsafeBytes { bytes in
            try reader.feed(bytes) {
                total += $0.count
                longest = max(longest, $0.count)
            }
        }
        try reader.finish()
        #expect(total == 10_000_000)
        #expect(reader.outputByteCount == 10_000_000)
        #expect(longest <= 64 << 10)
    }

    @Test func membersInARowAreOne() throws {
        let files = gzipped(Self.text) + gzipped([]) + gzipped([1, 2, 3])
        #expect(try gunzipped(files) == Self.text + [1, 2, 3])
        #expect(try gunzipped(files) { 1 } == Self.text + [1, 2, 3])
    }

    @Test func zerosAtTheEndArePassedOver() throws {
        let zeros = [UInt8](repeating: 0, count: 700)
        #expect(try gunzipped(gzipped(Self.text) + zeros) == Self.text)
        #expect(try gunzipped(gzipped(Self.text) + zeros) { 1 } == Self.text)
        #expect(throws: StoreError.invalidContent("gzip: something else follows the last member")) {
            try gunzipped(gzipped(Self.text) + zeros + gzipped(Self.text))
        }
    }

    @Test(
        arguments: [
            [], [0], [0x1f], [0x50, 0x4b, 3, 4], Array("not gzip at all, but long enough".utf8),
        ] as [[UInt8]]
    )
    func anythingElseIsRefused(bytes: [UInt8]) {
        #expect(throws: StoreError.self) { try gunzipped(bytes) }
        #expect(throws: StoreError.self) { try gunzipped(gzipped(Self.text) + [9] + bytes) }
    }

    @Test func everyTruncationIsFound() {
        let file = gzipped(Self.text)
        for length in 0..<file.count {
            #expect(throws: StoreError.self, "cut at \(length)") { try gunzipped(Array(file[..<length])) }
        }
    }

    @Test func damageIsFound() {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        let text = Self.text + generator.bytes(3000)
        let file = gzipped(text)
        for round in 0..<5000 {
            var damaged = file
            for _ in 0...Int.random(in: 0...3, using: &generator) {
                damaged[Int.random(in: 0..<file.count, using: &generator)] ^= 1 << UInt8(generator.next() % 8)
            }
            // Bits of the header that nobody needs may turn.
            if let read = try? gunzipped(damaged) { #expect(read == text, "seed \(seed), round \(round)") }
        }
    }

    @Test func theLimitIsKept() throws {
        let bomb = gzipped([UInt8](repeating: 0, count: 1 << 26))
        #expect(try gunzipped(bomb, outputLimit: .mebibytes(64)).count == 1 << 26)
        for limit in [0, 1, 65_535, 65_536, 65_537, 1 << 26 - 1] as [Int64] {
            var reader = GzipReader(outputLimit: ByteCount(limit))
            #expect(throws: StoreError.tooLarge(limit: ByteCount(limit))) {
                try bomb.withUnsafeBytes { bytes in try reader.feed(bytes) { _ in } }
            }
            #expect(reader.outputByteCount == limit)
        }
        #expect(try gunzipped(gzipped([]), outputLimit: .zero).isEmpty)
    }

    @Test func aReaderThatFailedStaysSo() throws {
        struct Refusal: Error {}
        var reader = GzipReader()
        let file = gzipped(Self.text)
        #expect(throws: Refusal.self) { try file.withUnsafeBytes { try reader.feed($0) { _ in throw Refusal() } } }
        #expect(throws: Refusal.self) { try file.withUnsafeBytes { try reader.feed($0) { _ in } } }
        #expect(throws: Refusal.self) { try reader.finish() }
    }

    @Test func gzipReadsAndIsRead() async throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        let contents = Self.text + generator.bytes(200_000) + Self.text
        try await withTemporaryFolder { folder in
            try write(gzipped(contents), to: "\(folder)/ours.gz")
            try await runToSuccess("gzip", ["-dk", "ours.gz"], in: folder)
            #expect(try read("\(folder)/ours") == contents)

            // With a name, a time and, as a second member, another level.
            try await runToSuccess("gzip", ["-9kf", "ours"], in: folder)
            let best = try read("\(folder)/ours.gz")
            try await runToSuccess("gzip", ["-1kf", "ours"], in: folder)
            #expect(try gunzipped(best + read("\(folder)/ours.gz")) == contents + contents)
        }
    }
}
