import Foundation
import LarderBlobs
import LarderCore
import LarderMetadata
import LarderTestSupport
import NIOCore
import Testing

@testable import LarderStore

private var configuration: StoreConfiguration {
    var configuration = StoreConfiguration.testing
    configuration.inlineLimit = ByteCount(100)
    return configuration
}

extension StoreHarness {
    /// Plants small blobs as files would be, in one go, so that pages can be filled.
    fileprivate func putFiles(_ numbers: Range<Int>) async throws -> [Digest] {
        var digests: [Digest] = []
        for number in numbers { digests.append(try await putBlob(content(number, 200))) }
        try await settled()
        return digests
    }

    fileprivate func path(of digest: Digest) throws -> String {
        guard let name = files(in: "blobs").first(where: { $0.contains(digest.hex) }) else {
            throw TestFailure("there is no file of \(digest)")
        }
        return "\(folder)/blobs/\(name)"
    }

    fileprivate func cursor() async throws -> Int64 {
        try await store.read { try $0.account().scrubCursor }
    }
}

/// The scrub goes through all files in pages, remembers where it is, and quarantines what is damaged.
@Suite
struct ScrubberTests {
    @Test
    func aStoreWithoutFilesWrapsAtOnce() async throws {
        try await withStore(configuration) { harness in
            try await harness.putBlob(content(1, 100))
            let page = try await harness.store.scrubber.scrubPage()
            #expect(page == (0, true))
            #expect(harness.store.scrubber.verifiedCount == 0)
        }
    }

    @Test
    func pagesFollowEachOtherUntilTheEndAndThenStartAnew() async throws {
        try await withStore(configuration) { harness in
            _ = try await harness.putFiles(0..<70)
            let scrubber = harness.store.scrubber
            #expect(try await scrubber.scrubPage() == (64 * 200, false))
            #expect(try await harness.cursor() > 0)
            #expect(try await scrubber.scrubPage() == (6 * 200, false))
            #expect(try await scrubber.scrubPage() == (0, true))
            #expect(try await harness.cursor() == 0)
            #expect(scrubber.verifiedCount == 70)
            #expect(try await scrubber.scrubPage() == (64 * 200, false))
            #expect(try await harness.store.status().scrubbedCount == 134)
        }
    }

    @Test
    func theCursorSurvivesReopening() async throws {
        try await withTemporaryFolder { folder in
            try await withStore(configuration, in: folder) { harness in
                _ = try await harness.putFiles(0..<66)
                #expect(try await harness.store.scrubber.scrubPage() == (64 * 200, false))
            }
            try await withStore(configuration, in: folder) { harness async throws in
                #expect(try await harness.store.scrubber.scrubPage() == (2 * 200, false))
                #expect(try await harness.store.scrubber.scrubPage() == (0, true))
            }
        }
    }

    @Test
    func damagedFilesAreQuarantinedAndTheRestIsLeftAlone() async throws {
        try await withStore(configuration) { harness in
            let digests = try await harness.putFiles(0..<5)
            try await harness.putEntry("names", [1], references: .to(digests[1]))
            try await harness.putEntry("names others", [2], references: .to(digests[0], digests[2]))
            #expect(try await harness.entry("names") == [1])
            try flipByte(of: try harness.path(of: digests[1]), at: 100)
            try FileManager.default.removeItem(atPath: try harness.path(of: digests[3]))
            #expect(try await harness.store.scrubber.scrubPage() == (5 * 200, false))
            #expect(harness.quarantinedCount == 2)
            var found: [Int] = []
            for (number, digest) in digests.enumerated() where try await harness.blob(digest) != nil {
                found.append(number)
            }
            #expect(found == [0, 2, 4])
            #expect(try await harness.entry("names") == nil)
            #expect(try await harness.entry("names others") == [2])
            // What is in quarantine is not read again.
            #expect(try await harness.store.scrubber.scrubPage() == (0, true))
            #expect(try await harness.store.scrubber.scrubPage() == (3 * 200, false))
            for number in [1, 3] { try await harness.putBlob(content(number, 200)) }
            #expect(try await harness.entry("names") == [1])
            try await harness.quiet()
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aFileThatTheDiskCantReadDoesNotEndTheScrub() async throws {
        let files = UnreadableFiles()
        try await withStore(configuration, files: files) { harness in
            let digests = try await harness.putFiles(0..<4)
            files.breakFile(of: digests[1])
            _ = try? await harness.store.scrubber.scrubPage()
            _ = try? await harness.store.scrubber.scrubPage()
            // The others were verified, and the next round begins.
            #expect(try await harness.cursor() == 0)
            #expect(harness.store.scrubber.verifiedCount >= 3)
            #expect(try await harness.blob(digests[0]) == content(0, 200))
            #expect(try await harness.blob(digests[3]) == content(3, 200))
        }
    }
}
