/// A failure in a sentence for the person at the terminal.
package struct ClientError: Error, CustomStringConvertible {
    package let description: String
    /// Whether the same may succeed a little later.
    let isTransient: Bool

    package init(_ description: String) {
        self.init(description, isTransient: false)
    }

    init(_ description: String, isTransient: Bool) {
        self.description = description
        self.isTransient = isTransient
    }
}
