import BazelHTTPMessages
import LarderCore
import NIOCore
import SwiftProtobuf

typealias ActionResult = Build_Bazel_Remote_Execution_V2_ActionResult
typealias MessageDigest = Build_Bazel_Remote_Execution_V2_Digest
typealias Tree = Build_Bazel_Remote_Execution_V2_Tree
typealias Directory = Build_Bazel_Remote_Execution_V2_Directory

/// What an action result must look like, and what it refers to (build-cache reference, sections 3.2 and 3.3).
enum ActionResultInspection {
    /// Checks an action result and lists the blobs it names.
    ///
    /// - Returns: `unknown` when it has output directories: their files stand in trees that must be read.
    /// - Throws: `invalidContent` for bytes that are no action result.
    static func references(_ bytes: ByteBuffer) throws(StoreError) -> EntryReferences {
        let result = try parse(bytes)
        let direct = try check(result)
        return result.outputDirectories.isEmpty ? .known(direct) : .unknown
    }

    static func parse(_ bytes: ByteBuffer) throws(StoreError) -> ActionResult {
        // Zero bytes are a valid message, but no client means them.
        guard bytes.readableBytes > 0 else { throw .invalidContent("an action result is not empty") }
        do {
            return try ActionResult(serializedBytes: Array(bytes.readableBytesView))
        } catch {
            throw .invalidContent("not an action result of the Remote Execution API")
        }
    }

    /// Checks every field that names something; returns the blobs named directly, the empty one left out.
    static func check(_ result: ActionResult) throws(StoreError) -> [BlobDescriptor] {
        var blobs: [BlobDescriptor] = []
        for file in result.outputFiles {
            try checkPath(file.path, of: "an output file")
            guard file.hasDigest else { throw .invalidContent("the output file \(file.path) has no digest") }
            let blob = try descriptor(file.digest)
            if file.contents.isEmpty { blobs.append(blob) }
        }
        for directory in result.outputDirectories {
            guard !directory.path.hasPrefix("/") else {
                throw .invalidContent("an output directory has an absolute path")
            }
            guard directory.hasTreeDigest || directory.hasRootDirectoryDigest else {
                throw .invalidContent("the output directory \(directory.path) has no digest")
            }
            if directory.hasTreeDigest { blobs.append(try descriptor(directory.treeDigest)) }
            if directory.hasRootDirectoryDigest { blobs.append(try descriptor(directory.rootDirectoryDigest)) }
        }
        for link in result.outputSymlinks + result.outputFileSymlinks + result.outputDirectorySymlinks {
            try checkPath(link.path, of: "a symbolic link")
            guard !link.target.isEmpty else { throw .invalidContent("the symbolic link \(link.path) has no target") }
        }
        if result.hasStdoutDigest { blobs.append(try descriptor(result.stdoutDigest)) }
        if result.hasStderrDigest { blobs.append(try descriptor(result.stderrDigest)) }
        return blobs.filter { $0.digest != .emptySHA256 }
    }

    static func descriptor(_ digest: MessageDigest) throws(StoreError) -> BlobDescriptor {
        guard let parsed = Digest(.sha256, hex: digest.hash.utf8), digest.sizeBytes >= 0 else {
            throw .invalidContent("a digest is no SHA-256 with a size")
        }
        return BlobDescriptor(digest: parsed, size: digest.sizeBytes)
    }

    private static func checkPath(_ path: String, of what: String) throws(StoreError) {
        guard !path.isEmpty, !path.hasPrefix("/") else { throw .invalidContent("\(what) has no relative path") }
    }
}
