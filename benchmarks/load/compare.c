#include "failure.h"
#include "modes.h"

#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

// One of the two servers: calls come in slices, between which nothing is in flight.
typedef struct {
    Options *options;
    Client client;
    Endpoint endpoint;
    clockid_t cpu;       // of its process
    unsigned ready;      // connections whose session is there
    unsigned to_send, to_come;   // calls of the slice
} Side;

static uint64_t cpu_nanoseconds(const Side *side) {
    struct timespec time;
    if (clock_gettime(side->cpu, &time) < 0) fail("cannot read the CPU time of the server at port %u: has it ended?", side->endpoint.port);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void send_call(Side *side, Connection *connection) {
    char request[request_bytes];
    if (side->to_send == 0) return;
    side->to_send--;
    connection->id++;
    client_send(&side->client, connection, request, request_call(request, &side->endpoint, connection));
}

static void on_response(Client *client, Connection *connection, const Response *response, uint64_t now) {
    (void)now;
    Side *side = client->context;
    if (connection->step == step_done) {
        check_call(connection, response);
        side->to_come--;
        send_call(side, connection);
        return;
    }
    session_advance(connection, response);
    if (connection->step == step_done) side->ready++;
    else session_send(client, connection, &side->endpoint);
}

static void open_side(Side *side, Options *options, uint16_t port, int process) {
    *side = (Side){.options = options, .client = options->client, .endpoint = options->endpoint};
    side->client.port = side->endpoint.port = port;
    int error = clock_getcpuclockid(process, &side->cpu);
    if (error) fail("there is no CPU clock of process %d: %s", process, strerror(error));
    Client *client = &side->client;
    client->context = side;
    client->on_response = on_response;
    client_start(client, options->connections);
    for (unsigned number = 0; number < client->count; number++) session_send(client, &client->connections[number], &side->endpoint);
    while (side->ready < client->count) client_poll(client, 100);
}

// Returns the CPU time of the server in microseconds for each request of a slice.
static double run_slice(Side *side) {
    unsigned count = side->options->slice;
    side->to_send = side->to_come = count;
    uint64_t before = cpu_nanoseconds(side);
    for (unsigned number = 0; number < side->client.count; number++) send_call(side, &side->client.connections[number]);
    while (side->to_come > 0) client_poll(&side->client, 100);
    return (double)(cpu_nanoseconds(side) - before) / 1e3 / count;
}

// The order is A B, B A, A B, …: what changes slowly meets both alike.
void mode_compare(Options *options) {
    if (options->other_port == 0 || options->measurement.process_count != 2) fail("compare needs --other-port and --cpu-of twice");
    Side sides[2];
    open_side(&sides[0], options, options->client.port, options->measurement.processes[0]);
    open_side(&sides[1], options, options->other_port, options->measurement.processes[1]);
    // The first slices fill caches and pools.
    for (unsigned warm_up = 0; warm_up < 4; warm_up++) {
        run_slice(&sides[0]);
        run_slice(&sides[1]);
    }
    printf("{\"cpu_us_each\":[");
    for (unsigned pair = 0; pair < options->pairs; pair++) {
        double cost[2];
        unsigned first = pair % 2;
        cost[first] = run_slice(&sides[first]);
        cost[1 - first] = run_slice(&sides[1 - first]);
        printf("%s[%.4f,%.4f]", pair ? "," : "", cost[0], cost[1]);
    }
    printf("]}\n");
}
