#include "modes.h"

#include "failure.h"

#include <stdio.h>
#include <string.h>

void session_send(Client *client, Connection *connection, const Endpoint *endpoint) {
    char request[request_bytes];
    size_t count;
    switch (connection->step) {
        case step_initialize: count = request_initialize(request, endpoint); break;
        case step_initialized: count = request_initialized(request, endpoint, connection->session); break;
        default: count = request_list(request, endpoint, connection->session); break;
    }
    client_send(client, connection, request, count);
}

void session_advance(Connection *connection, const Response *response) {
    switch (connection->step) {
        case step_initialize: check_initialize(connection, response); break;
        case step_initialized: check_initialized(connection, response); break;
        default: check_list(connection, response); break;
    }
    connection->step++;
}

typedef struct {
    Options *options;
    uint64_t *begun_at;                            // of each connection's session
    char (*finished)[session_id_bytes + 1];        // each connection's last whole session
} SessionsState;

static void on_response(Client *client, Connection *connection, const Response *response, uint64_t now) {
    SessionsState *state = client->context;
    session_advance(connection, response);
    if (connection->step == step_done) {
        measurement_record(&state->options->measurement, now - state->begun_at[connection->number]);
        memcpy(state->finished[connection->number], connection->session, sizeof connection->session);
        connection->step = step_initialize;
        state->begun_at[connection->number] = now;
    }
    session_send(client, connection, &state->options->endpoint);
}

void mode_sessions(Options *options) {
    Client *client = &options->client;
    client_start(client, options->connections);
    SessionsState state = {.options = options};
    state.begun_at = grow(NULL, client->count, sizeof *state.begun_at);
    state.finished = grow(NULL, client->count, sizeof *state.finished);
    client->context = &state;
    client->on_response = on_response;
    uint64_t now = now_nanoseconds();
    measurement_start(&options->measurement, now);
    for (unsigned number = 0; number < client->count; number++) {
        state.begun_at[number] = now;
        state.finished[number][0] = '\0';
        session_send(client, &client->connections[number], &options->endpoint);
    }
    while (measurement_goes_on(&options->measurement, now)) {
        client_poll(client, 100);
        now = now_nanoseconds();
    }
    printf("{");
    measurement_print(&options->measurement, "sessions");
    // Sessions that were answered, for a check that they outlive the server.
    printf(",\"last_sessions\":[");
    const char *separator = "";
    for (unsigned number = 0; number < client->count; number++) {
        if (!state.finished[number][0]) continue;
        printf("%s\"%s\"", separator, state.finished[number]);
        separator = ",";
    }
    printf("]}\n");
}
