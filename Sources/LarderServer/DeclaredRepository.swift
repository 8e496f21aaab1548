package import LarderCore
import LarderStore

/// A repository that the configuration file declares: created at the start if it is missing, and kept as declared.
package struct DeclaredRepository: Sendable {
    package let name: RepositoryName
    package let kind: RepositoryKind
    package let settings: RepositorySettings
    /// The text of its policy; nil: the file names none, and what it has stays.
    package let policy: String?

    /// `place`: For messages.
    ///
    /// `folder`: Where relative paths begin.
    init(
        _ name: RepositoryName,
        _ fields: [String: String],
        place: String,
        folder: String
    ) throws(SettingError) {
        var kind = RepositoryKind.cache
        var settings = RepositorySettings()
        for (key, text) in fields where key != "policy" {
            if key == "kind" {
                guard let value = RepositoryKind(rawValue: text) else {
                    throw SettingError("\(place): kind is cache, registry or bucket")
                }
                kind = value
            } else {
                try settings.set(key, text, place: place)
            }
        }
        self.name = name
        self.kind = kind
        self.settings = settings
        if let path = fields["policy"] {
            policy = try PolicyFile(path: path, folder: folder, place: "\(place): policy").text(for: kind)
        } else {
            policy = nil
        }
    }
}

extension RepositorySettings {
    fileprivate mutating func set(_ key: String, _ text: String, place: String) throws(SettingError) {
        switch key {
        case "quota":
            guard let value = ByteCount(text) else { throw SettingError("\(place): quota is a size such as 5GiB") }
            quotaBytes = value
        case "quota-entries":
            guard let value = Int64(text), value >= 0 else {
                throw SettingError("\(place): quota-entries is a whole number")
            }
            quotaEntries = value
        case "validate": validatesContent = try Self.flag(key, text, place)
        case "allow-sparse": allowsSparse = try Self.flag(key, text, place)
        case "allow-overwrite": allowsOverwrite = try Self.flag(key, text, place)
        case "immutable-tags": tagsAreImmutable = try Self.flag(key, text, place)
        case "mutable-tags":
            let patterns = text.split(separator: " ")
            mutableTags = patterns.compactMap { TagPattern($0) }
            guard mutableTags.count == patterns.count else {
                throw SettingError("\(place): mutable-tags are patterns such as [latest, pr-*]")
            }
        case "undo-time":
            guard let value = Duration(text: text) else {
                throw SettingError("\(place): undo-time is a duration such as 48h, or 0 for none")
            }
            undoTime = value
        case "prune-schedule":
            do {
                try Store.checkSchedule(text)
            } catch {
                throw SettingError("\(place): prune-schedule is a cron expression, or off (\(error.reason))")
            }
            pruneSchedule = text
        default:
            throw SettingError(
                "\(place): unknown setting `\(key)`; known: kind, quota, quota-entries, validate, allow-sparse, "
                    + "allow-overwrite, immutable-tags, mutable-tags, undo-time, prune-schedule, policy"
            )
        }
    }

    private static func flag(_ key: String, _ text: String, _ place: String) throws(SettingError) -> Bool {
        guard let value = Bool(text) else { throw SettingError("\(place): \(key) is true or false") }
        return value
    }
}
