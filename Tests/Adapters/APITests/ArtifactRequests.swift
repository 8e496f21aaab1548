import Foundation
import LarderArchive
import LarderCore
import LarderTestSupport

/// A blob that a manifest names.
struct TestLayer {
    var title: String?
    var bytes: [UInt8]
    var type = "application/octet-stream"
    var annotations: [String: String] = [:]

    init(_ title: String?, _ text: String) {
        self.init(title, Array(text.utf8))
    }

    init(_ title: String?, _ bytes: [UInt8]) {
        self.title = title
        self.bytes = bytes
    }

    /// A folder as one archive, as ORAS pushes it.
    static func bundle(_ folder: String, _ members: [(TarMember, [UInt8])]) throws -> TestLayer {
        var (tar, packed) = ([UInt8](), [UInt8]())
        var writer = TarWriter()
        for (member, contents) in members {
            try writer.begin(member, to: &tar)
            if !contents.isEmpty { try contents.withUnsafeBytes { try writer.write($0, to: &tar) } }
            try writer.endMember(to: &tar)
        }
        writer.finish(to: &tar)
        var gzip = GzipWriter()
        tar.withUnsafeBytes { gzip.write($0, to: &packed) }
        gzip.finish(to: &packed)
        var layer = TestLayer(folder, packed)
        layer.type = "application/vnd.oci.image.layer.v1.tar+gzip"
        layer.annotations["io.deis.oras.content.unpack"] = "true"
        layer.annotations["io.deis.oras.content.digest"] = "\(digest(of: tar))"
        return layer
    }

    /// The configuration of an artifact of Larder's.
    static func config(_ text: String = "{}") -> TestLayer {
        var layer = TestLayer(nil, text)
        layer.type = "application/vnd.larder.artifact.config.v1+json"
        return layer
    }

    /// What ORAS writes where there is no configuration (OCI image specification 1.1, "Guidance for an Empty Descriptor").
    static var empty: TestLayer {
        var layer = TestLayer(nil, "{}")
        layer.type = "application/vnd.oci.empty.v1+json"
        return layer
    }

    var descriptor: [String: Any] {
        var annotations = annotations
        annotations["org.opencontainers.image.title"] = title
        var result: [String: Any] = ["mediaType": type, "digest": "\(digest(of: bytes))", "size": bytes.count]
        if !annotations.isEmpty { result["annotations"] = annotations }
        return result
    }
}

/// A manifest with all that it names.
struct TestArtifact {
    var config = TestLayer.config()
    var layers: [TestLayer]
    var annotations: [String: String] = [:]
    var type: String? = "application/vnd.larder.artifact.v1"
    /// What it is about, if anything.
    var subjects: [TestArtifact] = []

    init(_ layers: [TestLayer], config: TestLayer = .config(), annotations: [String: String] = [:]) {
        self.layers = layers
        self.config = config
        self.annotations = annotations
    }

    static let mediaType = "application/vnd.oci.image.manifest.v1+json"

    var manifest: [UInt8] {
        get throws {
            var document: [String: Any] = [
                "schemaVersion": 2, "mediaType": Self.mediaType, "config": config.descriptor,
                "layers": layers.map(\.descriptor), "annotations": annotations,
            ]
            document["artifactType"] = type
            document["subject"] = try subjects.first?.descriptor
            return Array(try JSONSerialization.data(withJSONObject: document, options: [.sortedKeys]))
        }
    }

    var digest: String { get throws { "\(APIAdapterTests.digest(of: try manifest))" } }

    var descriptor: [String: Any] {
        get throws {
            let bytes = try manifest
            return [
                "mediaType": Self.mediaType, "digest": "\(APIAdapterTests.digest(of: bytes))", "size": bytes.count,
            ]
        }
    }
}

extension LiveServer {
    /// Sends what an artifact names, and its manifest; the answer to that.
    @discardableResult
    func push(
        _ artifact: TestArtifact,
        _ tags: [String],
        move: String? = nil,
        to repository: String = "app"
    ) async throws -> HTTPReply {
        try await push((artifact.layers + [artifact.config]).map(\.bytes), to: repository, kind: "registry")
        let query = tags.map { ("tag", $0) } + (move.map { [("move", $0)] } ?? [])
        let text = query.map { "\($0.0)=\(percentEncoded($0.1))" }.joined(separator: "&")
        return try await put("/api/v1/artifacts/\(repository)?\(text)", try artifact.manifest)
    }

    /// A zip archive as python's `zipfile` reads it, one line for each entry, in its order.
    func unzip(_ bytes: [UInt8]) async throws -> [String] {
        let program = """
            import stat, sys, zipfile
            archive = zipfile.ZipFile(sys.argv[1])
            assert archive.testzip() is None
            for info in archive.infolist():
                mode = info.external_attr >> 16
                kind = "link" if stat.S_ISLNK(mode) else "folder" if info.is_dir() else "file"
                contents = archive.read(info).decode("utf-8", "replace")
                print(kind, oct(stat.S_IMODE(mode))[2:], info.filename, contents if len(contents) < 100 else len(contents))
            """
        return try await withTemporaryFolder { folder in
            try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/a.zip"))
            let result = try await runProgram(
                "python3",
                ["-c", program, "\(folder)/a.zip"],
                environment: ["PYTHONIOENCODING": "utf-8"]
            )
            guard result.status == 0 else { throw TestFailure("no zip: \(result.errors)") }
            return result.output.split(separator: "\n").map(String.init)
        }
    }
}
