import LarderCore

/// The files by which a pipeline tells a deployment which images to run: `imagedefinitions.json` for Amazon ECS,
/// `imageDetail.json` for blue/green deployments.
package enum ImageDefinitions {
    /// Larger ones are refused by CodePipeline; in bytes.
    package static let lengthMax = 100 << 10

    /// Whether a file of an artifact is one of these, by its name.
    package static func isName(_ path: String) -> Bool { kind(path) != nil }

    /// Makes sure that a file can be deployed.
    ///
    /// `path`: Its path in the artifact; only the name counts, and other files pass.
    ///
    /// - Throws: `ClientError` that says which entry is wrong and what is wanted.
    package static func check(path: String, bytes: [UInt8]) throws(ClientError) {
        guard let kind = kind(path) else { return }
        guard bytes.count <= lengthMax else {
            throw ClientError("\(path) has \(bytes.count) bytes; a deployment takes \(lengthMax >> 10) KB at most")
        }
        guard !bytes.starts(with: [0xef, 0xbb, 0xbf]) else {
            throw ClientError("\(path) begins with a byte order mark; save it as plain UTF-8")
        }
        var scanner = JSONScanner(bytes)
        var problem: String?
        do {
            switch kind {
            case .definitions: problem = try definitionsProblem(&scanner)
            case .detail: problem = try detailProblem(&scanner)
            }
            try scanner.finish()
        } catch {
            throw ClientError("\(path) is no JSON: \(error)")
        }
        if let problem { throw ClientError("\(path): \(problem)") }
    }

    private enum Kind {
        case definitions, detail
    }

    private static func kind(_ path: String) -> Kind? {
        switch path.split(separator: "/").last {
        case "imagedefinitions.json": .definitions
        case "imageDetail.json": .detail
        default: nil
        }
    }

    private static func definitionsProblem(_ scanner: inout JSONScanner) throws(JSONError) -> String? {
        guard try scanner.peek() == .array else {
            try scanner.skip()
            return "a list is wanted: [{\"name\":\"container\",\"imageUri\":\"image:tag\"}]"
        }
        var names: Set<String> = []
        var count = 0
        var problem: String?
        try scanner.readArray { (scanner) throws(JSONError) in
            count += 1
            let found = try entryProblem(&scanner, &names)
            if problem == nil, let found { problem = "entry \(count)\(found)" }
        }
        return count == 0 ? "the list is empty; it names at least one container" : problem
    }

    private static func entryProblem(
        _ scanner: inout JSONScanner,
        _ names: inout Set<String>
    ) throws(JSONError) -> String? {
        guard let members = try texts(of: ["name", "imageUri"], &scanner) else { return " is no object" }
        guard let name = members["name"], !name.isEmpty else { return " has no name; that is the container's, a text" }
        guard let image = members["imageUri"], !image.isEmpty else { return " ('\(name)') has no imageUri, a text" }
        guard names.insert(name).inserted else { return ": the container '\(name)' comes twice" }
        return problem(image: image).map { " ('\(name)'): imageUri \($0)" }
    }

    private static func detailProblem(_ scanner: inout JSONScanner) throws(JSONError) -> String? {
        guard let members = try texts(of: ["ImageURI"], &scanner) else {
            return "an object is wanted: {\"ImageURI\":\"image@sha256:…\"}"
        }
        guard let image = members["ImageURI"], !image.isEmpty else { return "ImageURI is missing, or no text" }
        return problem(image: image).map { "ImageURI \($0)" }
    }

    /// Those members of an object that are texts; nil when the value is none.
    private static func texts(
        of names: Set<String>,
        _ scanner: inout JSONScanner
    ) throws(JSONError) -> [String: String]? {
        guard try scanner.peek() == .object else {
            try scanner.skip()
            return nil
        }
        var texts: [String: String] = [:]
        try scanner.readObject { (scanner, key) throws(JSONError) in
            if names.contains(key), try scanner.peek() == .string {
                texts[key] = try scanner.readString()
            } else {
                try scanner.skip()
            }
        }
        return texts
    }

    /// What is wrong with the name of an image; nil when it can be pulled as it is.
    private static func problem(image: String) -> String? {
        guard image.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            return "'\(image)' has a space or another wrong character"
        }
        var name = image[...]
        var hasDigest = false
        if let at = name.firstIndex(of: "@") {
            guard Digest(String(name[name.index(after: at)...])) != nil else {
                return "'\(image)': what follows the @ is no digest, such as sha256: with 64 digits"
            }
            hasDigest = true
            name = name[..<at]
        }
        var hasTag = false
        let lastPart = name.lastIndex(of: "/").map { name.index(after: $0) } ?? name.startIndex
        if let colon = name[lastPart...].lastIndex(of: ":") {
            let tag = name[name.index(after: colon)...]
            guard Tag(tag) != nil else {
                // printf with a variable that was not set.
                return tag.isEmpty ? "'\(image)' ends with an empty tag" : "'\(image)': '\(tag)' is no tag"
            }
            hasTag = true
            name = name[..<colon]
        }
        guard hasTag || hasDigest else { return "'\(image)' has neither a tag nor a digest" }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        return parts.contains { $0.isEmpty } ? "'\(image)' names no image" : nil
    }
}
