import ArgumentParser
import LarderCore
import LarderServer

struct Config: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look at the configuration.",
        discussion: """
            Example:
              larder config check --config /etc/larder.yaml
            """,
        subcommands: [CheckConfig.self],
        defaultSubcommand: CheckConfig.self,
    )

    struct CheckConfig: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check",
            abstract: "Check the configuration and show where each value comes from.",
            discussion: """
                Example:
                  larder config check --config /etc/larder.yaml
                """
        )
        @OptionGroup var options: ServerOptions

        func run() async throws {
            try await describingErrors {
                let (settings, sources) = try options.settings()
                printTable(
                    ["SETTING", "VALUE", "FROM"],
                    SettingName.allCases.map { name in
                        guard let value = sources.values[name] else { return [name.rawValue, "-", "default"] }
                        return [name.rawValue, value.text, value.place]
                    }
                )
                print()
                print("data folder: \(settings.dataFolder)")
                print("address: \(settings.listen.text)")
                for repository in settings.repositories {
                    print("repository: \(repository.name) (\(repository.kind.rawValue))")
                }
                for name in sources.unknownVariables {
                    print("warning: the variable \(name) is no setting of larder")
                }
                print("the configuration is valid")
            }
        }
    }
}
