import Foundation
import LarderCore
import NIOCore

/// What the config of an image says, as far as it is there (image specification 1.1, "Image Configuration").
struct ImageConfig: Decodable, Sendable {
    private static let sizeLimit = ByteCount.mebibytes(4)

    /// When it was built, as it is written.
    let created: String?
    let labels: [String: String]
    /// `os/architecture`, with `/variant` where there is one; nil when neither is named.
    let platform: String?

    private enum CodingKeys: String, CodingKey {
        case created, os, architecture, variant, config
    }

    private struct Runtime: Decodable {
        let labels: [String: String]?

        enum CodingKeys: String, CodingKey {
            case labels = "Labels"
        }
    }

    /// Takes what is there: configs of other kinds use the same names for other things.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        created = try? container.decode(String.self, forKey: .created)
        let runtime = try? container.decode(Runtime.self, forKey: .config)
        labels = runtime?.labels ?? [:]
        let keys: [CodingKeys] = [.os, .architecture, .variant]
        let parts = keys.compactMap { try? container.decode(String.self, forKey: $0) }
        let platform = parts.filter { !$0.isEmpty }.joined(separator: "/")
        self.platform = platform.isEmpty ? nil : platform
    }

    /// Reads the config that a manifest names; nil when it has none, or none that can be read as an image's.
    init?(of manifest: Manifest, from store: any ImageStore) async throws {
        guard let blob = manifest.config, blob.mediaType.hasSuffix("+json"), blob.size <= Self.sizeLimit.bytes else {
            return nil
        }
        var data = Data()
        for try await piece in VerifiedBlob(blob, from: store, progress: { _ in }) {
            data.append(contentsOf: piece.readableBytesView)
        }
        guard let config = try? JSONDecoder().decode(Self.self, from: data) else { return nil }
        self = config
    }
}
