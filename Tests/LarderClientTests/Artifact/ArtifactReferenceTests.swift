import LarderClient
import LarderCore
import Testing

private let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

private let references: [(text: String, name: String, tags: [String], digest: String?, version: String)] = [
    (text: "app", name: "app", tags: [], digest: nil, version: ""),
    (text: "team/app:1.4", name: "team/app", tags: ["1.4"], digest: nil, version: "1.4"),
    (text: "app@sha256:\(hex)", name: "app", tags: [], digest: "sha256:\(hex)", version: "sha256:\(hex)"),
]

/// Artifacts are parsed as people write them, and what is wrong is said in words.
@Suite struct ArtifactReferenceTests {
    @Test(arguments: references)
    func partsAreTakenApart(text: String, name: String, tags: [String], digest: String?, version: String) throws {
        let reference = try ArtifactReference(text)
        #expect(reference.repository.text == name)
        #expect(reference.tags.map(\.text) == tags)
        #expect(reference.digest?.description == digest)
        #expect(try reference.version == version)
        #expect(reference.description == text)
    }

    @Test func severalTagsStandBehindOneColon() throws {
        let reference = try ArtifactReference("team/app:1.4,latest,1.4")
        #expect(reference.tags.map(\.text) == ["1.4", "latest"])
        #expect(throws: ClientError.self) { try reference.version }
    }

    @Test(arguments: [
        (text: "", says: "is no name"),
        (text: "App:1", says: "lowercase"),
        (text: "app:", says: "is no tag"),
        (text: "app:1,,2", says: "is no tag"),
        (text: "app:-x", says: "is no tag"),
        (text: "app@sha256:abc", says: "is no digest"),
        (text: "app:1@sha256:\(hex)", says: "not both"),
        (text: "localhost:7878/app:1", says: "--url"),
    ])
    func mistakesAreExplained(text: String, says: String) throws {
        let error = #expect(throws: ClientError.self) { try ArtifactReference(text) }
        #expect(try #require(error).description.contains(says))
    }
}
