import Configuration

/// Merges the checked values of every source by precedence.
///
/// swift-configuration's `ConfigReader` does the merging. Its own environment and file providers are not used: each source is checked
/// whole first, so that every mistake is reported at once with its line or variable, which a reader that returns single values cannot do.
enum SettingsMerge {
    /// - Parameter sources: name and values by path, strongest first.
    static func settings(from sources: [(name: String, values: [String: ConfigurationValue])], defaults: GatewaySettings) -> GatewaySettings
    {
        let secrets = Set(ConfigurationKeys.gateway.filter(\.kind.isSecret).map(\.path))
        let reader = ConfigReader(
            providers: sources.map { source in
                InMemoryProvider(
                    name: source.name,
                    values: Dictionary(
                        source.values.compactMap { path, value in
                            value.content.map {
                                (AbsoluteConfigKey(components(of: path)), ConfigValue($0, isSecret: secrets.contains(path)))
                            }
                        }, uniquingKeysWith: { first, _ in first }))
            })
        var settings = defaults
        for key in ConfigurationKeys.gateway {
            if let value = value(of: key, in: reader) { key.binding?.write(value, &settings) }
        }
        return settings
    }

    private static func value(of key: ConfigurationKey, in reader: ConfigReader) -> ConfigurationValue? {
        let name = ConfigKey(components(of: key.path))
        return switch key.kind {
        case .text, .choice: reader.string(forKey: name).map { .text($0) }
        case .integer, .size: reader.int(forKey: name).map { .integer($0) }
        case .duration: reader.int(forKey: name).map { .duration(.nanoseconds($0)) }
        case .flag: reader.bool(forKey: name).map { .flag($0) }
        case .list: reader.stringArray(forKey: name).map { .list($0) }
        case .map: nil
        }
    }

    private static func components(of path: String) -> [String] {
        path.split(separator: ".").map(String.init)
    }
}
