import Glibc

/// What is known of the job that runs: where what it stores comes from, and which scopes of a cache it uses.
///
/// It is read from the variables of the system that runs the job, and where those are silent from the checkout.
package struct JobEnvironment: Hashable, Sendable {
    /// What a person says by options, which wins over what was found.
    package struct Overrides: Hashable, Sendable {
        package var scope: String?
        package var commit: String?
        package var branch: String?
        package var run: String?
        package var actor: String?
        package var source: String?

        package init(
            scope: String? = nil,
            commit: String? = nil,
            branch: String? = nil,
            run: String? = nil,
            actor: String? = nil,
            source: String? = nil
        ) {
            self.scope = scope
            self.commit = commit
            self.branch = branch
            self.run = run
            self.actor = actor
            self.source = source
        }
    }

    /// The system that runs the job: `github`, `gitea`, `forgejo`, `gitlab`, `codebuild`, …; nil outside of any.
    package let system: String?
    package let commit: String?
    /// The branch, of a pull request the one that it comes from; nil for tags.
    package let branch: String?
    package let tag: String?
    /// The address of the run, or its number where there is none.
    package let run: String?
    /// Who began it.
    package let actor: String?
    /// The repository's address, without credentials.
    package let source: String?
    /// Why it runs, in the system's words: `push`, `pull_request`, `merge_request_event`.
    package let event: String?
    /// The job's own scope first, where it saves; then the base of a pull or merge request, and the default branch.
    package let scopes: [String]
    /// False when nothing said which branch is built, so that `scopes` begins with a scope that is nobody's.
    package let isScopeKnown: Bool

    /// The own scope of a job of which no branch is known; nobody who reads the default branch's caches sees it.
    package static let unknownScope = "default"
    /// Longer scopes are refused; in bytes.
    package static let scopeLengthMax = 512
    /// Larger files are not read: an event, a list of packed references; in bytes.
    private static let fileLengthMax = 32 << 20

    package var ownScope: String { scopes[0] }
    /// What `{{ branch }}` stands for.
    package var branchOrTag: String? { branch ?? tag }

    /// Reads the variables of a job.
    ///
    /// `overrides`: What a person says. `folder`: Where the job runs, an absolute path. `read`: Gives a file's bytes, nil
    /// when it can't be read; it is asked for the event of GitHub and for files of git.
    ///
    /// - Throws: `ClientError` when a scope that a person names, by option or `LARDER_SCOPE`, is none.
    package init(
        environment: [String: String],
        overrides: Overrides = Overrides(),
        folder: String,
        read: (String) -> [UInt8]?
    ) throws(ClientError) {
        let variables = JobVariables(environment)
        var facts = JobFacts(variables, read: read)
        let git = GitFolder(containing: folder, read: read)
        if facts.system == nil { facts.actor = variables["USER", "LOGNAME"] }
        if facts.reference == nil, let reference = git?.reference { facts.setReference(reference) }
        system = facts.system
        commit = overrides.commit ?? facts.commit ?? git?.commit
        branch = overrides.branch ?? facts.branch
        tag = facts.tag
        run = overrides.run ?? facts.run
        actor = overrides.actor ?? facts.actor
        source = (overrides.source ?? facts.source ?? git?.origin).map { Self.withoutCredentials($0) }
        event = facts.event
        let named = overrides.scope ?? variables["LARDER_SCOPE"]
        if let named, !Self.isScope(named) {
            throw ClientError(
                "\(named.debugDescription) is no scope; one has 1 to \(Self.scopeLengthMax) bytes without control "
                    + "characters, such as refs/heads/main"
            )
        }
        // A request keeps its own scope: naming its branch does not give it the branch's.
        let branchScope = facts.isRequest ? nil : overrides.branch.map { JobFacts.fullReference($0) }
        let own = named ?? branchScope ?? facts.reference
        isScopeKnown = own.map { Self.isScope($0) } ?? false
        scopes = Self.scopes(own: own, facts)
    }

    /// What is known of the job of this process.
    package static func current(
        environment: [String: String],
        overrides: Overrides = Overrides(),
        folder: String
    ) throws(ClientError) -> JobEnvironment {
        try JobEnvironment(environment: environment, overrides: overrides, folder: folder) { readFile($0) }
    }

    private static func scopes(own: String?, _ facts: JobFacts) -> [String] {
        let defaults = facts.defaultBranch.map { [$0] } ?? ["main", "master"]
        let references = [facts.base].compactMap { $0 } + defaults
        var scopes = [own ?? unknownScope].map { isScope($0) ? $0 : unknownScope }
        for scope in references.map({ JobFacts.fullReference($0) }) where isScope(scope) && !scopes.contains(scope) {
            scopes.append(scope)
        }
        return scopes
    }

    private static func isScope(_ text: String) -> Bool {
        (1...scopeLengthMax).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) }
    }

    /// Takes user and password out of an address; jobs clone with tokens in theirs.
    private static func withoutCredentials(_ address: String) -> String {
        guard let colon = address.firstIndex(of: ":"), address[colon...].hasPrefix("://"),
            let start = address.index(colon, offsetBy: 3, limitedBy: address.endIndex)
        else { return address }
        let host = address[start...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard let at = host.lastIndex(of: "@") else { return address }
        return String(address[..<start] + address[address.index(after: at)...])
    }

    /// A file's bytes; nil when it can't be read, is no file, or is too long.
    private static func readFile(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG,
            information.st_size <= fileLengthMax
        else { return nil }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= fileLengthMax {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                return nil
            }
            bytes += piece[..<count]
        }
        return nil
    }
}
