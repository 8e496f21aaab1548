import LarderCore
import LarderTestSupport
import Testing

@testable import LarderMetadata

/// Prefixes of keys mean bytes, and of what they find the newest counts.
@Suite struct ScopedEntrySearchTests {
    private typealias Harness = MetadataHarness

    // MARK: Prefixes

    /// Keys at the borders of what a range of texts can be.
    private static let keys = [
        "a", "a_", "a_1", "a%", "a%1", "ab", "abc", "a1", "A", "Ab", "a b", "a-b", "a~", "b", "*", "a*", "a[", "a\\",
        "a'",
        "e\u{301}", "\u{e9}", "\u{e9}x", "z\u{d7fe}", "z\u{d7ff}", "z\u{d7ff}x", "z\u{e000}", "z\u{e000}x", "z\u{ffff}",
        "z\u{10000}", "z😀", "z😀x", "z😁", "z\u{10ffff}", "z\u{10ffff}x", "z\u{10ffff}\u{10ffff}",
        "z\u{10ffff}\u{10ffff}x", "\u{10ffff}", "\u{10ffff}\u{10ffff}", "\u{10ffff}x",
    ]

    private static let prefixes =
        keys + [
            "z", "e", "a\u{e9}", "z\u{d7}", "z\u{ee00}", "z\u{10ffff}\u{10ffff}\u{10ffff}", "aa", "~", " ", "\u{80}",
        ]

    private static func begins(_ key: String, with prefix: String) -> Bool { key.utf8.starts(with: prefix.utf8) }

    private static func stands(_ first: String, before second: String) -> Bool {
        first.utf8.lexicographicallyPrecedes(second.utf8)
    }

    @Test func prefixesMeanBytes() async throws {
        try await withMetadata { harness in
            // What is later in the list is newer.
            for (index, key) in Self.keys.enumerated() {
                try harness.save(key, scope: "s", 10 + index, at: Int64(index))
                try harness.save(key, scope: "other", 10, at: 1000)
            }
            for prefix in Self.prefixes {
                let found = Self.keys.filter { Self.begins($0, with: prefix) }
                #expect(
                    try harness.newest(prefix, scope: "s").map { Array($0.utf8) } == found.last.map { Array($0.utf8) }
                )
                let listed = try harness.listed(prefix, scope: "s")
                #expect(listed == found.sorted(by: Self.stands).map { "s \($0)" }, "\(prefix)")
            }
        }
    }

    @Test func randomPrefixesMeanBytes() async throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        let alphabet: [Character] = [
            "a", "_", "%", "\u{7e}", "\u{80}", "\u{7ff}", "\u{800}", "\u{d7ff}", "\u{e000}", "\u{ffff}", "\u{10000}",
            "\u{10ffff}",
        ]
        func text(_ lengths: ClosedRange<Int>) -> String {
            let length = Int.random(in: lengths, using: &generator)
            return String((0..<length).map { _ in alphabet.randomElement(using: &generator) ?? "a" })
        }
        let texts = (0..<150).map { _ in text(1...4) }
        let prefixes = (0..<300).map { _ in text(1...3) }
        let keys = Set(texts.map { Array($0.utf8) }).map { String(decoding: $0, as: UTF8.self) }
        try await withMetadata { harness in
            for key in keys { try harness.save(key, 10) }
            for prefix in prefixes {
                let found = keys.filter { Self.begins($0, with: prefix) }.sorted(by: Self.stands)
                let listed = try harness.listed(prefix)
                try #require(listed == found.map { " \($0)" }, "\(prefix), LARDER_TEST_SEED=\(seed)")
            }
        }
    }

    // MARK: The newest

    @Test func theNewestIsThatWhichWasSavedLast() async throws {
        try await withMetadata { harness in
            try harness.save("k-1", scope: "s", 10, at: 30)
            try harness.save("k-2", scope: "s", 11, at: 50)
            try harness.save("k-3", scope: "s", 12, at: 40)
            try harness.save("k-4", scope: "t", 13, at: 60)
            try harness.save("l", scope: "s", 14, at: 70)
            #expect(try harness.newest("k-", scope: "s") == "k-2")
            #expect(try harness.newest("k-", scope: "t") == "k-4")
            #expect(try harness.newest("k-") == nil)
            // To be saved again with the same value is a use, and not a save.
            try harness.save("k-1", scope: "s", 10, at: 80)
            #expect(try harness.newest("k-", scope: "s") == "k-2")
            try harness.save("k-1", scope: "s", 15, isReplacing: true, at: 90)
            #expect(try harness.newest("k-", scope: "s") == "k-1")
            #expect(try harness.delete("k-1", scope: "s"))
            #expect(try harness.newest("k-", scope: "s") == "k-2")
            #expect(try harness.delete("k-2", scope: "s", undoUntil: 1000))
            #expect(try harness.newest("k-", scope: "s") == "k-3")
        }
    }

    @Test func ofThoseSavedInTheSameMomentTheLastCounts() async throws {
        try await withMetadata { harness in
            let entries = try ["k-b", "k-c", "k-a"].map { (key: $0, id: try harness.begin(10)) }
            for entry in entries.reversed() { _ = try harness.finish(entry.id, entry.key, at: 5) }
            #expect(try harness.newest("k") == "k-a")
            #expect(try harness.delete("k-a"))
            #expect(try harness.newest("k") == "k-c")
        }
    }

    @Test func whatIsDamagedIsPassedOver() async throws {
        try await withMetadata { harness in
            try await harness.put(1...3)
            for number in 1...3 {
                try harness.save("k-\(number)", scope: "s", 10 + number, references: [number], at: Int64(number))
            }
            try harness.quarantine(3)
            #expect(try harness.newest("k", scope: "s") == "k-2")
            #expect(try harness.value("k-3", scope: "s") == nil)
            try harness.quarantine(12)
            #expect(try harness.newest("k", scope: "s") == "k-1")
            // A value that can't be read has no place in a list; what is lost of the rest is not looked for there.
            #expect(try harness.listed("k") == ["s k-1", "s k-3"])
            try harness.quarantine(1)
            #expect(try harness.newest("k", scope: "s") == nil)
        }
    }

    // MARK: Lists

    @Test func aListGoesByScopeAndKey() async throws {
        try await withMetadata { harness in
            for scope in ["b", "", "a", "a/b"] {
                for key in ["y", "x", "xx"] { try harness.save(key, scope: scope, 10) }
            }
            // Entries of other adapters have no scope either.
            try await harness.putEntry(1, 10)
            let all = ["", "a", "a/b", "b"].flatMap { scope in ["x", "xx", "y"].map { "\(scope) \($0)" } }
            #expect(try harness.listed("x") == all.filter { !$0.hasSuffix("y") })
            #expect(try harness.listed("x", scope: "a") == ["a x", "a xx"])
            #expect(try harness.listed("x", scope: "") == [" x", " xx"])
            #expect(try harness.listed("y", scope: "nowhere") == [])
            for limit in 1...9 {
                var pages: [[String]] = []
                var last: (scope: String, key: String)?
                while true {
                    let page = try harness.listed("x", after: last, atMost: limit)
                    guard let end = page.last else { break }
                    pages.append(page)
                    let parts = end.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
                    last = (parts[0], parts[1])
                    try #require(pages.count < 100)
                }
                #expect(pages.flatMap { $0 } == all.filter { !$0.hasSuffix("y") })
                #expect(pages.dropLast().allSatisfy { $0.count == limit })
            }
        }
    }

    // MARK: Counters

    /// One change, as data.
    private enum Operation: Sendable {
        case save(key: Int, scope: Int, value: Int, references: [Int], isReplacing: Bool)
        case abandon(value: Int, references: [Int])
        case delete(key: Int, scope: Int, isForGood: Bool)
        case putBlob(Int)
        case quarantine(Int)
        case evict
        case removeDead

        init(using generator: inout SeededGenerator) {
            let numbers = (0..<4).map { _ in Int.random(in: 0..<5, using: &generator) }
            let references = (0..<numbers[3]).map { _ in Int.random(in: 0..<14, using: &generator) }
            let value = Int.random(in: 0..<14, using: &generator)
            self =
                switch Int.random(in: 0..<20, using: &generator) {
                case 0..<9:
                    .save(
                        key: numbers[0],
                        scope: numbers[1],
                        value: value,
                        references: references,
                        isReplacing: numbers[2] < 2
                    )
                case 9: .abandon(value: value, references: references)
                case 10..<13: .delete(key: numbers[0], scope: numbers[1], isForGood: numbers[2] < 2)
                case 13..<17: .putBlob(value)
                case 17: .quarantine(value)
                case 18: .evict
                default: .removeDead
                }
        }
    }

    private static func perform(_ operation: Operation, at seconds: Int64, in harness: Harness) async throws {
        switch operation {
        case .save(let key, let scope, let value, let references, let isReplacing):
            do {
                let entry = try harness.begin(value, at: seconds)
                do {
                    try harness.add(references, to: entry)
                } catch {
                    _ = try harness.metadata.write { try $0.abandonEntry(entry) }
                    throw error
                }
                _ = try harness.finish(
                    entry,
                    "k\(key)",
                    scope: scope == 0 ? "" : "s\(scope)",
                    isReplacing: isReplacing,
                    at: seconds
                )
            } catch StoreError.missingContent, StoreError.invalidContent {}
        case .abandon(let value, let references):
            let entry = try harness.begin(value, at: seconds)
            try? harness.add(references, to: entry)
            _ = try harness.metadata.write { try $0.abandonPendingEntries() }
        case .delete(let key, let scope, let isForGood):
            _ = try harness.delete(
                "k\(key)",
                scope: scope == 0 ? "" : "s\(scope)",
                undoUntil: isForGood ? nil : seconds + 1000
            )
        case .putBlob(let number): try await harness.put([number], at: seconds)
        case .quarantine(let number):
            if try harness.metadata.read({ try $0.blob(Harness.digest(number)) }) != nil {
                try harness.quarantine(number)
            }
        case .evict:
            let candidates = try harness.candidates().prefix(2)
            _ = try harness.metadata.write { try $0.evict(candidates) }
        case .removeDead: try harness.removeDeadEntries(atMost: 2)
        }
    }

    @Test(arguments: 0..<4)
    func randomOperationsKeepEveryCounterRight(run: Int) async throws {
        let seed = testSeed() &+ UInt64(run)
        try await withMetadata { harness in
            var generator = SeededGenerator(seed: seed)
            for step in 0..<200 {
                let operation = Operation(using: &generator)
                try await Self.perform(operation, at: Int64(step), in: harness)
                let comment: Comment = "step \(step) \(operation), LARDER_TEST_SEED=\(seed &- UInt64(run))"
                try #require(try harness.problems() == [], comment)
                let visible = try harness.numbers("SELECT count(*) FROM entry WHERE is_dead = 0 AND hidden_at IS NULL")
                try #require(try harness.repository().entryCount == visible.first, comment)
            }
            while try harness.metadata.write({ transaction in
                try transaction.flushRepository(harness.main, pushedUntil: Timestamp(milliseconds: .max), atMost: 100)
            }).value {}
            #expect(try harness.isEmpty(), "LARDER_TEST_SEED=\(seed &- UInt64(run))")
        }
    }
}
