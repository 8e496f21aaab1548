import Foundation
import LarderBlobs
import LarderCore
import LarderTestSupport
import Testing

/// The ballast holds real space, gives it up once, and comes back when there is plenty.
@Suite
struct BallastTests {
    /// On a disk of 64 MiB: a ballast of 1 MiB.
    private func ballast(in folder: String) -> Ballast {
        Ballast(path: "\(folder)/ballast", diskTotal: .mebibytes(64))
    }

    private func size(in folder: String) throws -> Int {
        try FileManager.default.attributesOfItem(atPath: "\(folder)/ballast")[.size] as? Int ?? -1
    }

    @Test
    func itIsMadeWhenFourTimesAsMuchIsFree() async throws {
        try await withTemporaryFolder { (folder) async throws in
            let ballast = ballast(in: folder)
            #expect(ballast.isHeld == false)
            ballast.restore(free: .mebibytes(4))
            #expect(ballast.isHeld == false)
            ballast.restore(free: ByteCount(4 << 20 | 1))
            #expect(ballast.isHeld)
            #expect(try size(in: folder) == 1 << 20)
            ballast.restore(free: .mebibytes(60))
            #expect(try size(in: folder) == 1 << 20)
        }
    }

    @Test
    func itsSpaceIsReallyTaken() async throws {
        try await withTemporaryFolder { (folder) async throws in
            ballast(in: folder).restore(free: .mebibytes(60))
            var status = stat()
            #expect(stat("\(folder)/ballast", &status) == 0)
            #expect(status.st_blocks * 512 >= 1 << 20)
        }
    }

    @Test
    func itIsReleasedOnceAndRestored() async throws {
        try await withTemporaryFolder { (folder) async throws in
            let ballast = ballast(in: folder)
            #expect(ballast.release() == false)
            ballast.restore(free: .mebibytes(60))
            #expect(ballast.release())
            #expect(ballast.isHeld == false)
            #expect(ballast.release() == false)
            ballast.restore(free: .mebibytes(60))
            #expect(ballast.isHeld)
        }
    }

    @Test
    func onLargeDisksItHas64MiB() async throws {
        try await withTemporaryFolder { (folder) async throws in
            Ballast(path: "\(folder)/ballast", diskTotal: .gibibytes(4)).restore(free: .mebibytes(257))
            #expect(try size(in: folder) == 64 << 20)
            try FileManager.default.removeItem(atPath: "\(folder)/ballast")
            Ballast(path: "\(folder)/ballast", diskTotal: .gibibytes(4000)).restore(free: .mebibytes(257))
            #expect(try size(in: folder) == 64 << 20)
        }
    }

    @Test
    func aPartOfOneCountsAsNoneAndIsReplaced() async throws {
        try await withTemporaryFolder { (folder) async throws in
            #expect(FileManager.default.createFile(atPath: "\(folder)/ballast", contents: Data(count: 100)))
            let ballast = ballast(in: folder)
            #expect(ballast.isHeld == false)
            ballast.restore(free: .mebibytes(60))
            #expect(ballast.isHeld)
        }
    }

    @Test
    func itIsNotMadeWhereThereIsNoFolder() async throws {
        try await withTemporaryFolder { (folder) async throws in
            let ballast = Ballast(path: "\(folder)/none/ballast", diskTotal: .mebibytes(64))
            ballast.restore(free: .mebibytes(60))
            #expect(ballast.isHeld == false)
        }
    }
}
