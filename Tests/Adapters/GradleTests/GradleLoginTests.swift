import Foundation
import LarderTestSupport
import Testing

/// The real Gradle with a token as the password of its build cache.
///
/// What is relied on in Debian's 4.4.1, beside what `GradleClientTests` names:
/// - Credentials are sent with every request, whether or not they are asked for.
/// - A 401 switches the remote cache off for the rest of the build, which goes on without.
@Suite(.serialized)
struct GradleLoginTests {
    @Test
    func aTokenLetsGradleIn() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
                let reader = try await server.makeToken("reader", "app:read")
                let writer = try await server.makeToken("writer", "app:read,write")
                let project = try GradleProject(in: folder, cache: server.address("", "/gradle/app/"))
                let stranger = try await project.build(password: "wrong")
                #expect(stranger.contains("The remote build cache was disabled during the build due to errors."))
                #expect(!stranger.contains("FROM-CACHE"))
                for (name, password, isHit) in [
                    ("reader", reader, false),
                    // That it runs again shows that nothing was stored.
                    ("writer", writer, false), ("reader again", reader, true),
                ] {
                    let output = try await project.build(password: password)
                    #expect(output.contains(":copy FROM-CACHE") == isHit, "\(name): \(output)")
                    #expect(!output.contains("remote build cache"), "\(name): \(output)")
                }
            }
        }
    }

    /// Nobody asks for the token of a writer where all may read, so it must come unasked.
    @Test
    func aWriterWritesWhereAllMayRead() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer(arguments: ["--allow-anonymous", "read"]) { server in
                let writer = try await server.makeToken("writer", "app:read,write")
                let project = try GradleProject(in: folder, cache: server.address("", "/gradle/app/"))
                for (name, password, isHit) in [
                    ("nobody", nil, false), ("writer", writer, false), ("nobody again", nil, true),
                ] as [(String, String?, Bool)] {
                    let output = try await project.build(password: password)
                    #expect(output.contains(":copy FROM-CACHE") == isHit, "\(name): \(output)")
                    #expect(!output.contains("remote build cache"), "\(name): \(output)")
                }
            }
        }
    }
}

/// One project with one cacheable task.
private struct GradleProject {
    let folder: String
    let path: String
    let cache: String

    init(in folder: String, cache: String) throws {
        self.folder = folder
        self.cache = cache
        path = "\(folder)/project"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try write(
            """
            @CacheableTask
            class CopyBytes extends DefaultTask {
                @InputFile @PathSensitive(PathSensitivity.NONE) File source
                @OutputFile File destination
                @TaskAction void run() { destination.bytes = source.bytes }
            }

            task("copy", type: CopyBytes) {
                source = file("source")
                destination = file("$buildDir/copy")
            }

            """,
            to: "build.gradle"
        )
        try write("one", to: "source")
    }

    /// Builds anew, which has to succeed; returns what Gradle said.
    func build(password: String?) async throws -> String {
        let login = password.map { "; credentials { username = 'ada'; password = '\($0)' }" } ?? ""
        try write(
            """
            rootProject.name = 'larder-login'
            buildCache {
                local { enabled = false }
                remote(HttpBuildCache) { url = '\(cache)'; push = true\(login) }
            }

            """,
            to: "settings.gradle"
        )
        // Gradle's notes about the project go with its outputs, so that nothing is up to date.
        try? FileManager.default.removeItem(atPath: "\(path)/build")
        let result = try await runProgram(
            "gradle",
            [
                "--no-daemon", "--build-cache", "--console=plain", "--gradle-user-home", "\(folder)/home",
                "--project-cache-dir", "\(path)/build/cache", "copy",
            ],
            environment: [
                "JAVA_HOME": "/usr/lib/jvm/default-java", "GRADLE_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            ],
            in: path,
            timeoutSeconds: 600
        )
        let output = result.output + result.errors
        try #require(result.status == 0, "gradle: \(output)")
        return output
    }

    private func write(_ text: String, to name: String) throws {
        try text.write(toFile: "\(path)/\(name)", atomically: false, encoding: .utf8)
    }
}
