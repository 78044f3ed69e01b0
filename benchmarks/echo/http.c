#include "mcp.h"
#include "transports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { read_bytes = 16 << 10, maximum_head_bytes = 32 << 10, events_per_wait = 256, backlog = 4096 };

typedef struct {
    int descriptor;
    bool closing;            // close when `out` is written
    bool waits_for_writable;
    Buffer in, out;
} Connection;

typedef struct {
    bool post, close;
    size_t body_bytes;
} Head;

// The server keeps no sessions; the header makes the requests of a client as long as they are elsewhere.
static const char session_header[] = "Mcp-Session-Id: 00000000-0000-4000-8000-000000000000\r\n";

static bool name_is(const char *name, size_t count, const char *expected) {
    return strlen(expected) == count && strncasecmp(name, expected, count) == 0;
}

// Returns NULL, or the status line of the refusal.
static const char *parse_head(const char *at, const char *end, Head *head) {
    *head = (Head){0};
    const char *line_end = memchr(at, '\n', (size_t)(end - at));
    if (!line_end || line_end - at < 10 || line_end[-1] != '\r') return "400 Bad Request";
    head->post = memcmp(at, "POST ", 5) == 0;
    if (memcmp(line_end - 9, "HTTP/1.", 7) != 0) return "505 HTTP Version Not Supported";
    head->close = line_end[-2] == '0';
    for (at = line_end + 1; at < end; at = line_end + 1) {
        line_end = memchr(at, '\n', (size_t)(end - at));
        if (!line_end) return "400 Bad Request";
        const char *colon = memchr(at, ':', (size_t)(line_end - at));
        if (!colon) continue;   // the empty line
        const char *value = colon + 1;
        while (value < line_end && (*value == ' ' || *value == '\t')) value++;
        size_t value_count = (size_t)(line_end - value);
        while (value_count > 0 && (value[value_count - 1] == '\r' || value[value_count - 1] == ' ')) value_count--;
        size_t name_count = (size_t)(colon - at);
        if (name_is(at, name_count, "content-length")) {
            size_t bytes = 0;
            if (value_count == 0) return "400 Bad Request";
            for (size_t index = 0; index < value_count; index++) {
                if (value[index] < '0' || value[index] > '9') return "400 Bad Request";
                bytes = bytes * 10 + (size_t)(value[index] - '0');
                if (bytes > maximum_message_bytes) return "413 Content Too Large";
            }
            head->body_bytes = bytes;
        } else if (name_is(at, name_count, "transfer-encoding")) {
            return "411 Length Required";
        } else if (name_is(at, name_count, "connection")) {
            head->close = name_is(value, value_count, "close") || (head->close && !name_is(value, value_count, "keep-alive"));
        }
    }
    return NULL;
}

static void answer_status(Connection *connection, const char *status) {
    buffer_append_text(&connection->out, "HTTP/1.1 ");
    buffer_append_text(&connection->out, status);
    buffer_append_text(&connection->out, "\r\nContent-Length: 0\r\n\r\n");
}

static void answer_message(Connection *connection, Slice message, Buffer *body) {
    McpOutcome outcome = mcp_handle(message, body);
    if (outcome == mcp_nothing) {
        answer_status(connection, "202 Accepted");
        return;
    }
    Buffer *out = &connection->out;
    buffer_append_text(out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n");
    if (outcome == mcp_initialized) buffer_append_text(out, session_header);
    buffer_append_text(out, "Content-Length: ");
    buffer_append_number(out, buffer_count(body));
    buffer_append_text(out, "\r\n\r\n");
    buffer_append(out, buffer_head(body), buffer_count(body));
    buffer_consume(body, buffer_count(body));
}

// Answers every complete request in `in`.
static void handle_input(Connection *connection, Buffer *body) {
    Buffer *in = &connection->in;
    while (!connection->closing && buffer_count(in) > 0) {
        const char *start = buffer_head(in);
        const char *blank = memmem(start, buffer_count(in), "\r\n\r\n", 4);
        if (!blank) {
            if (buffer_count(in) > maximum_head_bytes) {
                answer_status(connection, "431 Request Header Fields Too Large");
                connection->closing = true;
            }
            return;
        }
        size_t head_bytes = (size_t)(blank - start) + 4;
        Head head;
        const char *refusal = parse_head(start, start + head_bytes, &head);
        if (refusal) {
            answer_status(connection, refusal);
            connection->closing = true;
            return;
        }
        if (buffer_count(in) - head_bytes < head.body_bytes) return;
        if (head.post) answer_message(connection, (Slice){start + head_bytes, head.body_bytes}, body);
        else answer_status(connection, "405 Method Not Allowed");
        buffer_consume(in, head_bytes + head.body_bytes);
        connection->closing = head.close;
    }
}

// Returns false when the connection is to be closed.
static bool flush(Connection *connection, int poll) {
    Buffer *out = &connection->out;
    while (buffer_count(out) > 0) {
        ssize_t count = send(connection->descriptor, buffer_head(out), buffer_count(out), MSG_NOSIGNAL);
        if (count >= 0) buffer_consume(out, (size_t)count);
        else if (errno == EAGAIN) break;
        else if (errno != EINTR) return false;
    }
    bool blocked = buffer_count(out) > 0;
    if (blocked != connection->waits_for_writable) {
        // While the peer does not read its answers, its next requests are not read either.
        struct epoll_event event = {.events = blocked ? EPOLLOUT : EPOLLIN, .data.ptr = connection};
        if (epoll_ctl(poll, EPOLL_CTL_MOD, connection->descriptor, &event) < 0) return false;
        connection->waits_for_writable = blocked;
    }
    return blocked || !connection->closing;
}

static bool serve_connection(Connection *connection, uint32_t events, int poll, Buffer *body) {
    if (events & (EPOLLERR | EPOLLHUP)) return false;
    if (events & EPOLLIN) {
        buffer_reserve(&connection->in, read_bytes);
        ssize_t count = read(connection->descriptor, connection->in.bytes + connection->in.end, connection->in.capacity - connection->in.end);
        if (count == 0) return false;
        if (count < 0) return errno == EAGAIN || errno == EINTR;
        connection->in.end += (size_t)count;
        handle_input(connection, body);
    }
    return flush(connection, poll);
}

static void accept_connections(int listener, int poll) {
    for (;;) {
        int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor < 0 && errno == EINTR) continue;
        if (descriptor < 0) return;
        int on = 1;
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        Connection *connection = calloc(1, sizeof *connection);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        if (!connection || epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event) < 0) {
            free(connection);
            close(descriptor);
            continue;
        }
        connection->descriptor = descriptor;
    }
}

static int listen_on_loopback(uint16_t port) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int on = 1;
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0
        || bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, backlog) < 0
        || getsockname(listener, (struct sockaddr *)&address, &length) < 0) {
        fprintf(stderr, "mcp-echo: cannot listen on 127.0.0.1:%u: %s\n", port, strerror(errno));
        return -1;
    }
    printf("listening on 127.0.0.1:%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int serve_http(uint16_t port) {
    int listener = listen_on_loopback(port);
    if (listener < 0) return 1;
    int poll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event) < 0) {
        perror("mcp-echo: cannot use epoll");
        return 1;
    }
    Buffer body = {0};   // of the answer that is being built: its length goes before it
    struct epoll_event events[events_per_wait];
    for (;;) {
        int count = epoll_wait(poll, events, events_per_wait, -1);
        if (count < 0 && errno != EINTR) {
            perror("mcp-echo: epoll_wait failed");
            return 1;
        }
        for (int index = 0; index < count; index++) {
            Connection *connection = events[index].data.ptr;
            if (!connection) {
                accept_connections(listener, poll);
            } else if (!serve_connection(connection, events[index].events, poll, &body)) {
                close(connection->descriptor);
                buffer_free(&connection->in);
                buffer_free(&connection->out);
                free(connection);
            }
        }
    }
}
