#include "measurement.h"

#include "client.h"
#include "failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

// User and system time in seconds of the processes themselves, without their children.
static double processes_cpu(const Measurement *measurement) {
    double seconds = 0;
    for (unsigned index = 0; index < measurement->process_count; index++) {
        char path[64], text[1024];
        snprintf(path, sizeof path, "/proc/%d/stat", measurement->processes[index]);
        FILE *file = fopen(path, "r");
        size_t count = file ? fread(text, 1, sizeof text - 1, file) : 0;
        if (file) fclose(file);
        text[count] = '\0';
        // The name in parentheses may hold anything; utime and stime are the 12th and 13th fields behind it.
        const char *fields = strrchr(text, ')');
        unsigned long user, kernel;
        if (!fields || sscanf(fields + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2) {
            fail("cannot read the CPU time of process %d from %s: has it ended?", measurement->processes[index], path);
        }
        seconds += (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
    }
    return seconds;
}

static double own_cpu(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void measurement_start(Measurement *measurement, uint64_t now) {
    measurement->begins_at = now + (uint64_t)(measurement->warm_up_seconds * 1e9);
    measurement->ends_at = measurement->begins_at + (uint64_t)(measurement->seconds * 1e9);
    measurement->capacity = 1 << 20;
    measurement->latencies = grow(NULL, measurement->capacity, sizeof *measurement->latencies);
    // Page faults of the first touches are paid before the run.
    memset(measurement->latencies, 1, measurement->capacity * sizeof *measurement->latencies);
}

bool measurement_goes_on(Measurement *measurement, uint64_t now) {
    if (measurement->begins_at == 0) return true;
    if (!measurement->measures && now >= measurement->begins_at) {
        measurement->measures = true;
        measurement->count = 0;
        measurement->cpu_at_start = processes_cpu(measurement);
        measurement->own_cpu_at_start = own_cpu();
        measurement->started_at = now_nanoseconds();
    }
    return now < measurement->ends_at;
}

void measurement_record(Measurement *measurement, uint64_t nanoseconds) {
    if (!measurement->measures) return;
    if (measurement->count == measurement->capacity) {
        measurement->capacity *= 2;
        measurement->latencies = grow(measurement->latencies, measurement->capacity, sizeof *measurement->latencies);
    }
    measurement->latencies[measurement->count++] = nanoseconds;
}

static int compare(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static double percentile(const Measurement *measurement, double share) {
    size_t index = (size_t)((double)measurement->count * share);
    if (index >= measurement->count) index = measurement->count - 1;
    return (double)measurement->latencies[index] / 1e3;
}

void measurement_print(Measurement *measurement, const char *what) {
    double cpu = processes_cpu(measurement) - measurement->cpu_at_start;
    double own = own_cpu() - measurement->own_cpu_at_start;
    double seconds = (double)(now_nanoseconds() - measurement->started_at) / 1e9;
    if (measurement->count == 0) fail("nothing was answered within %.1f s", measurement->seconds);
    double count = (double)measurement->count;
    qsort(measurement->latencies, measurement->count, sizeof *measurement->latencies, compare);
    printf(
        "\"%s\":%zu,\"seconds\":%.3f,\"per_second\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,"
        "\"cpu_us_each\":%.2f,\"cpu_share\":%.3f,\"generator_cpu_us_each\":%.2f",
        what, measurement->count, seconds, count / seconds, percentile(measurement, 0.5), percentile(measurement, 0.99),
        percentile(measurement, 1), cpu / count * 1e6, cpu / seconds, own / count * 1e6);
}
