import Foundation
import LarderCore
import LarderTestSupport
import NIOCore
import Testing

@testable import LarderStore

extension StoreHarness {
    func scope(_ text: String) throws -> EntryScope {
        guard let scope = EntryScope(text) else { throw TestFailure("\(text) is no scope") }
        return scope
    }

    @discardableResult
    func save(
        _ key: String,
        scope: String = "",
        _ value: [UInt8],
        references: [Digest] = [],
        isReplacing: Bool = false,
        in repository: String = "main"
    ) async throws -> EntryOutcome {
        try await store.putEntry(
            try self.key(key),
            scope: try self.scope(scope),
            value: ByteBuffer(bytes: value),
            references: references.map { BlobDescriptor(digest: $0, size: nil) },
            isReplacing: isReplacing,
            in: try name(repository)
        )
    }

    func find(
        _ key: String,
        prefixes: [String] = [],
        scopes: [String] = [""],
        in repository: String = "main"
    ) async throws -> (entry: FoundEntry, prefix: EntryKey?)? {
        try await store.findEntry(
            try self.key(key),
            prefixes: try prefixes.map { try self.key($0) },
            scopes: try scopes.map { try self.scope($0) },
            in: try name(repository)
        )
    }

    /// The value of a key; nil is a miss.
    func value(_ key: String, scope: String = "", in repository: String = "main") async throws -> [UInt8]? {
        try await find(key, scopes: [scope], in: repository).map { Array($0.entry.value.readableBytesView) }
    }

    /// What is found, as scope and key, and by which prefix.
    func found(_ key: String, prefixes: [String] = [], scopes: [String]) async throws -> String? {
        try await find(key, prefixes: prefixes, scopes: scopes).map { found in
            "\(found.entry.scope) \(found.entry.key)" + (found.prefix.map { " by \($0)" } ?? "")
        }
    }

    func listed(_ prefix: String, scope: String? = nil, atMost limit: Int = 100) async throws -> [String] {
        try await store.entries(
            prefix: try key(prefix),
            scope: try scope.map { try self.scope($0) },
            after: nil,
            in: try name("main"),
            atMost: limit
        ).entries.map { "\($0.scope) \($0.key)" }
    }

    func delete(_ key: String, scope: String) async throws -> Bool {
        try await store.deleteEntry(try self.key(key).inScope(try self.scope(scope)), in: try name("main"))
    }

    /// The path of a blob's file.
    func blobPath(of digest: Digest) throws -> String {
        let names = files(in: "blobs").filter { $0.contains(digest.hex) }
        guard names.count == 1 else { throw TestFailure("there are the files \(names)") }
        return "\(folder)/blobs/\(names[0])"
    }

    /// Loses a blob, and has somebody find that out.
    func lose(_ digest: Digest) async throws {
        try await settled()
        try FileManager.default.removeItem(atPath: try blobPath(of: digest))
        let count = quarantinedCount
        #expect(try await blob(digest) == nil)
        try await waitUntil("the loss is known") { quarantinedCount == count + 1 }
    }
}
