import APIMessages
import ArgumentParser
import LarderClient
import LarderCore
import Synchronization

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Verify every digest, file and counter, also while the server runs.",
        discussion: """
            With --repair damaged blobs are quarantined (they miss until they are uploaded again), files that belong \
            to no blob are removed and wrong counters are computed anew. The exit code is 0 when nothing is wrong or \
            everything was repaired, else 1.

            Examples:
              larder check
              larder check --repair --data-dir /srv/larder
            """,
    )

    @OptionGroup var location: ServerLocation

    @Flag(help: "Repair what is wrong.")
    var repair = false

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        let (repair, json) = (repair, json)
        let isClean = Mutex(false)
        try await location.withServer { client in
            var bar = ProgressBar()
            let report = try await client.check(isRepairing: repair) { line in
                bar.update(phase: line.phase ?? "", done: line.done ?? 0, total: line.total ?? 0)
            }
            bar.finish()
            isClean.withLock { $0 = report.problemCount == report.repairedCount }
            if json { return try printJSON(report) }
            for problem in report.problems {
                print(problem)
            }
            print(
                "checked \(report.blobCount) blobs, \(ByteCount(report.byteCount)): \(Self.verdict(report.problemCount, report.repairedCount))"
            )
        }
        if !isClean.withLock({ $0 }) { throw ExitCode.failure }
    }

    private static func verdict(_ problems: Int, _ repaired: Int) -> String {
        switch (problems, repaired) {
        case (0, _): "no problems"
        case (_, 0): "\(problems) problems; `larder check --repair` settles what can be settled"
        default: "\(problems) problems, \(repaired) repaired"
        }
    }
}

struct Compact: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Rewrite the database without its free pages.",
        discussion: """
            Free pages are used again by themselves, so this is only worth while after much was removed for good. \
            Writes wait meanwhile, and the disk needs room for a second copy of the database.

            Example:
              larder compact --data-dir /srv/larder
            """,
    )

    @OptionGroup var location: ServerLocation

    func run() async throws {
        try await location.withServer { client in
            let result = try await client.compact()
            print("database: \(ByteCount(result.bytesBefore)) before, \(ByteCount(result.bytesAfter)) now")
        }
    }
}
