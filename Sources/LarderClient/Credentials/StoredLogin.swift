import Foundation
import Glibc

/// What `larder login` keeps: an address, and perhaps a token for it.
///
/// The file is the user's alone (mode 0600, in a folder of mode 0700).
package struct StoredLogin: Codable, Sendable, Equatable {
    package let url: String
    package let token: String?

    /// Longer files are none of ours, in bytes.
    private static let lengthMax = 64 << 10

    package init(url: String, token: String?) {
        self.url = url
        self.token = token
    }

    /// The path of the file for a user.
    package static func file(environment: [String: String], home: String) -> String {
        // The XDG base directory specification: what is not absolute is passed over.
        let folder = environment["XDG_CONFIG_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "\(home)/.config"
        return "\(folder)/larder/client.json"
    }

    /// Reads what is stored; nil when nothing is.
    ///
    /// - Throws: `ClientError` when others can read the file, or it is not understood.
    package static func read(_ path: String) throws(ClientError) -> StoredLogin? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw ClientError("can't read \(path): \(String(cString: strerror(errno)))")
        }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var facts = stat()
        guard fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
            throw ClientError("\(path) is no file")
        }
        // Who else can read it has the token; who else owns it could have put any address there.
        guard facts.st_mode & 0o077 == 0, facts.st_uid == geteuid() || facts.st_uid == 0 else {
            throw ClientError("\(path) is open to others and not used: chmod 600 it, or run `larder login` again")
        }
        do {
            let data = try file.read(upToCount: lengthMax) ?? Data()
            return try JSONDecoder().decode(Self.self, from: data)
        } catch {
            throw ClientError("\(path) is not understood; remove it, or run `larder login` again")
        }
    }

    /// Stores this login in place of what is stored.
    ///
    /// - Throws: `ClientError` when it can't be written.
    package func write(to path: String) throws(ClientError) {
        let folder = (path as NSString).deletingLastPathComponent
        func failure() -> ClientError { ClientError("can't write \(path): \(String(cString: strerror(errno)))") }
        try? FileManager.default.createDirectory(
            atPath: (folder as NSString).deletingLastPathComponent,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST, chmod(folder, 0o700) == 0 else { throw failure() }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else { throw ClientError("the login can't be written as JSON") }
        let temporary = "\(path).\(getpid()).tmp"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure() }
        var isWritten = fchmod(descriptor, 0o600) == 0
        let length = data.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        isWritten = isWritten && length == data.count
        isWritten = isWritten && fsync(descriptor) == 0
        isWritten = close(descriptor) == 0 && isWritten
        guard isWritten, rename(temporary, path) == 0 else {
            let error = failure()
            unlink(temporary)
            throw error
        }
    }

    /// Forgets what is stored; whether anything was.
    ///
    /// - Throws: `ClientError` when the file can't be removed.
    package static func remove(_ path: String) throws(ClientError) -> Bool {
        if unlink(path) == 0 { return true }
        guard errno == ENOENT || errno == ENOTDIR else {
            throw ClientError("can't remove \(path): \(String(cString: strerror(errno)))")
        }
        return false
    }
}
