extension Duration {
    /// Whole and fractional milliseconds, rounded to hundredths.
    var milliseconds: Double {
        let (seconds, attoseconds) = components
        let exact = Double(seconds) * 1000 + Double(attoseconds) / 1e15
        return (exact * 100).rounded() / 100
    }

    /// "3 s" or "250 ms", for messages.
    var text: String {
        let whole = Int(milliseconds.rounded())
        return whole >= 1000 && whole % 1000 == 0 ? "\(whole / 1000) s" : "\(whole) ms"
    }
}
