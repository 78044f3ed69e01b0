/// What the Docker Engine says about itself and its containers.
struct DockerDetails: Encodable, Sendable, Equatable {
    struct Containers: Encodable, Sendable, Equatable {
        var total: Int
        /// Numbers of containers by the Engine's own words: `running`, `exited`, `paused`, …
        var byState: [String: Int]
        /// The first of them, running ones first, at most `EnvironmentToolsSettings.maximumContainers`.
        var listed: [Container]
    }

    struct Container: Encodable, Sendable, Equatable {
        var name: String
        var image: String
        var state: String
        /// The Engine's text, for example "Up 2 hours (healthy)".
        var status: String
        /// Nil for containers without a health check.
        var health: Health?
    }

    enum Health: String, Encodable, Sendable {
        case healthy, unhealthy, starting

        /// `GET /containers/json` tells the health only inside its text for people.
        init?(statusText: String) {
            if statusText.hasSuffix("(healthy)") {
                self = .healthy
            } else if statusText.hasSuffix("(unhealthy)") {
                self = .unhealthy
            } else if statusText.hasSuffix("(health: starting)") {
                self = .starting
            } else {
                return nil
            }
        }
    }

    var version: String
    var apiVersion: String
    var operatingSystem: String
    var architecture: String
    /// Nil when the Engine did not give its list; the report's reason says why.
    var containers: Containers?
}
