import Foundation
import LarderBlobs
import LarderCore
import LarderTestSupport
import Testing

private func bytes(_ count: Int, seed: Int = 1) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ seed &* 13) }
}

extension BlobUpload {
    fileprivate func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes {
            try append($0)
            hash($0)
        }
    }
}

/// A blob store in a data folder of its own.
private struct BlobHarness {
    let folder: String
    let files: FaultyFiles
    let store: BlobStore

    init(_ folder: String, firstGeneration: Int64 = 1 << 40) throws {
        let dataFolder = try DataFolder(at: folder)
        dataFolder.unlock()
        self.folder = folder
        files = FaultyFiles()
        store = BlobStore(root: folder, files: files, firstGeneration: firstGeneration)
    }

    /// Names of all files below `uploads/` and `blobs/`, in order.
    var names: [String] {
        ["uploads", "blobs"].flatMap { subfolder -> [String] in
            let all = FileManager.default.enumerator(atPath: "\(folder)/\(subfolder)")?.allObjects as? [String] ?? []
            return all.map { "\(subfolder)/\($0)" }.filter { name in
                var isFolder: ObjCBool = false
                return FileManager.default.fileExists(atPath: "\(folder)/\(name)", isDirectory: &isFolder)
                    && !isFolder.boolValue
            }
        }.sorted()
    }

    /// Uploads bytes up to and including `publish`.
    func publish(_ content: [UInt8]) throws -> (upload: BlobUpload, digest: Digest) {
        let upload = try store.beginUpload()
        try upload.write(content)
        let digest = try #require(upload.digests().first)
        try upload.finish()
        try upload.publish(as: digest)
        return (upload, digest)
    }

    func store(_ content: [UInt8]) throws -> (digest: Digest, generation: Int64) {
        let (upload, digest) = try publish(content)
        upload.settle()
        return (digest, upload.generation)
    }
}

private func withBlobStore(_ body: (BlobHarness) throws -> Void) async throws {
    try await withTemporaryFolder { try body(try BlobHarness("\($0)/data")) }
}

/// Uploads leave exactly the files that they should, at every stage and on every way out.
@Suite
struct BlobStoreTests {
    @Test
    func anUploadHasOneNameAfterTheOther() async throws {
        try await withBlobStore { harness in
            let upload = try harness.store.beginUpload()
            let generation = String(upload.generation, radix: 16)
            #expect(generation == "10000000000")
            #expect(harness.names == ["uploads/\(generation).part"])
            try upload.write(bytes(1000))
            try upload.write(bytes(500))
            #expect(upload.length == 1500)
            let digest = IncrementalHasher.digest(of: bytes(1000) + bytes(500))
            #expect(upload.digests() == [digest])
            try upload.finish()
            #expect(harness.names == ["uploads/\(generation).part"])
            try upload.publish(as: digest)
            let final = "blobs/sha256/\(digest.hex.prefix(2))/\(digest.hex).\(generation)"
            #expect(BlobStore.relativePath(of: digest, generation: upload.generation) == final)
            #expect(harness.names == [final, "uploads/\(digest.hex).\(generation)"])
            #expect(try harness.store.isUploading(digest, generation: upload.generation))
            upload.settle()
            #expect(harness.names == [final])
            #expect(try harness.store.isUploading(digest, generation: upload.generation) == false)
            #expect(try harness.store.exists(final))
        }
    }

    @Test
    func theDiskIsAskedInTheOrderOfTheRules() async throws {
        try await withBlobStore { harness in
            harness.files.reset()
            _ = try harness.store(bytes(100))
            #expect(
                harness.files.calls == [
                    "create", "write", "synchronize", "rename", "link", "synchronizeFolder", "remove",
                ]
            )
        }
    }

    @Test(arguments: ["begun", "written", "finished", "published"])
    func anAbandonedUploadLeavesNothing(stage: String) async throws {
        try await withBlobStore { harness in
            let upload = try harness.store.beginUpload()
            if stage != "begun" { try upload.write(bytes(3000)) }
            if stage == "finished" || stage == "published" { try upload.finish() }
            if stage == "published" { try upload.publish(as: try #require(upload.digests().first)) }
            #expect(harness.names != [])
            upload.abandon()
            #expect(harness.names == [])
            #expect(try harness.store.leftovers().isEmpty)
        }
    }

    @Test(arguments: ["begun", "written", "finished", "published", "settled"])
    func whatAnEndedProcessLeftIsRecognised(stage: String) async throws {
        try await withBlobStore { harness in
            let upload = try harness.store.beginUpload()
            try upload.write(bytes(3000))
            let digest = try #require(upload.digests().first)
            if stage != "begun" && stage != "written" { try upload.finish() }
            if stage == "published" || stage == "settled" { try upload.publish(as: digest) }
            if stage == "settled" { upload.settle() }
            let final = BlobStore.relativePath(of: digest, generation: upload.generation)
            let leftovers = try harness.store.leftovers()
            #expect(leftovers.count == (stage == "settled" ? 0 : 1))
            if stage == "published" {
                let published = try #require(leftovers.first?.published)
                #expect(published == (digest, upload.generation))
            } else {
                #expect(leftovers.first?.published == nil)
            }
            for leftover in leftovers { try harness.store.discard(leftover, keepingFile: false) }
            #expect(harness.names == (stage == "settled" ? [final] : []))
        }
    }

    @Test
    func aLeftoverWhoseRowIsThereKeepsItsFile() async throws {
        try await withBlobStore { harness in
            let (upload, digest) = try harness.publish(bytes(3000))
            let leftover = try #require(try harness.store.leftovers().first)
            try harness.store.discard(leftover, keepingFile: true)
            #expect(harness.names == [BlobStore.relativePath(of: digest, generation: upload.generation)])
        }
    }

    @Test
    func aFileIsNeverLeftWithoutANameInUploadsWhenAbandoningFails() async throws {
        try await withBlobStore { harness in
            let (upload, _) = try harness.publish(bytes(3000))
            harness.files.reset()
            // The final name can't be removed: the next start must still find out about it.
            harness.files.fail(call: 1, with: .ioError)
            upload.abandon()
            for leftover in try harness.store.leftovers() {
                try harness.store.discard(leftover, keepingFile: false)
            }
            #expect(harness.names == [])
        }
    }

    @Test
    func twoUploadsOfOneDigestDoNotMeet() async throws {
        try await withBlobStore { harness in
            let (first, digest) = try harness.publish(bytes(3000))
            let (second, same) = try harness.publish(bytes(3000))
            #expect(digest == same)
            #expect(first.generation != second.generation)
            #expect(harness.names.count == 4)
            second.abandon()
            first.settle()
            #expect(harness.names == [BlobStore.relativePath(of: digest, generation: first.generation)])
            let blob = try #require(try harness.store.open(digest, generation: first.generation, size: 3000))
            #expect(try blob.read(at: 0, count: 3000) == bytes(3000))
            #expect(try harness.store.open(digest, generation: second.generation, size: 3000) == nil)
        }
    }

    @Test
    func generationsNeverRepeat() async throws {
        try await withBlobStore { harness in
            var generations: Set<Int64> = []
            for _ in 0..<50 {
                let upload = try harness.store.beginUpload()
                generations.insert(upload.generation)
                upload.abandon()
            }
            #expect(generations == Set((1 << 40)..<((1 << 40) + 50)))
        }
    }

    @Test
    func uploadsOfManyThreadsHaveGenerationsOfTheirOwn() async throws {
        try await withTemporaryFolder { folder in
            let harness = try BlobHarness("\(folder)/data")
            let store = harness.store
            let all = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try (0..<50).map { _ in
                            let upload = try store.beginUpload()
                            defer { upload.abandon() }
                            return upload.generation
                        }
                    }
                }
                return try await group.reduce(into: [Int64]()) { $0 += $1 }
            }
            #expect(Set(all).count == 200)
            #expect(harness.names == [])
        }
    }

    @Test
    func bothDigestsAreComputedWhereTheyAreAskedFor() async throws {
        try await withBlobStore { harness in
            let upload = try harness.store.beginUpload(alsoSHA512: true)
            try upload.write([UInt8]("abc".utf8))
            #expect(
                upload.digests().map(\.description) == [
                    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                    "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                        + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
                ]
            )
            upload.abandon()
        }
    }

    @Test
    func allSizesAroundASectorAreReadBackWholeAndInParts() async throws {
        try await withBlobStore { harness in
            for size in 0...1025 {
                let content = bytes(size, seed: size)
                let upload = try harness.store.beginUpload()
                // In two pieces, so that the second is written at an offset.
                try upload.write(Array(content.prefix(size / 3)))
                try upload.write(Array(content.dropFirst(size / 3)))
                let digest = IncrementalHasher.digest(of: content)
                try #require(upload.digests() == [digest])
                try upload.finish()
                try upload.publish(as: digest)
                upload.settle()
                let blob = try #require(
                    try harness.store.open(digest, generation: upload.generation, size: Int64(size))
                )
                try #require(blob.size == Int64(size))
                try #require(try blob.read(at: 0, count: size) == content)
                try #require(try blob.read(at: 0, count: size + 1) == content)
                let middle = Array(content.dropFirst(size / 2).prefix(100))
                try #require(try blob.read(at: Int64(size / 2), count: 100) == middle)
                try #require(try blob.read(at: Int64(size), count: 10) == [])
                try #require(try blob.read(at: Int64(size) + 5, count: 10) == [])
                try #require(try blob.digest() == digest)
                let path = BlobStore.relativePath(of: digest, generation: upload.generation)
                try harness.store.remove(path)
            }
            #expect(harness.names == [])
        }
    }

    @Test
    func aLargeFileIsHashedInPiecesThatCanBeStopped() async throws {
        try await withBlobStore { harness in
            let content = [UInt8](repeating: 3, count: 2 << 20 | 77)
            let (digest, generation) = try harness.store(content)
            let blob = try #require(try harness.store.open(digest, generation: generation, size: Int64(content.count)))
            var pieces: [Int] = []
            #expect(try blob.digest { pieces.append($0) } == digest)
            #expect(pieces == [1 << 20, 1 << 20, 77])
            #expect(throws: TestFailure.self) {
                _ = try blob.digest { _ in throw TestFailure("stop") }
            }
        }
    }

    @Test
    func aFileOfAnotherLengthIsNotOpened() async throws {
        try await withBlobStore { harness in
            let (digest, generation) = try harness.store(bytes(3000))
            #expect(try harness.store.open(digest, generation: generation, size: 2999) == nil)
            #expect(try harness.store.open(digest, generation: generation, size: 3001) == nil)
            #expect(try harness.store.open(digest, generation: generation + 1, size: 3000) == nil)
            #expect(try harness.store.open(digest, generation: generation, size: 3000) != nil)
        }
    }

    @Test
    func aFileThatShrinksWhileItIsOpenIsDamaged() async throws {
        try await withBlobStore { harness in
            let (digest, generation) = try harness.store(bytes(3000))
            let blob = try #require(try harness.store.open(digest, generation: generation, size: 3000))
            let path = BlobStore.relativePath(of: digest, generation: generation)
            let file = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(harness.folder)/\(path)"))
            try file.truncate(atOffset: 1000)
            try file.close()
            #expect(try blob.read(at: 0, count: 1000) == bytes(1000))
            #expect(throws: StoreError.self) { _ = try blob.read(at: 0, count: 3000) }
        }
    }

    @Test
    func anOpenFileStaysReadableAfterItsRemoval() async throws {
        try await withBlobStore { harness in
            let (digest, generation) = try harness.store(bytes(3000))
            let blob = try #require(try harness.store.open(digest, generation: generation, size: 3000))
            let path = BlobStore.relativePath(of: digest, generation: generation)
            try harness.store.remove(path)
            try harness.store.remove(path)
            try harness.store.synchronizeFolders(of: [path, path])
            #expect(harness.names == [])
            #expect(try blob.read(at: 2900, count: 500) == Array(bytes(3000).suffix(100)))
        }
    }

    @Test
    func aDescriptorThatWasTakenIsTheCallersToClose() async throws {
        try await withBlobStore { harness in
            let (digest, generation) = try harness.store(bytes(100))
            var blob = try harness.store.open(digest, generation: generation, size: 100)
            let descriptor = try #require(blob).takeDescriptor()
            blob = nil
            var buffer = [UInt8](repeating: 0, count: 100)
            #expect(pread(descriptor, &buffer, 100, 0) == 100)
            #expect(buffer == bytes(100))
            #expect(close(descriptor) == 0)
        }
    }

    @Test
    func storedFilesAreListedByFolder() async throws {
        try await withBlobStore { harness in
            let (digest, generation) = try harness.store(bytes(100))
            let folder = try #require(Int(digest.hex.prefix(2), radix: 16))
            let name = "\(harness.folder)/blobs/sha256/\(digest.hex.prefix(2))/stranger"
            #expect(FileManager.default.createFile(atPath: name, contents: nil))
            let files = try harness.store.storedFiles(inFolder: folder).sorted { $0.relativePath < $1.relativePath }
            #expect(files.count == 2)
            let found = try #require(files.compactMap(\.blob).first)
            #expect(found == (digest, generation))
            let strangers = files.filter { $0.blob == nil }.map(\.relativePath)
            #expect(strangers == ["blobs/sha256/\(digest.hex.prefix(2))/stranger"])
            #expect(try harness.store.storedFiles(inFolder: (folder + 1) % 256).isEmpty)
        }
    }

    @Test
    func writingAfterTheEndIsRefused() async throws {
        try await withBlobStore { harness in
            let upload = try harness.store.beginUpload()
            try upload.finish()
            #expect(throws: StoreError.shuttingDown) { try upload.write([1]) }
            #expect(throws: StoreError.shuttingDown) { try upload.finish() }
            upload.abandon()
            #expect(harness.names == [])
        }
    }

    @Test(arguments: FaultyFiles.Fault.allCases)
    func everyCallThatFailsIsReportedAndAbandoningLeavesNothing(fault: FaultyFiles.Fault) async throws {
        try await withBlobStore { harness in
            for call in 1...6 {
                harness.files.reset()
                harness.files.fail(call: call, with: fault)
                var upload: BlobUpload?
                do {
                    let begun = try harness.store.beginUpload()
                    upload = begun
                    try begun.write(bytes(3000))
                    try begun.finish()
                    try begun.publish(as: IncrementalHasher.digest(of: bytes(3000)))
                    Issue.record("call \(call) did not fail")
                } catch StoreError.noSpace {
                    #expect(fault == .diskFull, "call \(call)")
                } catch StoreError.io(_, _, let code) {
                    #expect(fault != .diskFull && code == 5, "call \(call)")
                }
                upload?.abandon()
                #expect(harness.names == [], "call \(call)")
            }
        }
    }
}
