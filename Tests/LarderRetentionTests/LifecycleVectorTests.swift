import Foundation
import LarderCore
import LarderRetention
import LarderTestSupport
import Testing

/// The vectors of Amazon ECR's rules, in every way in which the same policy can be written.
@Suite struct LifecycleVectorTests {
    @Test(arguments: LifecycleVector.all)
    func vectorsComeOutAsInAmazonECR(vector: LifecycleVector) throws {
        let expected = try vector.outcome()
        #expect(try vector.outcome(of: vector.policy) == expected)
    }

    @Test(arguments: LifecycleVector.all)
    func theSamePolicyInYAMLMeansTheSame(vector: LifecycleVector) throws {
        let expected = try vector.outcome()
        let policy = try JSONTree(vector.policy).yaml
        #expect(try vector.outcome(of: policy) == expected, "\(policy)")
    }

    @Test(arguments: LifecycleVector.all)
    func theSamePolicyWithAVersionMeansTheSame(vector: LifecycleVector) throws {
        let expected = try vector.outcome()
        let json = #"{"version": 1, "# + vector.policy.dropFirst()
        #expect(try vector.outcome(of: json) == expected)
        let yaml = "version: 1\n" + (try JSONTree(vector.policy).yaml)
        #expect(try vector.outcome(of: yaml) == expected)
    }

    @Test(arguments: LifecycleVector.all)
    func theOrderOfTheInventoryDoesNotMatter(vector: LifecycleVector) throws {
        let expected = try vector.outcome()
        var generator = SeededGenerator(seed: 1)
        #expect(try vector.outcome(of: vector.policy) { $0.reversed() } == expected)
        for _ in 0..<10 {
            #expect(try vector.outcome(of: vector.policy) { $0.shuffled(using: &generator) } == expected)
        }
    }

    @Test func everyVectorIsHere() {
        #expect(
            LifecycleVector.all.map { String($0.name.prefix(3)) } == [
                "L01", "L02", "L03", "L04", "L05", "L06", "L07", "L08", "L09", "L10", "L11", "L12", "L13", "L14", "L15",
                "L16", "L17", "L18", "L19", "L20", "L21", "L22",
            ]
        )
    }
}

extension LifecycleVector: CustomTestStringConvertible {
    var testDescription: String { name }

    /// What becomes of each image, by its name: what the vector says.
    func outcome() throws -> [String: String] {
        let marks = try Self.decode([String: Mark].self, expect)
        var outcome = Dictionary(uniqueKeysWithValues: try readImages().map { ($0.id, "kept") })
        for (name, mark) in marks { outcome[name] = "\(mark.action) by \(mark.rule)" }
        for name in cascade { outcome[name] = "follows" }
        return outcome
    }

    /// What becomes of each image, by its name: what a plan says.
    func outcome(
        of policy: String,
        order: ([RetentionItem]) -> [RetentionItem] = { $0 }
    ) throws -> [String: String] {
        let images = try readImages()
        let names = Dictionary(uniqueKeysWithValues: images.enumerated().map { (Int64($0.offset + 1), $0.element.id) })
        let numbers = Dictionary(uniqueKeysWithValues: names.map { ($0.value, $0.key) })
        let items = try images.map { try $0.item(numbers: numbers, now: Self.now) }
        let plan = RetentionPlan.make(
            RetentionInventory(order(items)),
            policy: try RetentionPolicy(policy),
            now: Self.now
        )
        #expect(plan.inventory.items.map(\.id) == items.map(\.id))
        #expect(plan.verdicts.count == items.count)
        let outcomes = zip(plan.inventory.items, plan.verdicts).map { (names[$0.id] ?? "", Self.word(for: $1)) }
        return Dictionary(uniqueKeysWithValues: outcomes)
    }

    private static let now = Timestamp(milliseconds: 1_780_000_000_000)

    private struct Mark: Decodable {
        let action: String
        let rule: Int
    }

    private static func decode<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }

    private func readImages() throws -> [VectorImage] {
        try Self.decode([VectorImage].self, "[\(images)]")
    }

    private static func word(for verdict: RetentionVerdict) -> String {
        switch verdict {
        case .expired(let rule, _): "EXPIRE by \(rule)"
        case .archived(let rule, _): "TRANSITION by \(rule)"
        case .follows: "follows"
        case .unclaimed, .kept, .keptAtLeast, .pinned, .held, .waiting, .leaving: "kept"
        }
    }
}

/// An image of a vector.
private struct VectorImage: Decodable {
    let id: String
    let tags: [String]
    let ageDays: Double
    let pulledDaysAgo: Double?
    let restoredDaysAgo: Double?
    let archivedDaysAgo: Double?
    let storageClass: String?
    let children: [String]?
    let subject: String?

    func item(numbers: [String: Int64], now: Timestamp) throws -> RetentionItem {
        func moment(_ daysAgo: Double) -> Timestamp { now - .milliseconds(Int64((daysAgo * 86_400_000).rounded())) }
        func key(_ name: String) throws -> String {
            let number = try #require(numbers[name])
            let hex = String(number, radix: 16)
            return "sha256:" + String(repeating: "0", count: 64 - hex.count) + hex
        }
        let uses = [ageDays, pulledDaysAgo ?? ageDays, restoredDaysAgo ?? ageDays].map(moment)
        var item = RetentionItem(
            id: try #require(numbers[id]),
            key: try key(id),
            pushedAt: moment(ageDays),
            lastUsed: try #require(uses.max())
        )
        item.archivedAt = (archivedDaysAgo ?? restoredDaysAgo.map { $0 + 1 }).map(moment)
        #expect(item.isArchived == (storageClass == "archive"))
        item.tags = tags.map { RetentionTag(name: $0, givenAt: item.pushedAt) }
        item.children = try (children ?? []).map { try #require(numbers[$0]) }
        item.subject = try subject.map(key)
        return item
    }
}
