import Foundation

/// A directory of one test. All of them are removed when the test process ends.
struct TemporaryDirectory {
    let path: String

    private static let root: String = {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("gateway-configuration-\(UUID().uuidString)")
        atexit { try? FileManager.default.removeItem(atPath: TemporaryDirectory.root) }
        return url.resolvingSymlinksInPath().path
    }()

    init() throws {
        path = Self.root + "/" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        let file = path + "/" + name
        try Data(text.utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
        return file
    }
}
