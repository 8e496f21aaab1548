import LarderCore
import LarderRetention

extension RandomPolicies {
    /// What an inventory may hold.
    struct Shape {
        var counts = 0...30
        /// Whether things that others keep may have tags of their own, several subjects or pins, or keep each other.
        var isTangled = true
    }

    private static let minute: Int64 = 60_000
    private static let day: Int64 = 86_400_000

    /// Few, so that equal times and exact limits are common.
    private static let ages: [Int64] = [
        0, 30 * minute, 45 * minute, 60 * minute, day, day + 1, 2 * day, 7 * day, 7 * day + 1, 30 * day, 31 * day,
        90 * day, 90 * day + 1, 365 * day, 366 * day,
    ]

    static func key(_ number: Int64) -> String {
        let hex = String(number, radix: 16)
        return "sha256:" + String(repeating: "0", count: 64 - hex.count) + hex
    }

    mutating func inventory(_ shape: Shape = Shape()) -> [RetentionItem] {
        var freeTags = shuffledTags()
        let ids = shuffledNumbers(shape)
        var items = ids.map { item($0, &freeTags) }
        for index in items.indices { relate(index, &items, shape) }
        if shape.isTangled && chance(5) { addCycle(&items) }
        for index in items.indices { mark(index, &items, shape) }
        return items
    }

    /// Numbers of entries, with gaps, in any order.
    private mutating func shuffledNumbers(_ shape: Shape) -> [Int64] {
        var last: Int64 = 0
        let numbers = (0..<number(shape.counts)).map { _ -> Int64 in
            last += Int64(number(1...3))
            return last
        }
        return shuffled(numbers)
    }

    /// A tag names one image, so each is there once.
    private mutating func shuffledTags() -> [String] {
        var tags = ["latest", "stable", "v1", "v2.0", "v1.1-rc.1", "v1.1-rc.2", "v2.0.0", "1.0_b7", "release-a"]
        for number in 0...5 { tags += ["v1.\(number)", "main-\(number)", "release-\(number)", "sha-a\(number)"] }
        for number in 1...3 { tags += ["pr-1-\(number)", "pr-2-\(number)", "dev-\(number)"] }
        return shuffled(tags)
    }

    private mutating func moment(notBefore earliest: Timestamp? = nil) -> Timestamp {
        let moment = Self.now - .milliseconds(Self.ages[number(0...(Self.ages.count - 1))])
        return max(moment, earliest ?? moment)
    }

    private mutating func item(_ id: Int64, _ freeTags: inout [String]) -> RetentionItem {
        let pushedAt = moment()
        let lastUsed = chance(50) ? pushedAt : moment(notBefore: pushedAt)
        var item = RetentionItem(id: id, key: Self.key(id), pushedAt: pushedAt, lastUsed: lastUsed)
        item.scope = ["", "main", "pr"][number(0...2)]
        item.writer = [nil, "ci-1", "ci-2", "ann"][number(0...3)]
        if chance(20) { item.archivedAt = moment(notBefore: pushedAt) }
        if chance(40) { item.labels["team"] = chance(60) ? "a" : "b" }
        if chance(30) { item.labels["stage"] = chance(50) ? "dev" : "prod" }
        if chance(60) {
            for tag in freeTags.prefix(number(1...3)) {
                item.tags.append(RetentionTag(name: tag, givenAt: moment(notBefore: pushedAt)))
                freeTags.removeFirst()
            }
        } else if chance(40) {
            item.untaggedAt = moment(notBefore: pushedAt)
        }
        for _ in 0..<number(0...3) {
            let blob = Int64(number(1...12))
            item.content.append(ContentBlob(id: blob, size: blob * 7))
        }
        return item
    }

    /// Gives an item children, a subject or companions among those before it, so that nothing keeps itself.
    private mutating func relate(_ index: Int, _ items: inout [RetentionItem], _ shape: Shape) {
        guard index > 0 else { return }
        func isFree(_ other: Int) -> Bool { shape.isTangled || items[other].tags.isEmpty }
        if chance(20) {
            for _ in 0..<number(1...3) {
                let child = number(0...(index - 1))
                if isFree(child) { items[index].children.append(items[child].id) }
            }
        }
        if chance(18) {
            let referrer = number(0...(index - 1))
            if isFree(referrer) { items[referrer].subject = items[index].key }
        }
        if chance(10) {
            let other = number(0...(index - 1))
            if items[other].tags.isEmpty || (shape.isTangled && chance(40)) {
                addCompanionTag(about: items[index].key, to: &items[other])
            }
        }
        // Something that never came.
        if chance(6) { items[index].subject = Self.key(1_000_000 + Int64(index)) }
        // Whether such a tag waits for what it is about is an open question; what is older does not.
        let isOld = Self.now - items[index].pushedAt > RetentionPlan.subjectGrace
        if chance(4) && isOld && shape.isTangled {
            addCompanionTag(about: Self.key(2_000_000 + Int64(index)), to: &items[index])
        }
    }

    private mutating func addCompanionTag(about key: String, to item: inout RetentionItem) {
        let name = "sha256-" + key.dropFirst("sha256:".count) + ["", ".sig", ".att", ".sbom"][number(0...3)]
        guard !item.tags.contains(where: { $0.name == name }) else { return }
        item.untaggedAt = nil
        item.tags.append(RetentionTag(name: name, givenAt: moment(notBefore: item.pushedAt)))
    }

    /// Digests forbid it, tags and broken data don't.
    private mutating func addCycle(_ items: inout [RetentionItem]) {
        guard items.count > 1 else { return }
        let (first, second) = (number(0...(items.count - 1)), number(0...(items.count - 1)))
        items[first].children.append(items[second].id)
        items[second].children.append(items[first].id)
    }

    /// What is pinned, and what goes for itself.
    private mutating func mark(_ index: Int, _ items: inout [RetentionItem], _ shape: Shape) {
        let item = items[index]
        if item.tags.isEmpty && chance(6) { items[index].isLeaving = true }
        let isHeld =
            item.subject != nil || items.contains { $0.children.contains(item.id) }
            || item.tags.contains { $0.name.hasPrefix("sha256-") }
        guard shape.isTangled || !isHeld else { return }
        if chance(5) { items[index].pin = "by hand" }
        for position in item.tags.indices where chance(4) {
            let tag = item.tags[position]
            items[index].tags[position] = RetentionTag(name: tag.name, givenAt: tag.givenAt, pin: "deployed")
        }
    }
}
