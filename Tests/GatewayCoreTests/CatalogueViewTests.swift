import MCPProtocol
import NIOCore
import Testing

@testable import GatewayCore

@Suite struct CatalogueViewTests {
    private func catalogue(_ kind: CatalogueKind, _ entries: [String]) throws -> UpstreamCatalogue {
        var catalogue = UpstreamCatalogue()
        catalogue.set(kind, to: try entries.compactMap { CatalogueEntry(try JSONText(validating: ByteBuffer(string: $0)), kind: kind) })
        return catalogue
    }

    private func tools(_ names: [String]) throws -> UpstreamCatalogue { try catalogue(.tools, names.map { "{\"name\":\"\($0)\"}" }) }

    private func part(_ owner: String, _ catalogue: UpstreamCatalogue, filter: ToolFilter = .everything, prefixed: Bool = true)
        -> CatalogueView.Part
    {
        CatalogueView.Part(owner: owner, catalogue: catalogue, filter: filter, isPrefixed: prefixed)
    }

    private func page(_ view: CatalogueView, _ kind: CatalogueKind, cursor: String? = nil) throws -> (ids: [String], next: String?) {
        let json = try JSONText(validating: try #require(view.page(kind, cursor: cursor)))
        var ids: [String] = []
        json.forEachElement(of: json.member(kind.resultKey, of: json.root)) { span in
            ids.append(json.string(json.member(kind.identifier, of: span)) ?? "?")
            return true
        }
        return (ids, json.string(json.member("nextCursor", of: json.root)))
    }

    @Test("Tools and prompts get their server's prefix; order is the configuration's, then the server's")
    func prefixes() throws {
        let view = CatalogueView(
            parts: [
                part("environment", try tools(["status"]), prefixed: false), part("b", try tools(["z", "a"])), part("a", try tools(["z"])),
            ], pageSize: 10)
        #expect(try page(view, .tools).ids == ["status", "b__z", "b__a", "a__z"])
        let prompts = CatalogueView(parts: [part("s", try catalogue(.prompts, [#"{"name":"p"}"#]))], pageSize: 10)
        #expect(try page(prompts, .prompts).ids == ["s__p"])
    }

    @Test("Everything of an entry but its name is kept byte for byte")
    func bytes() throws {
        let raw = #"{ "description":"d\/é", "name" : "to\u006fl", "inputSchema":{"max":1e400,"z":12345678901234567890,"a":{"name":"x"}} }"#
        let view = CatalogueView(parts: [part("s", try catalogue(.tools, [raw]))], pageSize: 10)
        let expected = raw.replacing(#""to\u006fl""#, with: "\"s__tool\"")
        #expect(view.page(.tools, cursor: nil).map { String(buffer: $0) } == "{\"tools\":[\(expected)]}")
        let single = CatalogueView(parts: [part("s", try catalogue(.tools, [raw]), prefixed: false)], pageSize: 10)
        #expect(single.page(.tools, cursor: nil).map { String(buffer: $0) } == "{\"tools\":[\(raw)]}")
    }

    @Test("Empty lists are valid results")
    func empty() throws {
        let view = CatalogueView(parts: [], pageSize: 10)
        for kind in CatalogueKind.allCases { #expect(try page(view, kind).ids == []) }
        #expect(view.owner(ofResource: "x") == nil)
        #expect(view.owner(ofTemplate: "x") == nil)
    }

    @Test("Filtered tools are not listed; the filter sees the server's own names")
    func filter() throws {
        let view = CatalogueView(
            parts: [part("s", try tools(["read", "write"]), filter: ToolFilter(allow: nil, deny: ["w*"]))], pageSize: 10)
        #expect(try page(view, .tools).ids == ["s__read"])
    }

    @Test("The same tool name of two servers is no collision; a second one of the same server is dropped")
    func collisions() throws {
        let view = CatalogueView(parts: [part("a", try tools(["t", "t"])), part("b", try tools(["t"]))], pageSize: 10)
        #expect(try page(view, .tools).ids == ["a__t", "b__t"])
    }

    @Test("A URI that two servers offer belongs to the first")
    func resourceCollisions() throws {
        let first = try catalogue(.resources, [#"{"uri":"x:1","name":"first"}"#])
        let second = try catalogue(.resources, [#"{"uri":"x:1","name":"second"}"#, #"{"uri":"x:2","name":"n"}"#])
        let view = CatalogueView(parts: [part("a", first), part("b", second)], pageSize: 10)
        #expect(try page(view, .resources).ids == ["x:1", "x:2"])
        #expect(view.owner(ofResource: "x:1") == "a")
        #expect(view.owner(ofResource: "x:2") == "b")
        #expect(view.owner(ofResource: "x:3") == nil)
    }

    @Test("Templates lead to their owner, a listed resource before any template")
    func templates() throws {
        var both = try catalogue(.resourceTemplates, [#"{"uriTemplate":"f:///{p}","name":"t"}"#])
        both.set(.resources, to: [])
        let listed = try catalogue(.resources, [#"{"uri":"f:///known","name":"r"}"#])
        let view = CatalogueView(parts: [part("t", both), part("r", listed)], pageSize: 10)
        #expect(view.owner(ofResource: "f:///any") == "t")
        #expect(view.owner(ofResource: "f:///known") == "r")
        #expect(view.owner(ofTemplate: "f:///{p}") == "t")
        #expect(view.owner(ofTemplate: "f:///any") == nil)
    }

    @Test("Pages have the size asked for and cover the list once, in order", arguments: [1, 2, 3, 7, 10, 11])
    func pagination(_ size: Int) throws {
        let names = (0..<10).map { "t\($0)" }
        let view = CatalogueView(parts: [part("s", try tools(names))], pageSize: size)
        var collected: [String] = []
        var cursor: String?
        var pages = 0
        repeat {
            let result = try page(view, .tools, cursor: cursor)
            #expect(result.ids.count <= size)
            collected += result.ids
            cursor = result.next
            pages += 1
        } while cursor != nil && pages < 20
        #expect(collected == names.map { "s__\($0)" })
        #expect(pages == (10 + size - 1) / size)
    }

    @Test("Cursors mean the same in another view of the same list, and nothing once it changed")
    func cursors() throws {
        let names = (0..<5).map { "t\($0)" }
        let view = CatalogueView(parts: [part("s", try tools(names))], pageSize: 2)
        let same = CatalogueView(parts: [part("s", try tools(names))], pageSize: 2)
        let changed = CatalogueView(parts: [part("s", try tools(names + ["new"]))], pageSize: 2)
        let cursor = try #require(try page(view, .tools).next)
        #expect(try page(same, .tools, cursor: cursor).ids == ["s__t2", "s__t3"])
        #expect(changed.page(.tools, cursor: cursor) == nil)
        #expect(view.page(.prompts, cursor: cursor) == nil)
    }

    @Test("Cursors that were never given out are refused")
    func wrongCursors() throws {
        let view = CatalogueView(parts: [part("s", try tools(["a", "b", "c"]))], pageSize: 2)
        let cursor = try #require(try page(view, .tools).next)
        let digest = cursor.split(separator: "-")[0]
        for wrong in [
            "", "-", "x", "2", "\(digest)", "\(digest)-", "\(digest)-0", "\(digest)-3", "\(digest)-99", "\(digest)--1", "\(digest)-x",
            "0-2", "\(cursor)-2",
        ] {
            #expect(view.page(.tools, cursor: wrong) == nil, "\(wrong)")
        }
    }

    @Test("Changes name the lists that differ, templates as resources")
    func changes() throws {
        let base = CatalogueView(parts: [part("s", try tools(["a", "b"]))], pageSize: 2)
        #expect(base.changes(from: CatalogueView(parts: [part("s", try tools(["a", "b"]))], pageSize: 5)) == [])
        #expect(CatalogueView(parts: [part("s", try tools(["b", "a"]))], pageSize: 2).changes(from: base) == [.toolsListChanged])
        #expect(CatalogueView(parts: [], pageSize: 2).changes(from: base) == [.toolsListChanged])
        let template = try catalogue(.resourceTemplates, [#"{"uriTemplate":"x","name":"n"}"#])
        #expect(
            CatalogueView(parts: [part("s", template)], pageSize: 2).changes(from: CatalogueView(parts: [], pageSize: 2)) == [
                .resourcesListChanged
            ])
    }

    @Test("Entries without their identifier are no entries")
    func badEntries() throws {
        for raw in ["{}", "1", "[]", #"{"name":1}"#, #"{"title":"x"}"#] {
            #expect(CatalogueEntry(try JSONText(validating: ByteBuffer(string: raw)), kind: .tools) == nil)
        }
    }
}
