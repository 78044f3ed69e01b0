/// Entries of the table of gateway keys. The default is read from a fresh `GatewaySettings`.
extension ConfigurationKey {
    typealias Path<Value> = any WritableKeyPath<GatewaySettings, Value> & Sendable

    private static let pristine = GatewaySettings()

    private init<Value>(
        _ path: String, _ kind: ValueKind, _ keyPath: Path<Value>, _ summary: String, defaultText: String?, otherVariables: [String],
        unwrap: @escaping @Sendable (ConfigurationValue) -> Value?, wrap: @escaping @Sendable (Value) -> ConfigurationValue?
    ) {
        self.init(
            path: path, kind: kind, defaultText: "", summary: summary, otherVariables: otherVariables,
            binding: Binding(
                write: { value, settings in
                    if let value = unwrap(value) { settings[keyPath: keyPath] = value }
                },
                read: { wrap($0[keyPath: keyPath]) }))
        let current = wrap(Self.pristine[keyPath: keyPath])
        if let defaultText {
            self.defaultText = defaultText
        } else if case .size = kind, case .integer(let bytes)? = current {
            self.defaultText = ByteSizeText.format(bytes)
        } else {
            self.defaultText = current?.text ?? "none"
        }
    }

    static func text(
        _ path: String, _ rule: TextRule, _ keyPath: Path<String>, _ summary: String, defaultText: String? = nil,
        otherVariables: [String] = []
    ) -> Self {
        Self(path, .text(rule), keyPath, summary, defaultText: defaultText, otherVariables: otherVariables) {
            if case .text(let text) = $0 { text } else { nil }
        } wrap: {
            .text($0)
        }
    }

    static func optionalText(
        _ path: String, _ rule: TextRule, _ keyPath: Path<String?>, _ summary: String, defaultText: String? = nil,
        otherVariables: [String] = []
    ) -> Self {
        Self(path, .text(rule), keyPath, summary, defaultText: defaultText, otherVariables: otherVariables) {
            if case .text(let text) = $0 { .some(text) } else { nil }
        } wrap: {
            $0.map { .text($0) }
        }
    }

    static func redisURL(_ path: String, _ keyPath: Path<RedisURL?>, _ summary: String, otherVariables: [String] = []) -> Self {
        Self(path, .text(.redisURL), keyPath, summary, defaultText: nil, otherVariables: otherVariables) {
            if case .text(let text) = $0 { .some(RedisURL(text)) } else { nil }
        } wrap: {
            $0.map { .text($0.text) }
        }
    }

    static func integer(
        _ path: String, _ range: ClosedRange<Int>, _ keyPath: Path<Int>, _ summary: String, defaultText: String? = nil,
        otherVariables: [String] = []
    ) -> Self {
        Self(path, .integer(range), keyPath, summary, defaultText: defaultText, otherVariables: otherVariables) {
            if case .integer(let number) = $0 { number } else { nil }
        } wrap: {
            .integer($0)
        }
    }

    static func size(_ path: String, _ range: ClosedRange<Int>, _ keyPath: Path<Int>, _ summary: String) -> Self {
        Self(path, .size(range), keyPath, summary, defaultText: nil, otherVariables: []) {
            if case .integer(let number) = $0 { number } else { nil }
        } wrap: {
            .integer($0)
        }
    }

    static func duration(_ path: String, _ range: ClosedRange<Duration>, _ keyPath: Path<Duration>, _ summary: String) -> Self {
        Self(path, .duration(range), keyPath, summary, defaultText: nil, otherVariables: []) {
            if case .duration(let duration) = $0 { duration } else { nil }
        } wrap: {
            .duration($0)
        }
    }

    static func flag(_ path: String, _ keyPath: Path<Bool>, _ summary: String, otherVariables: [String] = []) -> Self {
        Self(path, .flag, keyPath, summary, defaultText: nil, otherVariables: otherVariables) {
            if case .flag(let flag) = $0 { flag } else { nil }
        } wrap: {
            .flag($0)
        }
    }

    static func list(_ path: String, _ rule: TextRule, _ keyPath: Path<[String]>, _ summary: String, defaultText: String) -> Self {
        Self(path, .list(rule), keyPath, summary, defaultText: defaultText, otherVariables: []) {
            if case .list(let list) = $0 { list } else { nil }
        } wrap: {
            .list($0)
        }
    }

    static func choice<Value: RawRepresentable<String> & CaseIterable & Sendable>(
        _ path: String, _ keyPath: Path<Value>, _ summary: String, aliases: [String: String] = [:], refusals: [String: String] = [:],
        otherVariables: [String] = []
    ) -> Self {
        let choice = ValueKind.Choice(values: Value.allCases.map(\.rawValue), aliases: aliases, refusals: refusals)
        return Self(path, .choice(choice), keyPath, summary, defaultText: nil, otherVariables: otherVariables) {
            if case .text(let text) = $0 { Value(rawValue: text) } else { nil }
        } wrap: {
            .text($0.rawValue)
        }
    }
}
