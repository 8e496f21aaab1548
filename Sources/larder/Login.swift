import APIMessages
import ArgumentParser
import Foundation
import LarderClient

/// The file of the login of the user who runs the command.
private func loginFile() -> String {
    StoredLogin.file(environment: processVariables(), home: homeFolder())
}

struct Login: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remember where the server is, and the token for it.",
        discussion: """
            The address and the token are kept in ~/.config/larder/client.json, which only you can read, once the \
            server has answered. LARDER_URL and LARDER_TOKEN win over it. A token is never given as an argument, where \
            other users of the machine could read it.

            Examples:
              larder login http://cache.example:7878
              larder login https://larder.example --token-stdin < token.txt
              larder login https://larder.example --token-file /run/secrets/larder
            """,
    )

    @Argument(help: "Address of the server. Also: LARDER_URL. Default: \(ClientConfiguration.standardURL).")
    var url: String?

    @Flag(help: "Read the token from standard input.")
    var tokenStdin = false

    @Option(help: "Read the token from a file.")
    var tokenFile: String?

    func validate() throws {
        if tokenStdin && tokenFile != nil { throw ValidationError("give --token-stdin or --token-file, not both") }
    }

    func run() async throws {
        try await describingErrors {
            let named = url ?? processVariables()["LARDER_URL"]
            let address = try ClientConfiguration.checked(
                named ?? ClientConfiguration.standardURL,
                label: url == nil ? "LARDER_URL" : "the address"
            )
            let token = try readToken()
            let server = try await ServerClient(.url(address), token: token).status()
            let file = loginFile()
            try StoredLogin(url: address, token: token).write(to: file)
            let what = token == nil ? "the address" : "the address and the token"
            print("larder \(server.version) answers at \(address); \(what) is in \(file)")
        }
    }

    private func readToken() throws -> String? {
        let data: Data?
        if let tokenFile {
            guard let found = FileManager.default.contents(atPath: tokenFile) else {
                throw ClientError("can't read the token in \(tokenFile)")
            }
            data = found
        } else {
            data = tokenStdin ? try FileHandle.standardInput.readToEnd() ?? Data() : nil
        }
        guard let data else { return nil }
        let token = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        // What a header can hold; a file with two lines is not a token with a line break.
        guard !token.isEmpty, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw ClientError("a token is one word; what was read is none")
        }
        return token
    }
}

struct Logout: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Forget the address and the token that `larder login` stored.",
        discussion: "Example:\n  larder logout"
    )

    func run() async throws {
        try await describingErrors {
            let file = loginFile()
            print(try StoredLogin.remove(file) ? "removed \(file)" : "there is no login in \(file)")
        }
    }
}
