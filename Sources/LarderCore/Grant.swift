/// What may be done with a repository.
package struct RepositoryActions: OptionSet, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Reading, listing and finding.
    package static let read = RepositoryActions(rawValue: 1)
    /// Storing, also over what is there: another value of a key, a tag that moves.
    package static let write = RepositoryActions(rawValue: 2)
    /// Removing entries, manifests, tags and blobs.
    package static let delete = RepositoryActions(rawValue: 4)
    /// Settings, policies, pins, prunes; on all repositories also what concerns the whole server.
    package static let admin = RepositoryActions(rawValue: 8)
    package static let all: RepositoryActions = [.read, .write, .delete, .admin]

    private static let names: [(name: String, action: RepositoryActions)] = [
        ("read", .read), ("write", .write), ("delete", .delete), ("admin", .admin),
    ]

    /// Reads a list such as `read,write`; nil when it is empty or a word is none of the four.
    package init?(_ text: some StringProtocol) {
        var actions: RepositoryActions = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let known = Self.names.first(where: { $0.name == word }) else { return nil }
            actions.insert(known.action)
        }
        self = actions
    }

    package var description: String {
        Self.names.filter { contains($0.action) }.map(\.name).joined(separator: ",")
    }
}

/// Leave to do something in the repositories whose names fit a pattern.
///
/// Written `images/*:read,write`; a `*` stands for any characters, slashes too. `admin` includes the other three.
package struct Grant: Hashable, Sendable, CustomStringConvertible {
    package let pattern: Glob
    package let actions: RepositoryActions

    /// For people: how a grant is written.
    package static let form = "PATTERN:ACTIONS, such as images/*:read,write; actions are read, write, delete and admin"

    /// Longer patterns are refused.
    private static let patternLengthMax = 255

    package init(_ pattern: Glob, _ actions: RepositoryActions) {
        self.pattern = pattern
        self.actions = actions.contains(.admin) ? .all : actions
    }

    /// Leave for one repository.
    package init(_ repository: RepositoryName, _ actions: RepositoryActions) {
        // Names have no stars.
        self.init(Glob(repository.text), actions)
    }

    /// Reads a grant; nil when its pattern has characters that no name of a repository has, or an action is unknown.
    package init?(_ text: String) {
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")),
            let actions = RepositoryActions(text[text.index(after: colon)...])
        else { return nil }
        let pattern = text[..<colon]
        guard !pattern.isEmpty, pattern.utf8.count <= Self.patternLengthMax,
            pattern.utf8.allSatisfy(Self.isPatternCharacter)
        else { return nil }
        self.init(Glob(String(pattern)), actions)
    }

    private static func isPatternCharacter(_ character: UInt8) -> Bool {
        switch character {
        case 0x61...0x7a, 0x30...0x39: true
        default: [UInt8]("*/._-".utf8).contains(character)
        }
    }

    /// Written with `admin` alone where that includes the rest.
    package var description: String {
        "\(pattern.text):\(actions == .all ? "admin" : actions.description)"
    }
}

extension [Grant] {
    /// What all grants that fit a repository allow together.
    package func actions(in repository: RepositoryName) -> RepositoryActions {
        var actions: RepositoryActions = []
        for grant in self where !actions.isSuperset(of: grant.actions) {
            if grant.pattern.matchesEverything || grant.pattern.matches(repository.text) {
                actions.formUnion(grant.actions)
            }
        }
        return actions
    }
}
