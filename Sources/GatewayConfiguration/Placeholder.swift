enum GatewayConfigurationPlaceholder {}
