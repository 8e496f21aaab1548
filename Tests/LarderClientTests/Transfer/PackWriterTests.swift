import Foundation
import LarderCore
import LarderTestSupport
import NIOCore
import Synchronization
import Testing

@testable import LarderClient

/// Packs of files and bytes are what they are announced to be.
@Suite struct PackWriterTests {
    private func write(_ blobs: [OutgoingBlob]) throws -> [UInt8] {
        let writer = PackWriter(blobs) { _ in }
        var bytes: [UInt8] = []
        while let chunk = try writer.next() { bytes += chunk.readableBytesView }
        return bytes
    }

    private func file(_ bytes: [UInt8], _ path: String) throws -> OutgoingBlob {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return OutgoingBlob(
            digest: IncrementalHasher.digest(of: bytes),
            size: Int64(bytes.count),
            source: .file(path: path)
        )
    }

    @Test(arguments: [
        [], [0], [1], [5, 0, 7], [1 << 20], [(1 << 20) - 41], [(1 << 20) - 82, 3], [3 << 20, 17, 2 << 20],
    ])
    func whatIsWrittenIsReadAgain(sizes: [Int]) async throws {
        try await withTemporaryFolder { folder in
            var generator = SeededGenerator(seed: 7)
            let contents = sizes.map { generator.bytes($0) }
            let blobs = try contents.enumerated().map { index, bytes in
                index % 2 == 0 ? try file(bytes, "\(folder)/\(index)") : OutgoingBlob(bytes)
            }
            let pack = try write(blobs)
            #expect(Int64(pack.count) == PackWriter.length(of: blobs))
            let sink = RecordingSink()
            var reader = PackReader()
            try pack.withUnsafeBytes { try reader.take($0, into: sink) }
            try reader.finish()
            #expect(sink.blobs == contents)
        }
    }

    @Test(arguments: [9, 11])
    func aFileOfAnotherLengthIsNamed(length: Int) async throws {
        try await withTemporaryFolder { folder in
            let blob = try file([UInt8](repeating: 1, count: 10), "\(folder)/changed")
            try Data(repeating: 1, count: length).write(to: URL(fileURLWithPath: "\(folder)/changed"))
            let error = #expect(throws: ClientError.self) { try write([blob]) }
            #expect(error?.description.contains("\(folder)/changed changed") == true)
        }
    }

    @Test func aFileThatIsGoneIsNamed() {
        let blob = OutgoingBlob(digest: .emptySHA256, size: 0, source: .file(path: "/nowhere/at/all"))
        let error = #expect(throws: ClientError.self) { try write([blob]) }
        #expect(error?.description == "can't read /nowhere/at/all: No such file or directory")
    }
}
