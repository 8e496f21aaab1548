import Foundation
package import LarderCore
import Yams

/// The settings as they were given, with the place of each: flags win over variables, variables over the file.
package struct SettingSources: Sendable {
    package struct Value: Sendable {
        package let text: String
        /// For messages: `--max-size`, `LARDER_MAX_SIZE` or `larder.yaml: max-size`.
        package let place: String
    }

    package private(set) var values: [SettingName: Value] = [:]
    package private(set) var repositories: [DeclaredRepository] = []
    /// Variables that start with `LARDER_` and mean nothing.
    package private(set) var unknownVariables: [String] = []

    /// Variables of the client, which are no settings of the server.
    private static let clientVariables: Set<String> = ["LARDER_URL", "LARDER_TOKEN", "LARDER_CONFIG"]

    /// `flags`: Values given on the command line.
    ///
    /// `file`: Path of the YAML file; nil: what `LARDER_CONFIG` names, or none.
    ///
    /// Throws `SettingError` for a file that can't be read, is no YAML, or has unknown keys.
    package init(flags: [SettingName: String], environment: [String: String], file: String?) throws(SettingError) {
        if let path = file ?? environment["LARDER_CONFIG"] { try read(path) }
        for (name, text) in environment where name.hasPrefix("LARDER_") && !Self.clientVariables.contains(name) {
            if let setting = SettingName.allCases.first(where: { $0.variable == name }) {
                values[setting] = Value(text: text, place: name)
            } else {
                unknownVariables.append(name)
            }
        }
        unknownVariables.sort()
        for (setting, text) in flags {
            values[setting] = Value(text: text, place: setting.flag)
        }
    }

    private mutating func read(_ path: String) throws(SettingError) {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw SettingError("can't read the configuration file \(path): \(error.localizedDescription)")
        }
        let loaded: Any?
        do {
            loaded = try Yams.load(yaml: text)
        } catch {
            throw SettingError("\(path) is not valid YAML: \(error)")
        }
        guard let loaded, !(loaded is NSNull) else { return }
        guard let fields = loaded as? [String: Any] else {
            throw SettingError("\(path): expected settings as `name: value` lines")
        }
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            if key == "repositories" {
                repositories = try Self.repositories(value, path: path)
                continue
            }
            guard let setting = SettingName(rawValue: key) else {
                throw SettingError("\(path): unknown setting `\(key)`; known: \(Self.knownKeys)")
            }
            guard let text = Self.scalar(value) else { throw SettingError("\(path): `\(key)` needs one plain value") }
            values[setting] = Value(text: text, place: "\(path): \(key)")
        }
    }

    private static var knownKeys: String {
        (SettingName.allCases.map(\.rawValue) + ["repositories"]).joined(separator: ", ")
    }

    private static func scalar(_ value: Any) -> String? {
        switch value {
        case let text as String: text
        case let flag as Bool: flag ? "true" : "false"
        case let number as Int: "\(number)"
        case let number as Double: "\(number)"
        default: nil
        }
    }

    /// A plain value, or several with spaces between.
    private static func text(_ value: Any) -> String {
        (value as? [Any])?.compactMap(scalar).joined(separator: " ") ?? scalar(value) ?? ""
    }

    private static func repositories(_ value: Any, path: String) throws(SettingError) -> [DeclaredRepository] {
        guard let fields = value as? [String: Any] else {
            throw SettingError("\(path): `repositories` needs `name:` lines with settings below each")
        }
        var result: [DeclaredRepository] = []
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            let place = "\(path): repositories: \(key)"
            guard let name = RepositoryName(key) else {
                throw SettingError("\(place): not a valid name (lowercase letters, digits, . _ - and /)")
            }
            guard let settings = (value is NSNull ? [:] : value) as? [String: Any] else {
                throw SettingError("\(place): expected settings as `name: value` lines")
            }
            let fields = Dictionary(
                uniqueKeysWithValues: settings.map { ($0, $0 == "mutable-tags" ? text($1) : scalar($1) ?? "") }
            )
            result.append(try DeclaredRepository(name, fields, place: place))
        }
        return result
    }
}

/// What is wrong with the configuration, in a sentence that says where and what to do.
package struct SettingError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// A repository that the configuration file declares: created at the start if it is missing, and kept as declared.
package struct DeclaredRepository: Sendable {
    package let name: RepositoryName
    package let kind: RepositoryKind
    package let settings: RepositorySettings

    init(_ name: RepositoryName, _ fields: [String: String], place: String) throws(SettingError) {
        var kind = RepositoryKind.cache
        var settings = RepositorySettings()
        for (key, text) in fields {
            switch key {
            case "kind":
                guard let value = RepositoryKind(rawValue: text) else {
                    throw SettingError("\(place): kind is cache, registry or bucket")
                }
                kind = value
            case "quota":
                guard let value = ByteCount(text) else { throw SettingError("\(place): quota is a size such as 5GiB") }
                settings.quotaBytes = value
            case "quota-entries":
                guard let value = Int64(text), value >= 0 else {
                    throw SettingError("\(place): quota-entries is a whole number")
                }
                settings.quotaEntries = value
            case "validate": settings.validatesContent = try Self.flag(key, text, place)
            case "allow-sparse": settings.allowsSparse = try Self.flag(key, text, place)
            case "immutable-tags": settings.tagsAreImmutable = try Self.flag(key, text, place)
            case "mutable-tags":
                let patterns = text.split(separator: " ")
                settings.mutableTags = patterns.compactMap { TagPattern($0) }
                guard settings.mutableTags.count == patterns.count else {
                    throw SettingError("\(place): mutable-tags are patterns such as [latest, pr-*]")
                }
            default:
                throw SettingError(
                    "\(place): unknown setting `\(key)`; known: kind, quota, quota-entries, validate, allow-sparse, "
                        + "immutable-tags, mutable-tags"
                )
            }
        }
        self.name = name
        self.kind = kind
        self.settings = settings
    }

    private static func flag(_ key: String, _ text: String, _ place: String) throws(SettingError) -> Bool {
        guard let value = Bool(text) else { throw SettingError("\(place): \(key) is true or false") }
        return value
    }
}
