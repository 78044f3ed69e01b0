import Foundation
import GRDB

/// Opens the database: settings, damage, schema version.
enum StoreDatabase {
    static func open(_ directory: StoreDirectory, options: EmbeddedStoreOptions) throws(EmbeddedStoreError) -> DatabaseQueue {
        let path = directory.databasePath
        try directory.prepareDatabaseFile()
        let check = directory.databaseBytes <= options.checkedBytes
        return try translating(path) {
            var configuration = configuration(options)
            // A write-ahead log with synchronous=NORMAL: what is committed survives any end of the process, kill -9 included, because the
            // operating system has it. A power loss or a crash of the machine may take back the newest commits (those since the last
            // checkpoint), never part of one, and never damages the file.
            configuration.journalMode = .wal
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            if check { try queue.inDatabase { try refuseDamage($0, path: path) } }
            try migrate(queue, path: path)
            return queue
        }
    }

    static func inMemory(options: EmbeddedStoreOptions) throws(EmbeddedStoreError) -> DatabaseQueue {
        try translating(":memory:") {
            let queue = try DatabaseQueue(configuration: configuration(options))
            try migrate(queue, path: ":memory:")
            return queue
        }
    }

    /// Counts the sessions: the one time that all of them are looked at.
    static func sessionCounts(_ queue: DatabaseQueue, path: String) throws(EmbeddedStoreError) -> SessionCounts {
        try translating(path) {
            try queue.inDatabase { database in
                let counts = try Row.fetchAll(database, sql: "SELECT client, count(*) FROM sessions GROUP BY client")
                return SessionCounts(counts.map { (client: $0[0], count: $0[1]) })
            }
        }
    }

    private static func configuration(_ options: EmbeddedStoreOptions) -> Configuration {
        var configuration = Configuration()
        configuration.label = "EmbeddedStore"
        configuration.busyMode = .timeout(Double(options.busyTimeout) / 1000)
        configuration.prepareDatabase { database in
            // Fewer, larger checkpoints (32 MiB) than SQLite's default: each waits for the disk.
            try database.execute(
                sql: """
                    PRAGMA wal_autocheckpoint = 8192;
                    PRAGMA journal_size_limit = 67108864;
                    PRAGMA cache_size = -16384;
                    PRAGMA temp_store = MEMORY;
                    """)
        }
        return configuration
    }

    private static func refuseDamage(_ database: Database, path: String) throws {
        let verdict = try String.fetchOne(database, sql: "PRAGMA quick_check(1)") ?? "no answer"
        guard verdict == "ok" else { throw EmbeddedStoreError.corrupt(path: path, detail: verdict) }
    }

    private static func migrate(_ queue: DatabaseQueue, path: String) throws {
        let migrator = StoreSchema.migrator
        let unknown = try queue.inDatabase { try migrator.appliedIdentifiers($0) }.subtracting(migrator.migrations)
        guard unknown.isEmpty else { throw EmbeddedStoreError.newerSchema(path: path, migrations: unknown.sorted()) }
        try migrator.migrate(queue)
    }

    private static func translating<Value>(_ path: String, _ body: () throws -> Value) throws(EmbeddedStoreError) -> Value {
        do {
            return try body()
        } catch let error as EmbeddedStoreError {
            throw error
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CORRUPT || error.resultCode == .SQLITE_NOTADB {
            throw .corrupt(path: path, detail: error.message ?? "SQLite \(error.resultCode.rawValue)")
        } catch {
            throw .database(path: path, detail: "\(error)")
        }
    }
}
