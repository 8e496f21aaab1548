import Foundation

/// Makes a folder for one test and removes it afterwards, whatever happened.
///
/// The path is short: the sockets of servers lie in it, and those have at most 107 characters.
package func withTemporaryFolder<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    let name = String(UInt64.random(in: 0 ... .max), radix: 36)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("larder-\(name)").path
    try FileManager.default.createDirectory(
        atPath: folder,
        withIntermediateDirectories: true,
        attributes: [.posixPermissions: 0o700]
    )
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try await body(folder)
}

/// Something a test needs is not as it should be.
package struct TestFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Waits for a condition, asking every 10 ms.
///
/// - Throws: `TestFailure` when it does not come true in time.
package func waitUntil(
    _ what: String,
    timeoutSeconds: Double = 30,
    _ condition: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let deadline = clock.now + .milliseconds(Int64(timeoutSeconds * 1000))
    while clock.now < deadline {
        if try await condition() { return }
        try await clock.sleep(until: clock.now + .milliseconds(10))
    }
    throw TestFailure("did not happen within \(timeoutSeconds) s: \(what)")
}
