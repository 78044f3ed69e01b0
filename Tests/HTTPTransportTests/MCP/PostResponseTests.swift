import NIOCore
import Testing

@testable import HTTPTransport

@Suite("How a POST is answered")
struct PostResponseTests {
    enum Input: CaseIterable {
        case notification, final, wait
    }

    /// What an action says, in words that can be compared.
    private func words(_ action: PostResponse.Action) -> String {
        switch action {
        case .nothing: "nothing"
        case .json(let messages): "json \(messages.map { String(buffer: $0) }.joined(separator: "+"))"
        case .openStream(let messages, let ends): "open \(messages.map { String(buffer: $0) }.joined(separator: "+"))\(ends ? " end" : "")"
        case .append(let message, let ends): "append \(String(buffer: message))\(ends ? " end" : "")"
        }
    }

    private func run(_ response: inout PostResponse, _ inputs: [Input]) -> [String] {
        inputs.enumerated().map { index, input in
            let message = ByteBuffer(string: "\(index)")
            switch input {
            case .notification: return words(response.receive(message, isFinal: false))
            case .final: return words(response.receive(message, isFinal: true))
            case .wait: return words(response.waitIsOver())
            }
        }
    }

    static let cases: [(requests: Int, inputs: [Input], expected: [String])] = [
        (1, [.final], ["json 0"]),
        (1, [.notification, .final], ["open 0", "append 1 end"]),
        (1, [.notification, .notification, .final], ["open 0", "append 1", "append 2 end"]),
        (1, [.wait, .final], ["open ", "append 1 end"]),
        (1, [.wait, .notification, .wait, .final], ["open ", "append 1", "nothing", "append 3 end"]),
        (1, [.final, .wait], ["json 0", "nothing"]),
        (1, [.final, .notification], ["json 0", "nothing"]),
        (1, [.wait, .final, .notification], ["open ", "append 1 end", "nothing"]),
        (2, [.final, .final], ["nothing", "json 0+1"]),
        (2, [.final, .notification, .final], ["nothing", "open 0+1", "append 2 end"]),
        (2, [.notification, .final, .final], ["open 0", "append 1", "append 2 end"]),
        (2, [.final, .wait, .final], ["nothing", "open 0", "append 2 end"]),
        (3, [.final, .final, .final], ["nothing", "nothing", "json 0+1+2"]),
    ]

    @Test("what comes first decides between JSON and a stream", arguments: cases)
    func decides(requests: Int, inputs: [Input], expected: [String]) {
        var response = PostResponse(requests: requests, mayStream: true)
        #expect(run(&response, inputs) == expected)
    }

    @Test("without streams, only results are passed on", arguments: [1, 2])
    func withoutStreams(requests: Int) {
        var response = PostResponse(requests: requests, mayStream: false)
        let inputs: [Input] = [.notification, .wait] + Array(repeating: .final, count: requests) + [.notification]
        var expected = Array(repeating: "nothing", count: inputs.count)
        expected[inputs.count - 2] = requests == 1 ? "json 2" : "json 2+3"
        #expect(run(&response, inputs) == expected)
    }

    /// Every sequence of inputs up to a length.
    private func sequences(length: Int) -> [[Input]] {
        guard length > 0 else { return [[]] }
        return sequences(length: length - 1).flatMap { prefix in [prefix] + Input.allCases.map { prefix + [$0] } }
    }

    @Test("whatever the order: one answer, every final message once and in order, an end exactly at the last", arguments: [1, 2, 3])
    func invariants(requests: Int) {
        for inputs in Set(sequences(length: 6)) {
            var response = PostResponse(requests: requests, mayStream: true)
            var finals = 0
            var opened = 0
            var ended = 0
            var sent: [String] = []
            for (index, input) in inputs.enumerated() {
                // A responder is owed `requests` final events; more do not come.
                if input == .final, finals == requests { continue }
                let message = ByteBuffer(string: "\(index)")
                let action: PostResponse.Action
                switch input {
                case .notification: action = response.receive(message, isFinal: false)
                case .final:
                    finals += 1
                    action = response.receive(message, isFinal: true)
                case .wait: action = response.waitIsOver()
                }
                if ended > 0, case .nothing = action { continue }
                #expect(ended == 0, "something came after the end: \(inputs)")
                switch action {
                case .nothing: break
                case .json(let messages):
                    opened += 1
                    ended += 1
                    sent += messages.map { String(buffer: $0) }
                case .openStream(let messages, let ends):
                    opened += 1
                    ended += ends ? 1 : 0
                    sent += messages.map { String(buffer: $0) }
                case .append(let message, let ends):
                    #expect(opened == 1)
                    ended += ends ? 1 : 0
                    sent.append(String(buffer: message))
                }
                #expect((ended == 1) == (finals == requests), "\(inputs)")
            }
            #expect(opened <= 1)
            #expect(sent == sent.sorted())
            #expect(Set(sent).count == sent.count)
            #expect(response.isCollecting == (opened == 0))
        }
    }
}
