import LarderHTTP
import Testing

@testable import APIAdapter

/// What a request of `/api/v1` means.
@Suite
struct APIOperationTests {
    /// An operation with its argument, methods that the path has, or nothing, in words.
    private static func described(_ method: RequestMethod, _ path: String) throws -> String {
        let line = try #require(RequestLine(method: method, target: "/api/v1\(path)"))
        switch APIOperation.match(method, line.segments[2...]) {
        case .operation(let operation, let argument):
            return argument.isEmpty ? operation.rawValue : "\(operation.rawValue) \(argument)"
        case .otherMethods(let methods): return methods.map(\.rawValue).joined(separator: " ")
        case .nothing: return "nothing"
        }
    }

    @Test(
        arguments: [
            (.get, "/status", "getStatus"),
            (.head, "/status", "getStatus"),
            (.post, "/status", "GET"),
            (.get, "/status/x", "nothing"),
            (.get, "/nothing", "nothing"),
            (.get, "/repositories", "listRepositories"),
            (.put, "/repositories", "GET"),
            (.get, "/repositories/a", "getRepository a"),
            (.get, "/repositories/a/b/c", "getRepository a/b/c"),
            (.post, "/repositories/a/b/flush", "flushRepository a/b"),
            // A repository may be called so.
            (.get, "/repositories/a/flush", "getRepository a/flush"),
            (.post, "/repositories/flush", "GET PUT PATCH DELETE"),
            (.put, "/policies/team/app", "setPolicy team/app"),
            (.post, "/policies/team/app", "GET PUT DELETE"),
            (.put, "/default-policies/registry", "setDefaultPolicy registry"),
            (.put, "/default-policies/registry/x", "nothing"),
            (.get, "/runs", "listRuns"),
            (.get, "/runs/7", "getRun 7"),
            (.get, "/runs/7/8", "nothing"),
            (.delete, "/pins/team/app", "unpin team/app"),
            (.put, "/artifacts/team/tags", "tagArtifact team"),
            (.put, "/artifacts/team%2Ftags", "putArtifact team/tags"),
            (.put, "/artifacts/team%2Ftags/tags", "tagArtifact team/tags"),
            (.put, "/artifacts/team/tags/tags", "tagArtifact team/tags"),
        ] as [(method: RequestMethod, path: String, meaning: String)]
    )
    func aRequestMeansOneThing(method: RequestMethod, path: String, meaning: String) throws {
        #expect(try Self.described(method, path) == meaning)
    }

    @Test(arguments: APIOperation.allCases)
    func everyOperationIsFound(operation: APIOperation) throws {
        let (method, pattern) = operation.route
        let path = pattern.replacing("{name}", with: "team/app").replacing("{kind}", with: "cache").replacing(
            "{id}",
            with: "1"
        )
        #expect(try Self.described(method, path).hasPrefix(operation.rawValue))
    }
}
