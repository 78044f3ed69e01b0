/// A value of a JSON or YAML file with its place, in source order, duplicates included.
struct DocumentNode: Sendable, Equatable {
    indirect enum Value: Sendable, Equatable {
        case null
        /// The text is as in the file: YAML has several spellings.
        case bool(Bool, text: String)
        /// The text is as in the file: no digit is lost.
        case number(String)
        case string(String)
        case array([DocumentNode])
        case object([Member])
    }

    struct Member: Sendable, Equatable {
        var key: String
        /// Line of the key, from 1.
        var line: Int
        var value: DocumentNode
    }

    var value: Value
    /// From 1; 0 for a value that was made, not read.
    var line = 0

    /// What it is, for messages.
    var typeName: String {
        switch value {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "a list"
        case .object: "an object"
        }
    }

    /// The first member with this key, if this is an object that has it.
    subscript(key: String) -> DocumentNode? {
        guard case .object(let members) = value else { return nil }
        return members.first { $0.key == key }?.value
    }

    var members: [Member]? {
        if case .object(let members) = value { members } else { nil }
    }

    var string: String? {
        if case .string(let text) = value { text } else { nil }
    }

    var elements: [DocumentNode]? {
        if case .array(let elements) = value { elements } else { nil }
    }
}

/// The file is not the JSON or YAML that it should be.
struct DocumentError: Error, Equatable {
    var line: Int?
    var message: String
}
