import APIMessages
import Foundation
import HTTPTypes
package import HummingbirdCore
package import LarderCore
package import LarderHTTP
import LarderStore
import NIOCore

/// Larder's own API: `/healthz`, `/readyz`, `/metrics` and `/api/v1/…`.
///
/// What changes or inspects the whole store is for the administrator only, which today means the user who runs the
/// server, through `larder.sock`.
package struct APIAdapter: HTTPAdapter {
    /// What the adapter shows beside the store's own status.
    package struct Sources: Sendable {
        /// The metrics in Prometheus' text format.
        package let metricsText: @Sendable () async -> String
        /// Hits and misses by tool and repository.
        package let hitRates: @Sendable () -> [(tool: String, repository: String, hits: Int64, misses: Int64)]
        package let version: String
        package let uptime: @Sendable () -> Duration

        package init(
            metricsText: @escaping @Sendable () async -> String,
            hitRates: @escaping @Sendable () -> [(tool: String, repository: String, hits: Int64, misses: Int64)],
            version: String,
            uptime: @escaping @Sendable () -> Duration
        ) {
            self.metricsText = metricsText
            self.hitRates = hitRates
            self.version = version
            self.uptime = uptime
        }
    }

    package let name = "api"
    let sources: Sources

    package init(sources: Sources) {
        self.sources = sources
    }

    package func route(_ line: RequestLine) -> HTTPRoute? {
        switch line.segments.first {
        case "healthz", "readyz", "metrics":
            guard line.segments.count == 1 else { return nil }
            return HTTPRoute(line.method.isRead ? .custom(bodyLimit: .zero) : .refuse(.methodNotAllowed("GET, HEAD")))
        case "api":
            guard line.segments.count >= 3, line.segments[1] == "v1" else {
                return HTTPRoute(.refuse(Self.failure(404, "no such path; the API is /api/v1")))
            }
            return HTTPRoute(.custom(bodyLimit: .kibibytes(64)))
        default:
            return nil
        }
    }

    package func answer(to error: StoreError, for operation: HTTPRoute.Operation) -> HTTPAnswer {
        .apiError(error)
    }

    package func respond(to request: Request, route: HTTPRoute, context: HTTPContext) async throws -> Response {
        guard
            let line = RequestLine(
                method: RequestMethod(name: request.method.rawValue),
                target: request.head.path ?? ""
            )
        else { return HTTPAnswer(400).response }
        let response: Response
        switch line.segments[0] {
        case "healthz":
            response = HTTPAnswer(200, "ok\n").response
        case "readyz":
            let isReady = await context.store.isReady()
            response = (isReady ? HTTPAnswer(200, "ready\n") : HTTPAnswer(503, "not ready\n")).response
        case "metrics":
            response =
                HTTPAnswer(
                    200,
                    await sources.metricsText(),
                    headers: [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")]
                ).response
        default:
            response = try await respondToAPI(line, request, context)
        }
        return line.method == .head ? response.createHeadResponse() : response
    }

    private func respondToAPI(_ line: RequestLine, _ request: Request, _ context: HTTPContext) async throws -> Response
    {
        let path = line.segments.dropFirst(2)
        let isForAdministrator = !(line.method.isRead && path.first == "status")
        if isForAdministrator && !context.isLocalAdministrator {
            return Self.failure(
                403,
                "only the user who runs the server may do this, with the larder command on the server's machine"
            ).response
        }
        switch path.first {
        case "status" where path.count == 1 && line.method.isRead:
            return try Self.json(try await status(context.store))
        case "repositories":
            return try await respondToRepositories(Array(path.dropFirst()), line, request, context)
        case "check" where path.count == 1 && line.method == .post:
            return check(context.store, isRepairing: line.query == "repair=true")
        case "compact" where path.count == 1 && line.method == .post:
            let (before, after) = try await context.store.compact()
            return try Self.json(CompactMessage(bytesBefore: before.bytes, bytesAfter: after.bytes))
        default:
            return Self.failure(404, "no such path or method").response
        }
    }

    private func status(_ store: Store) async throws -> StatusMessage {
        let status = try await store.status()
        let space = StatusMessage.Space(
            usedBytes: status.balance.used,
            reservedBytes: status.balance.reserved,
            capacityBytes: status.capacity.bytes,
            limitBytes: status.limit.bytes,
            diskFreeBytes: status.balance.disk.free,
            diskTotalBytes: status.balance.disk.total,
            freeDiskFloorBytes: status.freeDiskFloor.bytes
        )
        return StatusMessage(
            version: sources.version,
            uptimeSeconds: sources.uptime().seconds,
            space: space,
            blobCount: status.blobCount,
            quarantinedCount: status.quarantinedCount,
            evictedBytes: status.evicted.bytes,
            evictedCount: status.evicted.count,
            lastEvictedAgeSeconds: status.evicted.lastEvictedAge?.seconds,
            oldestKeptAgeSeconds: status.oldestKeptAge?.seconds,
            queueLength: status.queueLength,
            walBytes: status.walBytes,
            repositories: status.repositories.map(RepositoryMessage.init),
            reads: sources.hitRates().map {
                .init(tool: $0.tool, repository: $0.repository, hits: $0.hits, misses: $0.misses)
            }
        )
    }

    /// Streams lines of JSON while the check runs.
    private func check(_ store: Store, isRepairing: Bool) -> Response {
        let body = ResponseBody { writer in
            let lines = AsyncStream.makeStream(of: CheckLine.self, bufferingPolicy: .bufferingNewest(16))
            async let result = Self.checkResult(store, isRepairing: isRepairing, lines: lines.continuation)
            for await line in lines.stream {
                try await writer.write(try Self.line(line))
            }
            try await writer.write(try Self.line(await result))
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: "application/x-ndjson"], body: body)
    }

    private static func checkResult(
        _ store: Store,
        isRepairing: Bool,
        lines: AsyncStream<CheckLine>.Continuation
    ) async -> CheckLine {
        defer { lines.finish() }
        do {
            let report = try await store.check(isRepairing: isRepairing) { progress in
                try Task.checkCancellation()
                lines.yield(CheckLine(phase: progress.phase, done: progress.done, total: progress.total))
            }
            return CheckLine(
                report: CheckReportMessage(
                    blobCount: report.blobCount,
                    byteCount: report.byteCount,
                    problems: report.problems,
                    problemCount: report.problemCount,
                    repairedCount: report.repairedCount
                )
            )
        } catch {
            return CheckLine(error: "\(error)")
        }
    }

    static func json(_ value: some Encodable, status: Int = 200) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        let text = String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
        return HTTPAnswer(status, text, headers: [("Content-Type", "application/json")]).response
    }

    private static func line(_ value: CheckLine) throws -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var bytes = ByteBuffer(bytes: try encoder.encode(value))
        bytes.writeString("\n")
        return bytes
    }

    static func failure(_ status: Int, _ text: String) -> HTTPAnswer {
        let body = (try? JSONEncoder().encode(ErrorMessage(error: text))).map { String(decoding: $0, as: UTF8.self) }
        return HTTPAnswer(status, (body ?? "{}") + "\n", headers: [("Content-Type", "application/json")])
    }
}

extension Duration {
    fileprivate var seconds: Double { Double(wholeMilliseconds) / 1000 }
}
