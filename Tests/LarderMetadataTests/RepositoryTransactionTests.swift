import LarderCore
import LarderMetadata
import LarderTestSupport
import Testing

/// Repositories: made once, emptied in slices, removed when they are empty.
@Suite struct RepositoryTransactionTests {
    private typealias Harness = MetadataHarness

    private static func create(
        _ text: String,
        kind: RepositoryKind = .cache,
        settings: RepositorySettings = .init(),
        in harness: Harness
    ) async throws -> Repository {
        let name = try #require(RepositoryName(text))
        return try harness.metadata.write { transaction in
            try transaction.createRepository(name, kind: kind, settings: settings, now: Harness.start)
        }.value
    }

    @Test func repositoryIsMadeOnce() async throws {
        try await withMetadata { harness in
            let first = try await Self.create("team/app", settings: .init(quotaEntries: 5), in: harness)
            let second = try await Self.create("team/app", settings: .init(quotaEntries: 9), in: harness)
            #expect(first == second)
            #expect(second.settings.quotaEntries == 5)
        }
    }

    @Test func repositoryKeepsItsKind() async throws {
        try await withMetadata { harness in
            await #expect(throws: StoreError.notAllowed("repository main exists and is a cache")) {
                try await Self.create("main", kind: .registry, in: harness)
            }
        }
    }

    @Test func settingsAreReplacedWhole() async throws {
        try await withMetadata { harness in
            let main = harness.main
            let settings = RepositorySettings(quotaBytes: ByteCount(5), quotaEntries: 6, validatesContent: false)
            let changed = try harness.metadata.write { try $0.setRepository(main, settings: settings) }.value
            #expect(changed?.settings == settings)
            #expect(try harness.repository().settings == settings)
            let back = try harness.metadata.write { try $0.setRepository(main, settings: .init()) }.value
            #expect(back?.settings == RepositorySettings())
            #expect(try harness.metadata.write { try $0.setRepository(99, settings: settings) }.value == nil)
        }
    }

    @Test func flushGoesInSlicesAndStopsAtAMoment() async throws {
        try await withMetadata { harness in
            try await harness.put(1...25)
            for number in 1...25 {
                try await harness.putEntry(number, 100 + number, references: [number])
            }
            try await harness.put([50], at: 60)
            try await harness.put([51])
            try await harness.putEntry(60, 160, references: [51], at: 60)
            try await harness.put([70], in: harness.other)
            let main = harness.main
            var rounds = 0
            while try harness.metadata.write({ transaction in
                try transaction.flushRepository(main, pushedUntil: Harness.start + .seconds(30), atMost: 10)
            }).value {
                rounds += 1
                try #require(rounds < 20)
                #expect(try harness.problems() == [])
            }
            // What was pushed later stays, and so does what it refers to.
            #expect(try harness.repository().entryCount == 1)
            #expect(try harness.findEntry(60) != nil)
            #expect(try harness.findBlob(50) != nil)
            #expect(try harness.findBlob(51) != nil)
            #expect(try harness.repository().usedBytes == 261)
            #expect(try harness.repository(harness.other).usedBytes == 70)
            #expect(try harness.account() == (usedBytes: 331, blobCount: 4))
            #expect(try harness.problems() == [])
        }
    }

    @Test func deletedRepositoryFreesItsNameAtOnce() async throws {
        try await withMetadata { harness in
            try await harness.put([10])
            try await harness.putEntry(1, 20, references: [10])
            let main = harness.main
            _ = try harness.metadata.write { try $0.deleteRepository(main) }
            #expect(try harness.metadata.read { try $0.repositories().map(\.name.text) } == ["other"])
            #expect(try harness.metadata.read { try $0.deletedRepositories() } == [main])
            let again = try await Self.create("main", kind: .registry, in: harness)
            #expect(again.id != main)
            #expect(again.usedBytes == 0)

            _ = try harness.metadata.write { transaction in
                _ = try transaction.flushRepository(
                    main,
                    pushedUntil: Timestamp(milliseconds: .max),
                    atMost: 1000
                )
                try transaction.dropRepository(main)
            }
            #expect(try harness.metadata.read { try $0.deletedRepositories() }.isEmpty)
            #expect(try harness.isEmpty())
            #expect(try harness.problems() == [])
        }
    }

    @Test func repositoryWithRowsIsNotDropped() async throws {
        try await withMetadata { harness in
            try await harness.put([10])
            let main = harness.main
            _ = try harness.metadata.write { try $0.deleteRepository(main) }
            #expect(throws: StoreError.self) {
                _ = try harness.metadata.write { try $0.dropRepository(main) }
            }
            #expect(try harness.metadata.read { try $0.deletedRepositories() } == [main])
        }
    }

    @Test func writingIntoARepositoryThatWentFindsNone() async throws {
        try await withMetadata { harness in
            let other = harness.other
            _ = try harness.metadata.write { try $0.deleteRepository(other) }
            _ = try harness.metadata.write { try $0.dropRepository(other) }
            let error = await #expect(throws: StoreError.self) { try await harness.put([10], in: other) }
            #expect(error == .notFound("the repository is being removed"))
            #expect(try harness.isEmpty())
            #expect(try harness.problems() == [])
        }
    }

    @Test func repositoryInUseIsNotDropped() async throws {
        try await withMetadata { harness in
            let main = harness.main
            _ = try harness.metadata.write { try $0.dropRepository(main) }
            #expect(try harness.repository().name.text == "main")
        }
    }

    @Test func countersThatAreWrongAreFoundAndRepaired() async throws {
        try await withMetadata { harness in
            try await harness.put([10, 20])
            try await harness.putEntry(1, 30, references: [10])
            for sql in [
                "UPDATE store SET used_bytes = 7", "UPDATE store SET blob_count = 9", "UPDATE blob SET link_count = 5",
                "UPDATE link SET entry_count = 4", "UPDATE repository SET used_bytes = 1",
                "UPDATE repository SET entry_count = 8",
            ] {
                try await harness.execute(sql)
                #expect(try !harness.problems().isEmpty, "\(sql)")
                _ = try harness.metadata.write { try $0.repairCounters() }
                #expect(try harness.problems() == [], "\(sql)")
                #expect(try harness.account() == (usedBytes: 60, blobCount: 3), "\(sql)")
            }
        }
    }
}
