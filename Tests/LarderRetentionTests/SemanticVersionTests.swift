import LarderRetention
import Testing

/// Versions by Semantic Versioning 2.0.0, as tags write them.
@Suite struct SemanticVersionTests {
    @Test(arguments: [
        (tag: "1.2.3", numbers: [1, 2, 3], isPrerelease: false),
        (tag: "v1.2.3", numbers: [1, 2, 3], isPrerelease: false),
        (tag: "V1.2.3", numbers: [1, 2, 3], isPrerelease: false),
        (tag: "0", numbers: [0, 0, 0], isPrerelease: false),
        (tag: "1", numbers: [1, 0, 0], isPrerelease: false),
        (tag: "v1", numbers: [1, 0, 0], isPrerelease: false),
        (tag: "1.20", numbers: [1, 20, 0], isPrerelease: false),
        (tag: "20240101", numbers: [20_240_101, 0, 0], isPrerelease: false),
        (tag: "999999999999999999.0.0", numbers: [999_999_999_999_999_999, 0, 0], isPrerelease: false),
        (tag: "1.2.3-rc.1", numbers: [1, 2, 3], isPrerelease: true),
        (tag: "1.2-rc.1", numbers: [1, 2, 0], isPrerelease: true),
        (tag: "1-alpine", numbers: [1, 0, 0], isPrerelease: true),
        (tag: "1.0.0--", numbers: [1, 0, 0], isPrerelease: true),
        (tag: "1.0.0-0", numbers: [1, 0, 0], isPrerelease: true),
        (tag: "1.0.0-0a.01b", numbers: [1, 0, 0], isPrerelease: true),
        (tag: "1.0.0-x.7.z.92", numbers: [1, 0, 0], isPrerelease: true),
        (tag: "1.0.0-123456789012345678901234567890", numbers: [1, 0, 0], isPrerelease: true),
        // A hyphen makes the identifier a word, in which a zero may come first.
        (tag: "2024-01-01", numbers: [2024, 0, 0], isPrerelease: true),
        (tag: "1.0.0+20130313144700", numbers: [1, 0, 0], isPrerelease: false),
        (tag: "1.0.0_build.007", numbers: [1, 0, 0], isPrerelease: false),
        (tag: "1.0.0+21AF26D3--117B344092BD", numbers: [1, 0, 0], isPrerelease: false),
        (tag: "1.0.0-beta_exp.sha.5114f85", numbers: [1, 0, 0], isPrerelease: true),
        (tag: "1.0_a-b", numbers: [1, 0, 0], isPrerelease: false),
    ])
    func versionsAreRead(tag: String, numbers: [Int], isPrerelease: Bool) throws {
        let version = try #require(SemanticVersion(tag: tag))
        #expect([version.major, version.minor, version.patch] == numbers)
        #expect(version.isPrerelease == isPrerelease)
    }

    @Test(arguments: [
        "", "v", "V", "vv1", "latest", "main-1", "a1.2.3", "x", ".", "-", "-1", "v-1", "_", "_1", "+1", "1.2.3.4",
        "1.", ".1", "1..2", "1.2.", "1.-1", "01", "1.02.3", "1.2.03", "00", "2024.01.01", "1000000000000000000",
        "1.0.9999999999999999999", "1.a", "1a", "1 ", " 1", "1.0.0-", "1.0.0-.", "1.0.0-a.", "1.0.0-.a", "1.0.0-a..b",
        "1.0.0-01", "1.0.0-a.00", "1.0.0-\u{e9}", "1.0.0+", "1.0.0_", "1.0.0-_a", "1.0.0-a+", "1.0.0+a..b", "1.0.0+a+b",
        "1.0.0_a_b", "1.0.0+a_b", "1.0.0+\u{e9}", "\u{661}", "1\u{301}", "1.0.0\n",
    ])
    func otherTagsAreNoVersions(tag: String) {
        #expect(SemanticVersion(tag: tag) == nil)
    }

    /// The chain of section 11 with more links; each comes before all that follow it.
    @Test func versionsAreOrderedBySection11() throws {
        let chain = try [
            "0", "0.0.1-0", "0.0.1", "0.1", "1.0.0-0", "1.0.0-2", "1.0.0-11", "1.0.0-99999999999999999999",
            "1.0.0-100000000000000000000", "1.0.0--", "1.0.0-11a", "1.0.0-A", "1.0.0-alpha", "1.0.0-alpha.1",
            "1.0.0-alpha.1.0",
            "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1-rc",
            "1.0.1", "1.0.10", "1.2", "1.10", "2.0.0-0", "2", "10", "100000000000000000",
        ].map { try #require(SemanticVersion(tag: $0)) }
        for (index, version) in chain.enumerated() {
            for (otherIndex, other) in chain.enumerated() {
                #expect((version < other) == (index < otherIndex), "\(index) and \(otherIndex)")
                #expect((version == other) == (index == otherIndex), "\(index) and \(otherIndex)")
            }
        }
        #expect(chain.reversed().sorted() == chain)
    }

    @Test(arguments: [
        ["1", "v1", "V1.0", "1.0.0", "1.0.0+a", "1.0.0_b.1", "v1.0+1-2"],
        ["1.2-rc.1", "v1.2.0-rc.1", "1.2-rc.1_build", "1.2.0-rc.1+x"],
    ])
    func whatTheOrderIgnoresIsIgnoredForEquality(tags: [String]) {
        let versions = tags.compactMap { SemanticVersion(tag: $0) }
        #expect(versions.count == tags.count)
        #expect(Set(versions).count == 1)
        for version in versions {
            #expect(!versions.contains { $0 < version })
        }
    }

    @Test func partsOfATextAreAccepted() throws {
        let tag = try #require("image:1.2.3".split(separator: ":").last)
        #expect(SemanticVersion(tag: tag) == SemanticVersion(tag: "1.2.3"))
    }
}
