import Hummingbird
enum HTTPTransportPlaceholder {}
