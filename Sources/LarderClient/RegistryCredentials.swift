import Foundation
import LarderCore

/// A user name and a password for a registry, from a login with podman, docker, skopeo or the like.
struct RegistryCredentials: Hashable, Sendable {
    let user: String
    let password: String

    /// The files in which logins are kept, in the order in which they are asked.
    static func files(environment: [String: String], home: String, userID: UInt32) -> [String] {
        let runtimeFolder = environment["XDG_RUNTIME_DIR"] ?? "/run/containers/\(userID)"
        let isGeneral = environment["XDG_RUNTIME_DIR"] != nil
        return [
            environment["REGISTRY_AUTH_FILE"],
            isGeneral ? "\(runtimeFolder)/containers/auth.json" : "\(runtimeFolder)/auth.json",
            environment["DOCKER_CONFIG"].map { "\($0)/config.json" },
            "\(home)/.docker/config.json",
        ].compactMap { $0 }
    }

    /// Looks for the login to a repository of a registry; nil when there is none.
    ///
    /// - Throws: `ClientError` when one of the files is there and can't be understood.
    static func find(
        host: String,
        repository: RepositoryName,
        files: [String]
    ) throws(ClientError) -> RegistryCredentials? {
        for file in files {
            guard let data = FileManager.default.contents(atPath: file), !data.isEmpty else { continue }
            let logins: LoginFile
            do {
                logins = try JSONDecoder().decode(LoginFile.self, from: data)
            } catch {
                throw ClientError("the file of logins \(file) is not understood; mend it, or log in anew")
            }
            if let found = logins.credentials(host: host, repository: repository) { return found }
        }
        return nil
    }
}

/// containers-auth.json(5), and the same part of docker's `config.json`.
private struct LoginFile: Decodable {
    struct Login: Decodable {
        /// Base64 of `user:password`.
        let auth: String?

        var credentials: RegistryCredentials? {
            guard let auth, let data = Data(base64Encoded: auth), let text = String(data: data, encoding: .utf8),
                let colon = text.firstIndex(of: ":")
            else { return nil }
            // Docker pads passwords with zeros.
            let password = text[text.index(after: colon)...].trimmingCharacters(in: CharacterSet(charactersIn: "\0"))
            guard !password.isEmpty else { return nil }
            return RegistryCredentials(user: String(text[..<colon]), password: password)
        }
    }

    let auths: [String: Login]?

    /// The most specific login: for the repository, for the folders it is in, or for the whole registry.
    func credentials(host: String, repository: RepositoryName) -> RegistryCredentials? {
        let logins = Dictionary(
            (auths ?? [:]).sorted { $0.key < $1.key }.map { (Self.place(of: $0.key), $0.value) },
            uniquingKeysWith: { first, _ in first }
        )
        var place = "\(host)/\(repository)"
        while true {
            if let found = logins[place]?.credentials { return found }
            guard let slash = place.lastIndex(of: "/") else { return nil }
            place = String(place[..<slash])
        }
    }

    /// A key without what docker writes around the host: `https://index.docker.io/v1/`.
    private static func place(of key: String) -> String {
        var text = Substring(key)
        for scheme in ["https://", "http://"] where text.hasPrefix(scheme) {
            text = text.dropFirst(scheme.count)
            text = text.prefix { $0 != "/" }
        }
        while text.hasSuffix("/") { text = text.dropLast() }
        let host = text.prefix { $0 != "/" }
        guard let address = RegistryAddress(host, isPlain: false), address.isDockerHub else { return String(text) }
        return "docker.io\(text[host.endIndex...])"
    }
}
