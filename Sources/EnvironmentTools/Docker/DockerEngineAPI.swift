/// The parts of the Docker Engine API's answers that the report needs. Proxies and look-alikes leave fields out, so all are optional.
enum DockerEngineAPI {
    /// `GET /version`
    struct Version: Decodable, Sendable {
        var version: String?
        var apiVersion: String?
        var os: String?
        var arch: String?

        enum CodingKeys: String, CodingKey {
            case version = "Version"
            case apiVersion = "ApiVersion"
            case os = "Os"
            case arch = "Arch"
        }
    }

    /// An element of `GET /containers/json`
    struct Container: Decodable, Sendable {
        var id: String?
        var names: [String]?
        var image: String?
        var state: String?
        var status: String?

        enum CodingKeys: String, CodingKey {
            case id = "Id"
            case names = "Names"
            case image = "Image"
            case state = "State"
            case status = "Status"
        }
    }
}

extension DockerDetails {
    init(_ version: DockerEngineAPI.Version) {
        self.init(
            version: version.version ?? "unknown", apiVersion: version.apiVersion ?? "unknown",
            operatingSystem: version.os ?? "unknown", architecture: version.arch ?? "unknown")
    }
}

extension DockerDetails.Containers {
    init(_ containers: [DockerEngineAPI.Container], maximumListed: Int) {
        let all = containers.map(DockerDetails.Container.init)
        // Running ones first: they are what a bounded list must not lose.
        let ordered = all.filter { $0.state == "running" } + all.filter { $0.state != "running" }
        self.init(
            total: all.count,
            byState: Dictionary(all.map { ($0.state, 1) }, uniquingKeysWith: +),
            listed: Array(ordered.prefix(max(0, maximumListed))))
    }
}

extension DockerDetails.Container {
    init(_ container: DockerEngineAPI.Container) {
        let status = container.status ?? ""
        // The Engine writes names with a leading slash; links add more names behind the first.
        let name = container.names?.first.map { $0.hasPrefix("/") ? String($0.dropFirst()) : $0 }
        self.init(
            name: name ?? container.id.map { String($0.prefix(12)) } ?? "unnamed", image: container.image ?? "unknown",
            state: container.state ?? "unknown", status: status, health: DockerDetails.Health(statusText: status))
    }
}
