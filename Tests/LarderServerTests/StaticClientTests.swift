import Foundation
import Glibc
import LarderTestSupport
import Testing

/// The program as an image of a CI has it: with nothing of Swift's beside it.
@Suite struct StaticClientTests {
    /// Linked with `--static-swift-stdlib`, in a folder of its own, as the linker can't mix objects of both kinds.
    private static let program = "\(packageFolder)/.build-static/debug/larder"

    /// The libraries of C, C++, SQLite and zlib; older systems have some of the first in parts.
    private static let allowed: Set<Substring> = [
        "libsqlite3", "libz", "libc", "libm", "libstdc++", "libgcc_s", "libpthread", "libdl", "librt", "libutil",
        "linux-vdso", "ld-linux-x86-64", "ld-linux-aarch64",
    ]

    /// The files that the program is loaded from.
    private func libraries() async throws -> [String] {
        try #require(FileManager.default.isExecutableFile(atPath: Self.program), "`Tests/run` builds \(Self.program)")
        let result = try await runProgram("ldd", [Self.program])
        try #require(result.status == 0, "\(result.errors)")
        var paths: [String] = []
        for line in result.output.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let file = words.first?.split(separator: "/").last, let name = file.split(separator: ".so").first
            else { continue }
            #expect(Self.allowed.contains(name), "\(line)")
            // `libz.so.1 => /lib/libz.so.1 (0x…)`, or only a path; the kernel's own has none.
            if let path = words.first(where: { $0.hasPrefix("/") }) { paths.append(String(path)) }
        }
        return paths
    }

    @Test func itNeedsNoLibraryOfSwift() async throws {
        #expect(try await libraries().count >= 3)
    }

    @Test func itWorksWhereNothingElseIs() async throws {
        let libraries = try await libraries()
        try await withJob { _, job in
            // The working folder is the root of all that the program sees; /proc is the kernel's.
            for folder in ["proc", "tmp"] {
                try FileManager.default.createDirectory(atPath: job.path(folder), withIntermediateDirectories: false)
            }
            for library in libraries {
                let folder = (job.folder + library as NSString).deletingLastPathComponent
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                let file = URL(fileURLWithPath: library).resolvingSymlinksInPath().path
                try FileManager.default.copyItem(atPath: file, toPath: job.folder + library)
            }
            if Glibc.link(Self.program, job.path("larder")) != 0 {
                try FileManager.default.copyItem(atPath: Self.program, toPath: job.path("larder"))
            }
            try job.write("tree/file", "text")
            try job.write("tree/tool", "#!/bin/sh\n", mode: 0o755)
            try job.link("tree/latest", to: "file")
            func files() throws -> [String] { try job.snapshot("tree").filter { !$0.hasSuffix(" folder") } }
            let before = try files()

            let key = "{{ os }}-{{ hash \"tree/file\" }}-{{ date \"%Y\" }}"
            let saved = try await confined(job, "cache", "save", "--key", key, "--path", "tree", "--strict")
            #expect(saved.hasPrefix("saved: linux-"))
            try job.remove("tree/tool")
            let restored = try await confined(job, "cache", "restore", "--key", key, "--path", "tree", "--strict")
            #expect(restored.hasPrefix("exact hit: linux-"))
            #expect(try files() == before)
            #expect(try await confined(job, "artifact", "push", "app:1", "/tree").hasPrefix("pushed app:1: 2 files, "))
            #expect(try await confined(job, "artifact", "pull", "app:1", "-o", "/out").hasPrefix("pulled app@sha256:"))
            #expect(job.text("out/tree/file") == "text")
            #expect(try await confined(job, "artifact", "pull", "app:1", "--zip", "/app.zip").hasPrefix("wrote "))
        }
    }

    /// Runs the program with the job's folder as its root, in which there is nothing but it and its libraries.
    private func confined(_ job: Job, _ arguments: String...) async throws -> String {
        let script = "mount --rbind /proc \"$0/proc\" && exec chroot \"$0\" /larder \"$@\""
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let environment = job.variables.merging(["HOME": "/", "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": ""]) { $1 }
        let result = try await runProgram(
            "unshare",
            // Mounts of its own; who is not root becomes it in a namespace of users.
            [geteuid() == 0 ? "-m" : "-rm", "sh", "-c", script, job.folder] + arguments,
            environment: environment.merging(["PATH": "\(path):/usr/sbin:/sbin:/usr/bin:/bin"]) { $1 }
        )
        try #require(result.status == 0, "\(arguments): \(result.output)\(result.errors)")
        return result.output
    }
}
