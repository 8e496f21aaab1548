import LarderArchive
import Testing

/// Where the names of archive members lead.
@Suite struct ArchivePathTests {
    @Test(arguments: [
        (name: "a", parts: ["a"]),
        (name: "a/b", parts: ["a", "b"]),
        (name: "./a/./b/", parts: ["a", "b"]),
        (name: "a//b", parts: ["a", "b"]),
        (name: "./", parts: []),
        (name: ".", parts: []),
        (name: "...", parts: ["..."]),
        (name: "..a/b..", parts: ["..a", "b.."]),
        (name: "a\\..\\b", parts: ["a\\..\\b"]),
        (name: "späte Äpfel/x", parts: ["späte Äpfel", "x"]),
        (name: "a\u{301}/\u{301}", parts: ["a\u{301}", "\u{301}"]),
    ])
    func aNameIsCutIntoItsParts(name: String, parts: [String]) {
        #expect(ArchivePath.components(name) == parts)
    }

    @Test(arguments: ["", "/", "/a", "..", "../a", "a/..", "a/../b", "./..", "a\u{0}b", "\u{0}", "//a"])
    func whatLeadsElsewhereIsNone(name: String) {
        #expect(ArchivePath.components(name) == nil)
    }
}
