import Foundation
import LarderTestSupport
import Testing

/// The real Gradle as a client: Debian's 4.4.1 on Debian's Java 17, installed by `Tests/clients.sh`.
///
/// What is relied on in that version:
/// - With `--console=plain` it writes one line for each task, ":copy0 FROM-CACHE" for one that was fetched.
/// - It says "remote build cache was disabled" after the first answer it does not like, and goes on without.
/// - `--offline` switches the remote cache off, so it is not used, and the project needs nothing from the network.
@Suite(.serialized)
struct GradleClientTests {
    @Test
    func everyTaskComesFromTheCacheOnceItsOutputsAreGoneAndTheServerHasRestarted() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let gradle = try Gradle(folder: folder, cache: "\(server.url)/gradle/app/")

                let first = try await gradle.build()
                #expect(first == Gradle.everythingRan)
                let firstCopy = try gradle.largestOutput()

                try gradle.removeOutputs()
                try await server.restart()

                let second = try await gradle.build()
                #expect(second == Gradle.everythingCameFromTheCache)
                #expect(try gradle.largestOutput() == firstCopy)
            }
        }
    }
}

/// One project with cacheable tasks.
private struct Gradle {
    static let everythingRan = ["compileJava": "", "copy0": "", "copy1": "", "copy2": "", "everything": ""]
    static let everythingCameFromTheCache = [
        "compileJava": "FROM-CACHE",
        "copy0": "FROM-CACHE",
        "copy1": "FROM-CACHE",
        "copy2": "FROM-CACHE",
        "everything": "UP-TO-DATE",
    ]

    let folder: String
    let project: String

    init(folder: String, cache: String) throws {
        self.folder = folder
        self.project = "\(folder)/project"
        let sources = "\(project)/src/main/java"
        try FileManager.default.createDirectory(atPath: sources, withIntermediateDirectories: true)
        try write(
            """
            rootProject.name = 'larder-test'
            buildCache {
                local { enabled = false }
                remote(HttpBuildCache) { url = '\(cache)'; push = true }
            }

            """,
            to: "settings.gradle",
        )
        try write(
            """
            apply plugin: 'java'

            @CacheableTask
            class CopyBytes extends DefaultTask {
                @InputFile @PathSensitive(PathSensitivity.NONE) File source
                @OutputFile File destination
                @TaskAction void run() { destination.bytes = source.bytes }
            }

            (0..2).each { number ->
                task("copy$number", type: CopyBytes) {
                    source = file("source$number")
                    destination = file("$buildDir/copy$number")
                }
            }
            task everything { dependsOn 'compileJava', 'copy0', 'copy1', 'copy2' }

            """,
            to: "build.gradle",
        )
        try write("class Twice { static int twice(int value) { return 2 * value; } }\n", to: "src/main/java/Twice.java")
        // The first is 2 MiB that gzip makes little smaller, so that one body is longer than any buffer.
        let numbers = (0..<262_144).map { UInt64($0) &* 0x9E37_79B9_7F4A_7C15 }
        try numbers.withUnsafeBytes { Data($0) }.write(to: URL(filePath: "\(project)/source0"))
        try write("one", to: "source1")
        try write("", to: "source2")
    }

    /// Builds everything; the tasks by name, each with the word that Gradle wrote behind it.
    func build() async throws -> [String: String] {
        let result = try await runProgram(
            "gradle",
            [
                "--no-daemon",
                "--build-cache",
                "--console=plain",
                "--gradle-user-home", "\(folder)/home",
                "--project-cache-dir", "\(project)/build/cache",
                "everything",
            ],
            environment: [
                "JAVA_HOME": "/usr/lib/jvm/default-java",
                // A short life: the second compiler of the virtual machine would not pay off.
                "GRADLE_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            ],
            in: project,
            timeoutSeconds: 600,
        )
        let output = result.output + result.errors
        try #require(result.status == 0, "gradle: \(output)")
        #expect(!output.contains("remote build cache"), "Gradle complains about the cache: \(output)")
        var tasks: [String: String] = [:]
        for line in result.output.split(separator: "\n") where line.hasPrefix(":") {
            let words = line.dropFirst().split(separator: " ", maxSplits: 1)
            let name = try #require(words.first)
            tasks[String(name)] = words.count == 2 ? String(words[1]) : ""
        }
        return tasks
    }

    /// Gradle's notes about the project go with its outputs, so that nothing is up to date.
    func removeOutputs() throws {
        try FileManager.default.removeItem(atPath: "\(project)/build")
    }

    func largestOutput() throws -> Data {
        try Data(contentsOf: URL(filePath: "\(project)/build/copy0"))
    }

    private func write(_ text: String, to name: String) throws {
        try text.write(toFile: "\(project)/\(name)", atomically: false, encoding: .utf8)
    }
}
