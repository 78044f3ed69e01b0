import Foundation

/// A configuration file on disk.
enum ConfigurationFile {
    /// A larger file is not a configuration.
    static let maxBytes = 8 << 20

    /// Why a file cannot be read.
    struct ReadError: Error, Equatable {
        var message: String
    }

    static func isFile(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && !isDirectory.boolValue
    }

    /// The text of the file, symbolic links followed.
    static func read(_ path: String) throws(ReadError) -> String {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw ReadError(message: "there is no such file")
        }
        if isDirectory.boolValue { throw ReadError(message: "this is a directory; name a file") }
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        guard size <= maxBytes else { throw ReadError(message: "the file is larger than \(ByteSizeText.format(maxBytes))") }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ReadError(message: "the file cannot be read; check its permissions")
        }
        guard data.count <= maxBytes else { throw ReadError(message: "the file is larger than \(ByteSizeText.format(maxBytes))") }
        guard let text = String(validating: data, as: UTF8.self) else { throw ReadError(message: "the file is not UTF-8 text") }
        return text
    }
}
