import Testing

/// One sentence of a store's contract and the check of it. The check gets a new, empty store of any implementation.
struct ContractCase<Store: Sendable>: Sendable, CustomTestStringConvertible {
    let sentence: String
    let check: @Sendable (Store) async throws -> Void

    init(_ sentence: String, _ check: @escaping @Sendable (Store) async throws -> Void) {
        self.sentence = sentence
        self.check = check
    }

    var testDescription: String { sentence }
}
