import APIMessages
import ArgumentParser
import LarderClient
import LarderCore

struct Pin: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keep something whatever policies say.",
        discussion: """
            Nothing automatic removes what is pinned, and people have to take the pin away first. A pin on a tag is \
            about whatever the tag names.

            Examples:
              larder pin add team/app --tag 1.4 --reason "deployed to production" --for 30d
              larder pin ls team/app
              larder pin rm team/app --tag 1.4
            """,
        subcommands: [Add.self, List.self, Remove.self],
    )

    /// What is pinned.
    struct Item: ParsableArguments {
        @Option(help: "Tag; whatever it names stays.") var tag: String?
        @Option(help: "Key of an entry; of an image, its digest.") var key: String?

        func validate() throws {
            guard (tag == nil) != (key == nil) else { throw ValidationError("name a --tag or a --key") }
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Pin an entry, or whatever a tag names.",
            discussion: """
                What is pinned already gets the new reason and time.

                Examples:
                  larder pin add team/app --tag 1.4 --reason "deployed to production" --for 30d
                  larder pin add team/app --key sha256:… --reason "customer escrow"
                """
        )
        @OptionGroup var location: ServerLocation
        @Argument(help: "Name of the repository.") var name: String
        @OptionGroup var item: Item
        @Option(help: "Why, for those who find it later.") var reason: String
        @Option(name: .customLong("for"), help: "How long, such as 30d. Default: for good.") var time: String?
        @Flag(help: "Print JSON.") var json = false

        private var seconds: Int64? {
            time.flatMap { Duration(text: $0) }.map { $0.wholeMilliseconds / 1000 }
        }

        func validate() throws {
            if time != nil && (seconds ?? 0) < 1 { throw ValidationError("--for is a duration such as 30d") }
        }

        func run() async throws {
            let (tag, key, name, json) = (item.tag, item.key, name, json)
            let request = PinRequestMessage(reason: reason, seconds: seconds)
            try await location.withServer { client in
                let pin = try await client.pin(tag: tag, key: key, in: name, request)
                if json { return try printJSON(pin) }
                print("pinned \(pin.label) in \(name) \(pin.pinnedUntil.map { "until \(moment($0))" } ?? "for good")")
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls",
            abstract: "List the pins of a repository.",
            discussion: "Example:\n  larder pin ls team/app"
        )
        @OptionGroup var location: ServerLocation
        @Argument(help: "Name of the repository.") var name: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let (name, json) = (name, json)
            try await location.withServer { client in
                let pins = try await client.pins(in: name)
                if json { return try printJSON(pins) }
                if pins.isEmpty { return print("nothing is pinned in \(name)") }
                printTable(
                    ["PINNED", "SINCE", "UNTIL", "REASON"],
                    pins.map { [$0.label, ago($0.pinnedAt), $0.pinnedUntil.map(moment) ?? "-", $0.reason] }
                )
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm",
            abstract: "Take a pin away.",
            discussion: "Example:\n  larder pin rm team/app --tag 1.4"
        )
        @OptionGroup var location: ServerLocation
        @Argument(help: "Name of the repository.") var name: String
        @OptionGroup var item: Item

        func run() async throws {
            let (tag, key, name) = (item.tag, item.key, name)
            try await location.withServer { client in
                try await client.unpin(tag: tag, key: key, in: name)
                print("took the pin of \(tag ?? key ?? "") in \(name) away")
            }
        }
    }
}

extension PinMessage {
    /// What is pinned, in words.
    fileprivate var label: String {
        tag.map { "tag \($0)" } ?? key ?? ""
    }
}
