import Foundation
import LarderCore
import LarderTestSupport
import Testing

@testable import LarderClient

/// Folders in the OCI image layout are written so that a crash leaves them whole, and read as others write them.
@Suite struct OCILayoutTests {
    private func copy(
        _ image: StoredManifest,
        from store: MemoryStore,
        to layout: OCILayout,
        tag: String?
    ) async throws {
        for blob in image.manifest.blobReferences {
            _ = try await layout.add(blob, from: store, progress: { _ in })
        }
        try await layout.put(image, as: .image(tag.flatMap { ImageTag($0) }))
    }

    private func tag(_ text: String) throws -> ManifestReference {
        let tag = ImageTag(text)
        return .tag(try #require(tag))
    }

    @Test func anImageIsReadBackByItsTag() async throws {
        try await withTemporaryFolder { folder in
            let store = MemoryStore(folder: folder)
            let image = try store.keepImage(layers: [try store.keep(Array("layer".utf8))])
            let layout = try OCILayout(destination: "\(folder)/out")
            try await copy(image, from: store, to: layout, tag: "1.0")

            let source = try OCILayout(source: "\(folder)/out")
            let found = try await source.manifest(try tag("1.0"), mediaType: nil)
            #expect(found?.bytes == image.bytes)
            #expect(try await source.manifest(nil, mediaType: nil)?.digest == image.digest)
            #expect(try await source.manifest(try tag("2.0"), mediaType: nil) == nil)
            let files = try FileManager.default.subpathsOfDirectory(atPath: "\(folder)/out/blobs/sha256")
            #expect(files.count == 3)
            #expect(!files.contains { $0.hasSuffix(".part") })
            #expect(readText("\(folder)/out/oci-layout").contains("1.0.0"))
        }
    }

    @Test func whatIsThereIsNotWrittenAgain() async throws {
        try await withTemporaryFolder { folder in
            let store = MemoryStore(folder: folder)
            let blob = try store.keep(Array("layer".utf8))
            let layout = try OCILayout(destination: "\(folder)/out")
            #expect(try await layout.add(blob, from: store, progress: { _ in }) == .copied)
            #expect(try await layout.add(blob, from: store, progress: { _ in }) == .present)
        }
    }

    @Test func wrongContentLeavesNothingBehind() async throws {
        try await withTemporaryFolder { folder in
            let store = MemoryStore(folder: folder)
            let blob = try store.keep(Array("layer".utf8))
            try store.replace(blob, by: Array("lAyer".utf8))
            let layout = try OCILayout(destination: "\(folder)/out")
            await #expect(throws: ClientError.self) { try await layout.add(blob, from: store, progress: { _ in }) }
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/out/blobs/sha256") == [])
        }
    }

    @Test func aTagMovesAndOtherEntriesStay() async throws {
        try await withTemporaryFolder { folder in
            let store = MemoryStore(folder: folder)
            let first = try store.keepImage(layers: [])
            let second = try store.keepImage(layers: [try store.keep(Array("layer".utf8))])
            let layout = try OCILayout(destination: folder + "/out")
            try await copy(first, from: store, to: layout, tag: "a")
            try await copy(first, from: store, to: layout, tag: "b")
            try await copy(second, from: store, to: layout, tag: "a")
            #expect(try await layout.manifest(try tag("a"), mediaType: nil)?.digest == second.digest)
            #expect(try await layout.manifest(try tag("b"), mediaType: nil)?.digest == first.digest)
            await #expect(throws: ClientError.self) { try await layout.manifest(nil, mediaType: nil) }
        }
    }

    @Test func referrersAreFoundThroughTheIndex() async throws {
        try await withTemporaryFolder { folder in
            let store = MemoryStore(folder: folder)
            let image = try store.keepImage(layers: [])
            let subject = Descriptor(mediaType: ManifestType.ociImage, digest: image.digest, size: image.size)
            let signature = try store.keepImage(layers: [], subject: subject)
            let layout = try OCILayout(destination: "\(folder)/out")
            try await copy(image, from: store, to: layout, tag: "1")
            try await layout.put(signature, as: .referrer)
            #expect(try await layout.referrers(of: image.digest).map(\.digest) == [signature.digest])

            let graph = try await ImageGraph(image, from: layout, includesReferrers: true)
            #expect(graph.nodes.map(\.manifest.digest) == [image.digest, signature.digest])
            #expect(graph.nodes.map(\.isReferrer) == [false, true])
            #expect(graph.blobs.count == 1)
        }
    }

    @Test func aFolderWithOtherThingsIsLeftAlone() async throws {
        try await withTemporaryFolder { folder in
            try Data().write(to: URL(fileURLWithPath: "\(folder)/letter.txt"))
            #expect(throws: ClientError.self) { try OCILayout(destination: folder) }
            #expect(throws: ClientError.self) { try OCILayout(source: folder) }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["letter.txt"])
        }
    }

    @Test func membersThatAreNotKnownHereAreKept() throws {
        let image = try StoredManifest(
            Array("{\"schemaVersion\":2,\"mediaType\":\"\(ManifestType.ociIndex)\",\"manifests\":[]}".utf8),
            digest: nil,
            mediaType: nil
        )
        let text = """
            {"annotations":{"x":"y"},"manifests":[{"digest":"sha1:00","mediaType":"m","size":1.5,"z":[true,null]}],\
            "schemaVersion":2}
            """
        var index = try IndexDocument(Data(text.utf8))
        index.set(image, name: "t")
        #expect(
            String(decoding: try index.encoded(), as: UTF8.self) == """
                {"annotations":{"x":"y"},"manifests":[{"digest":"sha1:00","mediaType":"m","size":1.5,"z":[true,null]},\
                {"annotations":{"org.opencontainers.image.ref.name":"t"},"digest":"\(image.digest)",\
                "mediaType":"application/vnd.oci.image.index.v1+json","size":\(image.size)}],"schemaVersion":2}
                """
        )
    }

    @Test(arguments: ["", "[]", "{}", "{\"manifests\":{}}"])
    func whatIsNoIndexIsRefused(text: String) {
        #expect(throws: ClientError.self) { try IndexDocument(Data(text.utf8)) }
    }
}
