import Foundation
import GRDB
import LarderCore
import LarderMetadata
import LarderMigrations
import LarderTestSupport
import Testing

/// The steps of the schema, and what happens to databases of other versions.
@Suite struct MigrationsTests {
    private static let now = Timestamp(milliseconds: 1_780_000_000_000)

    private static func open(
        _ path: String,
        migrations: [Migrations.Step] = Migrations.all
    ) throws -> Metadata {
        try Metadata(path: path, readerCountMax: 2, now: now, migrations: migrations)
    }

    /// Reads a database with a connection of its own.
    private static func read<Value>(_ path: String, _ body: (Database) throws -> Value) throws -> Value {
        let queue = try DatabaseQueue(path: path)
        let value = try queue.read(body)
        try queue.close()
        return value
    }

    private static func identifiers(_ path: String) throws -> [String] {
        try read(path) { try String.fetchAll($0, sql: "SELECT identifier FROM grdb_migrations ORDER BY identifier") }
    }

    private static func copies(in folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.contains("before") }.sorted()
    }

    @Test func listIsTheFolder() throws {
        let folder = "\(packageFolder)/Migrations"
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".sql") }.sorted()
        #expect(!files.isEmpty)
        #expect(Migrations.all.map { "\($0.identifier).sql" } == files)
        for step in Migrations.all {
            #expect(step.sql == readText("\(folder)/\(step.identifier).sql"), "\(step.identifier)")
        }
    }

    @Test func stepsAreNumberedWithoutGaps() {
        #expect(
            Migrations.all.map { String($0.identifier.prefix(5)) }
                == (1...Migrations.all.count).map { String(repeating: "0", count: 4 - "\($0)".count) + "\($0)_" }
        )
    }

    /// A difference here is a change of the schema: it needs a new step and a new dump.
    @Test func emptyDatabaseGetsTheSchemaOnRecord() async throws {
        try await withTemporaryFolder { folder in
            let path = "\(folder)/larder.sqlite"
            try Self.open(path).close()
            let statements = try Self.read(path) { db in
                try String.fetchAll(
                    db,
                    sql: """
                        SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'grdb_migrations' ORDER BY name
                        """
                )
            }
            let schema = statements.map { "\($0);\n\n" }.joined()
            #expect(schema == readText("\(packageFolder)/Tests/LarderMetadataTests/schema.txt"))
        }
    }

    @Test func newDatabaseIsNotCopied() async throws {
        try await withTemporaryFolder { folder in
            let path = "\(folder)/larder.sqlite"
            try Self.open(path).close()
            try Self.open(path).close()
            #expect(try Self.copies(in: folder).isEmpty)
            #expect(try Self.identifiers(path) == Migrations.all.map(\.identifier))
        }
    }

    @Test func databaseOfANewerProgramIsRefused() async throws {
        try await withTemporaryFolder { folder in
            let path = "\(folder)/larder.sqlite"
            try Self.open(path).close()
            let queue = try DatabaseQueue(path: path)
            try await queue.write { db in
                try db.execute(sql: "INSERT INTO grdb_migrations VALUES ('9001_future'), ('9002_farther')")
            }
            try queue.close()
            let refusal = StoreError.notAllowed(
                "\(path) was written by a newer larder (it has 9001_future, 9002_farther): use that version or a newer "
                    + "one"
            )
            #expect(throws: refusal) { try Self.open(path) }
            #expect(try Self.copies(in: folder).isEmpty)
        }
    }

    @Test(arguments: 1..<Migrations.all.count)
    func olderDatabaseIsCopiedAndUpgraded(count: Int) async throws {
        try await withTemporaryFolder { folder in
            let path = "\(folder)/larder.sqlite"
            try Self.open(path, migrations: Array(Migrations.all.prefix(count))).close()
            let queue = try DatabaseQueue(path: path)
            try await queue.write { db in
                try db.execute(sql: "INSERT INTO repository (name, kind, created_at) VALUES ('main', 'cache', 1)")
            }
            try queue.close()

            let new = try Self.open(path)
            #expect(try new.read { try $0.repositories().map(\.name.text) } == ["main"])
            try new.close()
            #expect(try Self.identifiers(path) == Migrations.all.map(\.identifier))

            let copy = "larder.sqlite.before-\(Migrations.all[count].identifier)"
            #expect(try Self.copies(in: folder) == [copy])
            #expect(try Self.identifiers("\(folder)/\(copy)") == Migrations.all.prefix(count).map(\.identifier))
            let names = try Self.read("\(folder)/\(copy)") { db in
                try String.fetchAll(db, sql: "SELECT name FROM repository")
            }
            #expect(names == ["main"])
        }
    }

    @Test func copyOfAnEarlierAttemptIsReplaced() async throws {
        try await withTemporaryFolder { folder in
            let path = "\(folder)/larder.sqlite"
            try Self.open(path, migrations: Array(Migrations.all.prefix(1))).close()
            let copy = "\(path).before-\(Migrations.all[1].identifier)"
            try "something else".write(toFile: copy, atomically: false, encoding: .utf8)
            try Self.open(path).close()
            #expect(try Self.identifiers(copy) == [Migrations.all[0].identifier])
        }
    }

    @Test func stepThatFailsLeavesTheDatabaseAsItWas() async throws {
        try await withTemporaryFolder { folder in
            let path = "\(folder)/larder.sqlite"
            try Self.open(path).close()
            let broken = Migrations.Step(
                identifier: "9001_broken",
                sql: "CREATE TABLE leftover (id INTEGER); INSERT INTO nowhere VALUES (1);"
            )
            #expect(throws: StoreError.self) { try Self.open(path, migrations: Migrations.all + [broken]) }
            #expect(try Self.identifiers(path) == Migrations.all.map(\.identifier))
            #expect(try !Self.read(path) { try $0.tableExists("leftover") })
            try Self.open(path).close()
        }
    }

    @Test func fileThatIsNoDatabaseIsDamage() async throws {
        try await withTemporaryFolder { folder in
            let path = "\(folder)/larder.sqlite"
            try String(repeating: "no database. ", count: 1000).write(toFile: path, atomically: false, encoding: .utf8)
            let error = #expect(throws: StoreError.self) { try Self.open(path) }
            guard case .corrupt = error else {
                Issue.record("expected corrupt, got \(String(describing: error))")
                return
            }
        }
    }

    @Test func folderThatIsMissingIsAnIOError() async throws {
        try await withTemporaryFolder { folder in
            let error = #expect(throws: StoreError.self) { try Self.open("\(folder)/nowhere/larder.sqlite") }
            guard case .io = error else {
                Issue.record("expected io, got \(String(describing: error))")
                return
            }
        }
    }
}
