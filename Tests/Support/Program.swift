import Foundation
package import Glibc

/// How a program ended, and what it wrote.
package struct ProgramResult: Sendable {
    /// The exit code; 128 and the signal when it was killed.
    package let status: Int32
    package let output: String
    package let errors: String
}

/// The checkout's root, from this file's own place.
package let packageFolder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

/// Runs a program to its end.
///
/// `name`: Looked up in the clients' virtual environment first, then in PATH; or an absolute path.
///
/// `environment`: Merged over the inherited one.
///
/// Throws `TestFailure` when there is no such program (`Tests/clients.sh` installs them) or it takes too long.
package func runProgram(
    _ name: String,
    _ arguments: [String],
    environment: [String: String] = [:],
    in folder: String? = nil,
    timeoutSeconds: Int = 120
) async throws -> ProgramResult {
    try await withTemporaryFolder { scratch in
        let (out, err) = ("\(scratch)/out", "\(scratch)/err")
        let program = try RunningProgram(
            try findProgram(name),
            arguments,
            environment: environment,
            in: folder,
            output: out,
            errors: err
        )
        let status = try await program.wait(timeoutSeconds: timeoutSeconds)
        return ProgramResult(status: status, output: readText(out), errors: readText(err))
    }
}

/// The path of a program.
package func findProgram(_ name: String) throws -> String {
    if name.hasPrefix("/") {
        guard access(name, X_OK) == 0 else { throw TestFailure("there is no program \(name); run Tests/clients.sh") }
        return name
    }
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    let folders = ["\(packageFolder)/.build/clients/venv/bin"] + path.split(separator: ":").map(String.init)
    for folder in folders + ["/usr/sbin", "/sbin"] where access("\(folder)/\(name)", X_OK) == 0 {
        return "\(folder)/\(name)"
    }
    throw TestFailure("there is no program \(name) in \(path); run Tests/clients.sh")
}

/// A child process whose output goes to files, so that grandchildren which keep a pipe open delay nobody.
package final class RunningProgram: Sendable {
    package let processID: pid_t

    /// Starts a program with an empty signal mask and default signal handlers.
    package init(
        _ path: String,
        _ arguments: [String],
        environment: [String: String] = [:],
        in folder: String? = nil,
        output: String,
        errors: String
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        Self.keepDescriptorsToOurselves()
        // There is no portable way to start a process in another folder; env has one.
        let (path, arguments) = folder.map { ("/usr/bin/env", ["-C", $0, path] + arguments) } ?? (path, arguments)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let merged = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        var argv: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = merged.map { strdup("\($0)=\($1)") } + [nil]
        defer {
            for pointer in argv + envp { free(pointer) }
        }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, path, &actions, &attributes, &argv, &envp)
        guard code == 0 else { throw TestFailure("can't start \(path): error \(code)") }
        processID = pid
    }

    /// A grandchild that goes on must not hold sockets and pipes of this process open.
    private static func keepDescriptorsToOurselves() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? [] {
            if let descriptor = Int32(name), descriptor > 2 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        }
    }

    /// Sends a signal.
    package func signal(_ number: Int32) {
        kill(processID, number)
    }

    /// Waits for the end; kills the program when it takes too long.
    package func wait(timeoutSeconds: Int = 60) async throws -> Int32 {
        let pid = processID
        let deadline = Date().addingTimeInterval(Double(timeoutSeconds))
        var status: Int32 = 0
        while waitpid(pid, &status, WNOHANG) == 0 {
            if Date() > deadline {
                kill(pid, SIGKILL)
                waitpid(pid, &status, 0)
                throw TestFailure("process \(pid) did not end within \(timeoutSeconds) s")
            }
            try await Task.sleep(nanoseconds: 5_000_000)
        }
        return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    }
}

package func readText(_ path: String) -> String {
    (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
}
