package import LarderBlobs
package import LarderCore
import Synchronization

/// The real file system, with failures at calls that a test names, and a record of what was not synced.
package final class FaultyFiles: BlobFiles {
    /// What goes wrong.
    package enum Fault: Sendable, CaseIterable {
        case ioError
        case diskFull
        /// Half of the bytes of a write reach the file before it fails; other calls fail at once.
        case shortWrite
    }

    private struct State {
        var calls: [String] = []
        var faults: [Int: Fault] = [:]
        var isDead = false
        var unsyncedFiles: [Int32: String] = [:]
    }

    private let real = PosixBlobFiles()
    private let state = Mutex(State())

    package init() {}

    /// The calls so far, by name.
    package var calls: [String] { state.withLock { $0.calls } }

    /// Forgets calls and faults.
    package func reset() {
        state.withLock { state in
            state.calls = []
            state.faults = [:]
            state.isDead = false
        }
    }

    /// Lets the call with a number (from 1, counted since the last reset) fail.
    package func fail(call number: Int, with fault: Fault) {
        state.withLock { $0.faults[number] = fault }
    }

    /// From now on every call that changes something fails, as after the death of the process: what is cleaned up later by
    /// the same code has no effect.
    package func die() {
        state.withLock { $0.isDead = true }
    }

    private func note(_ call: String, _ path: String) throws(StoreError) -> Fault? {
        let (fault, isDead) = state.withLock { state in
            state.calls.append(call)
            return (state.faults[state.calls.count], state.isDead)
        }
        if isDead { throw .io(operation: call, path: path, code: 5) }
        switch fault {
        case nil: return nil
        case .ioError: throw .io(operation: call, path: path, code: 5)
        case .diskFull: throw .noSpace("the disk is full (\(call) \(path))")
        case .shortWrite:
            if call == "write" { return .shortWrite }
            throw .io(operation: call, path: path, code: 5)
        }
    }

    package func create(_ path: String) throws(StoreError) -> Int32 {
        _ = try note("create", path)
        return try real.create(path)
    }

    package func openForWriting(_ path: String) throws(StoreError) -> (file: Int32, byteCount: Int64)? {
        _ = try note("openForWriting", path)
        return try real.openForWriting(path)
    }

    package func truncate(_ file: Int32, to byteCount: Int64, path: String) throws(StoreError) {
        _ = try note("truncate", path)
        try real.truncate(file, to: byteCount, path: path)
    }

    package func write(
        _ bytes: UnsafeRawBufferPointer,
        to file: Int32,
        at offset: Int64,
        path: String
    ) throws(StoreError) {
        if try note("write", path) == .shortWrite {
            try real.write(.init(rebasing: bytes[..<(bytes.count / 2)]), to: file, at: offset, path: path)
            throw .io(operation: "write", path: path, code: 5)
        }
        try real.write(bytes, to: file, at: offset, path: path)
    }

    package func startWriteback(of file: Int32, from offset: Int64, length: Int64) {
        real.startWriteback(of: file, from: offset, length: length)
    }

    package func synchronize(_ file: Int32, path: String) throws(StoreError) {
        _ = try note("synchronize", path)
        try real.synchronize(file, path: path)
    }

    package func link(_ path: String, to newPath: String) throws(StoreError) {
        _ = try note("link", newPath)
        try real.link(path, to: newPath)
    }

    package func rename(_ path: String, to newPath: String) throws(StoreError) {
        _ = try note("rename", newPath)
        try real.rename(path, to: newPath)
    }

    package func synchronizeFolder(_ path: String) throws(StoreError) {
        _ = try note("synchronizeFolder", path)
        try real.synchronizeFolder(path)
    }

    package func remove(_ path: String) throws(StoreError) {
        _ = try note("remove", path)
        try real.remove(path)
    }

    package func list(_ folder: String) throws(StoreError) -> [String] {
        try real.list(folder)
    }

    package func open(_ path: String) throws(StoreError) -> (file: Int32, byteCount: Int64)? {
        try real.open(path)
    }

    package func read(
        _ file: Int32,
        at offset: Int64,
        into buffer: UnsafeMutableRawBufferPointer,
        path: String
    ) throws(StoreError) -> Int {
        try real.read(file, at: offset, into: buffer, path: path)
    }

    package func close(_ file: Int32) {
        real.close(file)
    }

    package func diskSpace(at folder: String) throws(StoreError) -> DiskSpace {
        try real.diskSpace(at: folder)
    }
}
