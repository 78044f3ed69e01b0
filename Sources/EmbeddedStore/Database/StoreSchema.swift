import GRDB

/// The tables of the store and how they came to be. A migration that was released is never changed; a new one is added.
enum StoreSchema {
    static let migrator: DatabaseMigrator = {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1-sessions-and-events") { database in
            try database.execute(
                sql: """
                    CREATE TABLE sessions (
                        number INTEGER PRIMARY KEY,
                        id BLOB NOT NULL UNIQUE,
                        client TEXT NOT NULL,
                        revision TEXT NOT NULL,
                        server TEXT,
                        initialize_params BLOB NOT NULL,
                        created_at INTEGER NOT NULL,
                        last_seen INTEGER NOT NULL
                    );
                    CREATE INDEX sessions_by_client ON sessions (client, created_at);
                    CREATE INDEX sessions_by_last_seen ON sessions (last_seen);

                    CREATE TABLE attributes (
                        session BLOB NOT NULL,
                        name TEXT NOT NULL,
                        value BLOB NOT NULL,
                        PRIMARY KEY (session, name)
                    ) WITHOUT ROWID;
                    CREATE INDEX attributes_by_name ON attributes (name);

                    -- AUTOINCREMENT: a number is not used again, so that events that wait to be reclaimed never join a new stream.
                    CREATE TABLE streams (
                        number INTEGER PRIMARY KEY AUTOINCREMENT,
                        session BLOB NOT NULL,
                        stream TEXT NOT NULL,
                        kind TEXT NOT NULL,
                        request_ids BLOB,
                        created_at INTEGER NOT NULL,
                        ended INTEGER NOT NULL,
                        UNIQUE (session, stream)
                    );
                    CREATE INDEX streams_by_age ON streams (created_at);

                    CREATE TABLE events (
                        stream INTEGER NOT NULL,
                        sequence INTEGER NOT NULL,
                        message BLOB NOT NULL,
                        PRIMARY KEY (stream, sequence)
                    ) WITHOUT ROWID;

                    -- Numbers of deleted streams whose events are still to be removed, piece by piece.
                    CREATE TABLE reclaim (stream INTEGER PRIMARY KEY);
                    """)
        }
        migrator.registerMigration("2-age-of-events") { database in
            // `oldest_at`: when the oldest event that may be pruned was appended, or earlier; NULL when there is none. Events of before this
            // migration have no time: their age is counted from now on.
            try database.execute(
                sql: """
                    ALTER TABLE events ADD COLUMN appended_at INTEGER NOT NULL DEFAULT 0;
                    ALTER TABLE streams ADD COLUMN oldest_at INTEGER;
                    UPDATE streams SET oldest_at = CAST(strftime('%s', 'now') AS INTEGER) * 1000
                        WHERE EXISTS (SELECT 1 FROM events WHERE events.stream = streams.number);
                    CREATE INDEX streams_by_oldest_event ON streams (oldest_at) WHERE oldest_at IS NOT NULL;
                    """)
        }
        migrator.registerMigration("3-repeatable-requests") { database in
            // Until the stream has ended.
            try database.execute(sql: "ALTER TABLE streams ADD COLUMN repeatable_requests BLOB;")
        }
        migrator.registerMigration("4-repetitions") { database in
            try database.execute(sql: "ALTER TABLE streams ADD COLUMN repetitions INTEGER NOT NULL DEFAULT 0;")
        }
        return migrator
    }()
}
