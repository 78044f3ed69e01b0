/// Places to cut, and numbers, that follow from the input, so that a finding can be repeated.
struct Cuts {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    init(seed: UnsafeRawBufferPointer) {
        for byte in seed { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }

    /// Small and large ones.
    mutating func number() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (state ^ state >> 29) >> (state & 63)
    }

    mutating func next(upTo end: Int) -> [Int] {
        var cuts: [Int] = []
        var position = 0
        while true {
            position += Int(number() % 24)
            guard position < end else { return cuts }
            cuts.append(position)
            // `number` may be zero again and again.
            position += 1
        }
    }
}
