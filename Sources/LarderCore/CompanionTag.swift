/// Tags under which tools without referrers keep what belongs to a manifest: its digest with a dash, and what it is
/// (distribution specification 1.1, "Referrers Tag Schema"; cosign).
package enum CompanionTag {
    private static let suffixes = ["", ".sig", ".att", ".sbom"]
    /// Digits of a digest in such a tag; longer ones are cut.
    private static let digitCount = 64

    /// The tags that stand for belonging to a manifest.
    package static func tags(of digest: String) -> [Tag] {
        let parts = digest.split(separator: ":")
        guard parts.count == 2 else { return [] }
        return suffixes.compactMap { Tag("\(parts[0])-\(parts[1].prefix(digitCount))\($0)") }
    }

    /// The SHA-256, as a key, of the manifest that a tag such as `sha256-<hex>.sig` is about; nil: it is an ordinary tag.
    package static func subject(of tag: String) -> String? {
        let prefix = "sha256-"
        guard tag.utf8.count >= prefix.utf8.count + digitCount, tag.hasPrefix(prefix) else { return nil }
        let rest = tag.dropFirst(prefix.count)
        guard suffixes.contains(String(rest.dropFirst(digitCount))) else { return nil }
        return "sha256:\(rest.prefix(digitCount))"
    }
}
