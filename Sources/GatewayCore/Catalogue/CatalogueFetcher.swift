import Logging
import MCPProtocol
import NIOCore

/// Asks a peer for one of its lists, page by page.
enum CatalogueFetcher {
    /// No server has more pages than this; one that does repeats itself.
    static let maximumPages = 1000
    /// No list is larger: what comes after so many bytes is left out.
    static let maximumBytes = 64 << 20

    /// A list, and what its server says about its life: of several pages what holds for all.
    struct Fetched: Sendable {
        var entries: [CatalogueEntry] = []
        var hint = CacheHint.unbounded
    }

    static func fetch(_ kind: CatalogueKind, from peer: UpstreamPeer) -> EventLoopFuture<Fetched> {
        page(kind, from: peer, cursor: nil, collected: Fetched(), number: 1, bytes: 0)
    }

    private static func page(
        _ kind: CatalogueKind, from peer: UpstreamPeer, cursor: ByteBuffer?, collected: Fetched, number: Int,
        bytes: Int
    ) -> EventLoopFuture<Fetched> {
        var params: ByteBuffer?
        if let cursor {
            var buffer = ByteBuffer(string: "{\"cursor\":")
            buffer.writeImmutableBuffer(cursor)
            buffer.writeStaticString("}")
            params = buffer
        }
        return peer.request(method: kind.listMethod.name, params: params).flatMap { response in
            let json = response.json
            var fetched = collected
            fetched.hint = fetched.hint.joined(CacheHint(result: response.result, in: json))
            json.forEachElement(of: json.member(kind.resultKey, of: response.result)) { span in
                if let slice = json.slice(span), let text = try? JSONText(validating: slice), let entry = CatalogueEntry(text, kind: kind) {
                    fetched.entries.append(entry)
                }
                return true
            }
            let next = json.member("nextCursor", of: response.result)
            // The same cursor again would lead to the same page again.
            let bytes = bytes + response.bytes.readableBytes
            guard json.firstByte(next) == UInt8(ascii: "\""), json.slice(next) != cursor else {
                return peer.eventLoop.makeSucceededFuture(fetched)
            }
            guard number < maximumPages, bytes < maximumBytes else {
                peer.logger.warning(
                    "upstream's list does not end; the rest of it is left out",
                    metadata: ["upstream": "\(peer.name)", "list": "\(kind.listMethod.name)", "pages": "\(number)", "bytes": "\(bytes)"])
                return peer.eventLoop.makeSucceededFuture(fetched)
            }
            return page(kind, from: peer, cursor: json.slice(next), collected: fetched, number: number + 1, bytes: bytes)
        }
    }
}
