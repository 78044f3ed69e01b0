#include "modes.h"

#include "failure.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    Options *options;
    char (*sessions)[session_id_bytes + 1];
    unsigned session_count, session_target;
    unsigned streams_asked, streams_begun;   // requested; whose head has come
} HoldState;

static void open_next_session(Client *client, Connection *connection, HoldState *state) {
    // Connections that are still at work each finish one session.
    unsigned at_work = 0;
    for (unsigned number = 0; number < state->options->connections; number++) at_work += client->connections[number].waiting;
    if (state->session_count + at_work >= state->session_target) return;
    connection->step = step_initialize;
    session_send(client, connection, &state->options->endpoint);
}

static void on_session_response(Client *client, Connection *connection, const Response *response, uint64_t now) {
    (void)now;
    HoldState *state = client->context;
    session_advance(connection, response);
    if (connection->step != step_done) {
        session_send(client, connection, &state->options->endpoint);
        return;
    }
    memcpy(state->sessions[state->session_count++], connection->session, sizeof connection->session);
    open_next_session(client, connection, state);
}

static void open_next_stream(Client *client, HoldState *state) {
    if (state->streams_asked == state->options->streams) return;
    char request[request_bytes];
    Connection *connection = &client->connections[state->streams_asked];
    const char *session = state->sessions[state->streams_asked % state->session_count];
    state->streams_asked++;
    connection->wants_stream = true;
    client_send(client, connection, request, request_get(request, &state->options->endpoint, "text/event-stream", session));
}

static void on_stream_response(Client *client, Connection *connection, const Response *response, uint64_t now) {
    (void)now;
    check_status(connection, response, 200);
    if (!connection->streaming) fail("connection %u: the answer to GET is not an open event stream", connection->number);
    HoldState *state = client->context;
    state->streams_begun++;
    open_next_stream(client, state);
}

static void wait_for_line(Client *client) {
    fflush(stdout);
    while (!client_poll(client, 1000)) {}
    char line[64];
    if (read(STDIN_FILENO, line, sizeof line) <= 0) fail("stdin ended: the runner has gone");
}

void mode_hold(Options *options) {
    Client *client = &options->client;
    HoldState state = {.options = options};
    unsigned most = options->session_steps[options->session_step_count - 1];
    state.sessions = grow(NULL, most, sizeof *state.sessions);
    client->context = &state;
    client->on_response = on_session_response;
    client_start(client, options->streams > options->connections ? options->streams : options->connections);
    client_watch_stdin(client);
    for (unsigned index = 0; index < options->session_step_count; index++) {
        state.session_target = options->session_steps[index];
        for (unsigned number = 0; number < options->connections; number++) open_next_session(client, &client->connections[number], &state);
        while (state.session_count < state.session_target) client_poll(client, 1000);
        for (unsigned number = 0; number < options->connections; number++) client_close(client, &client->connections[number]);
        printf("{\"phase\":\"sessions\",\"count\":%u}\n", state.session_count);
        wait_for_line(client);
    }
    client->on_response = on_stream_response;
    for (unsigned number = 0; number < options->connections; number++) open_next_stream(client, &state);
    // Streams that the server closes meanwhile are missing in the count of those open.
    while (state.streams_begun < options->streams) client_poll(client, 1000);
    printf("{\"phase\":\"streams\",\"open\":%zu}\n", client->streams_open);
    wait_for_line(client);
    printf("{\"phase\":\"end\",\"open\":%zu}\n", client->streams_open);
}
