/// What `ConfigurationWatcher` reports after the file was edited.
public enum ConfigurationEvent: Sendable, Equatable {
    /// The file was read and is valid. It may be equal to the configuration before.
    case changed(GatewayConfiguration)
    /// The file is broken: the old configuration stays.
    case refused(ConfigurationError)
}
