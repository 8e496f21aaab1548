import GRDB
import GRDBSQLite
import LarderCore

/// A value bound to a statement.
enum SQLValue {
    case integer(Int64)
    case text(String)
    case bytes([UInt8])
    case null

    static func optional(_ value: Int64?) -> SQLValue { value.map { .integer($0) } ?? .null }
    static func flag(_ value: Bool) -> SQLValue { .integer(value ? 1 : 0) }
    static func digest(_ digest: Digest) -> SQLValue { .bytes(digest.bytes) }
}

/// The current row of a running statement.
///
/// Valid only inside the closure that receives it.
struct SQLRow {
    fileprivate let statement: OpaquePointer

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }

    func optionalInteger(_ column: Int32) -> Int64? { isNull(column) ? nil : integer(column) }

    func flag(_ column: Int32) -> Bool { integer(column) != 0 }

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(statement, column) == SQLITE_NULL }

    func text(_ column: Int32) -> String {
        sqlite3_column_text(statement, column).map { String(cString: $0) } ?? ""
    }

    func bytes(_ column: Int32) -> [UInt8] {
        guard let start = sqlite3_column_blob(statement, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column))))
    }

    func digest(_ column: Int32) throws -> Digest {
        guard let digest = Digest(.sha256, bytes: bytes(column)) else {
            throw StoreError.corrupt("a row's SHA-256 has a wrong length")
        }
        return digest
    }
}

/// Statements by their text, prepared once per connection by GRDB's cache and stepped through SQLite's own functions:
/// a lookup costs 3 to 5 µs this way, three times less than through GRDB's rows, and every request pays several.
extension Database {
    /// Runs a statement that returns no rows.
    func run(_ sql: String, _ values: SQLValue...) throws {
        try step(sql, values) { _ in true }
    }

    /// Calls `body` with every row until it returns false.
    func forEachRow(_ sql: String, _ values: SQLValue..., body: (SQLRow) throws -> Bool) throws {
        try step(sql, values, body: body)
    }

    /// The first row, converted; nil when there is none.
    func first<Value>(_ sql: String, _ values: SQLValue..., convert: (SQLRow) throws -> Value) throws -> Value? {
        var result: Value?
        try step(sql, values) { row in
            result = try convert(row)
            return false
        }
        return result
    }

    /// All rows, converted.
    func all<Value>(_ sql: String, _ values: SQLValue..., convert: (SQLRow) throws -> Value) throws -> [Value] {
        var result: [Value] = []
        try step(sql, values) { row in
            result.append(try convert(row))
            return true
        }
        return result
    }

    private func step(_ sql: String, _ values: [SQLValue], body: (SQLRow) throws -> Bool) throws {
        let statement = try cachedStatement(sql: sql).sqliteStatement
        defer {
            sqlite3_reset(statement)
            sqlite3_clear_bindings(statement)
        }
        for (index, value) in values.enumerated() {
            bind(value, to: statement, at: Int32(index + 1))
        }
        while true {
            let code = sqlite3_step(statement)
            switch code {
            case SQLITE_ROW:
                guard try body(SQLRow(statement: statement)) else { return }
            case SQLITE_DONE:
                return
            default:
                throw DatabaseError(
                    resultCode: ResultCode(rawValue: sqlite3_extended_errcode(sqliteConnection)),
                    message: lastErrorMessage,
                    sql: sql
                )
            }
        }
    }

    private func bind(_ value: SQLValue, to statement: OpaquePointer, at index: Int32) {
        // SQLite copies the bytes (SQLITE_TRANSIENT), so nothing has to outlive this call.
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        switch value {
        case .integer(let number): sqlite3_bind_int64(statement, index, number)
        case .text(let text): sqlite3_bind_text(statement, index, text, Int32(text.utf8.count), transient)
        case .bytes(let bytes):
            if bytes.isEmpty {
                sqlite3_bind_zeroblob(statement, index, 0)
            } else {
                sqlite3_bind_blob(statement, index, bytes, Int32(bytes.count), transient)
            }
        case .null: sqlite3_bind_null(statement, index)
        }
    }
}

extension StoreError {
    /// What a failure below this room means to the store.
    init(metadata error: any Error, doing operation: String) {
        switch error {
        case let error as StoreError:
            self = error
        case let error as DatabaseError:
            switch error.resultCode {
            case .SQLITE_FULL: self = .noSpace("the disk is full (\(operation))")
            case .SQLITE_CONSTRAINT where error.extendedResultCode == .SQLITE_CONSTRAINT_FOREIGNKEY:
                // A repository was there a moment ago and is gone, or is to go and got a new row.
                self = .notFound("the repository is being removed")
            case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .corrupt("database: \(error.message ?? "")")
            case .SQLITE_IOERR:
                // A write that fails for lack of space can surface as an I/O error of the WAL.
                self = .io(operation: operation, path: "database", code: error.extendedResultCode.rawValue)
            default:
                self = .io(
                    operation: "\(operation): \(error.message ?? "")",
                    path: "database",
                    code: error.extendedResultCode.rawValue
                )
            }
        case is CancellationError:
            self = .shuttingDown
        default:
            self = .io(operation: "\(operation): \(error)", path: "database", code: -1)
        }
    }
}
