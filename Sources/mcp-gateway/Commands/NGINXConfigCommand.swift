import ArgumentParser
import Foundation
import GatewayConfiguration

/// `mcp-gateway nginx-config`
struct NGINXConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nginx-config", abstract: "Write an NGINX configuration for several instances.",
        discussion: """
            The instances are those of gateway.nginx.instances, or of --instance; bounds and times are those of the gateway's configuration.
            Without --output it goes to standard output. With it, NGINX checks it (nginx -t) before the file is replaced in one step:
              mcp-gateway nginx-config --output nginx.conf
              nginx -c "$PWD/nginx.conf"
              nginx -c "$PWD/nginx.conf" -s reload
            It runs as any user on ports above 1023. --only-http is for the http block of a configuration that you have, such as
            /etc/nginx/conf.d/mcp-gateway.conf.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Option(help: "Address of an instance, such as http://10.0.0.5:3001. Once for each instance.")
    var instance: [String] = []

    @Option(help: "Port, or address:port, that NGINX listens on.")
    var listen = "127.0.0.1:8080"

    @Option(help: "Host name that clients use. Once for each name; default: any.")
    var serverName: [String] = []

    @Option(help: "Certificate chain (PEM); NGINX then serves HTTPS and HTTP/2.", completion: .file())
    var tlsCertificate: String?

    @Option(help: "Private key of the certificate (PEM).", completion: .file())
    var tlsKey: String?

    @Option(help: "How the next instance is chosen: least_conn or round_robin.")
    var balance = NGINXConfiguration.Balance.leastConnections

    @Flag(
        inversion: .prefixedNo,
        help: "Send the requests of a session to the instance that made it while it is there, which saves a hop; else to any.")
    var affinity = true

    @Flag(help: "Only what belongs into the http block of another configuration.")
    var onlyHTTP = false

    @Option(help: "Directory of NGINX's own files. Default: nginx in the gateway's data directory.", completion: .directory)
    var directory: String?

    @Option(help: "File for the process id. Default: nginx.pid in --directory.", completion: .file())
    var pid: String?

    @Option(help: "Directory for large bodies. Default: --directory.", completion: .directory)
    var tempDirectory: String?

    @Option(help: "File for the access log. Default: none is written.", completion: .file())
    var accessLog: String?

    @Option(help: "File for the error log, or stderr.", completion: .file())
    var errorLog = "stderr"

    @Option(help: "Number of worker processes, or auto.")
    var workers = "auto"

    @Option(help: "User of the worker processes, when NGINX is started as root.")
    var user: String?

    @Option(name: .shortAndLong, help: "Write to this file, if NGINX accepts it.", completion: .file(extensions: ["conf"]))
    var output: String?

    @Flag(help: "Write it without asking NGINX.")
    var skipCheck = false

    func validate() throws {
        if (tlsCertificate == nil) != (tlsKey == nil) { throw ValidationError("--tls-certificate and --tls-key belong together") }
        if let problem = NGINXConfiguration.problem(withListen: listen) { throw ValidationError("--listen \(problem)") }
        for name in serverName {
            if let problem = NGINXConfiguration.problem(withServerName: name) { throw ValidationError("--server-name \(problem)") }
        }
        for (flag, path) in [
            ("--tls-certificate", tlsCertificate), ("--tls-key", tlsKey), ("--directory", directory), ("--pid", pid),
            ("--temp-directory", tempDirectory), ("--access-log", accessLog), ("--error-log", errorLog),
        ] {
            guard let path, let problem = NGINXConfiguration.problem(withPath: path) else { continue }
            throw ValidationError("\(flag): \(problem)")
        }
        guard workers == "auto" || Int(workers).map({ (1...1024).contains($0) }) == true else {
            throw ValidationError("--workers is auto or a number up to 1024")
        }
        if let user, !user.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"\"';{}\\$#".utf8.contains($0) }) || user.isEmpty {
            throw ValidationError("--user is the name of a user")
        }
    }

    func run() throws {
        let settings = try options.load().configuration.gateway
        do {
            var configuration = try NGINXConfiguration(settings: settings, addresses: instance)
            configuration.balance = balance
            configuration.hasAffinity = affinity
            configuration.listen = listen
            configuration.serverNames = serverName
            if let tlsCertificate, let tlsKey {
                configuration.tls = .init(certificate: absolute(tlsCertificate), key: absolute(tlsKey))
            }
            if !onlyHTTP { configuration.process = process(settings) }
            for warning in warnings(settings) { StandardError.print("warning: \(warning)") }
            if let output {
                try write(configuration, to: output)
            } else {
                print(configuration.render(), terminator: "")
            }
        } catch {
            StandardError.print("error: \(error)")
            throw ExitCode.failure
        }
    }

    private func process(_ settings: GatewaySettings) -> NGINXConfiguration.Process {
        let directory = absolute(directory ?? settings.store.dataDirectory + "/nginx")
        var process = NGINXConfiguration.Process(
            pid: pid.map(absolute) ?? directory + "/nginx.pid", temporaryDirectory: tempDirectory.map(absolute) ?? directory)
        process.errorLog = errorLog == "stderr" ? errorLog : absolute(errorLog)
        process.accessLog = accessLog.map(absolute)
        process.workers = workers
        process.user = user
        return process
    }

    private func warnings(_ settings: GatewaySettings) -> [String] {
        var warnings: [String] = []
        if NGINXConfiguration.isRemote(listen: listen) {
            warnings.append(
                "other machines can reach \(listen), and neither NGINX nor the gateway authenticates clients: everyone who reaches it can call every tool"
            )
        }
        let loopback = ["localhost", "127.0.0.1"]
        let missing = serverName.filter { name in
            !loopback.contains(name) && !settings.allowedHosts.contains { $0 == name || $0.hasPrefix("\(name):") }
        }
        if !missing.isEmpty {
            warnings.append(
                "the gateway refuses requests for \(missing.joined(separator: ", ")) (403) until gateway.allowedHosts of the instances has the name"
            )
        }
        return warnings
    }

    private func write(_ configuration: NGINXConfiguration, to path: String) throws {
        guard let nginx = NGINXFile.findNGINX() ?? (skipCheck ? "" : nil) else {
            throw NGINXFile.Failure(
                description:
                    "nginx is not on PATH, so it cannot check the configuration; install it (Debian: nginx-light), or use --skip-check")
        }
        // NGINX makes the last component itself, and no more.
        if let temporary = configuration.process?.temporaryDirectory {
            try FileManager.default.createDirectory(
                atPath: temporary, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        try NGINXFile(path: absolute(path), nginx: skipCheck ? nil : nginx)
            .replace(with: configuration.render(), isFragment: configuration.process == nil)
        StandardError.print(skipCheck ? "\(path) written" : "\(path) written; NGINX accepts it")
    }

    private func absolute(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }
}

extension NGINXConfiguration.Balance: ExpressibleByArgument {}
