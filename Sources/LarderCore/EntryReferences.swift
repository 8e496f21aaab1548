/// What an entry refers to beside its own bytes, as its adapter read it from them.
package enum EntryReferences: Sendable, Equatable {
    /// Nothing: the entry is its own bytes.
    case none
    /// These blobs, all that there are.
    case known([BlobDescriptor])
    /// More than the bytes themselves tell (a tree must be read first): found out at the first read.
    case unknown
}
