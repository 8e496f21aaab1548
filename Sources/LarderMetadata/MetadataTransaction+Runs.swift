import GRDB
package import LarderCore

extension MetadataTransaction {
    /// Begins the record of a run.
    ///
    /// - Returns: Its number.
    package func beginRun(
        in repository: RepositoryID,
        named name: RepositoryName,
        reason: RunReason,
        actor: String,
        policy: String,
        now: Timestamp
    ) throws -> Int64 {
        try db.run(
            """
            INSERT INTO run (repository_id, repository_name, started_at, reason, actor, policy)
            VALUES (?, ?, ?, ?, ?, ?)
            """,
            .integer(repository),
            .text(name.text),
            .integer(now.milliseconds),
            .text(reason.rawValue),
            .text(actor),
            .text(policy)
        )
        let run = db.lastInsertedRowID
        if reason == .schedule { try setPrunedAt(now, of: repository) }
        return run
    }

    /// Notes that a run by schedule has begun, or was not needed.
    package func setPrunedAt(_ now: Timestamp, of repository: RepositoryID) throws {
        try db.run(
            "UPDATE repository SET pruned_at = ? WHERE id = ?",
            .integer(now.milliseconds),
            .integer(repository)
        )
    }

    /// Adds decisions to a run's record, behind those that it has.
    ///
    /// `freedBytes`: What became free at once.
    package func record(
        _ decisions: [RunDecision],
        of run: Int64,
        from number: Int,
        freedBytes: Int64 = 0
    ) throws {
        if freedBytes != 0 {
            try db.run(
                "UPDATE run SET freed_bytes = freed_bytes + ? WHERE id = ?",
                .integer(freedBytes),
                .integer(run)
            )
        }
        for (offset, decision) in decisions.enumerated() {
            try db.run(
                """
                INSERT INTO run_decision (run_id, number, name, tags, outcome, rule, explanation, bytes)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                .integer(run),
                .integer(Int64(number + offset)),
                .text(decision.name),
                .text(decision.tags.joined(separator: " ")),
                .text(decision.outcome.rawValue),
                .optional(decision.rule.map(Int64.init)),
                .text(decision.explanation),
                .integer(decision.bytes)
            )
        }
    }

    /// Ends a run's record.
    package func endRun(_ run: Int64, counts: RunCounts, note: String?, now: Timestamp) throws {
        try db.run(
            """
            UPDATE run SET ended_at = ?, considered_count = ?, removed_count = ?, tag_count = ?, archived_count = ?,
                skipped_count = ?, planned_bytes = ?, note = ? WHERE id = ?
            """,
            .integer(now.milliseconds),
            .integer(counts.considered),
            .integer(counts.removed),
            .integer(counts.tags),
            .integer(counts.archived),
            .integer(counts.skipped),
            .integer(counts.plannedBytes),
            note.map { .text($0) } ?? .null,
            .integer(run)
        )
    }

    /// Closes the records that an earlier process left open; what it was to do by schedule is due again.
    package func closeInterruptedRuns(now: Timestamp) throws {
        try db.run(
            """
            UPDATE repository SET pruned_at = NULL WHERE id IN
                (SELECT repository_id FROM run WHERE ended_at IS NULL AND reason = 'schedule')
            """
        )
        try db.run(
            """
            UPDATE run SET ended_at = ?, note = 'interrupted: the server ended',
                removed_count = (SELECT count(*) FROM run_decision d WHERE d.run_id = run.id AND d.outcome = 'removed'),
                tag_count = (SELECT count(*) FROM run_decision d WHERE d.run_id = run.id AND d.outcome = 'tag removed'),
                archived_count = (SELECT count(*) FROM run_decision d WHERE d.run_id = run.id AND d.outcome = 'archived'),
                skipped_count = (SELECT count(*) FROM run_decision d WHERE d.run_id = run.id AND d.outcome = 'changed'),
                planned_bytes = (SELECT coalesce(sum(bytes), 0) FROM run_decision d WHERE d.run_id = run.id
                    AND d.outcome <> 'changed')
            WHERE ended_at IS NULL
            """,
            .integer(now.milliseconds)
        )
    }

    /// Removes old records of runs, in a bounded slice: those before a moment, and all but the newest of a repository.
    ///
    /// - Returns: Whether more are left.
    package func forgetRuns(
        endedBefore time: Timestamp,
        in repository: RepositoryID,
        keeping count: Int,
        atMost limit: Int
    ) throws -> Bool {
        let old = try db.first(
            """
            SELECT id FROM run WHERE repository_id = ?1 AND ended_at IS NOT NULL AND (ended_at < ?2 OR id NOT IN
                (SELECT id FROM run WHERE repository_id = ?1 ORDER BY id DESC LIMIT ?3)) ORDER BY id LIMIT 1
            """,
            .integer(repository),
            .integer(time.milliseconds),
            .integer(Int64(count))
        ) { $0.integer(0) }
        guard let old else { return false }
        try db.run(
            """
            DELETE FROM run_decision WHERE run_id = ?1 AND number IN
                (SELECT number FROM run_decision WHERE run_id = ?1 LIMIT ?2)
            """,
            .integer(old),
            .integer(Int64(limit))
        )
        if db.changesCount < limit {
            try db.run("DELETE FROM run WHERE id = ?", .integer(old))
        }
        return true
    }
}

extension MetadataSnapshot {
    private static let runColumns = """
        id, repository_name, started_at, ended_at, reason, actor, policy, considered_count, removed_count, tag_count,
            archived_count, skipped_count, planned_bytes, freed_bytes, note
        """

    /// Records of runs, the newest first.
    ///
    /// `repository`: nil: of all.
    ///
    /// `before`: Those with smaller numbers; nil: all.
    package func runs(in repository: RepositoryID?, before: Int64?, atMost limit: Int) throws -> [RunRecord] {
        try db.all(
            """
            SELECT \(Self.runColumns) FROM run
            WHERE id < ?1 \(repository == nil ? "AND ?2 IS NULL" : "AND repository_id = ?2") ORDER BY id DESC LIMIT ?3
            """,
            .integer(before ?? Int64.max),
            .optional(repository),
            .integer(Int64(limit)),
            convert: Self.runRecord
        )
    }

    /// The record of a run; nil when there is none.
    package func run(_ id: Int64) throws -> RunRecord? {
        try db.first("SELECT \(Self.runColumns) FROM run WHERE id = ?", .integer(id), convert: Self.runRecord)
    }

    private static func runRecord(_ row: SQLRow) throws -> RunRecord {
        var counts = RunCounts()
        counts.considered = row.integer(7)
        counts.removed = row.integer(8)
        counts.tags = row.integer(9)
        counts.archived = row.integer(10)
        counts.skipped = row.integer(11)
        counts.plannedBytes = row.integer(12)
        return RunRecord(
            id: row.integer(0),
            repository: row.text(1),
            startedAt: Timestamp(milliseconds: row.integer(2)),
            endedAt: row.optionalInteger(3).map { Timestamp(milliseconds: $0) },
            reason: RunReason(rawValue: row.text(4)) ?? .person,
            actor: row.text(5),
            policy: row.text(6),
            counts: counts,
            freedBytes: row.integer(13),
            note: row.isNull(14) ? nil : row.text(14)
        )
    }

    /// What a run did, behind a number.
    package func decisions(
        of run: Int64,
        after number: Int,
        atMost limit: Int
    ) throws -> [(number: Int, decision: RunDecision)] {
        try db.all(
            """
            SELECT number, name, tags, outcome, rule, explanation, bytes FROM run_decision
            WHERE run_id = ? AND number > ? ORDER BY number LIMIT ?
            """,
            .integer(run),
            .integer(Int64(number)),
            .integer(Int64(limit))
        ) { row in
            let decision = RunDecision(
                name: row.text(1),
                tags: row.text(2).split(separator: " ").map(String.init),
                outcome: RunDecision.Outcome(rawValue: row.text(3)) ?? .changed,
                rule: row.optionalInteger(4).map { Int($0) },
                explanation: row.text(5),
                bytes: row.integer(6)
            )
            return (Int(row.integer(0)), decision)
        }
    }
}
