import LarderTestSupport
import Testing

@testable import LarderClient

/// Files that a deployment would refuse are refused when they are made.
@Suite struct ImageDefinitionsTests {
    private static let digest = "sha256:" + String(repeating: "0", count: 64)

    private func check(_ text: String, path: String = "imagedefinitions.json") throws {
        try ImageDefinitions.check(path: path, bytes: Array(text.utf8))
    }

    @Test(arguments: [
        #"[{"name":"app","imageUri":"123.dkr.ecr.eu-west-1.amazonaws.com/app:v1"}]"#,
        #" [ {"imageUri":"host:5000/a/b:1_2.3-x", "name":"a", "other":[1,{}]} , {"name":"b","imageUri":"b:latest"} ] "#,
        "[{\"name\":\"a\",\"imageUri\":\"repo@\(digest)\"},{\"name\":\"b\",\"imageUri\":\"repo:1@\(digest)\"}]",
    ])
    func whatCanBeDeployedPasses(text: String) throws {
        try check(text)
        try check(text, path: "dist/imagedefinitions.json")
    }

    @Test(arguments: [
        ("", "no JSON"), ("{}", "a list is wanted"), ("[]", "the list is empty"), ("[1]", "entry 1 is no object"),
        ("[{\"name\":\"a\"}]", "entry 1 ('a') has no imageUri"), ("[{\"imageUri\":\"a:1\"}]", "entry 1 has no name"),
        ("[{\"name\":\"\",\"imageUri\":\"a:1\"}]", "entry 1 has no name"),
        ("[{\"name\":1,\"imageUri\":\"a:1\"}]", "entry 1 has no name"),
        ("[{\"name\":\"a\",\"imageUri\":null}]", "has no imageUri"),
        (
            "[{\"name\":\"a\",\"imageUri\":\"x:1\"},{\"name\":\"b\",\"imageUri\":\"host:5000/x\"}]",
            "entry 2 ('b'): imageUri"
        ),
        ("[{\"name\":\"a\",\"imageUri\":\"x:\"}]", "empty tag"),
        ("[{\"name\":\"a\",\"imageUri\":\":1\"}]", "names no image"),
        ("[{\"name\":\"a\",\"imageUri\":\"h//x:1\"}]", "names no image"),
        ("[{\"name\":\"a\",\"imageUri\":\"x:a b\"}]", "wrong character"),
        ("[{\"name\":\"a\",\"imageUri\":\"x:-1\"}]", "'-1' is no tag"),
        ("[{\"name\":\"a\",\"imageUri\":\"x@sha256:00\"}]", "is no digest"),
        ("[{\"name\":\"a\",\"imageUri\":\"x:1\"},{\"name\":\"a\",\"imageUri\":\"x:2\"}]", "'a' comes twice"),
        ("[{\"name\":\"a\",\"imageUri\":\"x:1\"}] x", "no JSON"), ("\u{feff}[]", "byte order mark"),
        ("[{\"name\":\"a\",\"imageUri\":\"x:1\",}]", "no JSON"),
    ])
    func whatCannotIsToldWithItsPlace(text: String, problem: String) {
        let error = #expect(throws: ClientError.self) { try check(text) }
        #expect(error?.description.hasPrefix("imagedefinitions.json") == true)
        #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
    }

    @Test func sizeIsBounded() throws {
        let entry = #"[{"name":"a","imageUri":"x:1"}]"#
        try check(entry + String(repeating: " ", count: ImageDefinitions.lengthMax - entry.utf8.count))
        #expect(throws: ClientError.self) {
            try check(entry + String(repeating: " ", count: ImageDefinitions.lengthMax))
        }
    }

    @Test func theDetailOfOneImageIsChecked() throws {
        try check("{\"ImageURI\":\"repo@\(Self.digest)\",\"other\":1}", path: "imageDetail.json")
        for text in ["[]", "{}", #"{"ImageURI":1}"#, #"{"ImageURI":"repo"}"#] {
            #expect(throws: ClientError.self) { try check(text, path: "imageDetail.json") }
        }
    }

    @Test func otherFilesPass() throws {
        try check("what", path: "imagedefinitions.json.bak")
        #expect(ImageDefinitions.isName("a/imageDetail.json"))
        #expect(!ImageDefinitions.isName("a/imageDetail.json/b"))
    }
}
