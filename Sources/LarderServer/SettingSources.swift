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
    /// Texts of policies for repositories that have none of their own.
    package private(set) var defaultPolicies: [RepositoryKind: String] = [:]
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
            if key == "default-policies" {
                defaultPolicies = try Self.defaultPolicies(value, path: path)
                continue
            }
            guard let setting = SettingName(rawValue: key) else {
                throw SettingError("\(path): unknown setting `\(key)`; known: \(Self.knownKeys)")
            }
            guard let text = Self.scalar(value, of: key) else {
                throw SettingError("\(path): `\(key)` needs one plain value")
            }
            values[setting] = Value(text: text, place: "\(path): \(key)")
        }
    }

    private static var knownKeys: String {
        (SettingName.allCases.map(\.rawValue) + ["repositories", "default-policies"]).joined(separator: ", ")
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

    /// The text of a value; YAML takes a plain `off` for a truth value, which schedules are not.
    private static func scalar(_ value: Any, of key: String) -> String? {
        key == SettingName.pruneSchedule.rawValue && (value as? Bool) == false ? "off" : scalar(value)
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
                uniqueKeysWithValues: settings.map { ($0, $0 == "mutable-tags" ? text($1) : scalar($1, of: $0) ?? "") }
            )
            result.append(try DeclaredRepository(name, fields, place: place, folder: folder(of: path)))
        }
        return result
    }

    private static func defaultPolicies(_ value: Any, path: String) throws(SettingError) -> [RepositoryKind: String] {
        let kinds = "registry, cache and bucket"
        guard let fields = value as? [String: Any] else {
            throw SettingError("\(path): `default-policies` needs lines such as `registry: FILE`; known: \(kinds)")
        }
        var result: [RepositoryKind: String] = [:]
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            let place = "\(path): default-policies: \(key)"
            guard let kind = RepositoryKind(rawValue: key) else {
                throw SettingError("\(place): not a kind of repository; known: \(kinds)")
            }
            let file = PolicyFile(path: scalar(value) ?? "", folder: folder(of: path), place: place)
            result[kind] = try file.text(for: kind)
        }
        return result
    }

    /// Where paths in a file begin that don't begin at the root.
    private static func folder(of path: String) -> String {
        URL(fileURLWithPath: path).deletingLastPathComponent().path
    }
}

/// What is wrong with the configuration, in a sentence that says where and what to do.
package struct SettingError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}
