import NIOCore
import Testing

@testable import RESP

@Suite("The handshake")
struct HandshakeTests {
    private static let helloAnswer = RESPValue.map([.init(key: .simpleString("proto"), value: .integer(3))])
    private static let ok = RESPValue.simpleString("OK")

    private func words(_ commands: [RedisCommand]) -> [String] {
        commands.map { command in
            var parser = RESPParser()
            parser.append(command.bytes)
            return ((try? parser.next())?.elements ?? []).map { $0.text ?? "" }.joined(separator: " ")
        }
    }

    private func text(_ action: Handshake.Action) -> String {
        switch action {
        case .wait: "wait"
        case .ready: "ready"
        case .send(let commands): words(commands).joined(separator: ", ")
        case .fail(let failure): "\(failure.kind)"
        }
    }

    private func error(_ text: String) -> RESPValue { .error(RESPServerError(text)) }

    private func settings(_ credentials: RedisCredentials? = nil, master: Bool = false, ping: Bool = true) -> Handshake.Settings {
        Handshake.Settings(credentials: credentials, clientName: "me", database: 2, requiresMaster: master, requiresPing: ping)
    }

    @Test("takes two turns with RESP3")
    func resp3() {
        var handshake = Handshake(settings(RedisCredentials(password: "pw"), master: true))
        #expect(words(handshake.start()) == ["HELLO 3 AUTH default pw"])
        #expect(text(handshake.received(Self.helloAnswer)) == "CLIENT SETNAME me, SELECT 2, ROLE, PING")
        #expect(text(handshake.received(Self.ok)) == "wait")
        #expect(text(handshake.received(Self.ok)) == "wait")
        #expect(text(handshake.received(.array([.simpleString("master")]))) == "wait")
        #expect(text(handshake.received(.simpleString("PONG"))) == "ready")
        #expect(handshake.isRESP3)
    }

    @Test("is HELLO alone if nothing else is wanted")
    func shortest() {
        var handshake = Handshake(Handshake.Settings(requiresPing: false))
        #expect(words(handshake.start()) == ["HELLO 3"])
        #expect(text(handshake.received(Self.helloAnswer)) == "ready")
    }

    @Test(
        "falls back to RESP2 if the server does not know HELLO or may not be asked",
        arguments: [
            "ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH'", "ERR unknown command `HELLO`",
            "NOPROTO unsupported protocol version",
            "NOPERM this user has no permissions to run the 'hello' command",
        ])
    func resp2(refusal: String) {
        var handshake = Handshake(settings(RedisCredentials(user: "u", password: "pw")))
        _ = handshake.start()
        #expect(text(handshake.received(error(refusal))) == "AUTH u pw, CLIENT SETNAME me, SELECT 2, PING")
        for _ in 0..<3 { #expect(text(handshake.received(Self.ok)) == "wait") }
        #expect(text(handshake.received(.simpleString("PONG"))) == "ready")
        #expect(!handshake.isRESP3)
    }

    @Test("leaves the user out of RESP2's AUTH if none is named, for servers that know no users")
    func oldAuth() {
        var handshake = Handshake(Handshake.Settings(credentials: RedisCredentials(password: "pw"), requiresPing: false))
        _ = handshake.start()
        #expect(text(handshake.received(error("ERR unknown command 'HELLO'"))) == "AUTH pw")
        #expect(text(handshake.received(Self.ok)) == "ready")
    }

    @Test(
        "fails for credentials without repeating them",
        arguments: [
            "WRONGPASS invalid username-password pair", "NOAUTH HELLO must be called with the client already authenticated",
            "ERR AUTH <password> called without any password configured for the default user",
        ])
    func credentials(refusal: String) {
        var handshake = Handshake(settings(RedisCredentials(password: "s3cret")))
        _ = handshake.start()
        guard case .fail(let failure) = handshake.received(error(refusal)) else {
            Issue.record("it goes on")
            return
        }
        #expect(failure.kind == .refused)
        #expect(!failure.description.contains("s3cret"))
    }

    @Test("does not take other errors for the last word, and repeats them only where there are no credentials to repeat")
    func otherErrors() {
        for (credentials, shown) in [(RedisCredentials(password: "s3cret"), "ERR"), (nil, "ERR max number of s3cret clients reached")] {
            var handshake = Handshake(settings(credentials))
            _ = handshake.start()
            guard case .fail(let failure) = handshake.received(error("ERR max number of s3cret clients reached")) else {
                Issue.record("it goes on")
                return
            }
            #expect(failure.kind == .notReady)
            #expect(failure.description == "the server does not take the login (\(shown))")
        }
    }

    @Test("fails for a server that is no master", arguments: ["slave", "sentinel"])
    func role(role: String) {
        var handshake = Handshake(Handshake.Settings(requiresMaster: true, requiresPing: false))
        _ = handshake.start()
        #expect(text(handshake.received(Self.helloAnswer)) == "ROLE")
        #expect(text(handshake.received(.array([.simpleString(role)]))) == "notMaster")
    }

    @Test("fails for a server that does not serve yet")
    func loading() {
        var handshake = Handshake(Handshake.Settings())
        _ = handshake.start()
        #expect(text(handshake.received(Self.helloAnswer)) == "PING")
        #expect(text(handshake.received(error("LOADING Redis is loading the dataset in memory"))) == "notReady")
    }

    @Test("goes on where the user may not set a name, ask for the role or ping")
    func permissions() {
        var handshake = Handshake(Handshake.Settings(clientName: "me", requiresMaster: true))
        _ = handshake.start()
        #expect(text(handshake.received(Self.helloAnswer)) == "CLIENT SETNAME me, ROLE, PING")
        #expect(text(handshake.received(error("NOPERM x"))) == "wait")
        #expect(text(handshake.received(error("NOPERM x"))) == "wait")
        #expect(text(handshake.received(error("NOPERM x"))) == "ready")
    }

    @Test("fails for a database that is not there")
    func database() {
        var handshake = Handshake(Handshake.Settings(database: 99, requiresPing: false))
        _ = handshake.start()
        #expect(text(handshake.received(Self.helloAnswer)) == "SELECT 99")
        #expect(text(handshake.received(error("ERR DB index is out of range"))) == "refused")
    }
}
