import Foundation
import Glibc
package import LarderCore

/// What happens during a copy.
package enum CopyEvent: Sendable {
    /// What belongs to the image is known; nothing has been sent yet.
    case planned(blobCount: Int, byteCount: Int64)
    /// So many bytes of a blob have passed so far.
    case moved(Descriptor, byteCount: Int64)
    case finished(Descriptor, BlobOutcome)
}

/// What a copy did.
package struct CopySummary: Encodable, Sendable {
    package let source: String
    package let destination: String
    package let digest: String
    package let mediaType: String
    package let tag: String?
    package let manifestCount: Int
    package let copiedCount: Int
    package let presentCount: Int
    package let mountedCount: Int
    package let copiedBytes: Int64
}

/// Copies an image from one place to another: what it is made of first, its manifest last.
package struct ImageCopy: Sendable {
    /// Blobs that are copied at a time.
    private static let blobConcurrency = 4

    package var source: ImagePlace
    package var destination: ImagePlace
    /// The one platform of an index that is copied, `os/architecture` with or without a variant; nil for all.
    package var platform: String?
    /// Whether what refers to the image is copied too.
    package var includesReferrers = false

    package init(from source: ImagePlace, to destination: ImagePlace) {
        self.source = source
        self.destination = destination
    }

    /// Copies.
    ///
    /// - Parameters:
    ///   - server: The server that local places are on; nil when there are none.
    ///   - report: Called from several tasks.
    /// - Returns: What was done.
    /// - Throws: `ClientError` when something is missing, wrong or refused. Then no tag has moved; blobs may have come.
    package func run(
        server: ServerClient?,
        _ report: @escaping @Sendable (CopyEvent) -> Void
    ) async throws -> CopySummary {
        let from = try await store(at: source, isDestination: false, server: server)
        let image = try await image(from: from)
        let tag = try destinationTag(for: image)
        let to = try await store(at: destination, isDestination: true, server: server)
        let graph = try await ImageGraph(image, from: from, includesReferrers: includesReferrers)
        report(.planned(blobCount: graph.blobs.count, byteCount: graph.blobs.map(\.size).saturatingSum))
        let outcomes: [BlobOutcome]
        do {
            outcomes = try await copyBlobs(graph.blobs, from: from, to: to, report)
            // The image comes last, so that a tag never names what is not whole.
            for node in graph.nodes where node.manifest.digest != image.digest {
                try await to.put(node.manifest, as: node.isReferrer ? .referrer : .part)
            }
            try await to.put(image, as: .image(tag))
        } catch {
            await to.abandonUploads()
            throw error
        }
        await to.abandonUploads()
        let copied = zip(graph.blobs, outcomes).filter { $0.1 == .copied }
        return CopySummary(
            source: from.name,
            destination: to.name,
            digest: image.digest.description,
            mediaType: image.manifest.mediaType,
            tag: tag?.text,
            manifestCount: graph.nodes.count,
            copiedCount: copied.count,
            presentCount: outcomes.filter { $0 == .present }.count,
            mountedCount: outcomes.filter { $0 == .mounted }.count,
            copiedBytes: copied.map(\.0.size).saturatingSum
        )
    }

    private func copyBlobs(
        _ blobs: [Descriptor],
        from: any ImageStore,
        to: any ImageStore,
        _ report: @escaping @Sendable (CopyEvent) -> Void
    ) async throws -> [BlobOutcome] {
        try await concurrentMap(blobs, width: Self.blobConcurrency) { blob in
            let outcome = try await to.add(blob, from: from) { report(.moved(blob, byteCount: $0)) }
            report(.finished(blob, outcome))
            return outcome
        }
    }

    private func image(from store: any ImageStore) async throws -> StoredManifest {
        guard let image = try await store.manifest(source.manifest, mediaType: nil) else {
            throw ClientError("\(store.name) has no image \(source.manifest?.text ?? "of one name only; name its tag")")
        }
        guard let platform else { return image }
        return try await ImageGraph.pick(platform, of: image, from: store)
    }

    /// The tag that the image gets: the one that is named, else the source's.
    private func destinationTag(for image: StoredManifest) throws -> Tag? {
        if case .local(let reference) = destination, let digest = reference.digest {
            try check(image, is: digest)
            return reference.tag
        }
        if case .registry(_, let reference) = destination, let digest = reference.digest {
            try check(image, is: digest)
            return reference.tag
        }
        return destination.tag ?? source.impliedTag
    }

    private func check(_ image: StoredManifest, is digest: Digest) throws {
        guard image.digest == digest else {
            throw ClientError("the image is \(image.digest), and can't become \(digest); name a tag, or nothing")
        }
    }

    private func store(
        at place: ImagePlace,
        isDestination: Bool,
        server: ServerClient?
    ) async throws -> any ImageStore {
        switch place {
        case .local(let reference):
            guard let server else { throw ClientError("\(reference) is on a server, and none was given") }
            return RegistryRepository(server.registry, reference.repository, isDestination: isDestination)
        case .registry(let address, let reference):
            let environment = ProcessInfo.processInfo.environment
            let credentials = try RegistryCredentials.find(
                host: address.loginHost,
                repository: reference.repository,
                files: RegistryCredentials.files(environment: environment, home: NSHomeDirectory(), userID: getuid())
            )
            let client = try await RegistryClient.connect(to: address, credentials: credentials)
            return RegistryRepository(client, reference.repository, isDestination: isDestination)
        case .layout(let folder, _):
            return try isDestination ? OCILayout(destination: folder) : OCILayout(source: folder)
        }
    }
}

extension ImagePlace {
    /// The tag that is named.
    var tag: Tag? {
        switch self {
        case .local(let reference), .registry(_, let reference): reference.tag
        case .layout(_, let tag): tag
        }
    }

    /// The manifest that is asked for; nil for the only one of a folder.
    var manifest: ManifestReference? {
        switch self {
        case .local(let reference), .registry(_, let reference): reference.manifest
        case .layout(_, let tag): tag.map { ManifestReference.tag($0) }
        }
    }

    /// The tag under which an image from here is known elsewhere; nil for one that is named by its digest.
    var impliedTag: Tag? {
        switch self {
        case .local(let reference), .registry(_, let reference):
            reference.digest == nil ? reference.tag ?? Tag.latest : reference.tag
        case .layout(_, let tag): tag ?? Tag.latest
        }
    }
}

extension ServerClient {
    /// The registry of the server, over the same road.
    package var registry: RegistryClient {
        RegistryClient(origin: RegistryOrigin(base: base, label: "the server"), authorization: nil)
    }
}
