import Foundation
package import LarderCore

/// All that can be told of one image.
package struct ImageDetails: Encodable, Sendable {
    /// A config, a layer or another manifest.
    package struct Part: Encodable, Sendable {
        package let digest: String
        package let mediaType: String
        package let sizeBytes: Int64
        package let artifactType: String?
        package let platform: String?
        package let title: String?

        init(_ descriptor: Descriptor) {
            digest = descriptor.digest.description
            mediaType = descriptor.mediaType
            sizeBytes = descriptor.size
            artifactType = descriptor.artifactType
            platform = descriptor.platform
            title = descriptor.title
        }
    }

    package let repository: String
    package let digest: String
    package let mediaType: String
    package let artifactType: String?
    /// Config and layers; of an index the sum over its manifests.
    package let sizeBytes: Int64
    package let platforms: [String]
    package let created: String?
    package let labels: [String: String]
    package let annotations: [String: String]
    package let config: Part?
    package let layers: [Part]
    package let manifests: [Part]
    package let subject: Part?
    package let referrers: [Part]
}

extension RegistryClient {
    /// Looks at an image of which the manifest is at hand.
    package func details(of image: StoredManifest, in repository: RepositoryName) async throws -> ImageDetails {
        let manifest = image.manifest
        let store = RegistryRepository(self, repository, isDestination: false)
        let config = try await ImageConfig(of: manifest, from: store)
        let annotations = manifest.annotationsText.flatMap { text in
            try? JSONDecoder().decode([String: String].self, from: Data(text.utf8))
        }
        return ImageDetails(
            repository: repository.text,
            digest: image.digest.description,
            mediaType: manifest.mediaType,
            artifactType: manifest.artifactType ?? (config == nil ? manifest.effectiveArtifactType : nil),
            sizeBytes: try await contentSize(of: manifest, in: repository),
            platforms: try await platforms(of: manifest, in: repository),
            created: config?.created,
            labels: config?.labels ?? [:],
            annotations: annotations ?? [:],
            config: manifest.config.map { ImageDetails.Part($0) },
            layers: manifest.layers.map { ImageDetails.Part($0) },
            manifests: manifest.manifests.map { ImageDetails.Part($0) },
            subject: manifest.subject.map { ImageDetails.Part($0) },
            referrers: try await referrers(of: image.digest, in: repository).map { ImageDetails.Part($0) }
        )
    }
}
