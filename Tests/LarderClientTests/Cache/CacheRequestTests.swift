import Foundation
import LarderCore
import LarderTestSupport
import Testing

@testable import LarderClient

/// Keys and paths of a cache are made from flags and buildspecs.
@Suite struct CacheRequestTests {
    private func request(
        _ folder: String,
        key: String? = nil,
        restoreKeys: [String] = [],
        paths: [String] = [],
        buildspec: String? = nil,
        environment: [String: String] = [:]
    ) async throws -> CacheRequest {
        let wish = CacheRequest.Wish(
            key: try key.map { try KeyTemplate($0) },
            restoreKeys: try restoreKeys.map { try KeyTemplate($0) },
            paths: try paths.map { try PathPattern($0) },
            buildspec: try buildspec.flatMap { try Buildspec($0).cache },
            isReplacing: false
        )
        let surroundings = CacheRequest.Surroundings(
            folder: folder,
            environment: environment,
            job: try JobEnvironment(environment: environment, folder: folder) { _ in nil },
            now: Timestamp(milliseconds: 1_780_000_000_000),
            program: "/bin/false"
        )
        return try await CacheRequest.make(wish, in: surroundings)
    }

    @Test func flagsAreTemplates() async throws {
        try await withTemporaryFolder { folder in
            try Data("x".utf8).write(to: URL(fileURLWithPath: "\(folder)/lock"))
            let made = try await request(
                folder,
                key: "npm-{{ hash \"lock\" }}",
                restoreKeys: ["npm-{{ env \"LINE\" }}-", "npm-"],
                paths: ["modules"],
                environment: ["LINE": "7"]
            )
            #expect(made.key == "npm-\(try FileHash.hex(matching: ["lock"], in: folder))")
            #expect(made.restoreKeys == ["npm-7-", "npm-"])
            #expect(made.version == "")
            #expect(!made.isReplacing)
            #expect(made.action == nil)
        }
    }

    private static let buildspec = """
        version: 0.2
        cache:
          key: app-$LINE
          fallback-keys:
            - app-
          paths:
            - node_modules/**/*
            - /root/.npm/**/*
        """

    @Test func aBuildspecNamesThePathsAndKeys() async throws {
        try await withTemporaryFolder { folder in
            let made = try await request(folder, buildspec: Self.buildspec, environment: ["LINE": "7"])
            #expect(made.key == "app-7")
            #expect(made.restoreKeys == ["app-"])
            // The first digits of: printf 'node_modules/**/*\n/root/.npm/**/*' | sha256sum
            let paths = "node_modules/**/*\n/root/.npm/**/*"
            #expect(made.version == String(IncrementalHasher.digest(of: Array(paths.utf8)).hex.prefix(16)))
            #expect(!made.isReplacing)
            #expect(CachePaths(made.paths).roots.map(\.root) == ["node_modules", "/root/.npm"])
            #expect(CachePaths(made.paths).roots.allSatisfy { $0.includes == nil })
        }
    }

    @Test func aBuildspecWithoutAKeySavesAnewAndRestoresTheLast() async throws {
        try await withTemporaryFolder { folder in
            let text = "version: 0.2\ncache:\n  action: save\n  paths:\n    - 'a/*.jar'\n"
            let made = try await request(folder, buildspec: text)
            #expect(made.key == "default-1780000000000")
            #expect(made.restoreKeys == ["default-"])
            #expect(!made.isReplacing)
            #expect(made.action == .save)
            let root = try #require(CachePaths(made.paths).roots.first)
            #expect(root.root == "a")
            #expect(root.includes?("x.jar", false) == true)
            #expect(root.includes?("x.txt", false) == false)
            #expect(root.includes?("b/x.jar", false) == false)
            let named = try await request(folder, key: "mine", buildspec: text)
            #expect(named.key == "mine")
            #expect(named.restoreKeys.isEmpty)
        }
    }

    @Test func aKeyThatCanNotBeMadeIsAnError() async throws {
        try await withTemporaryFolder { folder in
            await #expect(throws: ClientError.self) { try await request(folder, key: "{{ env \"ABSENT\" }}") }
            await #expect(throws: ClientError.self) {
                try await request(folder, buildspec: "version: 0.2\ncache:\n  key: $(exit 3)\n  paths: [a]\n")
            }
        }
    }
}
