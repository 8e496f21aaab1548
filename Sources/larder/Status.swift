import APIMessages
import ArgumentParser
import Foundation
import LarderClient
import LarderCore

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what a running server holds and does.",
        discussion: """
            Examples:
              larder status
              larder status --data-dir /srv/larder
              larder status --url http://cache.example:7878 --json
            """,
    )

    @OptionGroup var location: ServerLocation

    @Option(help: "Address of the server, instead of its data folder. Also: LARDER_URL.")
    var url: String?

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        let json = json
        // A data folder that is named by an option wins over an address that is named by a variable.
        let namesFolder = location.dataDir != nil || location.config != nil
        if url != nil || !namesFolder && processVariables()["LARDER_URL"] != nil {
            return try await describingErrors {
                try Self.print(try await ClientOptions.client(url: url).status(), asJSON: json)
            }
        }
        try await location.withServer(mustRun: true) { client in
            try Self.print(try await client.status(), asJSON: json)
        }
    }

    private static func print(_ status: StatusMessage, asJSON: Bool) throws {
        if asJSON { return try printJSON(status) }
        let space = status.space
        var lines = [
            ("version", status.version),
            ("up for", Duration.seconds(status.uptimeSeconds).shortText),
            (
                "space",
                "\(ByteCount(space.usedBytes)) of \(ByteCount(space.capacityBytes)), "
                    + "\(ByteCount(space.reservedBytes)) reserved, in \(status.blobCount) blobs"
            ),
            (
                "disk",
                "\(ByteCount(space.diskFreeBytes)) free of \(ByteCount(space.diskTotalBytes)); "
                    + "\(ByteCount(space.freeDiskFloorBytes)) stay free"
            ),
            ("evicted", "\(ByteCount(status.evictedBytes)) in \(status.evictedCount) since the start"),
        ]
        if let age = status.oldestKeptAgeSeconds {
            lines.append(("oldest kept", "last used \(Duration.seconds(age).shortText) ago"))
        }
        if status.quarantinedCount > 0 {
            lines.append(("damaged", "\(status.quarantinedCount) blobs in quarantine; see: larder check"))
        }
        lines.append(("writing", "\(status.queueLength) waiting, log of \(ByteCount(status.walBytes))"))
        for (name, value) in lines {
            Swift.print("\(name.padding(toLength: 12, withPad: " ", startingAt: 0))  \(value)")
        }
        if !status.repositories.isEmpty {
            Swift.print()
            printRepositories(status.repositories)
        }
        if !status.reads.isEmpty {
            Swift.print()
            printTable(
                ["TOOL", "REPOSITORY", "HITS", "MISSES", "HIT RATE"],
                status.reads.map { reads in
                    let rate = Double(reads.hits) / Double(max(1, reads.hits + reads.misses)) * 100
                    return [
                        reads.tool, reads.repository, "\(reads.hits)", "\(reads.misses)",
                        "\(Int(rate.rounded())) %",
                    ]
                }
            )
        }
    }
}
