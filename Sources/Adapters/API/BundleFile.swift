import APIMessages
import HTTPTypes
import HummingbirdCore
import LarderArchive
import LarderCore
import LarderStore
import NIOCore

/// One file of a folder that is kept as an archive: found by reading the archive up to it.
struct BundleFile: Sendable {
    let path: String
    let bundle: ArtifactBundleMessage
    let content: ArtifactContent

    /// The file as an answer.
    ///
    /// - Throws: `notFound`.
    func response() async throws -> Response {
        let reader = BundleReader(try await content.read(bundle.digest, of: bundle.path), store: content.store)
        let wanted = ArchivePath.components(path)
        while let events = try await reader.next() {
            for (index, event) in events.enumerated() {
                guard case .member(let member) = event, case .file(let size) = member.content,
                    ArchivePath.components(member.name) == wanted
                else { continue }
                return response(size: size, first: Array(events[(index + 1)...]), reader)
            }
        }
        throw StoreError.notFound("a file \(path) in \(content.name)\(content.reference)")
    }

    private func response(size: Int64, first: [BundleReader.Event], _ reader: BundleReader) -> Response {
        let body = ResponseBody(contentLength: Int(size)) { writer in
            var events: [BundleReader.Event]? = first
            reading: while let batch = events {
                for event in batch {
                    guard case .contents(let bytes) = event else { break reading }
                    try await writer.write(bytes)
                }
                events = try await reader.next()
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: "application/octet-stream"], body: body)
    }
}
