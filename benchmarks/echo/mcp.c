#include "mcp.h"

static const char *const revisions[] = {"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"};

// Ids go back as the bytes that came, so that numbers and strings survive exactly.
static void open_answer(Buffer *out, Slice id, const char *member) {
    buffer_append_text(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    if (id.bytes) buffer_append(out, id.bytes, id.count);
    else buffer_append_text(out, "null");
    buffer_append_text(out, member);
}

static McpOutcome answer(Buffer *out, Slice id, const char *result) {
    open_answer(out, id, ",\"result\":");
    buffer_append_text(out, result);
    buffer_append_text(out, "}");
    return mcp_answer;
}

static McpOutcome refuse(Buffer *out, Slice id, const char *code, const char *reason) {
    open_answer(out, id, ",\"error\":{\"code\":");
    buffer_append_text(out, code);
    buffer_append_text(out, ",\"message\":\"");
    buffer_append_text(out, reason);
    buffer_append_text(out, "\"}}");
    return mcp_answer;
}

static McpOutcome initialize(Buffer *out, Slice id, Slice params) {
    Member member = {.name = "protocolVersion"};
    const char *revision = revisions[0];
    if (params.bytes && json_members(params, &member, 1)) {
        for (size_t index = 0; index < sizeof revisions / sizeof *revisions; index++) {
            if (json_is(member.value, revisions[index])) revision = revisions[index];
        }
    }
    open_answer(out, id, ",\"result\":{\"protocolVersion\":\"");
    buffer_append_text(out, revision);
    buffer_append_text(out, "\",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"mcp-echo\",\"version\":\"1.0.0\"}}}");
    return mcp_initialized;
}

static McpOutcome call(Buffer *out, Slice id, Slice params) {
    Member members[] = {{.name = "name"}, {.name = "arguments"}};
    if (!params.bytes || !json_members(params, members, 2)) return refuse(out, id, "-32602", "params must be an object");
    if (!json_is(members[0].value, "echo")) return refuse(out, id, "-32602", "unknown tool; the only one is echo");
    Member message = {.name = "message"};
    Slice arguments = members[1].value;
    if (!arguments.bytes || !json_members(arguments, &message, 1) || !json_is_string(message.value)) {
        return refuse(out, id, "-32602", "arguments.message must be a string");
    }
    open_answer(out, id, ",\"result\":{\"content\":[{\"type\":\"text\",\"text\":");
    buffer_append(out, message.value.bytes, message.value.count);
    buffer_append_text(out, "}]}}");
    return mcp_answer;
}

McpOutcome mcp_handle(Slice message, Buffer *out) {
    Slice none = {0};
    Member members[] = {{.name = "id"}, {.name = "method"}, {.name = "params"}};
    if (!json_members(message, members, 3)) return refuse(out, none, "-32700", "not one JSON object");
    Slice id = members[0].value, method = members[1].value, params = members[2].value;
    if (!method.bytes || !id.bytes) return mcp_nothing;
    if (json_is(method, "tools/call")) return call(out, id, params);
    if (json_is(method, "ping")) return answer(out, id, "{}");
    if (json_is(method, "initialize")) return initialize(out, id, params);
    if (json_is(method, "tools/list")) {
        return answer(
            out, id,
            "{\"tools\":[{\"name\":\"echo\",\"description\":\"Returns its message.\",\"inputSchema\":{\"type\":\"object\","
            "\"properties\":{\"message\":{\"type\":\"string\"}},\"required\":[\"message\"]}}]}");
    }
    return refuse(out, id, "-32601", "method not found");
}
