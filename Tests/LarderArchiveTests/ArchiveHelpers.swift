import Foundation
import LarderArchive
import LarderCore
import LarderTestSupport

/// A member of a made-up tree.
struct SampleItem: Hashable {
    enum Kind: Hashable {
        case folder
        case file([UInt8])
        case symbolicLink(String)
        case hardLink(String)
    }

    var name: String
    var mode: UInt16
    var kind: Kind

    /// A line that programs in other languages can write, too.
    var line: String {
        let name = name.hasSuffix("/") ? String(name.dropLast()) : name
        let (letter, mode, rest) =
            switch kind {
            case .folder: ("d", mode, "")
            case .file(let contents): ("f", mode, hex(contents))
            // No program agrees with another on a link's mode.
            case .symbolicLink(let target): ("l", UInt16(0o777), hex(Array(target.utf8)))
            case .hardLink(let target): ("h", mode, hex(Array(target.utf8)))
            }
        return "\(letter) \(String(mode, radix: 8)) \(hex(Array(name.utf8))) \(rest)"
    }
}

func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

/// A tree whose members come after their folders, with names of all lengths and alphabets.
///
/// `namesAreTame`: Without control characters, which some programs show differently.
func sampleTree(
    _ generator: inout SeededGenerator,
    hasHardLinks: Bool,
    namesAreTame: Bool = false,
    itemCount: Int = 40
) -> [SampleItem] {
    let alphabets: [[Character]] = [
        Array("abcdefghijklmnop-_."), Array("äöüßéñ x"), Array("日本語テスト"), Array("😀🚀x'\"$&()[]{}!#%=+,;@~ "),
    ]
    let wild: [[Character]] = namesAreTame ? [] : [Array("a\n\t\u{1}\u{7f}\\b")]
    var folders = [""]
    var items: [SampleItem] = []
    for index in 0..<itemCount {
        let alphabet = (alphabets + wild).randomElement(using: &generator) ?? []
        let length = [1, 8, 20, 60, 90, 150, 200].randomElement(using: &generator) ?? 1
        var part = "\(index)"
        while true {
            let longer = part + String(alphabet.randomElement(using: &generator) ?? "a")
            if longer.utf8.count > min(length, 250) { break }
            part = longer
        }
        let parent = folders.randomElement(using: &generator) ?? ""
        let name = parent.isEmpty ? part : "\(parent)/\(part)"
        let kind = sampleKind(&generator, items, hasHardLinks: hasHardLinks)
        if kind == .folder, name.utf8.count < 1500 { folders.append(name) }
        // The owner can always read and write: not only root runs the tests.
        let mode = UInt16.random(in: 0...0o777, using: &generator) | (kind == .folder ? 0o700 : 0o600)
        items.append(SampleItem(name: name, mode: mode, kind: kind))
    }
    return items
}

private func sampleKind(
    _ generator: inout SeededGenerator,
    _ items: [SampleItem],
    hasHardLinks: Bool
) -> SampleItem.Kind {
    switch Int.random(in: 0..<10, using: &generator) {
    case 0, 1, 2: return .folder
    case 3:
        let length = [1, 20, 99, 100, 101, 300].randomElement(using: &generator) ?? 1
        let letter = Bool.random(using: &generator) ? "t" : "ü"
        return .symbolicLink(String(repeating: letter, count: length))
    case 4 where hasHardLinks:
        let files = items.filter { if case .file = $0.kind { true } else { false } }
        if let file = files.randomElement(using: &generator) { return .hardLink(file.name) }
        fallthrough
    default:
        let sizes = [0, 1, 511, 512, 513, 1024, Int.random(in: 0..<5000, using: &generator)]
        let size = sizes.randomElement(using: &generator) ?? 0
        let isEven = Bool.random(using: &generator)
        return .file(isEven ? Array(repeating: 7, count: size) : generator.bytes(size))
    }
}

/// Hands bytes over in pieces.
///
/// `pieceLength`: Called for each; the rest is the last.
func inPieces(
    _ bytes: [UInt8],
    _ pieceLength: () -> Int,
    _ take: (UnsafeRawBufferPointer) throws -> Void
) rethrows {
    try bytes.withUnsafeBytes { whole in
        var start = 0
        while start < whole.count {
            let end = min(whole.count, start + max(1, pieceLength()))
            try take(UnsafeRawBufferPointer(rebasing: whole[start..<end]))
            start = end
        }
    }
}

// MARK: - gzip

func gzipped(_ bytes: [UInt8], level: Int = 6, pieceLength: () -> Int = { 1 << 20 }) -> [UInt8] {
    var writer = GzipWriter(level: level)
    var output: [UInt8] = []
    inPieces(bytes, pieceLength) { writer.write($0, to: &output) }
    writer.finish(to: &output)
    return output
}

func gunzipped(
    _ bytes: [UInt8],
    outputLimit: ByteCount? = nil,
    pieceLength: () -> Int = { 1 << 20 }
) throws -> [UInt8] {
    var reader = GzipReader(outputLimit: outputLimit)
    var output: [UInt8] = []
    try inPieces(bytes, pieceLength) { piece in
        try reader.feed(piece) { output.append(contentsOf: $0) }
    }
    try reader.finish()
    return output
}

// MARK: - tar

func tarred(_ items: [SampleItem], modified: Int64 = 0) throws -> [UInt8] {
    var writer = TarWriter()
    var output: [UInt8] = []
    for item in items {
        var contents: [UInt8] = []
        let content: TarMember.Content
        switch item.kind {
        case .folder: content = .folder
        case .symbolicLink(let target): content = .symbolicLink(target: target)
        case .hardLink(let target): content = .hardLink(target: target)
        case .file(let bytes):
            contents = bytes
            content = .file(size: Int64(bytes.count))
        }
        let member = TarMember(name: item.name, mode: item.mode, modified: modified, content: content)
        try writer.begin(member, to: &output)
        try inPieces(contents, { 700 }) { try writer.write($0, to: &output) }
        try writer.endMember(to: &output)
    }
    writer.finish(to: &output)
    return output
}

/// A member with its contents as they were told.
struct ReadMember: Equatable {
    var member: TarMember
    var contents: [UInt8] = []
    var hasEnded = false

    var item: SampleItem {
        let kind: SampleItem.Kind =
            switch member.content {
            case .folder: .folder
            case .file, .other: .file(contents)
            case .symbolicLink(let target): .symbolicLink(target)
            case .hardLink(let target): .hardLink(target)
            }
        return SampleItem(name: member.name, mode: member.mode, kind: kind)
    }
}

/// Reads an archive to its end.
///
/// - Throws: What the reader throws, and `TestFailure` for events out of order.
func untarred(_ bytes: [UInt8], pieceLength: () -> Int = { 1 << 20 }) throws -> [ReadMember] {
    var reader = TarReader()
    var members: [ReadMember] = []
    var hasEnded = false
    try inPieces(bytes, pieceLength) { piece in
        try reader.feed(piece) { event in
            guard !hasEnded else { throw TestFailure("an event after the end") }
            switch event {
            case .member(let member):
                guard members.last?.hasEnded ?? true else { throw TestFailure("a member in a member") }
                members.append(ReadMember(member: member))
            case .contents(let bytes):
                guard let last = members.last, !last.hasEnded, !bytes.isEmpty else {
                    throw TestFailure("contents of nothing")
                }
                members[members.count - 1].contents.append(contentsOf: bytes)
            case .endOfMember:
                guard let last = members.last, !last.hasEnded, last.contents.count == last.member.size else {
                    throw TestFailure("the end of nothing")
                }
                members[members.count - 1].hasEnded = true
            case .endOfArchive:
                hasEnded = true
            }
        }
    }
    try reader.finish()
    guard hasEnded, members.allSatisfy(\.hasEnded) else { throw TestFailure("no end was told") }
    return members
}

// MARK: - Folders and programs

/// The lines of what lies below a folder, sorted; hard links as the files they are.
func lines(below folder: String) throws -> [String] {
    guard let walker = FileManager.default.enumerator(atPath: folder) else { throw TestFailure("no folder \(folder)") }
    var lines: [String] = []
    for case let name as String in walker {
        let path = "\(folder)/\(name)"
        var facts = stat()
        guard lstat(path, &facts) == 0 else { throw TestFailure("can't look at \(path)") }
        let kind: SampleItem.Kind
        switch facts.st_mode & S_IFMT {
        case S_IFDIR: kind = .folder
        case S_IFLNK: kind = .symbolicLink(try FileManager.default.destinationOfSymbolicLink(atPath: path))
        default: kind = .file(Array(try Data(contentsOf: URL(fileURLWithPath: path))))
        }
        lines.append(SampleItem(name: name, mode: UInt16(facts.st_mode & 0o7777), kind: kind).line)
    }
    return lines.sorted()
}

/// The lines of items as they lie on disk: a hard link is the file that it leads to.
func linesOnDisk(_ items: [SampleItem]) -> [String] {
    let files = Dictionary(items.map { ($0.name, $0) }) { $1 }
    return items.map { item in
        guard case .hardLink(let target) = item.kind, var file = files[target] else { return item.line }
        file.name = item.name
        return file.line
    }.sorted()
}

func write(_ bytes: [UInt8], to path: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
}

func read(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path)))
}

/// Runs a program that must succeed; returns what it wrote.
@discardableResult
func runToSuccess(_ name: String, _ arguments: [String], in folder: String? = nil) async throws -> String {
    let result = try await runProgram(
        name,
        arguments,
        environment: ["LC_ALL": "C.UTF-8", "TZ": "UTC"],
        in: folder,
        timeoutSeconds: 300
    )
    guard result.status == 0 else {
        throw TestFailure("\(name) \(arguments) ended with \(result.status): \(result.output) \(result.errors)")
    }
    return result.output
}
