import Foundation
import LarderCore
import LarderTestSupport
import NIOCore
import Testing

@testable import LarderStore

/// Parts of one upload come in any order, and what came is what is stored.
@Suite
struct UploadPartsTests {
    // MARK: Order

    @Test(
        arguments: [
            (size: 1, order: [0]), (size: 1024, order: [1, 0]), (size: 1025, order: [1, 0]),
            (size: 9000, order: [0, 1, 2, 3, 4]), (size: 9000, order: [4, 3, 2, 1, 0]),
            (size: 9000, order: [2, 0, 4, 1, 3]), (size: 9001, order: [4, 0, 3, 1, 2]),
        ]
    )
    func partsInAnyOrderBecomeABlob(size: Int, order: [Int]) async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            let bytes = content(1, size)
            let digest = IncrementalHasher.digest(of: bytes)
            try await harness.beginParts(size: Int64(size))
            let partLength = (size + order.count - 1) / order.count
            var sent: Set<Int> = []
            for part in order {
                sent.insert(part)
                let contiguous = (0...order.count).first { !sent.contains($0) } ?? 0
                let range = (part * partLength)..<min(size, (part + 1) * partLength)
                let received = Int64(min(size, contiguous * partLength))
                #expect(try await harness.sendPart(range, of: bytes) == .accepted(length: received))
                #expect(try harness.declared() == received)
                #expect(try await harness.blob(digest) == nil)
            }
            #expect(harness.used == 0)
            #expect(try await harness.finishParts(as: digest) == .accepted(length: Int64(size)))
            #expect(try await harness.blob(digest) == bytes)
            #expect(try harness.declared() == nil)
            #expect(try await harness.sendPart(0..<1, of: bytes) == .unknown)
            #expect(try await harness.finishParts(as: digest) == .unknown)
            #expect(try await harness.partsLeftovers() == [])
            #expect(harness.used == Int64(size))
            #expect(harness.files(in: "blobs").count == (size > 1024 ? 1 : 0))
        }
    }

    @Test
    func partsGoSideBySide() async throws {
        var parallel = partsConfiguration
        parallel.fileThreadCount = 4
        try await withStore(parallel) { (harness) async throws in
            let bytes = content(1, 200_000)
            let digest = IncrementalHasher.digest(of: bytes)
            try await harness.beginParts(size: 200_000)
            try await withThrowingTaskGroup(of: Void.self) { (group) async throws in
                for start in stride(from: 0, to: 200_000, by: 4000) {
                    group.addTask {
                        guard case .accepted = try await harness.sendPart(start..<(start + 4000), of: bytes) else {
                            throw TestFailure("the part at \(start) is not taken")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try harness.declared() == 200_000)
            #expect(try await harness.finishParts(as: digest) == .accepted(length: 200_000))
            #expect(try await harness.blob(digest) == bytes)
            try await harness.quiet()
            #expect(try await harness.partsLeftovers() == [])
        }
    }

    @Test
    func anUploadMayBeForARegistry() async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            let bytes = content(1, 3000)
            let digest = IncrementalHasher.digest(of: bytes)
            try await harness.beginParts(kind: .registry)
            #expect(try await harness.sendPart(0..<3000, of: bytes) == .accepted(length: 3000))
            let outcome = try await harness.store.finishParts(
                of: "upload",
                in: try harness.name("main"),
                kind: .registry,
                as: digest
            )
            #expect(outcome == .accepted(length: 3000))
            #expect(try await harness.blob(digest) == bytes)
        }
    }

    // MARK: Twice

    @Test
    func aPartThatCameIsNotWrittenAgain() async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            let (bytes, others) = (content(1, 6000), content(2, 6000))
            let digest = IncrementalHasher.digest(of: bytes)
            try await harness.beginParts(size: 6000)
            #expect(try await harness.sendPart(0..<3000, of: bytes) == .accepted(length: 3000))
            try await harness.poolIsDrained()
            // What was hashed must stay what it was.
            for range in [0..<3000, 0..<1, 2999..<3000, 700..<1400, 5..<5] {
                #expect(try await harness.sendPart(range, of: others) == .accepted(length: 3000))
            }
            #expect(try await harness.sendPart(3000..<6000, of: bytes) == .accepted(length: 6000))
            #expect(try await harness.sendPart(1000..<5000, of: others) == .accepted(length: 6000))
            #expect(try await harness.finishParts(as: digest) == .accepted(length: 6000))
            #expect(try await harness.blob(digest) == bytes)
            #expect(try await harness.partsLeftovers() == [])
        }
    }

    @Test(arguments: [0..<1001, 999..<1001, 1999..<2001, 1999..<3000, 0..<3000, 500..<2500])
    func aPartThatCameByHalfIsNotTaken(range: Range<Int>) async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            let bytes = content(1, 3000)
            try await harness.beginParts(size: 3000)
            #expect(try await harness.sendPart(1000..<2000, of: bytes) == .accepted(length: 0))
            #expect(try await harness.sendPart(range, of: bytes) == .busy)
            #expect(try await harness.sendPart(0..<1000, of: bytes) == .accepted(length: 2000))
            #expect(try await harness.sendPart(2000..<3000, of: bytes) == .accepted(length: 3000))
            #expect(try await harness.finishParts(as: IncrementalHasher.digest(of: bytes)) == .accepted(length: 3000))
        }
    }

    @Test
    func bytesThatAreBeingSentAreTheirSenders() async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            let bytes = content(1, 3000)
            let digest = IncrementalHasher.digest(of: bytes)
            try await harness.beginParts(size: 3000)
            let outcome = try await harness.whileAPartIsSent { () async throws in
                for range in [1000..<2000, 1500..<1600, 0..<1001, 1999..<3000, 0..<3000] {
                    #expect(try await harness.sendPart(range, of: bytes) == .busy)
                }
                #expect(try await harness.finishParts(as: digest) == .busy)
                #expect(try await harness.sendPart(0..<1000, of: bytes) == .accepted(length: 1000))
                #expect(try await harness.sendPart(2000..<3000, of: bytes) == .accepted(length: 1000))
            }
            #expect(outcome == .accepted(length: 3000))
            #expect(try await harness.finishParts(as: digest) == .accepted(length: 3000))
            #expect(try await harness.blob(digest) == bytes)
            #expect(try await harness.partsLeftovers() == [])
        }
    }

    // MARK: What is not whole

    @Test
    func aPartThatBreaksOffDoesNotCount() async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            let bytes = content(1, 6000)
            let digest = IncrementalHasher.digest(of: bytes)
            try await harness.beginParts(size: 6000)
            for start in [3000, 0] {
                await #expect(throws: BodyFailure()) {
                    _ = try await harness.sendPart(
                        Array(content(2, 6000)[start..<(start + 2000)]),
                        at: start,
                        length: 3000,
                        fails: true
                    )
                }
                #expect(try harness.declared() == 0)
                #expect(try await harness.finishParts(as: digest) == .outOfOrder(length: 0))
            }
            #expect(try await harness.sendPart(3000..<6000, of: bytes) == .accepted(length: 0))
            #expect(try await harness.sendPart(0..<3000, of: bytes) == .accepted(length: 6000))
            #expect(try await harness.finishParts(as: digest) == .accepted(length: 6000))
            #expect(try await harness.blob(digest) == bytes)
            #expect(try await harness.partsLeftovers() == [])
        }
    }

    /// A part behind the last one that counts has left bytes in the file, which are not of the blob.
    @Test
    func whatAPartThatBrokeOffLeftIsNoPartOfTheBlob() async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            let bytes = content(1, 3000)
            let digest = IncrementalHasher.digest(of: bytes)
            try await harness.beginParts()
            #expect(try await harness.sendPart(0..<3000, of: bytes) == .accepted(length: 3000))
            await #expect(throws: BodyFailure()) {
                _ = try await harness.sendPart([1, 2, 3], at: 3000, length: 3000, fails: true)
            }
            #expect(try await harness.finishParts(as: digest) == .accepted(length: 3000))
            #expect(try await harness.blob(digest) == bytes)
            #expect(try await harness.partsLeftovers() == [])
        }
    }

    @Test(arguments: [(sent: 1000, declared: 999), (sent: 1000, declared: 1001), (sent: 0, declared: 1)])
    func aPartOfAnotherLengthThanDeclaredDoesNotCount(sent: Int, declared: Int) async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            let bytes = content(1, 2000)
            try await harness.beginParts(size: 2000)
            let error = try await storeError {
                _ = try await harness.sendPart(content(2, sent), at: 0, length: declared)
            }
            #expect(caseName(error) == "lengthMismatch")
            #expect(try harness.declared() == 0)
            #expect(try await harness.sendPart(0..<2000, of: bytes) == .accepted(length: 2000))
            #expect(try await harness.finishParts(as: IncrementalHasher.digest(of: bytes)) == .accepted(length: 2000))
        }
    }

    @Test(
        arguments: [
            (size: 6000, parts: [], received: 0), (size: 6000, parts: [1000..<6000], received: 0),
            (size: 6000, parts: [0..<1000, 2000..<6000], received: 1000),
            (size: 6000, parts: [0..<5999], received: 5999),
            (size: nil, parts: [0..<1000, 2000..<6000], received: 1000), (size: nil, parts: [], received: 0),
            (size: nil, parts: [0..<1000, 1001..<1002, 1003..<6000], received: 1000),
        ] as [(size: Int64?, parts: [Range<Int>], received: Int64)]
    )
    func whatHasGapsIsNotFinished(size: Int64?, parts: [Range<Int>], received: Int64) async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            let bytes = content(1, 6000)
            let digest = IncrementalHasher.digest(of: bytes)
            try await harness.beginParts(size: size)
            for part in parts { _ = try await harness.sendPart(part, of: bytes) }
            #expect(try await harness.finishParts(as: digest) == .outOfOrder(length: received))
            #expect(try await harness.blob(digest) == nil)
            // Nothing is lost by that.
            var start = 0
            for part in parts + [6000..<6000] {
                if start < part.lowerBound { _ = try await harness.sendPart(start..<part.lowerBound, of: bytes) }
                start = part.upperBound
            }
            #expect(try await harness.finishParts(as: digest) == .accepted(length: 6000))
            #expect(try await harness.blob(digest) == bytes)
            #expect(try await harness.partsLeftovers() == [])
        }
    }

    @Test(arguments: [500, 6000])
    func aWrongDigestEndsTheUpload(size: Int) async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            let bytes = content(1, size)
            let wrong = IncrementalHasher.digest(of: content(2, size))
            try await harness.beginParts()
            _ = try await harness.sendPart(0..<size, of: bytes)
            let error = try await storeError { _ = try await harness.finishParts(as: wrong) }
            #expect(error == .digestMismatch(expected: wrong, actual: IncrementalHasher.digest(of: bytes)))
            #expect(try harness.declared() == nil)
            #expect(try await harness.partsLeftovers() == [])
            #expect(harness.files(in: "blobs") == [])
            #expect(harness.used == 0)
        }
    }
}
