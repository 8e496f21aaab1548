import APIMessages
import Foundation
import LarderClient
import LarderCore
import Testing

/// The documents of an artifact are the same for the same files, byte by byte.
@Suite struct ArtifactDraftTests {
    private let annotations = ["channel": "nightly", "org.opencontainers.image.revision": "0a1b"]

    private func files() throws -> ArtifactFiles {
        try ArtifactFiles(
            files: makeFiles(["bin/tool"], size: 7, mode: 0o755) + makeFiles(["a \"b\""], size: 3),
            links: [.init(path: "bin/t", target: "tool")],
            folders: [.init(path: "log", mode: 0o755)]
        )
    }

    private func manifest(_ plan: ArtifactPlan, config: Data) throws -> String {
        let manifest = try ArtifactDraft.manifest(
            of: plan,
            digests: [
                PathKey("/nowhere/bin/tool"): makeDigest(1), PathKey("/nowhere/a \"b\""): makeDigest(2),
            ],
            bundles: [:],
            config: config,
            annotations: annotations
        )
        return String(decoding: manifest, as: UTF8.self)
    }

    @Test func theConfigurationSaysOnlyWhatLayersDoNot() throws {
        let plan = try ArtifactPlan(try files(), annotations: annotations)
        let config = String(decoding: try ArtifactDraft.config(of: plan), as: UTF8.self)
        #expect(
            config == """
                {"folders":[{"mode":"755","path":"log"}],"links":[{"path":"bin/t","target":"tool"}],\
                "modes":{"bin/tool":"755"}}
                """
        )
    }

    @Test func theManifestHasOneLayerForEachFile() throws {
        let plan = try ArtifactPlan(try files(), annotations: annotations)
        let config = try ArtifactDraft.config(of: plan)
        let hex = IncrementalHasher.digest(of: config).hex
        #expect(
            try manifest(plan, config: config) == """
                {"annotations":{"channel":"nightly","org.opencontainers.image.revision":"0a1b"},\
                "artifactType":"application/vnd.larder.artifact.v1",\
                "config":{"digest":"sha256:\(hex)","mediaType":"application/vnd.larder.artifact.config.v1+json",\
                "size":\(config.count)},\
                "layers":[{"annotations":{"org.opencontainers.image.title":"a \\"b\\""},\
                "digest":"sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35",\
                "mediaType":"application/octet-stream","size":3},\
                {"annotations":{"org.opencontainers.image.title":"bin/tool"},\
                "digest":"sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",\
                "mediaType":"application/octet-stream","size":7}],\
                "mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}
                """
        )
    }

    @Test func theStoreTakesTheManifest() throws {
        let plan = try ArtifactPlan(try files(), annotations: annotations)
        let text = try manifest(plan, config: try ArtifactDraft.config(of: plan))
        let manifest = try Manifest(Array(text.utf8), contentType: nil)
        #expect(manifest.effectiveArtifactType == "application/vnd.larder.artifact.v1")
        #expect(manifest.layers.map(\.title) == ["a \"b\"", "bin/tool"])
    }

    @Test func aBundleIsMarkedForORAS() throws {
        let plan = try ArtifactPlan(
            try ArtifactFiles(files: makeFiles((0..<4_001).map { "lib/\($0)" })),
            annotations: [:]
        )
        let blob = ArtifactDraft.Blob(digest: makeDigest(1), size: 99)
        let data = try ArtifactDraft.manifest(
            of: plan,
            digests: [:],
            bundles: [PathKey("lib"): .init(blob: blob, unpackedDigest: makeDigest(2))],
            config: try ArtifactDraft.config(of: plan),
            annotations: [:]
        )
        let layer = try ArtifactManifest(encoded: data).layers[0]
        #expect(layer.mediaType == "application/vnd.oci.image.layer.v1.tar+gzip")
        #expect(
            layer.annotations == [
                "org.opencontainers.image.title": "lib", "io.deis.oras.content.unpack": "true",
                "io.deis.oras.content.digest": makeDigest(2).description,
            ]
        )
        let config = String(decoding: try ArtifactDraft.config(of: plan), as: UTF8.self)
        #expect(config == #"{"bundles":{"lib":{"byteCount":4001,"fileCount":4001}}}"#)
    }

    @Test func pathsInDifferentBytesAreDifferentLayers() throws {
        let paths = ["e\u{301}", "\u{e9}"]
        let plan = try ArtifactPlan(try ArtifactFiles(files: makeFiles(paths, mode: 0o755)), annotations: [:])
        let data = try ArtifactDraft.manifest(
            of: plan,
            digests: [PathKey("/nowhere/e\u{301}"): makeDigest(1), PathKey("/nowhere/\u{e9}"): makeDigest(2)],
            bundles: [:],
            config: try ArtifactDraft.config(of: plan),
            annotations: [:]
        )
        let layers = try ArtifactManifest(encoded: data).layers
        #expect(layers.map { PathKey($0.title ?? "") } == paths.map { PathKey($0) })
        #expect(layers.map(\.digest) == [makeDigest(1).description, makeDigest(2).description])
    }

    /// In the configuration modes stand under paths, which readers of JSON compare as they like.
    @Test func pathsThatLookAlikeCannotHaveDifferentModes() throws {
        let files = makeFiles(["e\u{301}"], mode: 0o755) + makeFiles(["\u{e9}"])
        let plan = try ArtifactPlan(try ArtifactFiles(files: files), annotations: [:])
        let error = #expect(throws: ClientError.self) { try ArtifactDraft.config(of: plan) }
        #expect(try #require(error).description.contains("different modes; rename one"))
    }

    @Test func reportsReferToTheArtifact() throws {
        var totals = ReportTotals()
        (totals.tests, totals.failures, totals.seconds) = (3, 1, 1.5)
        let report = ArtifactDraft.Report(
            totals: .init(group: "unit", format: "JUNITXML", totals: totals, files: []),
            files: makeFiles(["junit.xml"], size: 5)
        )
        let digests = [PathKey("/nowhere/junit.xml"): makeDigest(1)]
        let config = try ArtifactDraft.reportsConfig([report], digests: digests)
        #expect(
            String(decoding: config, as: UTF8.self) == """
                {"reports":[{"failures":1,\
                "files":[{"digest":"\(makeDigest(1))","path":"junit.xml","size":5}],\
                "format":"JUNITXML","group":"unit","seconds":1.5,"tests":3}]}
                """
        )
        let subject = Data("{}".utf8)
        let data = try ArtifactDraft.reportsManifest([report], digests: digests, config: config, subject: subject)
        let manifest = try ArtifactManifest(encoded: data)
        #expect(manifest.artifactType == "application/vnd.larder.reports.v1")
        #expect(manifest.subject?.digest == IncrementalHasher.digest(of: subject).description)
        #expect(
            manifest.layers[0].annotations == [
                "org.opencontainers.image.title": "junit.xml", "dev.larder.report.group": "unit",
                "dev.larder.report.format": "JUNITXML",
            ]
        )
    }

    @Test func configurationsAreReadAsTheyAreWritten() throws {
        let config = ArtifactConfig(
            modes: ["a": "600"],
            links: [.init(path: "l", target: "../x")],
            folders: [.init(path: "f", mode: "700")],
            bundles: ["b": .init(fileCount: 2, byteCount: 3)]
        )
        #expect(try ArtifactConfig(encoded: config.encoded()) == config)
        #expect(try ArtifactConfig(encoded: Data("{}".utf8)) == ArtifactConfig())
        #expect(try ArtifactConfig().encoded() == Data("{}".utf8))
    }
}
