import Glibc

/// Texts of buildspecs that the shell evaluates: the name of an artifact, the key of a cache.
package enum ShellText {
    package static let timeLimit = Duration.seconds(60)
    private static let outputLengthMax = 64 << 10
    private static let shell = "/bin/sh"

    /// Evaluates a text as the shell does within double quotes; see `ShellScript` for what is kept and what is not.
    ///
    /// `folder`: Where commands run. `environment`: All variables they see. `extraPath`: A folder that comes before those of
    /// PATH. The result has no line ends at its end. Blocks, up to `timeLimit`.
    ///
    /// - Throws: `ClientError` when a command fails, with what it wrote to its error output, or takes too long.
    package static func evaluate(
        _ text: String,
        in folder: String,
        environment: [String: String],
        extraPath: String? = nil,
        timeLimit: Duration = ShellText.timeLimit
    ) throws(ClientError) -> String {
        let result: [UInt8]
        // What the shell would not touch needs none.
        if text.utf8.contains(where: { $0 == UInt8(ascii: "$") || $0 == UInt8(ascii: "\\") }) {
            result = try run(text, in: folder, environment, extraPath, timeLimit)
        } else {
            result = Array(text.utf8)
        }
        let lineEnds = result.reversed().prefix { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }.count
        return String(decoding: result.dropLast(lineEnds), as: UTF8.self)
    }

    private static func run(
        _ text: String,
        in folder: String,
        _ environment: [String: String],
        _ extraPath: String?,
        _ timeLimit: Duration
    ) throws(ClientError) -> [UInt8] {
        var environment = environment
        if let extraPath {
            // An empty one would make the working folder part of it.
            let path = environment["PATH"].flatMap { $0.isEmpty ? nil : $0 }
            let standard = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
            environment["PATH"] = "\(extraPath):\(path ?? standard)"
        }
        let child = try ChildProcess(
            shell,
            ["-c", try ShellScript.make(text), shell, folder],
            environment: environment
        )
        let ended = child.wait(timeLimit: timeLimit, outputLengthMax: outputLengthMax)
        let errors = String(decoding: ended.errors, as: UTF8.self)
        let said = errors.isEmpty ? "" : ": " + errors.split(whereSeparator: \.isNewline).joined(separator: "; ")
        switch ended.end {
        case .exit(0): return ended.output
        case .exit(let code): throw ClientError("a command in '\(text)' failed with exit code \(code)\(said)")
        case .signal(let number): throw ClientError("a command in '\(text)' was ended by signal \(number)\(said)")
        case .tooLate: throw ClientError("the commands in '\(text)' did not end within \(timeLimit)\(said)")
        case .tooMuch: throw ClientError("the commands in '\(text)' wrote more than \(outputLengthMax) bytes")
        }
    }

    /// Makes the program `codebuild-hash-files` for as long as `body` runs, in a folder that `evaluate` can put in PATH.
    ///
    /// `larder`: The path of this program, which does the work (`larder cache hash`).
    package static func withHashFilesProgram<Value>(
        larder: String,
        temporaryFolder: String = "/tmp",
        _ body: (_ folder: String) throws -> Value
    ) throws -> Value {
        var template = Array("\(temporaryFolder)/larder-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw ClientError("can't make a folder in \(temporaryFolder): \(String(cString: strerror(errno)))")
        }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let program = "\(folder)/codebuild-hash-files"
        defer {
            unlink(program)
            rmdir(folder)
        }
        let quoted = larder.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
        let script = Array("#!/bin/sh\nexec '\(quoted)' cache hash -- \"$@\"\n".utf8)
        let descriptor = open(program, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o700)
        guard descriptor >= 0 else { throw ClientError("can't write \(program): \(String(cString: strerror(errno)))") }
        let count = write(descriptor, script, script.count)
        guard close(descriptor) == 0, count == script.count else { throw ClientError("can't write \(program)") }
        return try body(folder)
    }
}
