import LarderCore
import LarderTestSupport
import Testing

@testable import LarderMetadata

/// A manifest with its bytes.
struct TestManifest: Sendable {
    let bytes: [UInt8]
    let manifest: Manifest

    init(_ text: String) throws {
        bytes = Array(text.utf8)
        manifest = try Manifest(bytes, contentType: nil)
    }

    var digest: Digest { IncrementalHasher.digest(of: bytes) }

    var sha512: Digest {
        get throws {
            var hasher = IncrementalHasher(alsoSHA512: true)
            bytes.withUnsafeBytes { hasher.update($0) }
            return try #require(hasher.finalize().last)
        }
    }

    /// As a client pushes it.
    func pushed(
        as named: Digest? = nil,
        aliases: [Digest] = [],
        generation: Int64? = nil,
        isSparse: Bool = false
    ) -> NewManifest {
        NewManifest(
            value: UploadedBlob(
                digest: digest,
                aliases: aliases,
                size: Int64(bytes.count),
                content: generation.map { .file(generation: $0) } ?? .inline(bytes)
            ),
            manifest: manifest,
            digest: named ?? digest,
            isSparse: isSparse
        )
    }

    /// What an image or an index says about it.
    var descriptor: String {
        Self.describe(digest, size: Int64(bytes.count), type: manifest.mediaType)
    }

    static func describe(_ digest: Digest, size: Int64, type: String = "a/b") -> String {
        #"{"mediaType":"\#(type)","digest":"\#(digest)","size":\#(size)}"#
    }

    /// An image whose configuration and layers are blobs of the harness, by their numbers.
    ///
    /// `name`: Images with other names have other digests.
    static func image(
        _ name: Int,
        config: Int = 1,
        layers: [Int] = [],
        about subject: TestManifest? = nil
    ) throws -> TestManifest {
        func text(_ number: Int) -> String { describe(MetadataHarness.digest(number), size: Int64(number)) }
        let layerTexts = layers.map { text($0) }.joined(separator: ",")
        let subjectText = subject.map { #","subject":\#($0.descriptor)"# } ?? ""
        return try TestManifest(
            #"{"schemaVersion":2,"mediaType":"\#(ManifestType.ociImage)","config":\#(text(config)),"#
                + #""layers":[\#(layerTexts)]\#(subjectText),"annotations":{"name":"\#(name)"}}"#
        )
    }

    /// An index of manifests.
    static func index(
        _ name: Int,
        of manifests: [TestManifest],
        about subject: TestManifest? = nil
    ) throws -> TestManifest {
        let manifestTexts = manifests.map(\.descriptor).joined(separator: ",")
        let subjectText = subject.map { #","subject":\#($0.descriptor)"# } ?? ""
        return try TestManifest(
            #"{"schemaVersion":2,"mediaType":"\#(ManifestType.ociIndex)","#
                + #""manifests":[\#(manifestTexts)]\#(subjectText),"annotations":{"name":"\#(name)"}}"#
        )
    }
}

extension TagRule {
    /// Every tag may move.
    static var free: TagRule { TagRule(RepositorySettings(), condition: .none) }

    /// No tag may move but those of some patterns.
    static func immutable(but patterns: [String] = []) throws -> TagRule {
        var settings = RepositorySettings()
        settings.tagsAreImmutable = true
        settings.mutableTags = try patterns.map { try #require(TagPattern($0)) }
        return TagRule(settings, condition: .none)
    }

    static func when(_ condition: TagCondition) -> TagRule { TagRule(RepositorySettings(), condition: condition) }
}

extension MetadataHarness {
    /// What was not used for this long may go.
    static let grace: Duration = .seconds(100)

    static func tag(_ text: String) throws -> LarderCore.Tag { try #require(ImageTag(text)) }

    /// For good.
    static let removal = Removal(now: start, undoUntil: nil)

    /// Pushes a manifest with tags.
    @discardableResult
    func push(
        _ manifest: NewManifest,
        tags: [String] = [],
        rule: TagRule = .free,
        in repository: RepositoryID? = nil,
        at seconds: Int64 = 0
    ) throws -> (isStored: Bool, effects: MetadataEffects) {
        let repository = repository ?? main
        let names = try tags.map { try Self.tag($0) }
        let result = try metadata.write { transaction in
            try transaction.putManifest(
                manifest,
                tags: names,
                rule: rule,
                in: repository,
                clock: Self.clock(seconds)
            )
        }
        return (result.value, result.effects)
    }

    @discardableResult
    func push(
        _ manifest: TestManifest,
        tags: [String] = [],
        rule: TagRule = .free,
        in repository: RepositoryID? = nil,
        at seconds: Int64 = 0
    ) throws -> (isStored: Bool, effects: MetadataEffects) {
        try push(manifest.pushed(), tags: tags, rule: rule, in: repository, at: seconds)
    }

    /// Pushes a manifest in slices of 500 references up to the last step; returns the entry that it is to be.
    func begin(_ manifest: NewManifest, in repository: RepositoryID? = nil) throws -> Int64 {
        let repository = repository ?? main
        let entry = try metadata.write { transaction in
            try transaction.beginEntry(manifest.value, in: repository, clock: Self.clock()).entry
        }.value
        for start in stride(from: 0, to: manifest.content.count, by: 500) {
            try add(manifest, content: start..<min(start + 500, manifest.content.count), to: entry, in: repository)
        }
        for start in stride(from: 0, to: manifest.children.count, by: 500) {
            try add(manifest, children: start..<min(start + 500, manifest.children.count), to: entry, in: repository)
        }
        return entry
    }

    /// Adds some of a manifest's references.
    func add(
        _ manifest: NewManifest,
        content: Range<Int> = 0..<0,
        children: Range<Int> = 0..<0,
        to entry: Int64,
        in repository: RepositoryID? = nil
    ) throws {
        let repository = repository ?? main
        _ = try metadata.write { transaction in
            try transaction.addPendingReferences(
                content: Array(manifest.content[content]),
                children: Array(manifest.children[children]),
                isSparse: manifest.isSparse,
                to: entry,
                in: repository
            )
        }
    }

    func finish(
        _ manifest: NewManifest,
        entry: Int64,
        tags: [String] = [],
        rule: TagRule = .free,
        in repository: RepositoryID? = nil
    ) throws {
        let repository = repository ?? main
        let names = try tags.map { try Self.tag($0) }
        _ = try metadata.write { transaction in
            try transaction.finishManifest(
                manifest,
                entry: entry,
                tags: names,
                rule: rule,
                in: repository,
                clock: Self.clock()
            )
        }
    }

    func deleteManifest(_ digest: Digest, in repository: RepositoryID? = nil) throws -> RegistryRemoval {
        let repository = repository ?? main
        return try metadata.write { try $0.deleteManifest(digest, in: repository, Self.removal) }.value
    }

    func deleteTag(_ tag: String, in repository: RepositoryID? = nil) throws -> Bool {
        let repository = repository ?? main
        let name = try Self.tag(tag)
        return try metadata.write { try $0.deleteTag(name, in: repository, Self.removal) }.value
    }

    func deleteBlob(_ number: Int, in repository: RepositoryID? = nil) throws -> RegistryRemoval {
        let repository = repository ?? main
        return try metadata.write { try $0.deleteBlob(Self.digest(number), in: repository) }.value
    }

    /// Releases all that dead entries refer to; the number of transactions.
    @discardableResult
    func removeDeadEntries(atMost limit: Int = 500) throws -> Int {
        var count = 1
        while try metadata.write({ try $0.removeDeadEntries(atMost: limit) }).value {
            count += 1
            try #require(count < 1000)
        }
        return count
    }

    /// Settles what is due at a time; returns the number of manifests that went.
    @discardableResult
    func settle(at seconds: Int64) throws -> Int {
        let now = Self.start + .seconds(seconds)
        let due = try metadata.read { try $0.dueReviews(at: now, atMost: 10_000) }
        return try metadata.write { transaction in
            let going = try transaction.settleReviews(of: due, unusedSince: now - Self.grace, grace: Self.grace)
            for entry in going { try transaction.removeReviewed(entry) }
            return going.count
        }.value
    }

    func has(_ manifest: TestManifest, in repository: RepositoryID? = nil) throws -> Bool {
        try find(.manifest(manifest.digest), in: repository) != nil
    }

    /// The SHA-256 of the manifest that a tag names.
    func tagged(_ tag: String, in repository: RepositoryID? = nil) throws -> Digest? {
        try find(.tag(try Self.tag(tag)), in: repository)?.blob.digest
    }

    func tags(in repository: RepositoryID? = nil) throws -> [String] {
        let repository = repository ?? main
        return try metadata.read { try $0.tags(in: repository, after: nil, atMost: 10_000) }
    }

    func referrers(of subject: Digest, in repository: RepositoryID? = nil) throws -> [String] {
        let repository = repository ?? main
        return try metadata.read {
            try $0.referrers(
                of: subject,
                in: repository,
                after: 0,
                byteCountMax: 1 << 20,
                scanMax: 10_000,
                isWanted: { _ in true }
            )
        }.descriptors
    }

    /// The row whose last use a read of the manifest renews.
    func row(of manifest: TestManifest, in repository: RepositoryID? = nil) throws -> UsedRow {
        try #require(try find(.manifest(manifest.digest), in: repository)).used
    }

    func use(_ row: UsedRow, at seconds: Int64) throws {
        _ = try metadata.write { try $0.recordUses([(row: row, time: Self.start + .seconds(seconds))]) }
    }

    /// Rows of a table.
    func count(_ table: String) throws -> Int64 {
        try #require(try numbers("SELECT count(*) FROM \(table)").first)
    }
}

/// Runs a body and returns the store's error that it throws; nil when it throws none.
func storeError(_ body: () throws -> Void) throws -> StoreError? {
    do {
        try body()
        return nil
    } catch let error as StoreError {
        return error
    }
}
