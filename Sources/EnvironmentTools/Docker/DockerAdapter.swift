import FoundationEssentials
import NIOCore
import NIOPosix

/// Asks the Docker Engine API on its Unix domain socket. Only `GET`, and nothing about the inside of containers.
struct DockerAdapter: Sendable {
    private let socketPath: String
    private let maximumContainers: Int
    private let client: UnixSocketHTTPClient

    init(settings: EnvironmentToolsSettings, eventLoopGroup: any EventLoopGroup) {
        socketPath = settings.dockerSocketPath
        maximumContainers = settings.maximumContainers
        client = UnixSocketHTTPClient(
            socketPath: settings.dockerSocketPath, eventLoopGroup: eventLoopGroup, maximumBodyBytes: settings.maximumDockerBodyBytes)
    }

    /// Cancelling closes the connection.
    func report() async -> PartReport<DockerDetails> {
        do {
            let ping = try await client.get("/_ping")
            guard ping.status == 200 else { return .without(.error, answer("/_ping", ping.status)) }
            let version = try await client.get("/version")
            guard version.status == 200 else { return .without(.error, answer("/version", version.status)) }
            var details = DockerDetails(try decode(DockerEngineAPI.Version.self, from: version, path: "/version"))
            do {
                details.containers = try await containers()
                return .available(details)
            } catch let failure as Failure {
                return .available(details, reason: failure.reason)
            } catch let error as UnixSocketHTTPClient.Failure {
                return .available(details, reason: "the containers could not be listed: \(error)")
            }
        } catch let failure as Failure {
            return .without(.error, failure.reason)
        } catch let error as UnixSocketHTTPClient.Failure {
            return .without(.error, "the Docker Engine at \(socketPath): \(error)")
        } catch let error as IOError {
            return unconnected(error)
        } catch is ChannelError {
            return .without(.error, "the Docker Engine at \(socketPath) closed the connection")
        } catch {
            return .without(.error, "the Docker Engine at \(socketPath) could not be asked: \(error)")
        }
    }

    private func containers() async throws -> DockerDetails.Containers {
        let path = "/containers/json?all=1"
        let response = try await client.get(path)
        guard response.status == 200 else { throw Failure(reason: answer(path, response.status)) }
        return DockerDetails.Containers(
            try decode([DockerEngineAPI.Container].self, from: response, path: path), maximumListed: maximumContainers)
    }

    private func decode<Value: Decodable>(
        _ type: Value.Type, from response: UnixSocketHTTPClient.Response, path: String
    ) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(response.body.readableBytesView))
        } catch {
            throw Failure(reason: "what listens at \(socketPath) answered \(path) with JSON that is not the Docker Engine's")
        }
    }

    private func answer(_ path: String, _ status: Int) -> String {
        "what listens at \(socketPath) answered GET \(path) with HTTP status \(status)"
    }

    private func unconnected(_ error: IOError) -> PartReport<DockerDetails> {
        switch ConnectFailure(error) {
        case .missing:
            .without(.absent, "there is no socket at \(socketPath); the Docker Engine is not installed or not running")
        case .refused:
            .without(.absent, "nothing listens at \(socketPath); start the Docker Engine")
        case .denied:
            .without(
                .absent,
                "no permission for \(socketPath); add the gateway's user to the group that owns the socket (usually docker), "
                    + "then start the gateway again")
        case .other:
            .without(.error, "the Docker Engine at \(socketPath) could not be asked: \(error)")
        }
    }

    private struct Failure: Error {
        var reason: String
    }
}
