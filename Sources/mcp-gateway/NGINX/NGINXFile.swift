import Foundation

/// The file that an NGINX configuration is written to.
struct NGINXFile {
    /// Why it was not written.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Where; symbolic links are followed.
    var path: String
    /// Path of the program that checks it; nil: it is not checked.
    var nginx: String?

    /// The program in `PATH` and where Debian has it.
    static func findNGINX(path: String = ProcessInfo.processInfo.environment["PATH"] ?? "") -> String? {
        (path.split(separator: ":").map(String.init) + ["/usr/sbin", "/usr/local/sbin", "/sbin"]).map { "\($0)/nginx" }
            .first(where: FileManager.default.isExecutableFile)
    }

    /// Writes a new file beside the old one, lets NGINX check it, and puts it in the old one's place in one step: who reads the path sees
    /// the old or the new configuration, whole and valid.
    ///
    /// - Parameter isFragment: whether it belongs into the `http` block of another file.
    func replace(with text: String, isFragment: Bool) throws(Failure) {
        let destination = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let manager = FileManager.default
        let mode = (try? manager.attributesOfItem(atPath: destination)[.posixPermissions] as? Int) ?? 0o644
        let temporary = "\(destination).\(ProcessInfo.processInfo.processIdentifier).tmp"
        guard manager.createFile(atPath: temporary, contents: Data(text.utf8), attributes: [.posixPermissions: mode]) else {
            throw Failure(description: "\(path): the file cannot be written; check its directory's permissions")
        }
        defer { try? manager.removeItem(atPath: temporary) }
        if let nginx { try check(temporary, isFragment: isFragment, with: nginx) }
        guard rename(temporary, destination) == 0 else {
            throw Failure(description: "\(path): the file cannot be replaced: \(String(cString: strerror(errno)))")
        }
    }

    private func check(_ file: String, isFragment: Bool, with nginx: String) throws(Failure) {
        var tested = file
        let wrapper = "\(file).nginx.conf"
        defer { try? FileManager.default.removeItem(atPath: wrapper) }
        if isFragment {
            let text = "pid \("\(file).pid".quotedForNGINX);\nevents {}\nhttp { access_log off; include \(file.quotedForNGINX); }\n"
            guard FileManager.default.createFile(atPath: wrapper, contents: Data(text.utf8)) else {
                throw Failure(description: "\(wrapper): the file cannot be written; check its directory's permissions")
            }
            tested = wrapper
        }
        defer { try? FileManager.default.removeItem(atPath: "\(file).pid") }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: nginx)
        process.arguments = ["-t", "-q", "-c", tested, "-e", "stderr"]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        let output = Pipe()
        process.standardError = output
        do {
            try process.run()
        } catch {
            throw Failure(description: "\(nginx) cannot be run: \(error.localizedDescription)")
        }
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(description: "\(path) stays as it was, because NGINX refuses the new configuration:\n\(said)")
        }
    }
}
