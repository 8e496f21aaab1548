/// The SQL files of this folder in the order in which they are applied.
///
/// An identifier is never changed and a file never edited once it was released: a new file corrects an old one.
package enum Migrations {
    /// One step of the schema.
    package struct Step: Sendable {
        /// The file's name without its extension; recorded in the database.
        package let identifier: String
        package let sql: String

        package init(identifier: String, sql: String) {
            self.identifier = identifier
            self.sql = sql
        }
    }

    package static let all: [Step] = [
        step("0001_create_store", PackageResources._001_create_store_sql),
        step("0002_create_entries", PackageResources._002_create_entries_sql),
        step("0003_create_uploads", PackageResources._003_create_uploads_sql),
        step("0004_create_manifests", PackageResources._004_create_manifests_sql),
        step("0005_create_retention", PackageResources._005_create_retention_sql),
        step("0006_create_scopes", PackageResources._006_create_scopes_sql),
        step("0007_create_tokens", PackageResources._007_create_tokens_sql),
    ]

    private static func step(_ identifier: String, _ bytes: [UInt8]) -> Step {
        Step(identifier: identifier, sql: String(decoding: bytes, as: UTF8.self))
    }
}
