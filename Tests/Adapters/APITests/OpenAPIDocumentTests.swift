import Foundation
import LarderCore
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

    /// What the document calls a demand; nil: it has no word for it.
    private static func word(for demand: HTTPRoute.Demand) -> String? {
        switch demand {
        case .nothing: "none"
        case .somewhere([]): "any"
        case .somewhere(.read), .repository(.read): "read"
        case .repository(.write): "write"
        case .repository(.delete): "delete"
        case .repository(.admin): "admin"
        case .everywhere(.admin): "server-admin"
        case .identity, .somewhere, .repository, .everywhere: nil
        }
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
    }

    @Test(arguments: APIOperation.allCases)
    func whatDemandsSomethingIsRefusedToOthers(operation: APIOperation) throws {
        let described = try #require(try Self.operations()[Self.name(operation)])
        let answers = try #require(described["responses"] as? [String: JSON])
        let isForAll = if case .nothing = operation.demand { true } else { false }
        #expect(answers["401"]?["$ref"] as? String == (isForAll ? nil : "#/components/responses/Unauthorized"))
        #expect(answers["403"]?["$ref"] as? String == (isForAll ? nil : "#/components/responses/Forbidden"))
    }

    @Test(arguments: APIOperation.allCases)
    func everyOperationSaysWhichActionItDemands(operation: APIOperation) throws {
        let described = try #require(try Self.operations()[Self.name(operation)])
        let word = try #require(Self.word(for: operation.demand))
        #expect(described["x-larder-action"] as? String == word)
    }

    @Test
    func aTokenIsShownInEitherFormOrNotAtAll() throws {
        let document = try Self.document()
        let components = try #require(document["components"] as? JSON)
        let schemes = try #require(components["securitySchemes"] as? [String: JSON])
        #expect(schemes.mapValues { $0["type"] as? String } == ["bearer": "http", "basic": "http"])
        #expect(schemes.mapValues { $0["scheme"] as? String } == ["bearer": "bearer", "basic": "basic"])
        let choices = try #require(document["security"] as? [JSON])
        #expect(choices.map { Array($0.keys) } == [[], ["bearer"], ["basic"]])
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
                // Schemes are named without their place.
                for scheme in ((members["security"] as? [JSON]) ?? []).flatMap(\.keys) {
                    used.insert("#/components/securitySchemes/\(scheme)")
                }
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
