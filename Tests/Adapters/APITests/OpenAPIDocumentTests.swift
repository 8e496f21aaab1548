import Foundation
import LarderHTTP
import Testing

@testable import APIAdapter

/// The document says of `/api/v1` what the adapter serves, no more and no less.
@Suite
struct OpenAPIDocumentTests {
    private typealias JSON = [String: Any]

    private static func document() throws -> JSON {
        try #require(try JSONSerialization.jsonObject(with: Data(OpenAPIDocument.text.utf8)) as? JSON)
    }

    /// Every operation of the document by `METHOD /path`.
    private static func operations() throws -> [String: JSON] {
        let paths = try #require(try document()["paths"] as? [String: JSON])
        var result: [String: JSON] = [:]
        for (path, members) in paths {
            for (method, value) in members where method != "parameters" {
                result["\(method.uppercased()) \(path)"] = try #require(value as? JSON)
            }
        }
        return result
    }

    private static func name(_ operation: APIOperation) -> String {
        "\(operation.route.method.rawValue) \(operation.route.path)"
    }

    @Test
    func itIsOpenAPI() throws {
        let document = try Self.document()
        #expect(document["openapi"] as? String == "3.1.0")
        let info = try #require(document["info"] as? JSON)
        #expect(info["title"] as? String == "Larder")
        #expect(info["version"] is String)
        #expect((document["servers"] as? [JSON])?.first?["url"] as? String == "/api/v1")
    }

    @Test
    func everythingServedIsDescribedAndTheOtherWayRound() throws {
        let described = try Self.operations()
        #expect(Set(described.keys) == Set(APIOperation.allCases.map(Self.name)))
        for operation in APIOperation.allCases {
            #expect(described[Self.name(operation)]?["operationId"] as? String == operation.rawValue)
        }
    }

    @Test(arguments: APIOperation.allCases)
    func everyOperationHasASummaryAndItsAnswers(operation: APIOperation) throws {
        let described = try #require(try Self.operations()[Self.name(operation)])
        #expect((described["summary"] as? String)?.hasSuffix(".") == true)
        let answers = try #require(described["responses"] as? JSON)
        #expect(answers.keys.contains { $0.hasPrefix("2") })
        // What is not for everybody is refused to others.
        #expect((answers["403"] == nil) == (operation.access == .reader))
    }

    @Test(arguments: APIOperation.allCases)
    func everyHoleOfAPathIsAParameter(operation: APIOperation) throws {
        let paths = try #require(try Self.document()["paths"] as? [String: JSON])
        let path = try #require(paths[operation.route.path])
        let own = try #require(path[operation.route.method.rawValue.lowercased()] as? JSON)
        let all = ((path["parameters"] as? [JSON]) ?? []) + ((own["parameters"] as? [JSON]) ?? [])
        let holes = operation.route.path.split(separator: "/").filter { $0.hasPrefix("{") }.map {
            "#/components/parameters/\($0.dropFirst().dropLast())"
        }
        let references = Set(all.compactMap { $0["$ref"] as? String })
        #expect(references.isSuperset(of: holes))
    }

    @Test
    func everyReferenceLeadsSomewhere() throws {
        let document = try Self.document()
        let components = try #require(document["components"] as? [String: JSON])
        let known = components.flatMap { family, members in members.keys.map { "#/components/\(family)/\($0)" } }
        var used: Set<String> = []
        func collect(_ value: Any) {
            switch value {
            case let members as JSON:
                if let reference = members["$ref"] as? String { used.insert(reference) }
                for member in members.values { collect(member) }
            case let elements as [Any]:
                for element in elements { collect(element) }
            default: break
            }
        }
        collect(document)
        #expect(used.subtracting(known) == [])
        #expect(Set(known).subtracting(used) == [])
    }

    @Test
    func everyRequiredMemberIsDescribed() throws {
        let components = try #require(try Self.document()["components"] as? [String: JSON])
        for (name, schema) in try #require(components["schemas"]) {
            let schema = try #require(schema as? JSON)
            guard let properties = schema["properties"] as? JSON else { continue }
            let required = try #require(schema["required"] as? [String])
            #expect(Set(required).isSubset(of: properties.keys), "\(name)")
            for example in (schema["examples"] as? [JSON]) ?? [] {
                #expect(Set(example.keys).isSubset(of: properties.keys), "\(name)")
                #expect(Set(required).isSubset(of: example.keys), "\(name)")
            }
        }
    }
}
