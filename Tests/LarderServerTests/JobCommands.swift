import Foundation
import Glibc
import LarderTestSupport
import Testing

/// A job of a CI: a folder, and commands that run in it against a server, with no settings but the test's own.
struct Job: Sendable {
    /// What a cache command says with `--json`.
    struct Report: Decodable {
        let outcome: String
        let key: String
        let matchedKey: String?
        let scope: String?
        let files: Int
        let bytes: Int
        let transferredFiles: Int
        let transferredBytes: Int
        let reason: String?
    }

    /// Where the commands run; an absolute path without links.
    let folder: String
    /// Beside the working folder: the user's own folder, with configuration and index.
    let home: String
    /// The address of the server.
    var url: String

    /// The variables of commands: whatever job runs the tests is no job of theirs.
    var variables: [String: String] {
        let systems = [
            "GITHUB_ACTIONS", "GITEA_ACTIONS", "FORGEJO_ACTIONS", "GITLAB_CI", "CODEBUILD_BUILD_ID", "BUILDKITE",
            "CIRCLECI", "TF_BUILD", "BITBUCKET_BUILD_NUMBER", "TRAVIS", "CI", "DRONE", "JENKINS_URL",
            "TEAMCITY_VERSION", "LARDER_TOKEN", "LARDER_SCOPE",
        ]
        return Dictionary(uniqueKeysWithValues: systems.map { ($0, "") }).merging([
            "HOME": home, "LARDER_URL": url, "LARDER_CACHE_REPO": "main", "XDG_CACHE_HOME": "\(home)/.cache",
            "XDG_CONFIG_HOME": "\(home)/.config", "XDG_STATE_HOME": "\(home)/.local/state",
        ]) { $1 }
    }

    /// Runs a command to its end.
    func run(_ arguments: [String], _ environment: [String: String] = [:]) async throws -> ProgramResult {
        try await runProgram(larderPath, arguments, environment: variables.merging(environment) { $1 }, in: folder)
    }

    /// Runs a command that has to succeed; returns what it printed.
    @discardableResult
    func succeed(_ arguments: String..., environment: [String: String] = [:]) async throws -> String {
        let result = try await run(arguments, environment)
        try #require(result.status == 0, "larder \(arguments): \(result.output)\(result.errors)")
        return result.output
    }

    /// Runs a cache command that has to succeed; returns its report.
    func report(_ arguments: String..., environment: [String: String] = [:]) async throws -> Report {
        let result = try await run(["cache"] + arguments + ["--json"], environment)
        try #require(result.status == 0, "larder cache \(arguments): \(result.errors)")
        return try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
    }

    /// Starts a command; its output goes to files beside the working folder.
    func start(_ arguments: [String]) throws -> RunningProgram {
        try RunningProgram(
            larderPath,
            arguments,
            environment: variables,
            in: folder,
            output: "\(home)/output",
            errors: "\(home)/errors"
        )
    }

    // MARK: - Files

    func path(_ name: String) -> String { name.hasPrefix("/") ? name : "\(folder)/\(name)" }

    /// Writes a file, and makes the folders that it lies in.
    func write(_ name: String, _ bytes: [UInt8], mode: Int = 0o644) throws {
        let file = path(name)
        let parent = (file as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
    }

    func write(_ name: String, _ text: String, mode: Int = 0o644) throws {
        try write(name, Array(text.utf8), mode: mode)
    }

    func text(_ name: String) -> String { readText(path(name)) }

    func exists(_ name: String) -> Bool {
        var status = stat()
        return lstat(path(name), &status) == 0
    }

    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: path(name)) }

    func move(_ name: String, to other: String) throws {
        try FileManager.default.moveItem(atPath: path(name), toPath: path(other))
    }

    func link(_ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: path(name), withDestinationPath: target)
    }

    /// The names of what lies in the working folder.
    func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }

    /// Sets when something changed last, of a link its own time.
    func setModified(_ name: String, seconds: Int, nanoseconds: Int) throws {
        let time = timespec(tv_sec: seconds, tv_nsec: nanoseconds)
        let code = utimensat(AT_FDCWD, path(name), [time, time], AT_SYMLINK_NOFOLLOW)
        guard code == 0 else { throw TestFailure("can't set the time of \(name): error \(errno)") }
    }

    /// All that is below a folder, with kinds, modes, times, contents and links; a line for each.
    func snapshot(_ name: String) throws -> [String] {
        let root = path(name)
        guard exists(name) else { return [] }
        let below = try FileManager.default.subpathsOfDirectory(atPath: root).map { "\(root)/\($0)" }
        return try ([root] + below).map { file in
            var status = stat()
            guard lstat(file, &status) == 0 else { throw TestFailure("\(file) went away") }
            let time = "\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
            let mode = String(status.st_mode & 0o7777, radix: 8)
            let shown = "\(file.dropFirst(root.utf8.count)) \(mode) \(time)"
            switch status.st_mode & S_IFMT {
            case S_IFDIR: return "\(shown) folder"
            case S_IFLNK: return "\(shown) -> \(try FileManager.default.destinationOfSymbolicLink(atPath: file))"
            default:
                guard let data = FileManager.default.contents(atPath: file) else {
                    throw TestFailure("can't read \(file)")
                }
                return "\(shown) \(status.st_nlink) \(sha256Hex([UInt8](data)))"
            }
        }.sorted()
    }
}

/// Runs a body with a server and a job for it.
func withJob<Value>(_ body: (LiveServer, Job) async throws -> Value) async throws -> Value {
    try await withLiveServer { server in
        try await withJob(at: server.url) { try await body(server, $0) }
    }
}

/// Runs a body with a job for the server of an address.
func withJob<Value>(at url: String, _ body: (Job) async throws -> Value) async throws -> Value {
    try await withTemporaryFolder { scratch in
        let job = Job(folder: "\(scratch)/work", home: "\(scratch)/home", url: url)
        for folder in [job.folder, job.home] {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        }
        return try await body(job)
    }
}

/// A proxy between jobs and a server that breaks connections and tells of what passes.
struct BreakingProxy: Sendable {
    /// What happens once so many more bytes have passed, in both directions and over all connections together.
    enum Event {
        /// All connections are closed.
        case cut(after: Int)
        /// Nothing more arrives over the connections that there are, until one end closes them.
        case stall(after: Int)

        fileprivate var text: String {
            switch self {
            case .cut(let count): "cut:\(count)"
            case .stall(let count): "stall:\(count)"
            }
        }
    }

    private static let script = """
        import socket, sys, threading
        events = [(kind, int(count)) for kind, count in (text.split(":") for text in sys.argv[2:])]
        lock = threading.Lock()
        open_pairs, silenced = set(), set()
        passed = 0
        def close(pair):
            for end in pair:
                try: end.shutdown(socket.SHUT_RDWR)
                except OSError: pass
        def forward(pair, source, sink):
            global passed
            try:
                while data := source.recv(65536):
                    for line in data.split(b"\\r\\n"):
                        if line.lower().startswith(b"authorization:"): print(line.decode(), flush=True)
                    with lock:
                        kind = None
                        if pair in silenced: continue
                        if events and passed + len(data) >= events[0][1]:
                            kind, count = events.pop(0)
                            data = data[:count - passed]
                            passed = 0
                            pairs = list(open_pairs)
                            if kind == "stall": silenced.update(pairs)
                        else: passed += len(data)
                        print("bytes", len(data), flush=True)
                    sink.sendall(data)
                    if kind: print(kind, flush=True)
                    if kind == "cut":
                        for other in pairs: close(other)
            except OSError: pass
            with lock: open_pairs.discard(pair)
            close(pair)
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        print("port", listener.getsockname()[1], flush=True)
        while True:
            client, _ = listener.accept()
            # A server that starts again takes its time.
            server = None
            while not server:
                try: server = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
                except OSError: threading.Event().wait(0.01)
            pair = (client, server)
            with lock: open_pairs.add(pair)
            for source, sink in (pair, pair[::-1]):
                threading.Thread(target=forward, args=(pair, source, sink), daemon=True).start()
        """

    let port: Int
    private let log: String

    var url: String { "http://127.0.0.1:\(port)" }

    /// What was told so far: `cut`, `stall`, and the `Authorization` headers of requests.
    var events: [String] { lines.filter { !$0.hasPrefix("bytes") && !$0.hasPrefix("port") } }

    /// Bytes that passed in both directions together.
    var byteCount: Int {
        lines.reduce(0) { $0 + ($1.hasPrefix("bytes ") ? Int($1.dropFirst(6)) ?? 0 : 0) }
    }

    private var lines: [String] { readText(log).split(separator: "\n").map(String.init) }

    private init(port: Int, log: String) {
        (self.port, self.log) = (port, log)
    }

    /// Runs a body with a proxy of a server.
    static func with<Value>(
        _ server: LiveServer,
        _ events: [Event] = [],
        _ body: (BreakingProxy) async throws -> Value
    ) async throws -> Value {
        try await withTemporaryFolder { folder in
            let log = "\(folder)/log"
            let program = try RunningProgram(
                try findProgram("python"),
                ["-c", script, "\(server.port)"] + events.map(\.text),
                output: log,
                errors: "\(folder)/errors"
            )
            defer { program.signal(SIGKILL) }
            try await waitUntil("the proxy listens") { readText(log).contains("\n") }
            let port = try #require(readText(log).split(separator: "\n").first?.split(separator: " ").last)
            return try await body(BreakingProxy(port: try #require(Int(port)), log: log))
        }
    }
}
