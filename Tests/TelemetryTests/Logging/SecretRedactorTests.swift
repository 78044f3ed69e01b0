import Logging
import Testing

@testable import Telemetry

@Suite("Secrets in logs")
struct SecretRedactorTests {
    @Test(
        "metadata whose key names a secret is redacted in both formats, nested too",
        arguments: ["authorization", "X-Api-Key", "redis_password", "accessToken", "Set-Cookie", "clientSecret", "ticket"])
    func redacted(key: String) {
        let output = LogOutput()
        for format in [LogFormat.json, .text] {
            output.logger(format).info(
                "x", metadata: ["\(key)": "hunter2", "headers": ["\(key)": "hunter2"], "list": [["\(key)": "hunter2"]]])
            #expect(!output.last.contains("hunter2"))
            #expect(output.last.contains("[redacted]"))
        }
    }

    @Test("other keys are left alone")
    func untouched() {
        for key in ["upstream", "method", "client", "key", "path", "progressToken", "", "request", "session"] {
            #expect(!SecretRedactor.isSecret(key: key))
        }
    }

    @Test("session ids are shortened, by hand and by key, once")
    func sessions() {
        let id = "0f8fad5b-d9cb-469f-a165-70867728950e"
        #expect(SecretRedactor.shortened(id) == "0f8fad5b…")
        #expect(SecretRedactor.shortened(SecretRedactor.shortened(id)) == "0f8fad5b…")
        let output = LogOutput()
        output.logger(.json).info("x", metadata: ["session": "\(id)", "Mcp-Session-Id": "\(id)"])
        #expect(!output.last.contains("469f"))
        #expect(output.last.contains(#""session":"0f8fad5b…""#))
    }
}
