/// Who hears how far the transfer of an artifact is.
package struct ArtifactProgress: Sendable {
    /// How many bytes there are to be transferred.
    package var setTotal: @Sendable (Int64) -> Void
    /// Bytes that were transferred; a negative number takes back what must be transferred again.
    package var add: @Sendable (Int64) -> Void
    /// What is done that takes a while, in words.
    package var note: @Sendable (String) -> Void

    package init(
        setTotal: @escaping @Sendable (Int64) -> Void = { _ in },
        add: @escaping @Sendable (Int64) -> Void = { _ in },
        note: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.setTotal = setTotal
        self.add = add
        self.note = note
    }
}
