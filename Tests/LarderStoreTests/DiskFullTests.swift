import Foundation
import LarderBlobs
import LarderCore
import LarderMetadata
import LarderTestSupport
import NIOCore
import Testing

@testable import LarderStore

private let mebibyte = 1 << 20

private var configuration: StoreConfiguration {
    var configuration = StoreConfiguration.testing
    configuration.guaranteedAge = .seconds(3600)
    configuration.inlineLimit = .kibibytes(256)
    return configuration
}

/// Makes a file system of 64 MiB for one test.
///
/// Only root may do that, as in CI.
private func withSmallFileSystem<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    try await withTemporaryFolder { folder in
        let point = "\(folder)/disk"
        try FileManager.default.createDirectory(atPath: point, withIntermediateDirectories: true)
        let mounting = try await runProgram("mount", ["-t", "tmpfs", "-o", "size=64m", "larder-test", point])
        guard mounting.status == 0 else { throw TestFailure("mount failed: \(mounting.errors)") }
        let result: Result<Value, any Error>
        do {
            result = .success(try await body("\(point)/data"))
        } catch {
            result = .failure(error)
        }
        let unmounting = try await runProgram("umount", ["--lazy", point])
        guard unmounting.status == 0 else { throw TestFailure("umount failed: \(unmounting.errors)") }
        return try result.get()
    }
}

extension StoreHarness {
    /// Puts entries of a size, a second apart, until one is refused; returns how many there are.
    fileprivate func fillUp(_ size: Int) async throws -> Int {
        for number in 0..<2000 {
            time.advance(by: .seconds(1))
            let error = try await storeError { try await putEntry("\(number)", content(number, size)) }
            guard let error else { continue }
            guard caseName(error) == "noSpace" else { throw TestFailure("entry \(number): \(error)") }
            return number
        }
        throw TestFailure("the disk does not fill up")
    }

    /// Puts an entry; asks again while what was evicted is still being removed.
    fileprivate func putWhenThereIsRoom(_ key: String, _ bytes: [UInt8]) async throws {
        try await waitUntil("there is room for \(key)") {
            let error = try await storeError { try await putEntry(key, bytes) }
            if let error, caseName(error) != "noSpace" { throw TestFailure("\(key): \(error)") }
            return error == nil
        }
    }

    /// Numbers of the first entries that are there.
    fileprivate func present(_ count: Int) async throws -> [Int] {
        let id = try repository().id
        let keys = try (0..<count).map { StoredName(repository: id, item: .entry(try key("\($0)"))) }
        return try await store.read { snapshot in
            try keys.indices.filter { try snapshot.find(keys[$0], checkingQuarantine: false) != nil }
        }
    }
}

/// A real disk that is full: writes are refused, reads go on, and eviction makes room as soon as it may.
@Suite(.serialized)
struct DiskFullTests {
    @Test
    func aDiskFullOfGuaranteedFilesRefusesWritesAndServesReads() async throws {
        try await withSmallFileSystem { folder in
            let time = ManualTime()
            let count = try await withStore(configuration, in: folder, time: time) { harness in
                let count = try await harness.fillUp(mebibyte)
                #expect((40...64).contains(count))
                #expect(harness.reserved == 0)
                for number in [0, count / 2, count - 1] {
                    #expect(try await harness.entry("\(number)") == content(number, mebibyte))
                }
                let refusal = try await storeError { try await harness.putEntry("more", content(1000, mebibyte)) }
                #expect(caseName(refusal) == "noSpace")
                #expect(try await harness.present(count) == Array(0..<count))
                return count
            }
            // It opens although there is no room, and evicts when it may: what it needs, not everything.
            time.advance(by: .seconds(7200))
            try await withStore(configuration, in: folder, time: time) { harness in
                #expect(try await harness.entry("\(count - 1)") == content(count - 1, mebibyte))
                for number in 0..<3 {
                    time.advance(by: .seconds(1))
                    try await harness.putWhenThereIsRoom("new \(number)", content(2000 + number, mebibyte))
                }
                for number in 0..<3 {
                    #expect(try await harness.entry("new \(number)") == content(2000 + number, mebibyte))
                }
                let present = try await harness.present(count)
                #expect(present.count >= count / 2)
                #expect(present.contains(count - 1))
                try await harness.quiet()
                #expect(harness.reserved == 0)
                #expect(try await harness.problems() == [])
            }
        }
    }

    @Test
    func aDatabaseThatFillsTheDiskRefusesWritesAndServesReads() async throws {
        try await withSmallFileSystem { folder in
            let time = ManualTime()
            try await withStore(configuration, in: folder, time: time) { harness in
                let count = try await harness.fillUp(200 << 10)
                #expect(count > 50)
                #expect(harness.files(in: "blobs") == [])
                for number in [0, count / 2, count - 1] {
                    #expect(try await harness.entry("\(number)") == content(number, 200 << 10))
                }
                #expect(try await harness.present(count) == Array(0..<count))
                #expect(harness.reserved == 0)
                time.advance(by: .seconds(7200))
                for number in 0..<3 {
                    time.advance(by: .seconds(1))
                    try await harness.putWhenThereIsRoom("new \(number)", content(2000 + number, 200 << 10))
                }
                for number in 0..<3 {
                    #expect(try await harness.entry("new \(number)") == content(2000 + number, 200 << 10))
                }
                #expect(try await harness.present(count).count >= count / 2)
                try await harness.quiet()
                #expect(harness.reserved == 0)
                #expect(try await harness.problems() == [])
            }
        }
    }

    @Test
    func underTheFloorOfFreeDiskNothingIsWritten() async throws {
        try await withSmallFileSystem { folder in
            var floored = configuration
            floored.freeDiskFloor = .mebibytes(40)
            try await withStore(floored, in: folder) { harness in
                let count = try await harness.fillUp(mebibyte)
                #expect((10...24).contains(count))
                let free = try harness.store.blobs.diskSpace().free
                // The floor is for blobs; the database's log and its ballast are beside the account.
                #expect(free >= .mebibytes(37))
                try await harness.quiet()
                #expect(try await harness.problems() == [])
            }
        }
    }
}
