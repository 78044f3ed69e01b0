enum EnvironmentToolsPlaceholder {}
