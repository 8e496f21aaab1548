import Glibc

/// A program that is run for what it writes.
///
/// It leads a process group of its own, reads nothing, and begins with an empty signal mask and default signal handlers.
struct ChildProcess {
    enum End: Equatable {
        case exit(Int32)
        case signal(Int32)
        /// It was killed: it ran too long, or wrote too much.
        case tooLate, tooMuch
    }

    struct Result {
        var end: End
        var output: [UInt8]
        /// What it wrote to its error output, as far as that is kept.
        var errors: [UInt8]
    }

    private static let errorLengthMax = 4096
    /// How often to look whether it ended while something else keeps its output open; in milliseconds.
    private static let interval: Int32 = 20

    private let processID: pid_t
    private let output: Int32
    private let errors: Int32

    /// Starts a program; whoever does so calls `wait`.
    init(_ path: String, _ arguments: [String], environment: [String: String]) throws(ClientError) {
        let output = try Self.pipe()
        let errors: (reader: Int32, writer: Int32)
        do {
            errors = try Self.pipe()
        } catch {
            close(output.reader)
            close(output.writer)
            throw error
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output.writer, 1)
        posix_spawn_file_actions_adddup2(&actions, errors.writer, 2)
        let (code, pid) = Self.spawn(path, arguments, environment, &actions)
        posix_spawn_file_actions_destroy(&actions)
        close(output.writer)
        close(errors.writer)
        guard code == 0 else {
            close(output.reader)
            close(errors.reader)
            throw ClientError("can't start \(path): \(String(cString: strerror(code)))")
        }
        processID = pid
        self.output = output.reader
        self.errors = errors.reader
    }

    private static func spawn(
        _ path: String,
        _ arguments: [String],
        _ environment: [String: String],
        _ actions: inout posix_spawn_file_actions_t
    ) -> (code: Int32, pid: pid_t) {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var argv: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, path, &actions, &attributes, &argv, &envp)
        return (code, pid)
    }

    /// A pipe that other programs don't get.
    private static func pipe() throws(ClientError) -> (reader: Int32, writer: Int32) {
        var ends: [Int32] = [0, 0]
        guard Glibc.pipe(&ends) == 0 else {
            throw ClientError("can't make a pipe: \(String(cString: strerror(errno)))")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        return (ends[0], ends[1])
    }

    /// Reads what the program writes until it ends, and kills it with all it started when it takes too long.
    ///
    /// What it leaves running in the background is not waited for.
    func wait(timeLimit: Duration, outputLengthMax: Int) -> Result {
        let deadline = ContinuousClock.now + timeLimit
        var result = Result(end: .tooLate, output: [], errors: [])
        var isOpen = [true, true]
        var status: Int32 = 0
        var hasEnded = false
        while isOpen.contains(true) {
            // The end is looked for first, so that what was written before it is still read.
            if !hasEnded { hasEnded = waitpid(processID, &status, WNOHANG) == processID }
            var waits = [pollfd(fd: isOpen[0] ? output : -1, events: Int16(POLLIN), revents: 0)]
            waits.append(pollfd(fd: isOpen[1] ? errors : -1, events: Int16(POLLIN), revents: 0))
            let count = poll(&waits, 2, hasEnded ? 0 : Self.interval)
            if count > 0 {
                if waits[0].revents != 0 { isOpen[0] = Self.read(output, into: &result.output) }
                if waits[1].revents != 0 { isOpen[1] = Self.read(errors, into: &result.errors) }
            } else if hasEnded {
                break
            }
            result.errors = result.errors.suffix(Self.errorLengthMax)
            let isTooMuch = result.output.count > outputLengthMax
            if isTooMuch || ContinuousClock.now > deadline {
                if isTooMuch { result.end = .tooMuch }
                finish(isReaped: hasEnded)
                return result
            }
        }
        while !hasEnded {
            // It closed its output and goes on.
            hasEnded = waitpid(processID, &status, WNOHANG) == processID
            if hasEnded { break }
            guard ContinuousClock.now <= deadline else {
                finish(isReaped: false)
                return result
            }
            poll(nil, 0, Self.interval)
        }
        close(output)
        close(errors)
        result.end = status & 0x7f == 0 ? .exit((status >> 8) & 0xff) : .signal(status & 0x7f)
        return result
    }

    private func finish(isReaped: Bool) {
        // A group whose leader is reaped may be another's by now.
        if !isReaped {
            kill(-processID, SIGKILL)
            kill(processID, SIGKILL)
            var status: Int32 = 0
            while waitpid(processID, &status, 0) < 0, errno == EINTR {}
        }
        close(output)
        close(errors)
    }

    /// Reads what is there; false at the end.
    private static func read(_ descriptor: Int32, into bytes: inout [UInt8]) -> Bool {
        var piece = [UInt8](repeating: 0, count: 16 << 10)
        let count = Glibc.read(descriptor, &piece, piece.count)
        if count > 0 { bytes += piece[..<count] }
        return count > 0 || count < 0 && (errno == EAGAIN || errno == EINTR)
    }
}
