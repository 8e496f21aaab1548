/// What the answer with a manifest tells beside its bytes.
package struct ManifestFacts: Sendable, Equatable {
    package let mediaType: String
    /// The digest under which it was pushed.
    package let digest: Digest

    package init(mediaType: String, digest: Digest) {
        self.mediaType = mediaType
        self.digest = digest
    }
}

/// What became of a wish to remove something from a registry.
package enum RegistryRemoval: Sendable, Equatable {
    case removed
    /// A part is done; the rest goes with the next call.
    case unfinished
    case missing
    /// A manifest of the repository refers to it.
    case inUse
}
