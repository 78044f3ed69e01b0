import Synchronization

/// A fixed number of counts that many threads add to.
///
/// Sendable although it holds a pointer: the pointer never changes, what it points to are atomics that exist before the value does,
/// and they are freed when the value ends, which nobody can then use.
struct AtomicCounts: ~Copyable, @unchecked Sendable {
    private let counts: UnsafeMutablePointer<Atomic<UInt64>>
    private let count: Int

    /// Makes zeroes.
    init(count: Int) {
        precondition(count > 0)
        self.count = count
        counts = .allocate(capacity: count)
        for index in 0..<count { (counts + index).initialize(to: Atomic(0)) }
    }

    deinit {
        counts.deinitialize(count: count)
        counts.deallocate()
    }

    func increment(at index: Int) {
        precondition(index >= 0 && index < count)
        counts[index].wrappingAdd(1, ordering: .relaxed)
    }

    /// All of them, one after the other.
    var values: [UInt64] { (0..<count).map { counts[$0].load(ordering: .relaxed) } }
}

/// A number with a fraction that many threads set and add to.
struct AtomicDouble: ~Copyable, Sendable {
    private let bits = Atomic<UInt64>(Double.zero.bitPattern)

    var value: Double {
        get { Double(bitPattern: bits.load(ordering: .relaxed)) }
        nonmutating set { bits.store(newValue.bitPattern, ordering: .relaxed) }
    }

    /// Processors have no such addition: it is tried again when somebody else was quicker, so one of all always gets on.
    func add(_ amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (done, current) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if done { return }
            old = current
        }
    }
}
