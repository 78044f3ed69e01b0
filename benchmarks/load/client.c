#include "client.h"

#include "failure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { events_per_wait = 256, read_bytes = 8 << 10 };

uint64_t now_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

void client_start(Client *client, unsigned count) {
    client->poll = epoll_create1(EPOLL_CLOEXEC);
    if (client->poll < 0) fail("cannot use epoll: %s", strerror(errno));
    client->count = count;
    client->connections = grow(NULL, count, sizeof(Connection));
    for (unsigned number = 0; number < count; number++) {
        client->connections[number] = (Connection){.descriptor = -1, .number = number};
    }
}

void client_connect(Client *client, Connection *connection) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(client->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) fail("cannot open socket %u: %s", connection->number, strerror(errno));
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0) {
        fail("cannot connect to 127.0.0.1:%u (connection %u): %s", client->port, connection->number, strerror(errno));
    }
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (fcntl(descriptor, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(client->poll, EPOLL_CTL_ADD, descriptor, &event) < 0) {
        fail("cannot watch socket %u: %s", connection->number, strerror(errno));
    }
    connection->descriptor = descriptor;
    connection->in_count = 0;
}

void client_close(Client *client, Connection *connection) {
    if (connection->descriptor < 0) return;
    close(connection->descriptor);
    if (connection->streaming) client->streams_open--;
    connection->descriptor = -1;
    connection->waiting = connection->streaming = false;
    connection->in_count = 0;
}

void client_send(Client *client, Connection *connection, const char *request, size_t count) {
    if (connection->descriptor < 0) client_connect(client, connection);
    connection->waiting = true;
    connection->sent_at = now_nanoseconds();
    // One small request at a time fits into the socket's buffer.
    ssize_t sent = send(connection->descriptor, request, count, MSG_NOSIGNAL);
    if (sent != (ssize_t)count) {
        fail("connection %u: sent %zd of %zu bytes: %s", connection->number, sent, count, sent < 0 ? strerror(errno) : "buffer full");
    }
}

// Returns false when the server has closed the connection.
static bool receive(Connection *connection) {
    if (connection->in_capacity - connection->in_count < read_bytes) {
        connection->in_capacity += read_bytes;
        connection->in = grow(connection->in, connection->in_capacity, 1);
    }
    ssize_t count = read(connection->descriptor, connection->in + connection->in_count, connection->in_capacity - connection->in_count);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (count < 0) fail("connection %u: cannot read: %s", connection->number, strerror(errno));
    connection->in_count += (size_t)count;
    return count > 0;
}

static void serve(Client *client, Connection *connection) {
    bool open = receive(connection);
    if (connection->streaming) {
        connection->in_count = 0;
        if (!open) client_close(client, connection);
        return;
    }
    if (!connection->waiting) {
        if (connection->in_count > 0) fail("connection %u: %zu bytes that nobody asked for", connection->number, connection->in_count);
        client_close(client, connection);
        return;
    }
    Response response;
    ResponseState state = response_parse(connection->in, connection->in_count, !open, &response);
    int shown = (int)(connection->in_count < 400 ? connection->in_count : 400);
    bool is_stream = state == response_incomplete && response.has_head && response.is_event_stream && connection->wants_stream;
    if (state == response_malformed) fail("connection %u: not a whole HTTP response: %.*s", connection->number, shown, connection->in);
    if (state == response_incomplete && !is_stream) return;
    if (state == response_complete && response.total_count != connection->in_count) {
        fail("connection %u: bytes behind the response: %.*s", connection->number, shown, connection->in);
    }
    connection->waiting = false;
    connection->in_count = 0;
    if (is_stream) {
        connection->streaming = true;
        client->streams_open++;
    } else if (!open || response.closes) {
        client_close(client, connection);
    }
    client->on_response(client, connection, &response, now_nanoseconds());
}

static void check_timeouts(Client *client, uint64_t now) {
    if (now - client->checked_at < 1000000000) return;
    client->checked_at = now;
    for (unsigned number = 0; number < client->count; number++) {
        Connection *connection = &client->connections[number];
        if (connection->waiting && now > connection->sent_at && now - connection->sent_at > client->timeout) {
            fail("connection %u: no response within %.0f s", number, (double)client->timeout / 1e9);
        }
    }
}

bool client_poll(Client *client, int milliseconds) {
    struct epoll_event events[events_per_wait];
    bool has_input = false;
    int count = epoll_wait(client->poll, events, events_per_wait, milliseconds);
    if (count < 0 && errno != EINTR) fail("epoll_wait: %s", strerror(errno));
    for (int index = 0; index < count; index++) {
        if (events[index].data.ptr) serve(client, events[index].data.ptr);
        else has_input = true;
    }
    check_timeouts(client, now_nanoseconds());
    return has_input;
}

void client_watch_stdin(Client *client) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(client->poll, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0) fail("stdin must be a pipe: %s", strerror(errno));
}
