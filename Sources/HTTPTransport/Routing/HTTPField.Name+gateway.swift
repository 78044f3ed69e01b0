import HTTPTypes

/// Fields that the router's handlers read and HTTPTypes has no name for.
extension HTTPField.Name {
    /// The session of a request of the REST API.
    static let xSessionID = constant("x-session-id")
    static let xRequestID = constant("x-request-id")
    static let traceparent = constant("traceparent")
    static let tracestate = constant("tracestate")

    /// A name that is valid as it stands in the source: one that is not ends the process at its first use, in any test that uses it.
    private static func constant(_ name: StaticString) -> HTTPField.Name {
        guard let valid = HTTPField.Name(name.description) else { preconditionFailure("\(name) is no name of a field") }
        return valid
    }
}
