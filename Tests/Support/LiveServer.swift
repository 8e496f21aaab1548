import AsyncHTTPClient
import Foundation
import Glibc
import NIOCore
import NIOHTTP1
import Synchronization

/// An answer, read whole.
package struct HTTPReply: Sendable {
    package let status: Int
    package let headers: [String: String]
    package let bytes: [UInt8]

    package var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// The real program, serving a data folder of its own on a port of the system.
package final class LiveServer: Sendable {
    private struct State {
        var program: RunningProgram
        var port: Int
    }

    /// The data folder.
    package let dataFolder: String
    private let scratch: String
    private let arguments: [String]
    private let wrapper: [String]
    private let state: Mutex<State>

    package var port: Int { state.withLock { $0.port } }
    package var url: String { "http://127.0.0.1:\(port)" }
    package var processID: Int32 { state.withLock { $0.program.processID } }
    /// What the server wrote to standard error so far.
    package var log: String { readText("\(scratch)/err") }
    /// What the server wrote to standard output so far.
    package var output: String { readText("\(scratch)/out") }

    fileprivate init(scratch: String, dataFolder: String, arguments: [String], wrapper: [String]) async throws {
        self.scratch = scratch
        self.dataFolder = dataFolder
        self.arguments = arguments
        self.wrapper = wrapper
        let (program, port) = try await Self.start(
            scratch: scratch,
            dataFolder: dataFolder,
            arguments: arguments,
            wrapper: wrapper,
            port: 0
        )
        state = Mutex(State(program: program, port: port))
    }

    /// SIGTERM, waits for the end, starts again on the same data folder and port.
    package func restart() async throws {
        try await stop()
        try await startAgain()
    }

    /// SIGKILL, starts again on the same data folder and port.
    package func killAndRestart() async throws {
        signal(SIGKILL)
        _ = try await wait()
        try await startAgain()
    }

    /// Starts the server again after its end.
    package func startAgain() async throws {
        let (program, port) = try await Self.start(
            scratch: scratch,
            dataFolder: dataFolder,
            arguments: arguments,
            wrapper: wrapper,
            port: port
        )
        state.withLock { $0 = State(program: program, port: port) }
    }

    /// Sends the server a signal.
    package func signal(_ number: Int32) {
        state.withLock { $0.program }.signal(number)
    }

    /// Waits for the server's end; returns its exit code.
    package func wait(timeoutSeconds: Int = 60) async throws -> Int32 {
        try await state.withLock { $0.program }.wait(timeoutSeconds: timeoutSeconds)
    }

    /// SIGTERM and wait.
    ///
    /// - Throws: `TestFailure` when the exit code is not 0.
    package func stop() async throws {
        signal(SIGTERM)
        let status = try await wait()
        guard status == 0 else { throw TestFailure("the server ended with \(status):\n\(log)") }
    }

    /// Sends a request and reads its answer whole.
    package func request(
        _ method: String,
        _ path: String,
        body: [UInt8]? = nil,
        headers: [String: String] = [:]
    ) async throws -> HTTPReply {
        var request = HTTPClientRequest(url: url + path)
        request.method = .RAW(value: method)
        for (name, value) in headers { request.headers.replaceOrAdd(name: name, value: value) }
        if let body { request.body = .bytes(body) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        let bytes = try await response.body.collect(upTo: 1 << 30)
        return HTTPReply(
            status: Int(response.status.code),
            headers: Dictionary(response.headers.map { ($0.name.lowercased(), $0.value) }) { "\($0), \($1)" },
            bytes: Array(bytes.readableBytesView)
        )
    }

    /// PUT of bytes.
    package func put(_ path: String, _ body: [UInt8]) async throws -> HTTPReply {
        try await request("PUT", path, body: body)
    }

    /// GET.
    package func get(_ path: String) async throws -> HTTPReply {
        try await request("GET", path)
    }

    /// Runs the command line against the server's data folder.
    package func larder(_ arguments: String...) async throws -> ProgramResult {
        try await runProgram(larderPath, arguments + ["--data-dir", dataFolder])
    }

    /// Descriptors that the server has open.
    package var descriptorCount: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(processID)/fd"))?.count ?? 0
    }

    /// Resident memory in KiB.
    package var residentKiB: Int {
        let line = readText("/proc/\(processID)/status").split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
    }

    fileprivate func end() async {
        signal(SIGTERM)
        if (try? await wait(timeoutSeconds: 45)) == nil { signal(SIGKILL) }
    }

    private static func start(
        scratch: String,
        dataFolder: String,
        arguments: [String],
        wrapper: [String],
        port: Int
    ) async throws -> (RunningProgram, Int) {
        let (out, err) = ("\(scratch)/out", "\(scratch)/err")
        try? FileManager.default.removeItem(atPath: out)
        let command =
            wrapper + [larderPath, "serve", "--data-dir", dataFolder, "--listen", "127.0.0.1:\(port)"] + arguments
        let program = try RunningProgram(
            try findProgram(command[0]),
            Array(command.dropFirst()),
            environment: ["XDG_STATE_HOME": scratch],
            output: out,
            errors: err
        )
        let deadline = Date().addingTimeInterval(30)
        while Date() < deadline {
            let line = readText(out).split(separator: "\n").first { $0.contains("listening on") }
            if let line, let number = line.split(separator: ":").last.flatMap({ Int($0) }) { return (program, number) }
            var status: Int32 = 0
            guard waitpid(program.processID, &status, WNOHANG) == 0 else {
                throw TestFailure("the server did not start: \(readText(err))")
            }
            try await Task.sleep(nanoseconds: 5_000_000)
        }
        program.signal(SIGKILL)
        throw TestFailure("the server did not get ready: \(readText(err))")
    }
}

/// The program under test, beside the test bundle; `LARDER_BINARY` names another.
package let larderPath: String = {
    if let path = ProcessInfo.processInfo.environment["LARDER_BINARY"] { return path }
    // The test bundle is a program in the folder of all products.
    let link = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") }
    for folder in [bundle, link].compactMap({ $0 }).map({ URL(fileURLWithPath: $0).deletingLastPathComponent().path })
    where FileManager.default.isExecutableFile(atPath: "\(folder)/larder") {
        return "\(folder)/larder"
    }
    return "\(packageFolder)/.build/debug/larder"
}()

/// Starts a server, runs the body, ends the server.
///
/// `arguments`: Further flags of `larder serve`.
///
/// `dataFolder`: nil: one of its own.
///
/// `wrapper`: A command that runs the server, such as `strace`.
package func withLiveServer<Value>(
    arguments: [String] = [],
    dataFolder: String? = nil,
    wrapper: [String] = [],
    _ body: (LiveServer) async throws -> Value
) async throws -> Value {
    try await withTemporaryFolder { scratch in
        let server = try await LiveServer(
            scratch: scratch,
            dataFolder: dataFolder ?? "\(scratch)/data",
            arguments: ["--min-free-disk", "0", "--max-size", "4GiB"] + arguments,
            wrapper: wrapper
        )
        do {
            let value = try await body(server)
            await server.end()
            return value
        } catch {
            await server.end()
            throw error
        }
    }
}
