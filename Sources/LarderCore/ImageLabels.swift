/// Reads labels: the annotations of a manifest, and the labels of an image's configuration.
package enum ImageLabels {
    /// Labels of one manifest at most; more are passed over.
    package static let countMax = 100
    /// Longest name and value in bytes; longer ones are passed over.
    package static let nameLengthMax = 256
    package static let valueLengthMax = 1024
    /// Configurations that are larger are not read.
    package static let configurationSizeMax = ByteCount.mebibytes(1)

    /// The members of a JSON object that are texts; none for anything else.
    package static func read(annotations text: String) -> [String: String] {
        var scanner = JSONScanner(Array(text.utf8))
        return (try? readLabels(&scanner)) ?? [:]
    }

    /// `config.Labels` of an image's configuration (OCI image specification 1.1, "Image JSON"); none for other contents.
    package static func read(configuration bytes: [UInt8]) -> [String: String] {
        var scanner = JSONScanner(bytes)
        var labels: [String: String] = [:]
        do {
            try scanner.readObject { (scanner, key) throws(JSONError) in
                guard key == "config", try scanner.peek() == .object else { return try scanner.skip() }
                try scanner.readObject { (scanner, key) throws(JSONError) in
                    guard key == "Labels", try scanner.peek() == .object else { return try scanner.skip() }
                    labels = try readLabels(&scanner)
                }
            }
        } catch {
            // Whatever it is, it is no configuration of an image.
            return [:]
        }
        return labels
    }

    private static func readLabels(_ scanner: inout JSONScanner) throws(JSONError) -> [String: String] {
        var labels: [String: String] = [:]
        try scanner.readObject { (scanner, name) throws(JSONError) in
            guard try scanner.peek() == .string else { return try scanner.skip() }
            let value = try scanner.readString()
            guard labels.count < countMax, name.utf8.count <= nameLengthMax, value.utf8.count <= valueLengthMax else {
                return
            }
            labels[name] = value
        }
        return labels
    }
}
