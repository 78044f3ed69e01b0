/// How many notifications of one server may be on their way to clients: between the server's output and the end of the event log's work lie
/// queues without bounds of their own (event loops), and this bounds what one server can put into them. A value without I/O.
///
/// What is on its way is not followed one by one. When the window is half full a *fence* is sent after it, the same way; when that has passed,
/// all that was before it has. When the window is full, the server is not read until a fence has passed.
struct NotificationWindow: Sendable {
    /// What is to be done now.
    struct Action: Sendable, Equatable {
        /// Send a fence; `fencePassed` is called when it has passed.
        var startsFence = false
        /// Begin or stop to read the server's output.
        var reading: Bool?

        static let nothing = Action()
    }

    /// Bounds of one window; a notification that goes to many clients counts once for each.
    static let maximumMessages = 1024
    static let maximumBytes = 4 << 20

    private var messages = 0
    private var bytes = 0
    /// What the fence that is on its way will account for.
    private var fenced: (messages: Int, bytes: Int)?
    private(set) var isPaused = false

    mutating func received(messages: Int, bytes: Int) -> Action {
        self.messages += messages
        self.bytes += bytes
        return Action(startsFence: startFence(), reading: pause())
    }

    mutating func fencePassed() -> Action {
        guard let fenced else { return .nothing }
        messages -= fenced.messages
        bytes -= fenced.bytes
        self.fenced = nil
        var action = Action(startsFence: startFence())
        if isPaused, !isFilled(1) {
            isPaused = false
            action.reading = true
        }
        return action
    }

    /// The server was started anew: its output is read.
    mutating func restarted() { isPaused = false }

    private func isFilled(_ part: Int) -> Bool { messages >= Self.maximumMessages / part || bytes >= Self.maximumBytes / part }

    private mutating func startFence() -> Bool {
        guard fenced == nil, isFilled(2) else { return false }
        fenced = (messages, bytes)
        return true
    }

    private mutating func pause() -> Bool? {
        guard !isPaused, isFilled(1) else { return nil }
        isPaused = true
        return false
    }
}
