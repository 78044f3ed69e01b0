extension EnvironmentStatusTool {
    /// The `Tool` object of `tools/list`. `outputSchema` closes every object, so that a field which is added to the report
    /// and not here fails the tests.
    static let definitionJSON = """
        {"name":"get-development-environment-status","title":"Development environment status",\
        "description":"Reports what of the development environment is there right now: the Git repository (branch, head commit, \
        uncommitted changes), the Docker Engine (version, containers) and the PostgreSQL server (reachable, latency). \
        A part that is missing is reported as absent with the reason.",\
        "inputSchema":{"type":"object","properties":{\
        "checkDatabase":{"type":"boolean","default":true,"description":"Whether to probe the configured database."},\
        "checkDocker":{"type":"boolean","default":true,"description":"Whether to ask the Docker Engine."},\
        "checkGit":{"type":"boolean","default":true,"description":"Whether to look at the configured Git repository."}},\
        "additionalProperties":false},\
        "outputSchema":{"type":"object","properties":{\
        "timestamp":{"type":"string","format":"date-time","description":"When the gateway looked, UTC."},\
        "host":\(host),"git":\(part(git)),"docker":\(part(docker)),"database":\(part(database))},\
        "required":["timestamp","host","git","docker","database"],"additionalProperties":false},\
        "annotations":{"title":"Development environment status","readOnlyHint":true,"destructiveHint":false,"idempotentHint":true,\
        "openWorldHint":false}}
        """

    private static func part(_ details: String) -> String {
        let statuses = PartStatus.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ",")
        return """
            {"type":"object","properties":{"status":{"type":"string","enum":[\(statuses)]},\
            "reason":{"type":"string"},"details":\(details)},"required":["status"],"additionalProperties":false}
            """
    }

    private static let count = #"{"type":"integer","minimum":0}"#

    private static let host = """
        {"type":"object","properties":{"operatingSystem":{"type":"string"},"cpus":{"type":"integer","minimum":1},\
        "memoryTotalBytes":\(count),"memoryAvailableBytes":\(count)},\
        "required":["operatingSystem","cpus","memoryTotalBytes"],"additionalProperties":false}
        """

    private static let git = """
        {"type":"object","properties":{"repository":{"type":"string"},\
        "branch":{"type":"string","description":"Missing when HEAD is detached."},"detached":{"type":"boolean"},\
        "head":{"type":"object","description":"Missing before the first commit.","properties":{"hash":{"type":"string"},\
        "subject":{"type":"string"},"author":{"type":"string"},"date":{"type":"string"}},\
        "required":["hash","subject","author","date"],"additionalProperties":false},\
        "upstream":{"type":"string"},"ahead":\(count),"behind":\(count),"clean":{"type":"boolean"},\
        "changes":{"type":"object","properties":{"staged":\(count),"modified":\(count),"untracked":\(count),"conflicted":\(count)},\
        "required":["staged","modified","untracked","conflicted"],"additionalProperties":false}},\
        "required":["repository","detached","clean","changes"],"additionalProperties":false}
        """

    private static let docker = """
        {"type":"object","properties":{"version":{"type":"string"},"apiVersion":{"type":"string"},\
        "operatingSystem":{"type":"string"},"architecture":{"type":"string"},\
        "containers":{"type":"object","properties":{"total":\(count),\
        "byState":{"type":"object","additionalProperties":\(count)},\
        "listed":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},"image":{"type":"string"},\
        "state":{"type":"string"},"status":{"type":"string"},"health":{"type":"string","enum":["healthy","unhealthy","starting"]}},\
        "required":["name","image","state","status"],"additionalProperties":false}}},\
        "required":["total","byState","listed"],"additionalProperties":false}},\
        "required":["version","apiVersion","operatingSystem","architecture"],"additionalProperties":false}
        """

    private static let database = """
        {"type":"object","properties":{"host":{"type":"string"},"port":{"type":"integer","minimum":1,"maximum":65535},\
        "protocol":{"type":"string","const":"postgresql"},"tls":{"type":"boolean"},\
        "connectMilliseconds":{"type":"number","minimum":0},"latencyMilliseconds":{"type":"number","minimum":0}},\
        "required":["host","port","protocol","tls","connectMilliseconds","latencyMilliseconds"],"additionalProperties":false}
        """
}
