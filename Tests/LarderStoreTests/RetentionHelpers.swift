import Foundation
import LarderBlobs
import LarderCore
import LarderMetadata
import LarderRetention
import LarderTestSupport
import NIOCore

@testable import LarderStore

/// What was removed from a registry can be brought back for a day; what only that referred to is free an hour after its
/// last use.
var retentionConfiguration: StoreConfiguration {
    var configuration = registryConfiguration
    configuration.undoTime = .seconds(24 * 3600)
    // What goes for good is free at once, but for what is being pushed: the store's own sweeper runs beside a slow test.
    configuration.unreferencedAge = .seconds(1)
    return configuration
}

/// Amazon ECR's policy that keeps the last so many.
func keepLast(_ count: Int) -> String {
    let selection = #"{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":\#(count)}"#
    return #"{"rules":[{"rulePriority":1,"selection":\#(selection),"action":{"type":"expire"}}]}"#
}

/// A policy in Larder's own grammar that removes: one rule for each selection, which is written without its braces.
func expiring(_ selections: String...) -> String {
    let rules = selections.enumerated().map { index, selection in
        #"{"rulePriority":\#(index + 1),"selection":{\#(selection)},"action":{"type":"expire"}}"#
    }
    return #"{"version":1,"rules":[\#(rules.joined(separator: ","))]}"#
}

/// An image index with all that may belong to one.
struct ImageFamily: Sendable {
    let index: RegistryManifest
    let children: [RegistryManifest]
    /// About the index by its subject.
    let signature: RegistryManifest
    /// About the index by its tag.
    let companion: RegistryManifest
    /// About a child.
    let attestation: RegistryManifest

    var all: [RegistryManifest] { [index] + children + [signature, companion, attestation] }
    var companionTag: String { "sha256-\(index.digest.hex).sig" }
    var keys: Set<String> { Set(all.map { "\($0.digest)" }) }
}

/// All that a run or a removal may change, in numbers.
struct RetentionCensus: Equatable {
    let usedBytes: Int64
    let entryCount: Int64
    let visibleKeys: [String]
    let tags: [String]
    let removedKeys: [String]
    let runCount: Int
    let problems: [String]
}

extension StoreHarness {
    // MARK: Pushes

    /// Stores an image with a layer of its own and the tag `v<number>`, a minute after what was stored before.
    @discardableResult
    func pushNext(
        _ number: Int,
        layerSize: Int = 5000,
        note: String = "",
        tags: [String]? = nil,
        in repository: String = "images"
    ) async throws -> RegistryManifest {
        time.advance(by: .seconds(60))
        return try await pushImage(
            config: content(number * 10, 10),
            layers: [content(number * 10 + 1, layerSize)],
            note: note,
            tags: tags ?? ["v\(number)"],
            in: repository
        )
    }

    /// Stores images as `pushNext` does, one for each number.
    @discardableResult
    func pushSeries(
        _ numbers: Range<Int>,
        layerSize: Int = 5000,
        in repository: String = "images"
    ) async throws -> [RegistryManifest] {
        var images: [RegistryManifest] = []
        for number in numbers {
            images.append(try await pushNext(number, layerSize: layerSize, in: repository))
        }
        return images
    }

    /// Stores an index with its images and with what is about them, a minute after what was stored before.
    func pushFamily(_ number: Int, tag: String, in repository: String = "images") async throws -> ImageFamily {
        time.advance(by: .seconds(60))
        var children: [RegistryManifest] = []
        for child in 0..<2 {
            children.append(
                try await pushImage(
                    config: content(number * 10 + child, 10),
                    layers: [content(number * 10 + 2 + child, 5000)],
                    in: repository
                )
            )
        }
        let index = RegistryManifest.index(of: children, note: "\(number)")
        try await push(index, tags: [tag], in: repository)
        return ImageFamily(
            index: index,
            children: children,
            signature: try await pushImage(config: content(number * 10 + 4, 10), about: index, in: repository),
            companion: try await pushImage(
                config: content(number * 10 + 5, 10),
                tags: ["sha256-\(index.digest.hex).sig"],
                in: repository
            ),
            attestation: try await pushImage(config: content(number * 10 + 6, 10), about: children[0], in: repository)
        )
    }

    /// Stores a manifest as it is written.
    @discardableResult
    func pushText(_ text: String, tags: [String], in repository: String = "images") async throws -> Digest {
        try await store.putManifest(
            ByteBuffer(string: text),
            digest: nil,
            mediaType: nil,
            tags: try tags.map { try Self.tag($0) },
            in: try name(repository)
        ).digest
    }

    // MARK: Policies and runs

    func setPolicy(_ text: String?, of repository: String = "images") async throws {
        try await store.setPolicy(text, of: try name(repository))
    }

    @discardableResult
    func pruneNow(_ repository: String = "images", actor: String = "tester") async throws -> RunRecord {
        try await store.prune(try name(repository), actor: actor)
    }

    /// Sets a policy and applies it.
    @discardableResult
    func prune(_ policy: String, in repository: String = "images") async throws -> RunRecord {
        try await setPolicy(policy, of: repository)
        return try await pruneNow(repository)
    }

    /// `text`: nil: the policy that holds.
    func preview(_ text: String? = nil, of repository: String = "images") async throws -> PrunePreview {
        try await store.previewPolicy(text, of: try name(repository))
    }

    /// The lines of a preview by their keys.
    func previewLines(_ text: String? = nil, of repository: String = "images") async throws -> [String: PruneLine] {
        Dictionary(uniqueKeysWithValues: try await preview(text, of: repository).lines.map { ($0.key, $0) })
    }

    /// Makes a plan of a policy, as a run does.
    func prepare(_ text: String, in repository: String = "images") async throws -> PreparedPlan {
        let repository = try self.repository(repository)
        return try await store.pruner.prepare(
            repository,
            policy: try Store.checkedPolicy(text, for: repository.kind)
        )
    }

    /// Carries a plan out that was made before.
    func carryOut(_ prepared: PreparedPlan, in repository: String = "images") async throws -> [RunDecision] {
        let repository = try self.repository(repository)
        let removal = store.pruner.removal(from: repository)
        return try await store.committer.commit { transaction in
            try PruneStep.steps(of: prepared).map { try $0.perform(transaction, in: repository.id, removal) }
        }
    }

    /// Records of runs, the newest first.
    func runs(of repository: String = "images") async throws -> [RunRecord] {
        try await store.runs(of: try name(repository), before: nil, atMost: 100)
    }

    func record(_ run: Int64) async throws -> RunRecord {
        try await store.run(run, decisionsAfter: 0, atMost: 1).record
    }

    func decisions(of run: Int64) async throws -> [RunDecision] {
        try await store.run(run, decisionsAfter: 0, atMost: 1000).decisions.map(\.decision)
    }

    /// Names of what a run removed.
    func removedNames(by run: Int64) async throws -> Set<String> {
        Set(try await decisions(of: run).filter { $0.outcome == .removed }.map(\.name))
    }

    // MARK: Undo

    /// Moves the clock past the undo time and ends what is over.
    @discardableResult
    func endUndos(after duration: Duration = .seconds(24 * 3600)) async throws -> (count: Int, freedBytes: Int64) {
        time.advance(by: duration)
        return try await store.pruner.endUndos()
    }

    func removed(in repository: String = "images") async throws -> [RemovedEntry] {
        try await store.removedEntries(in: try name(repository))
    }

    /// Keys of hidden entries.
    func hiddenKeys(in repository: String = "images") async throws -> Set<String> {
        Set(try await removed(in: repository).filter { !$0.isVisible }.map(\.key))
    }

    @discardableResult
    func restore(
        _ digest: Digest,
        as tags: [String]? = nil,
        in repository: String = "images"
    ) async throws -> Restoration {
        try await store.restore(
            .entry(try key("\(digest)")),
            tags: try tags?.map { try Self.tag($0) },
            in: try name(repository)
        )
    }

    @discardableResult
    func restore(
        tag: String,
        as tags: [String]? = nil,
        in repository: String = "images"
    ) async throws -> Restoration {
        try await store.restore(
            .tag(try Self.tag(tag)),
            tags: try tags?.map { try Self.tag($0) },
            in: try name(repository)
        )
    }

    // MARK: Pins

    func pin(
        _ item: PinnedItem,
        for duration: Duration? = nil,
        reason: String = "in production",
        in repository: String = "images"
    ) async throws {
        try await store.pin(item, reason: reason, until: duration.map { time.now + $0 }, in: try name(repository))
    }

    func pinned(_ manifest: RegistryManifest) throws -> PinnedItem { .entry(try key("\(manifest.digest)")) }

    func pinned(tag: String) throws -> PinnedItem { .tag(try Self.tag(tag)) }

    // MARK: What is there

    /// Which of some manifests can be read, by their index.
    ///
    /// Reading renews their last use, so the database is asked.
    func visible(_ manifests: [RegistryManifest], in repository: String = "images") async throws -> [Int] {
        var result: [Int] = []
        for (index, manifest) in manifests.enumerated() where try await hasManifest(manifest, in: repository) {
            result.append(index)
        }
        return result
    }

    func tagNames(in repository: String = "images") async throws -> [String] {
        try await store.tags(in: try name(repository), after: nil, atMost: 1000) ?? []
    }

    /// Bytes of all files of blobs.
    func fileBytes() throws -> Int64 {
        try files(in: "blobs").reduce(0) { sum, file in
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/blobs/\(file)")
            return sum + ((attributes[.size] as? NSNumber)?.int64Value ?? 0)
        }
    }

    func census(in repository: String = "images") async throws -> RetentionCensus {
        let id = try self.repository(repository).id
        let visible = try await store.read { try $0.inventory(in: id, after: nil, atMost: 1000) }.map(\.key)
        return RetentionCensus(
            usedBytes: used,
            entryCount: try self.repository(repository).entryCount,
            visibleKeys: visible,
            tags: try await tagNames(in: repository),
            removedKeys: try await removed(in: repository).map(\.key).sorted(),
            runCount: try await runs(of: repository).count,
            problems: try await problems()
        )
    }
}
