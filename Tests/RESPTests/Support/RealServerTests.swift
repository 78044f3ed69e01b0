import Testing

/// The tests that start servers, one after the other: freezing and killing several at once would measure the machine.
@Suite(.serialized) struct RealServerTests {}
