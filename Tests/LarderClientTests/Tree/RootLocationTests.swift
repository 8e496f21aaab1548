import LarderTestSupport
import Testing

@testable import LarderClient

@Suite struct RootLocationTests {
    @Test(arguments: [
        ("node_modules", "node_modules"), ("./node_modules/", "node_modules"), ("a//b/./c", "a/b/c"), (".", "."),
        ("./", "."), ("", "."), ("/", "/"), ("//a/", "/a"), ("~", "~"), ("~/", "~"), ("~/.m2/", "~/.m2"),
        ("../a", "../a"), ("a/../b", "a/../b"), ("~user/a", "~user/a"),
    ])
    func isNormalized(text: String, normalized: String) {
        #expect(RootLocation.normalized(text) == normalized)
    }

    @Test(arguments: [
        ("a", false), ("a..b", false), ("a/b", false), (".", false), ("~user", false), ("/a", true), ("~", true),
        ("~/a", true), ("..", true), ("a/../b", true),
    ])
    func leavesTheBase(text: String, leaves: Bool) {
        #expect(RootLocation.leavesBase(text) == leaves)
    }

    @Test func isFoundThroughLinks() async throws {
        try await withTwoFolders { files, other in
            let (base, away) = (
                try #require(RootLocation.realPath(files.path)), try #require(RootLocation.realPath(other.path))
            )
            try files.makeFolder("real/in")
            try files.link("alias", to: "real")
            try files.link("out", to: away)
            func find(_ root: String) throws -> RootLocation { try RootLocation(root, base: base, home: away) }
            #expect(try find("alias/in").path == "\(base)/real/in")
            #expect(try find("alias").path == "\(base)/alias")
            #expect(try find("out/x").path == "\(away)/x")
            #expect(try find("out/x").isBelow(base) == false)
            #expect(try find("new/er/x").missing == ["new", "er"])
            #expect(try find("new/er/x").path == "\(base)/new/er/x")
            #expect(try find(".").path == base)
            #expect(try find(".").name == "")
            #expect(try find("~").path == away)
            #expect(try find("~/x").path == "\(away)/x")
            #expect(try find("real/..").path == base)
            #expect(try find("..").isBelow(base) == false)
            #expect(throws: ClientError.self) { try find("new/../x") }
            #expect(throws: ClientError.self) { try find("new/..") }
            #expect(throws: ClientError.self) { try find("a\0b") }
        }
    }

    @Test func containsIsAboutWholeNames() {
        #expect(RootLocation.contains("/a/b", "/a/b"))
        #expect(RootLocation.contains("/a/b", "/a/b/c"))
        #expect(!RootLocation.contains("/a/b", "/a/bc"))
        #expect(!RootLocation.contains("/a/b", "/a"))
        #expect(RootLocation.contains("/", "/a"))
    }
}
