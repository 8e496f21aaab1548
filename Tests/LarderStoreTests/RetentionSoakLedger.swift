import LarderCore
import LarderTestSupport
import Synchronization

/// Bytes and what names them.
struct SoakBlob: Sendable {
    let bytes: [UInt8]
    let digest: Digest

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        digest = IncrementalHasher.digest(of: bytes)
    }

    /// Layers that images of all repositories share; a third is larger than the inline limit.
    static let layers = (0..<48).map { number in
        SoakBlob(content(1_000_000_000 + number, number.isMultiple(of: 3) ? 1500 + number * 20 : 100 + number * 7))
    }
    /// What signatures have instead of a configuration.
    static let empty = SoakBlob(Array("{}".utf8))
}

/// A manifest of the soak, with all that it names; made from its number alone.
///
/// Each group of numbers is one thing that is pushed: an image, an index of two images, either with a signature and an
/// attestation about that. The first groups are images that the indexes of all others share.
struct SoakItem: Sendable {
    static let sharedGroupCount = 12
    private static let partCount = 4

    let number: Int
    let group: Int
    let manifest: RegistryManifest
    let digest: Digest
    let blobs: [SoakBlob]
    let children: [SoakItem]

    init(_ number: Int) {
        self.number = number
        group = number / Self.partCount
        var (blobs, children): ([SoakBlob], [SoakItem]) = ([], [])
        let note = "\(number)"
        switch number % Self.partCount {
        case 0:
            var chance = SeededGenerator(seed: UInt64(group))
            // Two groups share a configuration; one in forty is a file.
            let pair = group / 2
            blobs = [SoakBlob(content(pair, pair.isMultiple(of: 40) ? 1200 : 60 + pair % 100))]
            for _ in 0..<Int.random(in: 2...3, using: &chance) {
                blobs.append(SoakBlob.layers[Int.random(in: 0..<SoakBlob.layers.count, using: &chance)])
            }
            manifest = .image(config: blobs[0].bytes, layers: blobs.dropFirst().map(\.bytes), note: note)
        case 1:
            children = [SoakItem(number - 1), SoakItem(group % Self.sharedGroupCount * Self.partCount)]
            manifest = .index(of: children.map(\.manifest), note: note)
        default:
            let isAttestation = number % Self.partCount == 3
            let subject = isAttestation ? SoakItem(number - 1) : SoakItem(Self.main(of: group))
            blobs = [.empty, SoakBlob(content(2_000_000_000 + number, 80))]
            manifest = .image(config: blobs[0].bytes, layers: [blobs[1].bytes], about: subject.manifest, note: note)
        }
        digest = manifest.digest
        self.blobs = blobs
        self.children = children
    }

    /// The key of its entry.
    var key: String { "\(digest)" }

    /// Itself and what it refers to.
    var closure: [SoakItem] { [self] + children.flatMap(\.closure) }

    /// The number of what a group is about.
    static func main(of group: Int) -> Int {
        let isIndex = group >= sharedGroupCount && [6, 7, 9].contains(group % 10)
        return group * partCount + (isIndex ? 1 : 0)
    }

    /// The numbers of what is about it, each after its subject.
    static func referrers(of group: Int) -> [Int] {
        switch group % 10 {
        case 8: [group * partCount + 2]
        case 9: [group * partCount + 2, group * partCount + 3]
        default: []
        }
    }
}

/// What the repositories of the soak keep, and how long what they remove can be brought back.
enum SoakPolicies {
    /// Undo times, in seconds.
    static let undoTimes: [String: Int64] = ["app": 0, "lib": 3, "web": 240, "base": 0]

    static let texts = [
        // Amazon ECR's grammar.
        "app": """
        {"rules":[
            {"rulePriority":1,"selection":{"tagStatus":"tagged","tagPatternList":["keep-*"],
                "countType":"imageCountMoreThan","countNumber":1000000},"action":{"type":"expire"}},
            {"rulePriority":2,"description":"Keep last 10 images","selection":{"tagStatus":"any",
                "countType":"imageCountMoreThan","countNumber":10},"action":{"type":"expire"}}]}
        """,
        "lib": """
        version: 1
        rules:
          - rulePriority: 1
            selection: {tagStatus: tagged, tagPrefixList: ["keep-"], countType: imageCountMoreThan, countNumber: 1000000}
            action: {type: expire}
          - rulePriority: 2
            selection: {tagStatus: untagged, countType: sinceImageUntagged, countNumber: 1, countUnit: minutes}
            action: {type: expire}
          - rulePriority: 3
            selection: {tagStatus: tagged, tagPrefixList: ["main-"], countType: imageCountMoreThan, countNumber: 12}
            action: {type: expire}
          - rulePriority: 4
            selection: {tagStatus: any, countType: sinceImagePushed, countNumber: 2, countUnit: minutes, keepAtLeast: 5}
            action: {type: expire}
        """,
        "web": """
        version: 1
        rules:
          - rulePriority: 1
            selection: {tagStatus: tagged, tagPatternList: ["keep-*"], countType: imageCountMoreThan, countNumber: 1000000}
            action: {type: expire}
          - rulePriority: 2
            selection:
              tagStatus: tagged
              include: {tags: ["main-*"]}
              target: tags
              countType: imageCountMoreThan
              countNumber: 8
            action: {type: expire}
          - rulePriority: 3
            selection: {tagStatus: any, countType: imageCountMoreThan, countNumber: 30}
            action: {type: expire}
        """,
    ]
}

/// What was pushed where, what must be there, and what was found wrong.
final class SoakLedger: Sendable {
    /// A manifest in a repository.
    struct Place: Hashable, Sendable {
        let repository: String
        let number: Int
    }

    /// A group of manifests in a repository.
    private struct GroupPlace: Hashable {
        let repository: String
        let group: Int
    }

    struct Counts: Sendable {
        var pushes = 0
        /// Pushes that were told that something is missing, and went on.
        var refusals = 0
        /// Pushes that were told so too often.
        var surrenders = 0
        /// Removals by policies.
        var pruned: Int64 = 0
    }

    private struct State {
        var counts = Counts()
        var nextGroup = SoakItem.sharedGroupCount
        var nextUpload = 0
        var numbers: [String: Int] = [:]
        /// What was pushed lately and may go; a ring.
        var recent: [Place] = []
        var recentEnd = 0
        var protected: [Place] = []
        var known: Set<Place> = []
        var pinned: [Place] = []
        /// How often something began that brings manifests, and how often that ended.
        var arrivals: [GroupPlace: (begun: Int, ended: Int)] = [:]
        var findings: [String] = []
    }

    private static let recentCount = 300
    /// More would make each run of a policy slow.
    private static let protectedMax = 2500
    private static let findingsMax = 20
    /// The repository from which nothing goes.
    private let safe: String
    private let pushCount: Int
    private let state = Mutex(State())

    init(pushCount: Int, safe: String) {
        self.pushCount = pushCount
        self.safe = safe
    }

    var counts: Counts { state.withLock { $0.counts } }
    var findings: [String] { state.withLock { $0.findings } }
    var protected: [Place] { state.withLock { $0.protected } }

    /// Whether enough was pushed, or enough was found.
    var isOver: Bool {
        state.withLock { $0.counts.pushes >= pushCount || $0.findings.count >= Self.findingsMax }
    }

    var mayProtect: Bool { state.withLock { $0.protected.count < Self.protectedMax } }

    /// Waits until so many further pushes are acknowledged, or all is over.
    func progress(by count: Int) async throws {
        let mark = counts.pushes + count
        try await waitUntil("pushes go on", timeoutSeconds: 60) { counts.pushes >= mark || isOver }
    }

    func takeGroup() -> Int {
        state.withLock { state in
            defer { state.nextGroup += 1 }
            return state.nextGroup
        }
    }

    func takeUploadID() -> String {
        state.withLock { state in
            defer { state.nextUpload += 1 }
            return "upload \(state.nextUpload)"
        }
    }

    // MARK: - Pushes

    /// Something begins that may bring a manifest, what it refers to, and what is about it.
    func begin(_ item: SoakItem, in repository: String) {
        state.withLock { state in
            for part in item.closure {
                state.numbers[part.key] = part.number
                state.arrivals[GroupPlace(repository: repository, group: part.group), default: (0, 0)].begun += 1
            }
        }
    }

    func end(_ item: SoakItem, in repository: String) {
        state.withLock { state in
            for part in item.closure {
                state.arrivals[GroupPlace(repository: repository, group: part.group), default: (0, 0)].ended += 1
            }
        }
    }

    /// While this is the same and not nil, a manifest may have gone but not come.
    func mark(of item: SoakItem, in repository: String) -> Int? {
        state.withLock { state in
            let place = GroupPlace(repository: repository, group: item.group)
            guard let (begun, ended) = state.arrivals[place] else { return 0 }
            return begun == ended ? begun : nil
        }
    }

    func acknowledge(_ item: SoakItem, in repository: String) {
        state.withLock { $0.counts.pushes += 1 }
        if repository == safe { protect(item, in: repository) }
    }

    /// From now on nothing may remove it.
    func protect(_ item: SoakItem, in repository: String, isPinned: Bool = false) {
        let place = Place(repository: repository, number: item.number)
        state.withLock { state in
            guard state.known.insert(place).inserted else { return }
            state.protected.append(place)
            if isPinned { state.pinned.append(place) }
        }
    }

    func noteRefusal() { state.withLock { $0.counts.refusals += 1 } }
    func noteSurrender() { state.withLock { $0.counts.surrenders += 1 } }
    func notePruned(_ count: Int64) { state.withLock { $0.counts.pruned += count } }

    // MARK: - Choices

    /// It may be pushed again, tagged and deleted.
    func noteRecent(_ item: SoakItem, in repository: String) {
        let place = Place(repository: repository, number: item.number)
        state.withLock { state in
            if state.recent.count < Self.recentCount {
                state.recent.append(place)
            } else {
                state.recent[state.recentEnd % Self.recentCount] = place
                state.recentEnd += 1
            }
        }
    }

    func anyRecent(using chance: inout SeededGenerator) -> Place? {
        state.withLock { $0.recent }.randomElement(using: &chance)
    }

    func anyProtected(using chance: inout SeededGenerator) -> Place? {
        protected.randomElement(using: &chance)
    }

    func anyPinned(using chance: inout SeededGenerator) -> Place? {
        state.withLock { $0.pinned }.randomElement(using: &chance)
    }

    func number(of key: String) -> Int? { state.withLock { $0.numbers[key] } }

    // MARK: - What must be

    func note(_ finding: String) {
        state.withLock { state in
            if state.findings.count < Self.findingsMax { state.findings.append(finding) }
        }
    }

    /// All that must be there in a repository, with what it refers to.
    func required(in repository: String) -> [Int: SoakItem] {
        var result: [Int: SoakItem] = [:]
        for place in protected where place.repository == repository {
            for item in SoakItem(place.number).closure { result[item.number] = item }
        }
        return result
    }
}
