import APIMessages
import Foundation
import LarderCore
import Testing

@testable import APIAdapter

private let digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/// What documents of artifacts say is read, our own and those that ORAS writes.
@Suite struct ArtifactReadingTests {
    private func layer(_ title: String?, _ size: Int64, _ more: String = "", type: String = "application/octet-stream")
        -> String
    {
        let title = title.map { "\"org.opencontainers.image.title\":\"\($0)\"" }
        let annotations = [title, more.isEmpty ? nil : more].compactMap { $0 }.joined(separator: ",")
        return """
            {"mediaType":"\(type)","digest":"\(digest)","size":\(size),"annotations":{\(annotations)}}
            """
    }

    private func manifest(_ layers: [String], config: String = "application/vnd.unknown.config.v1+json") -> [UInt8] {
        Array(
            """
            {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
            "config":{"mediaType":"\(config)","digest":"\(digest)","size":2},
            "layers":[\(layers.joined(separator: ","))],"annotations":{"channel":"nightly"}}
            """.utf8
        )
    }

    @Test func modesLinksAndFoldersComeFromTheConfiguration() throws {
        let config = ArtifactConfig(
            modes: ["bin/tool": "755"],
            links: [.init(path: "l", target: "bin")],
            folders: [.init(path: "log", mode: "700")],
            bundles: ["lib": .init(fileCount: 5, byteCount: 50)]
        )
        let bundle = layer(
            "lib",
            20,
            "\"io.deis.oras.content.unpack\":\"true\"",
            type: "application/vnd.oci.image.layer.v1.tar+gzip"
        )
        let reading = try ArtifactReading(
            manifest: manifest([layer("bin/tool", 3), bundle, layer("a", 1)], config: ArtifactMediaType.config),
            config: Array(try config.encoded())
        )
        #expect(reading.files.map(\.path) == ["a", "bin/tool"])
        #expect(reading.files.map(\.mode) == ["644", "755"])
        #expect(reading.links == config.links)
        #expect(reading.folders == config.folders)
        #expect(reading.bundles == [.init(path: "lib", digest: digest, size: 20, fileCount: 5, byteCount: 50)])
        #expect(reading.size == 24)
        #expect(reading.fileCount == 7)
        #expect(reading.labels == ["channel": "nightly"])
    }

    /// `oras` 0.2.43 of PyPI: `push(files=["a.txt", "dist"])`; a folder is told by its type only.
    @Test func whatORASForPythonWroteIsRead() throws {
        let folder = layer("dist", 9, type: "application/vnd.oci.image.layer.v1.tar+gzip")
        let archive = layer("src.tar.gz", 4, type: "application/vnd.oci.image.layer.v1.tar+gzip")
        let plain = layer("a.txt", 1, type: "application/vnd.oci.image.layer.v1.tar")
        let reading = try ArtifactReading(manifest: manifest([plain, folder, archive]), config: Array("{}".utf8))
        #expect(reading.files.map(\.path) == ["a.txt", "src.tar.gz"])
        #expect(reading.bundles.map(\.path) == ["dist"])
        #expect(reading.bundles.map(\.fileCount) == [0])
        #expect(reading.artifactType == "application/vnd.unknown.config.v1+json")
    }

    @Test func layersWithoutATitleAreNoFiles() throws {
        let reading = try ArtifactReading(manifest: manifest([layer(nil, 7), layer("a", 1)]), config: nil)
        #expect(reading.files.map(\.path) == ["a"])
        #expect(reading.size == 8)
    }

    @Test func ofSeveralLayersWithOneTitleTheLastCounts() throws {
        let reading = try ArtifactReading(manifest: manifest([layer("a", 1), layer("a", 2)]), config: nil)
        #expect(reading.files.map(\.size) == [2])
    }

    @Test func theNewestReportOfAGroupCounts() throws {
        func reports(_ tests: Int, _ group: String) throws -> (manifest: [UInt8], config: [UInt8]?) {
            var totals = ReportTotals()
            totals.tests = tests
            let report = ArtifactReportMessage(group: group, format: "JUNITXML", totals: totals, files: [])
            return ([], Array(try ArtifactReportsConfig(reports: [report]).encoded()))
        }
        let reading = try ArtifactReading(
            manifest: manifest([]),
            config: nil,
            reports: [try reports(2, "unit"), ([], Array("no".utf8)), try reports(1, "unit"), try reports(3, "e2e")]
        )
        #expect(reading.reports.map(\.group) == ["unit", "e2e"])
        #expect(reading.reports.map(\.totals.tests) == [2, 3])
    }

    @Test(arguments: ["", "[]", "{\"schemaVersion\":2,\"manifests\":[]}", "{\"config\":1}"])
    func anythingElseIsAnError(text: String) {
        #expect(throws: StoreError.self) { try ArtifactReading(manifest: Array(text.utf8), config: nil) }
    }

    @Test func sizesOfStrangersDoNotOverflow() throws {
        let layers = [layer("a", .max), layer("b", .max)]
        #expect(try ArtifactReading(manifest: manifest(layers), config: nil).size == .max)
    }
}
