/// What a `buildspec.yml` says of artifacts, reports and caches; everything else in it is passed over.
///
/// Texts are as they are written: names and keys still go through `ShellText`.
package struct Buildspec: Hashable, Sendable {
    /// A pattern, and where it stands.
    package struct Pattern: Hashable, Sendable {
        package let pattern: PathPattern
        /// From 1.
        package let line: Int
    }

    /// Which files are meant.
    package struct FileSet: Hashable, Sendable {
        package var files: [Pattern]
        /// A folder, or a pattern for folders; nil for the one the job runs in.
        package var baseDirectory: Pattern?
        package var excludePaths: [Pattern]
        /// Whether only the names of files are kept.
        package var discardsPaths: Bool
    }

    package struct Artifacts: Hashable, Sendable {
        /// Of a secondary artifact.
        package var identifier: String?
        package var fileSet: FileSet
        /// What the shell makes the name of.
        package var name: String?
    }

    package struct ReportGroup: Hashable, Sendable {
        package var name: String
        package var fileSet: FileSet
        /// In capitals, and `JUNITXML` unless said otherwise; may be one that is not known here.
        package var format: String
    }

    package struct Cache: Hashable, Sendable {
        package enum Action: String, Hashable, Sendable {
            case restore, save
        }

        package var paths: [Pattern]
        /// What the shell makes the key of; without one each build overwrites the cache of the one before.
        package var key: String?
        /// What keys to look for begin with, when there is none of that key.
        package var fallbackKeys: [String]
        /// The only thing to do; nil for both.
        package var action: Action?
    }

    package static let reportGroupCountMax = 5
    package static let fallbackKeyCountMax = 5
    /// Larger files are refused; in bytes.
    package static let lengthMax = 1 << 20

    /// Nil when there are none, or only secondary ones.
    package let artifacts: Artifacts?
    /// In the order of the file.
    package let secondaryArtifacts: [Artifacts]
    package let reports: [ReportGroup]
    package let cache: Cache?

    /// Reads a buildspec of version 0.2 (or 0.1, which says the same of what is read here).
    ///
    /// `path`: Its name, for messages.
    ///
    /// - Throws: `ClientError` with the line of what is wrong.
    package init(_ text: String, path: String = "buildspec.yml") throws(ClientError) {
        let reader = BuildspecReader(path: path)
        let root = try reader.root(text)
        var secondary: [Artifacts] = []
        (artifacts, secondary) = try reader.artifacts(root)
        secondaryArtifacts = secondary
        reports = try reader.reports(root)
        cache = try reader.cache(root)
    }
}
