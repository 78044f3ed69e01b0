#include "modes.h"

#include <stdio.h>

typedef struct {
    Options *options;
    unsigned ready;   // connections whose session is there
} CallState;

static void send_call(Client *client, Connection *connection, const Endpoint *endpoint) {
    char request[request_bytes];
    connection->id++;
    client_send(client, connection, request, request_call(request, endpoint, connection));
}

// Calls begin on all connections at once, when the last session is there.
static void begin_calls(Client *client, Options *options) {
    measurement_start(&options->measurement, now_nanoseconds());
    for (unsigned number = 0; number < client->count; number++) send_call(client, &client->connections[number], &options->endpoint);
}

static void on_call_response(Client *client, Connection *connection, const Response *response, uint64_t now) {
    CallState *state = client->context;
    Options *options = state->options;
    if (connection->step == step_done) {
        check_call(connection, response);
        measurement_record(&options->measurement, now - connection->sent_at);
        send_call(client, connection, &options->endpoint);
        return;
    }
    session_advance(connection, response);
    if (connection->step != step_done) session_send(client, connection, &options->endpoint);
    else if (++state->ready == client->count) begin_calls(client, options);
}

static void run(Options *options) {
    Client *client = &options->client;
    uint64_t now = now_nanoseconds();
    while (measurement_goes_on(&options->measurement, now)) {
        client_poll(client, 100);
        now = now_nanoseconds();
    }
    printf("{");
    measurement_print(&options->measurement, "requests");
    printf("}\n");
}

void mode_call(Options *options) {
    CallState state = {.options = options};
    Client *client = &options->client;
    client->context = &state;
    client->on_response = on_call_response;
    client_start(client, options->connections);
    for (unsigned number = 0; number < client->count; number++) session_send(client, &client->connections[number], &options->endpoint);
    run(options);
}

static void send_get(Client *client, Connection *connection, const Endpoint *endpoint) {
    char request[request_bytes];
    client_send(client, connection, request, request_get(request, endpoint, "*/*", NULL));
}

static void on_get_response(Client *client, Connection *connection, const Response *response, uint64_t now) {
    Options *options = client->context;
    check_status(connection, response, 200);
    measurement_record(&options->measurement, now - connection->sent_at);
    send_get(client, connection, &options->endpoint);
}

void mode_get(Options *options) {
    Client *client = &options->client;
    client->context = options;
    client->on_response = on_get_response;
    client_start(client, options->connections);
    measurement_start(&options->measurement, now_nanoseconds());
    for (unsigned number = 0; number < client->count; number++) send_get(client, &client->connections[number], &options->endpoint);
    run(options);
}
