import LarderCore
import LarderTestSupport
import Testing

@testable import LarderStore

private func candidate(_ blobID: Int64) -> EvictionCandidate {
    EvictionCandidate(
        row: .link(repository: 1, blobID: blobID),
        repository: 1,
        lastUsed: Timestamp(milliseconds: 1),
        size: 10
    )
}

/// What a read was told to be there does not go on an older plan (U1).
@Suite
struct UseTrackerTests {
    private let tracker = UseTracker()

    /// Those of some candidates that may go.
    private func claimed(_ candidates: [EvictionCandidate]) -> [EvictionCandidate] {
        candidates.filter { tracker.claim($0.row) }
    }

    @Test
    func whatIsBeingEvictedIsNotUsed() {
        #expect(claimed([candidate(1), candidate(2)]) == [candidate(1), candidate(2)])
        #expect(!tracker.note(candidate(1).row, at: Timestamp(milliseconds: 5)))
        #expect(tracker.note(candidate(3).row, at: Timestamp(milliseconds: 5)))
        tracker.release([candidate(1), candidate(2)].map(\.row))
        #expect(tracker.note(candidate(1).row, at: Timestamp(milliseconds: 6)))
        #expect(tracker.count == 2)
    }

    @Test
    func whatWasUsedSinceThePlanIsNotEvicted() {
        #expect(tracker.note(candidate(1).row, at: Timestamp(milliseconds: 5)))
        #expect(claimed([candidate(1), candidate(2)]) == [candidate(2)])
    }

    @Test
    func aUseCountsUntilItIsWritten() {
        let row = candidate(1).row
        #expect(tracker.note(row, at: Timestamp(milliseconds: 5)))
        let batch = tracker.unwritten(atMost: 10)
        #expect(batch.count == 1)
        // Still in the way of an eviction while the transaction runs.
        #expect(claimed([candidate(1)]) == [])
        #expect(tracker.note(row, at: Timestamp(milliseconds: 9)))
        tracker.noteWritten(batch)
        // Renewed meanwhile: the newer time is still to be written.
        #expect(tracker.unwritten(atMost: 10).map(\.time) == [Timestamp(milliseconds: 9)])
        tracker.noteWritten(tracker.unwritten(atMost: 10))
        #expect(tracker.count == 0)
    }

    /// Readers and evictions at once: what was read once is there for the guaranteed age, whatever was planned before.
    @Test
    func whatWasReadStaysForTheGuaranteedAge() async throws {
        var configuration = StoreConfiguration.testing
        configuration.sizeLimit = .bytes(ByteCount(100_000))
        configuration.guaranteedAge = .seconds(60)
        try await withStore(configuration) { harness in
            var digests: [Digest] = []
            for round in 0..<60 {
                // Everything is old enough to go.
                harness.time.advance(by: .seconds(200))
                let known = digests
                let found = try await withThrowingTaskGroup(of: [Digest].self) { group in
                    group.addTask {
                        for number in 0..<10 {
                            try await harness.putBlob(content(round * 10 + number, 4000))
                        }
                        return []
                    }
                    group.addTask {
                        var found: [Digest] = []
                        for digest in known.suffix(6) where try await harness.blob(digest) != nil {
                            found.append(digest)
                        }
                        return found
                    }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
                try await harness.quiet()
                for digest in found {
                    #expect(try await harness.blob(digest) != nil, "round \(round)")
                }
                digests = (0..<10).map { IncrementalHasher.digest(of: content(round * 10 + $0, 4000)) }
            }
            #expect(harness.store.evictor.totals.count > 0)
        }
    }
}
