import LarderCore
import Testing

/// Names by the grammar of the OCI distribution specification 1.1:
/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`.
@Suite struct RepositoryNameTests {
    @Test(arguments: [
        "a", "0", "default", "main", "a1", "1a", "a.b", "a_b", "a__b", "a-b", "a--b", "a-----b", "a.b_c__d-e--f",
        "team/app", "a/b/c/d", "library/hello-world", "my.org/team__x/app-1.2", "0/1", "a.0", "a/0.b",
        String(repeating: "a", count: 255), "a/" + String(repeating: "b", count: 253),
    ])
    func namesOfTheGrammarAreValid(text: String) throws {
        let name = try #require(RepositoryName(text))
        #expect(name.text == text)
        #expect(name.description == text)
    }

    @Test(arguments: [
        "", " ", ".", "..", "_", "-", "/", "//", "A", "aB", "Main", "a b", " a", "a ", "a\n", "a\u{0}", "é", "aé", "ａ",
        "a/", "/a", "a//b", "a/./b", "a/../b", "../a", "a/b/", ".a", "a.", "_a", "a_", "__a", "a__", "-a", "a-", "--a",
        "a--", "a..b", "a___b", "a____b", "a._b", "a_.b", "a.-b", "a-.b", "a-_b", "a_-b", "a__-b", "a-__b", "a__.b",
        "a/.b", "a./b", "a/-b", "a-/b", "a/_b", "a_/b", "a:b", "a@b", "a+b", "a#1", "a%2fb", "a\\b", "a~b", "a,b",
        String(repeating: "a", count: 256), "a/" + String(repeating: "b", count: 254),
    ])
    func anythingElseIsNoName(text: String) {
        #expect(RepositoryName(text) == nil)
    }

    @Test(arguments: 0...127)
    func onlyLowercaseLettersAndDigitsStandAlone(character: Int) {
        let scalar = Unicode.Scalar(UInt8(character))
        let isValid = ("a"..."z").contains(scalar) || ("0"..."9").contains(scalar)
        #expect((RepositoryName(String(scalar)) != nil) == isValid)
    }

    @Test(arguments: 0...300)
    func namesHaveAtMost255Characters(length: Int) {
        let name = RepositoryName(String(repeating: "a", count: length))
        #expect((name != nil) == (1...255).contains(length))
    }

    @Test(arguments: [
        (text: "main", isSingle: true),
        (text: "a.b-c__d", isSingle: true),
        (text: "team/app", isSingle: false),
        (text: "a/b/c", isSingle: false),
    ])
    func segmentsAreToldApart(text: String, isSingle: Bool) throws {
        #expect(try #require(RepositoryName(text)).isSingleSegment == isSingle)
    }

    @Test func partsOfATextAreAccepted() {
        #expect(RepositoryName("x/main/y".split(separator: "/")[1])?.text == "main")
    }

    @Test func clientsThatNameNoRepositoryUseTheDefaultOne() {
        #expect(RepositoryName.default.text == "default")
        #expect(RepositoryName("default") == RepositoryName.default)
    }

    @Test func kindsAreStoredUnderTheirNames() {
        #expect(RepositoryKind.allCases.map(\.rawValue) == ["cache", "registry", "bucket"])
    }
}
