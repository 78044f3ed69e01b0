// What the generator can do. Each mode prints JSON lines on stdout.
#ifndef MCP_BENCH_LOAD_MODES_H
#define MCP_BENCH_LOAD_MODES_H

#include "client.h"
#include "measurement.h"
#include "requests.h"

enum { maximum_session_steps = 8 };

typedef struct {
    Client client;
    Endpoint endpoint;
    Measurement measurement;
    unsigned connections;
    unsigned session_steps[maximum_session_steps];   // of hold: totals, ascending
    unsigned session_step_count;
    unsigned streams;
    uint16_t other_port;   // of compare
    unsigned slice, pairs;
} Options;

void mode_call(Options *options);      // tools/call, one session for each connection
void mode_get(Options *options);       // a static route
void mode_sessions(Options *options);  // initialize, initialized, tools/list, again and again
void mode_compare(Options *options);   // tools/call on two servers in turn
void mode_hold(Options *options);      // sessions, then idle event streams; stdin tells when to go on

// The three requests that make a session, driven by `step` of the connection.
enum { step_initialize, step_initialized, step_list, step_done };
void session_send(Client *client, Connection *connection, const Endpoint *endpoint);
// Checks the response to the step and moves on to the next one.
void session_advance(Connection *connection, const Response *response);

#endif
