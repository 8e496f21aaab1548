import GRDB
package import LarderCore

/// Something in the database that contradicts itself.
package struct CounterProblem: Sendable, Hashable {
    /// For people: what is wrong, and where.
    package let description: String
}

extension MetadataSnapshot {
    /// All blobs with numbers above one, in order, with their inline bytes.
    package func blobs(
        after id: Int64,
        atMost limit: Int
    ) throws -> [(row: BlobRow, inlineBytes: [UInt8]?)] {
        try db.all(
            """
            SELECT b.id, b.sha256, b.size, b.generation, b.is_quarantined, i.bytes, i.blob_id IS NULL
            FROM blob b LEFT JOIN blob_bytes i ON i.blob_id = b.id WHERE b.id > ? ORDER BY b.id LIMIT ?
            """,
            .integer(id),
            .integer(Int64(limit))
        ) { row in
            let blob = BlobRow(
                id: row.integer(0),
                digest: try row.digest(1),
                size: row.integer(2),
                generation: row.optionalInteger(3),
                isQuarantined: row.flag(4)
            )
            return (blob, row.flag(6) ? nil : row.bytes(5))
        }
    }

    /// The largest number of a blob; 0 when there is none.
    package func lastBlobID() throws -> Int64 {
        try db.first("SELECT coalesce(max(id), 0) FROM blob") { $0.integer(0) } ?? 0
    }

    /// Whether a file has a row, or a row that says it is to be removed.
    package func knowsFile(_ digest: Digest, generation: Int64) throws -> Bool {
        if try db.blobRow(digest)?.generation == generation { return true }
        return try db.first(
            "SELECT 1 FROM removal WHERE generation = ? AND sha256 = ?",
            .integer(generation),
            .digest(digest)
        ) { _ in true } ?? false
    }

    /// Blobs whose number of links is not what their rows say, among those numbered in a range.
    package func linkProblems(in range: ClosedRange<Int64>) throws -> [CounterProblem] {
        let stated = try db.all(
            "SELECT id, link_count FROM blob WHERE id BETWEEN ? AND ?",
            .integer(range.lowerBound),
            .integer(range.upperBound)
        ) { ($0.integer(0), $0.integer(1)) }
        var counted: [Int64: Int64] = [:]
        for repository in try db.all("SELECT id FROM repository", convert: { $0.integer(0) }) {
            try db.forEachRow(
                "SELECT blob_id FROM link WHERE repository_id = ? AND blob_id BETWEEN ? AND ?",
                .integer(repository),
                .integer(range.lowerBound),
                .integer(range.upperBound)
            ) { row in
                counted[row.integer(0), default: 0] += 1
                return true
            }
        }
        var problems: [CounterProblem] = []
        for (id, count) in stated {
            let actual = counted.removeValue(forKey: id) ?? 0
            if actual != count {
                problems.append(CounterProblem(description: "blob \(id) has \(actual) links, its row says \(count)"))
            }
        }
        problems += counted.keys.map { CounterProblem(description: "a link names the blob \($0), which has no row") }
        return problems
    }

    /// Counters of a repository that are not what its rows add up to.
    ///
    /// One pass over its rows: about a second a million.
    package func counterProblems(of repository: Repository) throws -> [CounterProblem] {
        let id = SQLValue.integer(repository.id)
        var problems = try db.all(Self.wrongEntryCounts, id, id, id) {
            CounterProblem(
                description: "link of blob \($0.integer(0)) in \(repository.name) counts \($0.integer(1)) entries, "
                    + "there are \($0.integer(2))"
            )
        }
        problems += try db.all(Self.unlinkedValues, id) {
            CounterProblem(description: "entry \($0.text(0)) of \(repository.name) has a value without a link")
        }
        problems += try db.all(Self.wrongHiding, id) {
            CounterProblem(description: "entry \($0.text(0)) of \(repository.name) is hidden only in part")
        }
        problems += try db.all(Self.wrongChildren, id) {
            CounterProblem(
                description: "index \($0.text(0)) of \(repository.name) keeps a manifest without a reference"
            )
        }
        problems += try db.all(Self.wrongRepositoryCounters, id) {
            CounterProblem(
                description:
                    "repository \(repository.name) counts \($0.integer(0)) bytes and \($0.integer(1)) entries, "
                    + "its rows \($0.integer(2)) and \($0.integer(3))"
            )
        }
        return problems
    }

    /// Whether the store's own counters are what its blobs add up to.
    package func storeProblems() throws -> [CounterProblem] {
        try db.all(
            """
            SELECT s.used_bytes, s.blob_count, b.bytes, b.blobs
            FROM store s, (SELECT coalesce(sum(size), 0) AS bytes, count(*) AS blobs FROM blob) b
            WHERE s.used_bytes <> b.bytes OR s.blob_count <> b.blobs
            """
        ) {
            CounterProblem(
                description: "the store counts \($0.integer(0)) bytes in \($0.integer(1)) blobs, its rows "
                    + "\($0.integer(2)) in \($0.integer(3))"
            )
        }
    }

    /// SQLite's own check of its file; empty when it is sound.
    package func integrityProblems() throws -> [CounterProblem] {
        try db.all("PRAGMA quick_check(20)") { $0.text(0) }.filter { $0 != "ok" }.map {
            CounterProblem(description: "database: \($0)")
        }
    }

    private static let wrongEntryCounts = """
        SELECT l.blob_id, l.entry_count, coalesce(c.entries, 0) FROM link l LEFT JOIN (
            SELECT blob_id, count(*) AS entries FROM (
                SELECT blob_id FROM entry WHERE repository_id = ?
                UNION ALL
                SELECT r.blob_id FROM reference r JOIN entry e ON e.id = r.entry_id WHERE e.repository_id = ?
            ) GROUP BY blob_id
        ) c ON c.blob_id = l.blob_id
        WHERE l.repository_id = ? AND l.entry_count <> coalesce(c.entries, 0) LIMIT 100
        """

    private static let unlinkedValues = """
        SELECT e.key FROM entry e WHERE e.repository_id = ? AND NOT EXISTS (
            SELECT 1 FROM link l WHERE l.repository_id = e.repository_id AND l.blob_id = e.blob_id) LIMIT 100
        """

    private static let wrongHiding = """
        SELECT e.key FROM entry e LEFT JOIN hidden h ON h.entry_id = e.id
        WHERE e.repository_id = ? AND e.is_dead = 0 AND (e.hidden_at IS NULL) <> (h.entry_id IS NULL) LIMIT 100
        """

    private static let wrongChildren = """
        SELECT e.key FROM manifest_child c JOIN entry e ON e.id = c.entry_id
        WHERE c.repository_id = ? AND e.is_dead = 0 AND NOT EXISTS (
            SELECT 1 FROM reference r WHERE r.entry_id = c.entry_id AND r.blob_id = c.blob_id) LIMIT 100
        """

    private static let wrongRepositoryCounters = """
        SELECT p.used_bytes, p.entry_count, l.bytes, e.entries FROM repository p,
            (SELECT coalesce(sum(size), 0) AS bytes FROM link WHERE repository_id = ?1) l,
            (SELECT count(*) AS entries FROM entry
                WHERE repository_id = ?1 AND is_dead = 0 AND hidden_at IS NULL) e
        WHERE p.id = ?1 AND (p.used_bytes <> l.bytes OR p.entry_count <> e.entries)
        """
}

extension MetadataTransaction {
    /// Computes every counter anew from the rows.
    ///
    /// One long transaction: for `larder check --repair` that found some wrong.
    package func repairCounters() throws {
        try db.run("DELETE FROM link WHERE blob_id NOT IN (SELECT id FROM blob)")
        try db.run(
            """
            UPDATE blob SET link_count = coalesce(c.links, 0)
            FROM (SELECT b.id AS id, l.links AS links FROM blob b
                LEFT JOIN (SELECT blob_id, count(*) AS links FROM link GROUP BY blob_id) l ON l.blob_id = b.id) c
            WHERE c.id = blob.id AND blob.link_count <> coalesce(c.links, 0)
            """
        )
        try db.run(
            """
            UPDATE link SET entry_count = coalesce((
                SELECT count(*) FROM (
                    SELECT 1 FROM entry e WHERE e.repository_id = link.repository_id AND e.blob_id = link.blob_id
                    UNION ALL
                    SELECT 1 FROM entry e JOIN reference r ON r.entry_id = e.id
                    WHERE e.repository_id = link.repository_id AND r.blob_id = link.blob_id)), 0)
            WHERE blob_id IN (\(Self.miscountedBlobs))
            """
        )
        try db.run(
            """
            UPDATE repository SET
                used_bytes = (SELECT coalesce(sum(size), 0) FROM link WHERE repository_id = repository.id),
                entry_count = (SELECT count(*) FROM entry
                    WHERE repository_id = repository.id AND is_dead = 0 AND hidden_at IS NULL)
            """
        )
        try db.run(
            """
            UPDATE store SET used_bytes = (SELECT coalesce(sum(size), 0) FROM blob),
                blob_count = (SELECT count(*) FROM blob)
            """
        )
    }

    private static let miscountedBlobs = """
        SELECT l.blob_id FROM link l LEFT JOIN (
            SELECT repository_id, blob_id, count(*) AS entries FROM (
                SELECT repository_id, blob_id FROM entry
                UNION ALL
                SELECT e.repository_id, r.blob_id FROM reference r JOIN entry e ON e.id = r.entry_id
            ) GROUP BY repository_id, blob_id
        ) c ON c.repository_id = l.repository_id AND c.blob_id = l.blob_id
        WHERE l.entry_count <> coalesce(c.entries, 0)
        """
}
