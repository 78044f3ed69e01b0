import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Hands what AsyncHTTPClient reports of one HTTP request to the client, on the client's event loop.
final class ResponseHandler: HTTPClientResponseDelegate {
    typealias Response = Void

    private let client: StreamableHTTPClient
    private let exchange: UInt64
    private let attempt: UInt64

    init(client: StreamableHTTPClient, exchange: UInt64, attempt: UInt64) {
        self.client = client
        self.exchange = exchange
        self.attempt = attempt
    }

    func didReceiveHead(task: HTTPClient.Task<Void>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        client.receivedHead(head, exchange: exchange, attempt: attempt)
        return client.readPermission()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Void>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        client.receivedBody(buffer, exchange: exchange, attempt: attempt)
        return client.readPermission()
    }

    func didFinishRequest(task: HTTPClient.Task<Void>) throws {
        client.responseEnded(exchange: exchange, attempt: attempt)
    }

    func didReceiveError(task: HTTPClient.Task<Void>, _ error: any Error) {
        client.requestFailed(error, exchange: exchange, attempt: attempt)
    }
}
