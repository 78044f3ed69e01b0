/// The outcome of an import. Nothing has been written yet.
public struct ImportResult: Sendable, Equatable {
    /// Names of servers that are new.
    public var added: [String] = []
    /// Names of servers that replace one of the same name.
    public var replaced: [String] = []
    /// Names of servers that are in the target already, exactly the same.
    public var unchanged: [String] = []
    /// What the user should know, in the order of the imported file as far as possible.
    public var notes: [ImportNote] = []
    /// The whole target file as JSON.
    public var text = ""
}
