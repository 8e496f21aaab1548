package import LarderCore
import LarderMetadata

extension Store {
    /// Entries and links that one transaction of a flush removes.
    private static let flushSlice = 250

    /// Creates a repository by a person's wish.
    ///
    /// - Throws: `notAllowed` when the name is taken.
    package func createRepository(
        _ name: RepositoryName,
        kind: RepositoryKind,
        settings: RepositorySettings
    ) async throws(StoreError) -> Repository {
        guard directory.find(name) == nil else { throw .notAllowed("repository \(name) exists already") }
        return try await create(name, kind: kind, settings: settings)
    }

    /// Replaces a repository's settings.
    package func setRepository(
        _ name: RepositoryName,
        _ settings: RepositorySettings
    ) async throws(StoreError) -> Repository {
        let repository = try repository(name)
        let changed = try await committer.commit { try $0.setRepository(repository.id, settings: settings) }
        guard let changed else { throw .notFound("repository \(name)") }
        directory.update(repository.id, settings: settings)
        evictor.wake()
        return changed
    }

    /// Removes everything that a repository holds now; what is pushed meanwhile stays.
    ///
    /// - Returns: Bytes that the repository linked less afterwards.
    package func flushRepository(_ name: RepositoryName) async throws(StoreError) -> ByteCount {
        let repository = try repository(name)
        let until = now()
        while try await committer.commit(
            rowCount: Self.flushSlice * 4,
            {
                try $0.flushRepository(repository.id, pushedUntil: until, atMost: Self.flushSlice)
            }
        ) {}
        let left = directory.find(repository.id)?.usedBytes ?? 0
        return ByteCount(repository.usedBytes - left)
    }

    /// Removes a repository: its name is free at once, its contents go in the background.
    package func removeRepository(_ name: RepositoryName) async throws(StoreError) {
        let repository = try repository(name)
        try await committer.commit { try $0.deleteRepository(repository.id) }
        directory.remove(repository.id)
        discardUploads(in: repository.id)
        // What its readers would still find in memory.
        hotSet.removeAll()
        sweeper.wake()
    }

    /// The repository of a name.
    ///
    /// - Throws: `notFound`.
    package func repository(_ name: RepositoryName) throws(StoreError) -> Repository {
        guard let repository = directory.find(name) else { throw .notFound("repository \(name)") }
        return repository
    }

    /// The repository that a client writes to, created if the configuration allows it.
    func repositoryForWriting(_ name: RepositoryName, kind: RepositoryKind) async throws(StoreError) -> Repository {
        if let repository = directory.find(name) {
            try repository.check(is: kind)
            return repository
        }
        try checkCreation(of: name)
        return try await create(name, kind: kind, settings: RepositorySettings())
    }

    /// - Throws: Why the first write may not create a repository.
    func checkCreation(of name: RepositoryName) throws(StoreError) {
        guard configuration.createsOnWrite else {
            throw .notFound("repository \(name) (create it with: larder repo create \(name))")
        }
        guard directory.count < configuration.implicitRepositoriesMax else {
            throw .notAllowed("there are \(directory.count) repositories; create more with: larder repo create")
        }
    }

    private func create(
        _ name: RepositoryName,
        kind: RepositoryKind,
        settings: RepositorySettings
    ) async throws(StoreError) -> Repository {
        let now = now()
        let repository = try await committer.commit {
            try $0.createRepository(name, kind: kind, settings: settings, now: now)
        }
        directory.insert(repository)
        return repository
    }
}

extension Repository {
    /// - Throws: `notAllowed` when it is of another kind.
    func check(is kind: RepositoryKind) throws(StoreError) {
        guard self.kind == kind else {
            throw .notAllowed("repository \(name) is a \(self.kind.rawValue), not a \(kind.rawValue)")
        }
    }
}
