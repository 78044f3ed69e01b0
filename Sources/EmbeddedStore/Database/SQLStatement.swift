import GRDB
import GRDBSQLite
import GatewayCore
import NIOCore

/// SQLite refused or failed a statement.
struct SQLiteFailure: Error, CustomStringConvertible {
    let code: Int32
    let message: String
    var description: String { "\(message) (SQLite \(code))" }
}

/// A prepared statement of GRDB's cache, stepped through SQLite's own functions: message bytes go from and to a `ByteBuffer` with one
/// copy and no `Data` in between.
///
/// Only for statements that read or change rows; schema and transactions go through GRDB, which keeps account of them.
struct SQLStatement: ~Copyable {
    /// Keeps the handle alive.
    private let statement: Statement
    private let handle: OpaquePointer
    private var parameter: Int32 = 0

    init(_ database: Database, _ sql: String) throws {
        statement = try database.cachedStatement(sql: sql)
        handle = statement.sqliteStatement
    }

    deinit {
        // Ends the statement's read cursor and lets go of bound payloads.
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
    }

    // MARK: Parameters, in order

    mutating func bind(_ value: Int64) throws { try check(sqlite3_bind_int64(handle, next(), value)) }

    mutating func bind(_ value: WallTime) throws { try bind(value.milliseconds) }

    mutating func bind(_ value: String) throws {
        var value = value
        let parameter = next()
        // The length is passed: a NUL inside does not end the text.
        try check(
            value.withUTF8 { bytes in
                bytes.withMemoryRebound(to: CChar.self) {
                    sqlite3_bind_text(handle, parameter, $0.baseAddress ?? Self.empty, Int32($0.count), Self.copied)
                }
            })
    }

    mutating func bind(_ value: String?) throws {
        if let value { try bind(value) } else { try check(sqlite3_bind_null(handle, next())) }
    }

    mutating func bind(_ value: ByteBuffer?) throws {
        guard let value else { return try check(sqlite3_bind_null(handle, next())) }
        try value.withUnsafeReadableBytes { try bind($0) }
    }

    mutating func bind(_ value: SessionID) throws { try value.bytes.withUnsafeBytes { try bind($0) } }

    private mutating func bind(_ bytes: UnsafeRawBufferPointer) throws {
        let parameter = next()
        // SQLite takes a blob without an address for NULL.
        guard let address = bytes.baseAddress, bytes.count > 0 else { return try check(sqlite3_bind_zeroblob(handle, parameter, 0)) }
        try check(sqlite3_bind_blob64(handle, parameter, address, sqlite3_uint64(bytes.count), Self.copied))
    }

    private mutating func next() -> Int32 {
        parameter += 1
        return parameter
    }

    // MARK: Steps

    /// Runs the statement to its end and tells how many rows it changed.
    @discardableResult
    func run() throws -> Int {
        while try step() {}
        return Int(sqlite3_changes(sqlite3_db_handle(handle)))
    }

    /// Goes to the next row; false at the end.
    func step() throws -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw failure(code)
        }
    }

    // MARK: Columns of the row, from 0

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    func time(_ column: Int32) -> WallTime { WallTime(milliseconds: integer(column)) }

    func text(_ column: Int32) -> String {
        guard let start = sqlite3_column_text(handle, column) else { return "" }
        return String(decoding: UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))), as: UTF8.self)
    }

    func buffer(_ column: Int32) -> ByteBuffer { ByteBuffer(bytes: bytes(column)) }

    func sessionID(_ column: Int32) throws -> SessionID {
        guard let id = SessionID(bytes: bytes(column)) else {
            throw SQLiteFailure(code: SQLITE_CORRUPT, message: "a session id in the database is not 16 bytes long")
        }
        return id
    }

    private func bytes(_ column: Int32) -> UnsafeRawBufferPointer {
        let start = sqlite3_column_blob(handle, column)
        return UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_column_bytes(handle, column)))
    }

    // MARK: Errors

    private func check(_ code: Int32) throws {
        guard code == SQLITE_OK else { throw failure(code) }
    }

    private func failure(_ code: Int32) -> SQLiteFailure {
        SQLiteFailure(code: code, message: String(cString: sqlite3_errmsg(sqlite3_db_handle(handle))))
    }

    /// SQLITE_TRANSIENT, a macro that Swift does not import: SQLite copies the value before the call returns.
    private static var copied: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }
    private static var empty: UnsafePointer<CChar> {
        let literal: StaticString = ""
        return UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
