/// What `strace -f -y` wrote: calls with the moments of their beginning and end, in the order of the file.
struct SyscallTrace {
    struct Call: Equatable {
        let thread: Int
        let name: String
        /// What stands between the parentheses.
        var arguments: String
        /// Numbers of the lines on which the call began and ended.
        let begin: Int
        var end: Int
        var result: Int

        /// The file or socket of the first argument, which `-y` writes behind the descriptor: `25</data/LOCK>`.
        var file: String? {
            let digits = arguments.prefix { $0.isNumber }
            let rest = arguments.dropFirst(digits.count)
            guard !digits.isEmpty, rest.first == "<", let close = rest.firstIndex(of: ">") else { return nil }
            return String(rest[rest.index(after: rest.startIndex)..<close])
        }

        /// The texts in quotes, such as the two paths of a `link`.
        var texts: [String] {
            arguments.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
                .filter { $0.offset % 2 == 1 }.map { String($0.element) }
        }
    }

    /// In the order of their beginnings; calls that never came back have an `end` behind everything.
    private(set) var calls: [Call] = []

    init(_ text: String) {
        var running: [Int: Int] = [:]
        for (number, line) in text.split(separator: "\n").enumerated() {
            let words = line.split(separator: " ", maxSplits: 1)
            guard words.count == 2, let thread = Int(words[0]) else { continue }
            let rest = words[1].drop { $0 == " " }
            if rest.hasPrefix("<... ") {
                guard let index = running.removeValue(forKey: thread), let mark = rest.firstRange(of: " resumed>")
                else { continue }
                let (tail, result) = Self.split(rest[mark.upperBound...])
                calls[index].arguments += tail
                calls[index].end = number
                calls[index].result = result
                continue
            }
            guard let parenthesis = rest.firstIndex(of: "("), !rest.hasPrefix("+++"), !rest.hasPrefix("---") else {
                continue
            }
            var call = Call(
                thread: thread,
                name: String(rest[..<parenthesis]),
                arguments: "",
                begin: number,
                end: .max,
                result: -1
            )
            let arguments = rest[rest.index(after: parenthesis)...]
            if arguments.hasSuffix("<unfinished ...>") {
                call.arguments = String(arguments.dropLast("<unfinished ...>".count))
                running[thread] = calls.count
            } else {
                (call.arguments, call.result) = Self.split(arguments)
                call.end = number
            }
            calls.append(call)
        }
    }

    /// Takes `…arguments) = 0` apart.
    private static func split(_ text: Substring) -> (arguments: String, result: Int) {
        guard let mark = text.ranges(of: " = ").last else { return (String(text), -1) }
        var arguments = text[..<mark.lowerBound]
        while arguments.last == " " || arguments.last == ")" { arguments.removeLast() }
        let result = text[mark.upperBound...].prefix { $0.isNumber || $0 == "-" }
        return (String(arguments), Int(result) ?? -1)
    }
}

extension SyscallTrace {
    private static let writes: Set<String> = [
        "write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg",
    ]
    private static let syncs: Set<String> = ["fdatasync", "fsync"]

    /// The calls that put `HTTP/1.1 200` on a socket.
    var answers: [Call] {
        calls.filter {
            Self.writes.contains($0.name) && $0.arguments.contains("\"HTTP/1.1 200 OK")
                && !($0.file?.hasPrefix("/") ?? true)
        }
    }

    /// Which rules of W1 (style guide, section 1.4) an answered upload broke.
    ///
    /// `number`: Of the answer, from 0. Each upload was sent after the answer to the one before.
    ///
    /// `isFile`: Whether the body is too large for the database.
    func violations(beforeAnswer number: Int, isFile: Bool) -> [String] {
        guard answers.indices.contains(number) else { return ["there is no answer \(number)"] }
        let answer = answers[number]
        let start = number == 0 ? -1 : answers[number - 1].end
        let window = calls.filter { $0.begin > start && $0.begin < answer.begin }
        var violations: [String] = []
        var rowsAfter = start
        if isFile {
            let (fileViolations, linkedAt) = Self.fileViolations(window, answeredAt: answer.begin)
            violations += fileViolations
            rowsAfter = linkedAt ?? start
        }
        let rows = window.filter {
            Self.writes.contains($0.name) && $0.begin > rowsAfter && $0.file?.hasSuffix("/larder.sqlite-wal") ?? false
        }
        guard let lastRow = rows.last else { return violations + ["no row is written after the file is safe"] }
        let isSafe = window.contains {
            Self.isSync($0, of: lastRow.file, after: lastRow.end, before: answer.begin)
        }
        return isSafe ? violations : violations + ["the rows are not synced before the answer"]
    }

    /// What is wrong with the way of the file, and when its name was safe.
    private static func fileViolations(_ window: [Call], answeredAt: Int) -> (violations: [String], safeAt: Int?) {
        let parts = window.filter { writes.contains($0.name) && $0.file?.contains("/uploads/") ?? false }
        guard let lastPart = parts.last else { return (["no file is written"], nil) }
        guard
            let sync = window.first(where: { isSync($0, of: lastPart.file, after: lastPart.end, before: answeredAt) })
        else { return (["the file is not synced before the answer"], nil) }
        let link = window.first { call in
            ["link", "linkat", "rename", "renameat", "renameat2"].contains(call.name) && call.result == 0
                && call.begin > sync.end && call.texts.last?.contains("/blobs/sha256/") ?? false
        }
        guard let link, let path = link.texts.last, let slash = path.lastIndex(of: "/") else {
            return (["the file gets no final name after its sync"], nil)
        }
        let folder = String(path[..<slash])
        guard let folderSync = window.first(where: { isSync($0, of: folder, after: link.end, before: answeredAt) })
        else { return (["the folder is not synced before the answer"], nil) }
        return ([], folderSync.end)
    }

    private static func isSync(_ call: Call, of file: String?, after begin: Int, before end: Int) -> Bool {
        syncs.contains(call.name) && call.file == file && call.result == 0 && call.begin > begin && call.end < end
    }
}
