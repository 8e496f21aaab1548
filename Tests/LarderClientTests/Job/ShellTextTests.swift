import Foundation
import LarderTestSupport
import Testing

@testable import LarderClient

/// Texts are evaluated as within double quotes, by the real shell.
@Suite struct ShellTextTests {
    private static let environment = [
        "PATH": "/usr/local/bin:/usr/bin:/bin", "NAME": "value", "SPACES": "a  b", "STAR": "*", "EMPTY": "",
    ]

    @Test(arguments: [
        ("plain", "plain"),
        ("npm-$NAME", "npm-value"),
        ("${NAME}x ${MISSING:-other} ${EMPTY:-$NAME}", "valuex other value"),
        ("$MISSING.", "."),
        ("$SPACES $STAR", "a  b *"),
        ("key-$(printf '%s' one)-$(echo two)", "key-one-two"),
        ("$(echo \"a  b\")", "a  b"),
        ("$(echo \"$(echo \"in ) ner\")\" ')' \\) # a ) comment\n)", "in ) ner ) )"),
        ("$(echo `echo ')'`)", ")"),
        ("$((1 + (2 * 3)))", "7"),
        ("${MISSING:-$(echo \"x}y\")}", "x}y"),
        ("say \"hi\" to `me`", "say \"hi\" to `me`"),
        ("$NAME \"q\" `b`", "value \"q\" `b`"),
        ("\\$NAME \\\\ \\x \\\" $NAME\\", "$NAME \\ \\x \" value\\"),
        ("a\n\nb\n\n", "a\n\nb"),
        ("$(printf 'a\\n\\n')\n", "a"),
        ("$NAME; rm -rf x | y && z > f", "value; rm -rf x | y && z > f"),
        ("'$NAME'", "'value'"),
        ("$", "$"), ("$ x", "$ x"), ("é$NAME", "évalue"),
        ("$(echo x; echo ignored >&2)", "x"),
    ])
    func aTextIsEvaluated(text: String, result: String) async throws {
        try await withTemporaryFolder { folder in
            let value = try ShellText.evaluate(text, in: folder, environment: Self.environment)
            #expect(value == result)
        }
    }

    @Test func commandsRunInTheFolder() async throws {
        try await withTemporaryFolder { folder in
            try makeFiles(["it's \"here\"/x": "content"], in: folder)
            let place = "\(folder)/it's \"here\""
            try #expect(ShellText.evaluate("$(cat x)", in: place, environment: Self.environment) == "content")
            #expect(throws: ClientError.self) {
                try ShellText.evaluate("$(cat x)", in: "\(folder)/none", environment: Self.environment)
            }
        }
    }

    @Test(arguments: [
        ("$(echo why >&2; exit 3)", ["exit code 3", "why"]),
        ("$(exit 3)-$(echo good)", ["exit code 3"]),
        ("$(no-such-program)", ["exit code 127", "no-such-program"]),
        ("$(kill -9 $$)", ["signal 9"]),
        ("$(", ["$( has no end", "at byte 1"]), ("a${B", ["${ has no end", "at byte 2"]),
        ("$(echo \"x)", ["a quote has no end"]), ("$(echo 'x)", ["a quote has no end"]),
        ("a$()\u{0}", ["NUL"]), ("${NAME!}", ["exit code"]),
        ("$(yes | head -c 100000)", ["more than 65536 bytes"]),
        (String(repeating: "${X:-", count: 40), ["nested too deep"]),
    ])
    func aFailureIsAnError(text: String, words: [String]) async throws {
        try await withTemporaryFolder { folder in
            let error = #expect(throws: ClientError.self) {
                try ShellText.evaluate(text, in: folder, environment: Self.environment)
            }
            for word in words {
                #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
            }
        }
    }

    @Test func whatTakesTooLongIsKilledWithItsChildren() async throws {
        try await withTemporaryFolder { folder in
            let start = ContinuousClock.now
            let error = #expect(throws: ClientError.self) {
                try ShellText.evaluate(
                    "$(sh -c 'echo $$ > pid; exec sleep 100'; true)",
                    in: folder,
                    environment: Self.environment,
                    timeLimit: .milliseconds(500)
                )
            }
            #expect(error?.description.contains("did not end within") == true)
            #expect(ContinuousClock.now - start < .seconds(30))
            let pid = try #require(Int32(readText("\(folder)/pid").filter { $0 != "\n" }))
            // What is left of it until somebody asks has no command line.
            try await waitUntil("the command is gone") { readText("/proc/\(pid)/cmdline").isEmpty }
        }
    }

    @Test func whatStaysInTheBackgroundIsNotWaitedFor() async throws {
        try await withTemporaryFolder { folder in
            let start = ContinuousClock.now
            let value = try ShellText.evaluate(
                "$(echo now; sleep 5 >/dev/null 2>/dev/null &)x",
                in: folder,
                environment: Self.environment
            )
            #expect(value == "nowx")
            #expect(ContinuousClock.now - start < .seconds(4))
        }
    }

    @Test func theProgramForHashesIsInPath() async throws {
        try await withTemporaryFolder { folder in
            let larder = "\(folder)/it's larder"
            // Written by another process: a program that this one had open for writing could be busy still in a child that
            // some other test is about to start.
            let text = "#!/bin/sh\nfor each; do printf '<%s>' \"$each\"; done\n"
            let write = "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\""
            #expect(try await runProgram("sh", ["-c", write, "sh", text, larder]).status == 0)
            var kept = ""
            let value = try ShellText.withHashFilesProgram(larder: larder, temporaryFolder: folder) { programs in
                kept = programs
                return try ShellText.evaluate(
                    "npm-$(codebuild-hash-files 'package lock' \"**/*.lock\")",
                    in: folder,
                    environment: Self.environment,
                    extraPath: programs
                )
            }
            #expect(value == "npm-<cache><hash><--><package lock><**/*.lock>")
            #expect(!FileManager.default.fileExists(atPath: kept))
        }
    }

    @Test(arguments: [[:], ["PATH": ""]])
    func withoutPathTheUsualFoldersAreSearched(environment: [String: String]) async throws {
        try await withTemporaryFolder { folder in
            let value = try ShellText.evaluate(
                "$(echo a | cat)",
                in: folder,
                environment: environment,
                extraPath: folder
            )
            #expect(value == "a")
        }
    }

    /// Whatever a text is, it never leaves its quotes: nothing runs that does not stand within `$(…)`.
    @Test func textsWithoutCommandsRunNone() async throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        let words = [
            "\"", "'", "`", "\\", "$NAME", "${NAME}", "${X:-", "}", ";", "touch made", "\n", " ", "&", "|", ">made",
            "#",
        ]
        try await withTemporaryFolder { folder in
            for _ in 0..<150 {
                let text =
                    "$NAME"
                    + (0..<Int.random(in: 1...8, using: &generator)).map { _ in
                        words.randomElement(using: &generator) ?? ""
                    }.joined()
                _ = try? ShellText.evaluate(text, in: folder, environment: Self.environment)
                let made = FileManager.default.fileExists(atPath: "\(folder)/made")
                #expect(!made, "\(text.debugDescription), LARDER_TEST_SEED=\(seed)")
                if made { return }
            }
        }
    }
}
