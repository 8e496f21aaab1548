import HTTPTypes
import HummingbirdCore
import LarderCore
import LarderStore
import Logging
import NIOCore
import NIOHTTP1

/// Everything that the express lane does not answer itself: uploads above the inline limit, deletes, and what adapters do
/// on their own.
struct SlowRoad: Sendable {
    let front: HTTPFront

    /// The name under which the lane hands the request's id over.
    ///
    /// The lane removes what a client sent under it.
    static let requestIDName = HTTPField.Name("X-Larder-Request-Id") ?? .userAgent

    func respond(to request: Request) async -> Response {
        let requestID = request.headers[Self.requestIDName] ?? "-"
        guard let line = RequestLine(method: .init(name: request.method.rawValue), target: request.head.path ?? ""),
            let (adapter, route) = front.catalog.route(line)
        else { return HTTPAnswer(404, "no such path\n").response }
        let authorization = request.headers[.authorization]
        let finding = front.identify(authorization)
        // The lane has looked already; but what it saw may have ended since.
        if let refusal = front.refusal(
            of: finding,
            adapter,
            route,
            method: line.method,
            host: request.head.authority,
            authorization: authorization
        ) {
            return refusal.response
        }
        let principal = if case .known(let principal) = finding { principal } else { front.gatekeeper.anonymous }
        do {
            return try await respond(
                to: request,
                adapter: adapter,
                route: route.scoped(for: principal),
                principal: principal,
                requestID: requestID
            )
        } catch let error as StoreError {
            log(error, requestID: requestID, adapter: adapter)
            return adapter.answer(to: error, for: route.operation).response
        } catch {
            // The connection broke or the server stops: nobody reads the answer.
            front.logger.debug(
                "a request ended early",
                metadata: ["request.id": "\(requestID)", "error": "\(error)"]
            )
            return adapter.answer(to: .shuttingDown, for: route.operation).response
        }
    }

    private func respond(
        to request: Request,
        adapter: any HTTPAdapter,
        route: HTTPRoute,
        principal: Principal,
        requestID: String
    ) async throws -> Response {
        switch route.operation {
        case .write(let item):
            let target = WriteTarget(repository: route.repository, kind: route.kind, item: item)
            try await front.store.put(target, body: request.body, length: contentLength(of: request))
            return HTTPAnswer.ok.response
        case .delete(let key):
            let isRemoved = try await front.store.deleteEntry(key, in: route.repository)
            return HTTPAnswer(isRemoved ? 204 : 404).response
        case .refuse(let answer):
            return answer.response
        case .read, .custom, .customWrite:
            let context = HTTPContext(
                store: front.store,
                requestID: requestID,
                principal: principal,
                gatekeeper: front.gatekeeper,
                countRead: { [front, tool = adapter.name] repository, isHit in
                    // Only repositories that exist are named, so that nobody fills the metrics with names.
                    let isKnown = front.store.directory.id(of: repository) != nil
                    let series = front.metrics.series(adapter: tool, repository: isKnown ? repository.text : "-")
                    series.countRead(isHit: isHit)
                }
            )
            return try await adapter.respond(to: request, route: route, context: context)
        }
    }

    private func contentLength(of request: Request) -> Int64? {
        request.headers[.contentLength].flatMap { Int64($0) }
    }

    private func log(_ error: StoreError, requestID: String, adapter: any HTTPAdapter) {
        let metadata: Logger.Metadata = [
            "request.id": "\(requestID)", "adapter": "\(adapter.name)", "error": "\(error)",
        ]
        switch error {
        case .io, .corrupt: front.logger.error("a request failed", metadata: metadata)
        case .noSpace, .overloaded: front.logger.warning("a request was refused", metadata: metadata)
        default: front.logger.info("a request was refused", metadata: metadata)
        }
    }
}
