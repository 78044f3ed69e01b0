/// Why a series is not recorded. The program goes on with a handler that does nothing.
enum MetricRefusal: Error, Equatable, CustomStringConvertible {
    /// The name is a metric of another kind.
    case kind(MetricKind)
    /// The name was described or first used with other labels.
    case labels([String])
    /// A line of the metric would have the name of a line of another one.
    case clash(name: String, family: String)
    case labelTwice(String)
    case reservedLabel(String)
    /// The series was collected twice, or is recorded already.
    case seriesTwice
    /// There are as many series as the registry may have.
    case full

    var description: String {
        switch self {
        case .kind(let kind): "it is a \(kind.rawValue) already; use another name"
        case .labels(let names):
            names.isEmpty
                ? "it has no labels elsewhere; use the same everywhere"
                : "its labels are \(names.joined(separator: ", ")) elsewhere; use the same everywhere"
        case .clash(let name, let family): "\(name) belongs to \(family) already; use another name"
        case .labelTwice(let name): "the label \(name) is given twice; give it once"
        case .reservedLabel(let name): "the label \(name) belongs to the buckets of histograms; use another name"
        case .seriesTwice: "the same labels are reported twice; report them once"
        case .full: "there are too many series; remove labels with many values"
        }
    }
}
