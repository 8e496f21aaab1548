import Foundation
import Glibc
import LarderTestSupport
import Testing

/// A machine with the container tools of Debian 12, installed by `Tests/clients.sh`: skopeo 1.9.3, buildah 1.28.2,
/// podman 4.3.1 and umoci 0.4.7.
///
/// Home, configuration and images are its own, so two machines share nothing but the server. What is relied on:
/// - The tools remember in the home folder which registry has which layer. Root's memory lies in /var/lib instead, for
///   all tests at once, unless a variable of rootless podman says whose root it is.
/// - The `vfs` driver keeps images as plain folders: nothing is mounted, no daemon and no network is needed.
/// - An address of the loopback is tried with TLS first, although it need not be verified: that is a 400 in the log.
struct ClientMachine: Sendable {
    let folder: String
    private let environment: [String: String]
    /// Where podman and buildah keep their images.
    let storage: [String]

    init(in parent: String, name: String = "machine") throws {
        folder = "\(parent)/\(name)"
        let home = "\(folder)/home"
        for path in ["\(home)/.config/containers", "\(folder)/run", "\(folder)/tmp"] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        storage = ["--root", "\(folder)/storage", "--runroot", "\(folder)/run/storage", "--storage-driver", "vfs"]
        var environment = [
            "BUILDAH_ISOLATION": "chroot",
            "CONTAINERS_CONF": "\(folder)/containers.conf",
            "CONTAINERS_REGISTRIES_CONF": "\(folder)/registries.conf",
            "CONTAINERS_STORAGE_CONF": "\(folder)/storage.conf",
            "HOME": home,
            "NO_PROXY": "127.0.0.1",
            "TMPDIR": "\(folder)/tmp",
            "XDG_CACHE_HOME": "\(home)/.cache",
            "XDG_CONFIG_HOME": "\(home)/.config",
            "XDG_DATA_HOME": "\(home)/.local/share",
            "XDG_RUNTIME_DIR": "\(folder)/run",
        ]
        if geteuid() == 0 { environment["_CONTAINERS_ROOTLESS_UID"] = "1000" }
        self.environment = environment
        let files = [
            "home/.config/containers/policy.json": #"{"default":[{"type":"insecureAcceptAnything"}]}"#,
            "registries.conf": #"short-name-mode = "disabled""#,
            "storage.conf": """
            [storage]
            driver = "vfs"
            graphroot = "\(folder)/storage"
            runroot = "\(folder)/run/storage"
            """,
            // Its locks would be in /dev/shm otherwise, for all machines at once.
            "containers.conf": """
            [engine]
            cgroup_manager = "cgroupfs"
            events_logger = "none"
            lock_type = "file"
            tmp_dir = "\(folder)/run/libpod"
            """,
        ]
        for (name, text) in files {
            try text.write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
        }
    }

    @discardableResult
    func skopeo(_ arguments: String...) async throws -> String { try await run("skopeo", arguments) }

    @discardableResult
    func buildah(_ arguments: String...) async throws -> String { try await run("buildah", storage + arguments) }

    @discardableResult
    func podman(_ arguments: String...) async throws -> String { try await run("podman", storage + arguments) }

    @discardableResult
    func umoci(_ arguments: String...) async throws -> String { try await run("umoci", arguments) }

    /// Runs a program, which may fail.
    func attempt(_ program: String, _ arguments: String...) async throws -> ProgramResult {
        try await attempt(program, arguments: arguments)
    }

    /// The same with a list of arguments.
    func attempt(_ program: String, arguments: [String]) async throws -> ProgramResult {
        try await runProgram(program, arguments, environment: environment, in: folder)
    }

    /// What a program printed, without the end of the line.
    private func run(_ program: String, _ arguments: [String]) async throws -> String {
        let result = try await runProgram(program, arguments, environment: environment, in: folder)
        try #require(result.status == 0, "\(program) \(arguments): \(result.errors)")
        return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

// MARK: - Images

extension ClientMachine {
    /// The files of an image, by their paths in it.
    typealias Files = [String: [UInt8]]

    /// Makes an image whose layers have one file each, and keeps it in a layout, which is made if need be.
    ///
    /// `architecture`: nil: that of this machine.
    @discardableResult
    func makeImage(
        _ tag: String = "app",
        in layout: ImageLayout,
        layerCount: Int = 3,
        architecture: String? = nil,
        seed: UInt64 = 1
    ) async throws -> Files {
        if !FileManager.default.fileExists(atPath: layout.path) { try await umoci("init", "--layout", layout.path) }
        let image = "\(layout.path):\(tag)"
        try await umoci("new", "--image", image)
        if let architecture {
            try await umoci("config", "--image", image, "--architecture", architecture, "--os", "linux")
        }
        var chance = SeededGenerator(seed: seed)
        var files: Files = [:]
        for number in 0..<layerCount {
            // The first is small enough for the server's database; a compressor makes none of them smaller.
            let bytes = chance.bytes(1000 + number * 150_000)
            let file = "\(folder)/tmp/file\(number)"
            try Data(bytes).write(to: URL(fileURLWithPath: file))
            try await umoci("insert", "--rootless", "--image", image, file, "/file\(number)")
            files["file\(number)"] = bytes
        }
        // Each step left a manifest and a config of its own.
        try await umoci("gc", "--layout", layout.path)
        return files
    }

    /// The files of an image that lies in a layout.
    func unpack(_ tag: String, of layout: ImageLayout) async throws -> Files {
        let bundle = "\(folder)/tmp/bundle-\(tag)"
        try await umoci("unpack", "--rootless", "--image", "\(layout.path):\(tag)", bundle)
        return try folderContents("\(bundle)/rootfs")
    }
}

/// The files of a folder without subfolders.
func folderContents(_ folder: String) throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
        files[name] = Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")))
    }
    return files
}

/// Names that only one of two folders has, or under which they have different bytes.
func differences(_ one: [String: [UInt8]], _ other: [String: [UInt8]]) -> [String] {
    Set(one.keys).union(other.keys).filter { one[$0] != other[$0] }.sorted()
}
