package import LarderCore

/// Takes what a pack brings.
///
/// Called on one thread at a time, in order; may block, as it is called off the event loops.
package protocol PackSink: Sendable {
    /// What is to be known about the blobs that come.
    func note(_ json: [UInt8]) throws
    /// A blob begins.
    func begin(_ digest: Digest, size: Int64) throws
    /// A piece of the blob that began.
    func write(_ bytes: UnsafeRawBufferPointer) throws
    /// All bytes of the blob came; whether they are the right ones is for the sink to see.
    func end() throws
    /// A blob that was asked for is not there.
    func missing(_ digest: Digest) throws
}
