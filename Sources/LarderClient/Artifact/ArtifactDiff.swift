package import APIMessages
import LarderCore

/// What differs between two versions of an artifact.
package struct ArtifactDiff: Codable, Sendable, Equatable {
    /// A file, link, folder or bundle in one version.
    package struct Item: Codable, Sendable, Equatable {
        /// `file`, `link`, `folder` or `bundle`.
        package var kind: String
        package var size: Int64?
        package var mode: String?
        package var digest: String?
        /// Of a link.
        package var target: String?
    }

    /// What stands at one path; `from` is absent for what was added, `to` for what was removed.
    package struct Change: Codable, Sendable, Equatable {
        package var path: String
        package var from: Item?
        package var to: Item?
    }

    /// Digests of the versions.
    package var from: String
    package var to: String
    /// By path.
    package var added: [Change]
    package var removed: [Change]
    package var changed: [Change]

    /// Compares two versions with their files.
    package init(from old: ArtifactVersionMessage, to new: ArtifactVersionMessage) {
        (from, to) = (old.digest, new.digest)
        (added, removed, changed) = ([], [], [])
        let (before, after) = (Self.items(old), Self.items(new))
        let paths = Set(before.keys).union(after.keys).sorted { ArtifactPath.precedes($0.path, $1.path) }
        for path in paths {
            let change = Change(path: path.path, from: before[path], to: after[path])
            switch (change.from, change.to) {
            case (nil, _): added.append(change)
            case (_, nil): removed.append(change)
            case (let from?, let to?): if Self.differ(from, to) { changed.append(change) }
            }
        }
    }

    package var isEmpty: Bool { added.isEmpty && removed.isEmpty && changed.isEmpty }

    private static func differ(_ from: Item, _ to: Item) -> Bool {
        from != to || PathKey(from.target ?? "") != PathKey(to.target ?? "")
    }

    private static func items(_ version: ArtifactVersionMessage) -> [PathKey: Item] {
        var items: [PathKey: Item] = [:]
        for file in version.files ?? [] where file.bundle == nil {
            items[PathKey(file.path)] = Item(kind: "file", size: file.size, mode: file.mode, digest: file.digest)
        }
        for link in version.links ?? [] { items[PathKey(link.path)] = Item(kind: "link", target: link.target) }
        for folder in version.folders ?? [] { items[PathKey(folder.path)] = Item(kind: "folder", mode: folder.mode) }
        for bundle in version.bundles ?? [] {
            items[PathKey(bundle.path)] = Item(kind: "bundle", size: bundle.size, digest: bundle.digest)
        }
        return items
    }
}
