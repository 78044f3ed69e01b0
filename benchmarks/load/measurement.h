// What is measured between the end of the warm-up and the end of a run.
#ifndef MCP_BENCH_LOAD_MEASUREMENT_H
#define MCP_BENCH_LOAD_MEASUREMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { maximum_processes = 16 };

typedef struct {
    double warm_up_seconds, seconds;
    int processes[maximum_processes];   // whose CPU time is counted
    unsigned process_count;
    uint64_t begins_at, ends_at;        // nanoseconds; begins_at is 0 before the first request
    bool measures;
    uint64_t *latencies;                // nanoseconds
    size_t count, capacity;
    double cpu_at_start, own_cpu_at_start;
    uint64_t started_at;
} Measurement;

// Starts the warm-up now.
void measurement_start(Measurement *measurement, uint64_t now);
// Whether the run goes on; call it before each wait.
bool measurement_goes_on(Measurement *measurement, uint64_t now);
void measurement_record(Measurement *measurement, uint64_t nanoseconds);
// Prints the figures as members of a JSON object, without the braces. `what` names the things counted.
void measurement_print(Measurement *measurement, const char *what);

#endif
