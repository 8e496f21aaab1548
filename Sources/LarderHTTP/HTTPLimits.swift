package import LarderCore

/// The limits of the HTTP front.
///
/// All have names and units, and all can be set.
package struct HTTPLimits: Sendable {
    /// Connections at one time; more wait in the listener's backlog.
    package var connectionCountMax = 4096
    /// All headers of a request together.
    package var headersLengthMax = ByteCount.kibibytes(32)
    /// From the opening of a connection to its first complete request head.
    package var headTimeout: Duration = .seconds(30)
    /// Between two requests of a connection.
    package var idleTimeout: Duration = .seconds(120)
    /// In this time a body must bring `bodyProgressMin`, or a client must take something of its answer.
    package var stallTimeout: Duration = .seconds(60)
    /// See `stallTimeout`.
    package var bodyProgressMin = ByteCount.kibibytes(4)
    /// An unwanted body up to this length is read so that the connection can be kept.
    package var drainMax = ByteCount.mebibytes(1)
    /// Requests that run get this long after SIGTERM.
    package var shutdownGrace: Duration = .seconds(30)

    package init() {}
}
