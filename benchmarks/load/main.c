// mcp-bench-load: an HTTP/1.1 load generator on one thread that speaks as much MCP as a benchmark needs.
#include "failure.h"
#include "modes.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char usage[] =
    "usage: mcp-bench-load MODE --port PORT [options]     (127.0.0.1 only)\n"
    "modes\n"
    "  call       tools/call on keep-alive connections, one session for each; every answer is checked\n"
    "  get        GET of a static route\n"
    "  sessions   initialize, notifications/initialized and tools/list for one session after another\n"
    "  compare    tools/call on two servers in turn, some calls each; prints the CPU time of each per call\n"
    "  hold       makes sessions, then idle GET event streams; prints a line and waits for a line on stdin after each step\n"
    "options\n"
    "  --path PATH            default /mcp\n"
    "  --tool NAME            of call; default echo\n"
    "  --connections N        default 64\n"
    "  --seconds S            default 5\n"
    "  --warm-up S            not measured; default 1\n"
    "  --timeout S            of one response; default 10\n"
    "  --cpu-of PID           counts the CPU time of this process; may be repeated\n"
    "  --other-port PORT      of compare: the second server; --cpu-of is given for both, in this order\n"
    "  --slice N              of compare: calls before it is the other's turn; default 2000\n"
    "  --pairs N              of compare: slices of each; default 40\n"
    "  --session-steps N,...  of hold: totals at which it stops; default 1000\n"
    "  --streams N            of hold: default 10000, spread over the sessions\n";

static double number_of(const char *option, const char *text, double least, double most) {
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end || !(number >= least && number <= most)) fail("--%s %s: must be %g to %g", option, text, least, most);
    return number;
}

static void parse_session_steps(Options *options, char *text) {
    options->session_step_count = 0;
    for (char *item = strtok(text, ","); item; item = strtok(NULL, ",")) {
        if (options->session_step_count == maximum_session_steps) fail("--session-steps: at most %d steps", maximum_session_steps);
        options->session_steps[options->session_step_count++] = (unsigned)number_of("session-steps", item, 1, 10000000);
    }
    if (options->session_step_count == 0) fail("--session-steps: needs a number");
}

static void parse_options(Options *options, int count, char **arguments) {
    static const struct option names[] = {
        {"port", required_argument, NULL, 'p'}, {"path", required_argument, NULL, 'a'}, {"tool", required_argument, NULL, 't'},
        {"connections", required_argument, NULL, 'c'}, {"seconds", required_argument, NULL, 's'}, {"warm-up", required_argument, NULL, 'w'},
        {"timeout", required_argument, NULL, 'o'}, {"cpu-of", required_argument, NULL, 'u'}, {"session-steps", required_argument, NULL, 'n'},
        {"streams", required_argument, NULL, 'm'}, {"other-port", required_argument, NULL, 'r'},
        {"slice", required_argument, NULL, 'l'}, {"pairs", required_argument, NULL, 'q'}, {"help", no_argument, NULL, 'h'}, {0},
    };
    Measurement *measurement = &options->measurement;
    for (int letter, index = 0; (letter = getopt_long(count, arguments, "h", names, &index)) != -1;) {
        const char *name = letter == '?' ? "" : names[index].name;
        switch (letter) {
            case 'p': options->client.port = options->endpoint.port = (uint16_t)number_of(name, optarg, 1, 65535); break;
            case 'a': options->endpoint.path = optarg; break;
            case 't': options->endpoint.tool = optarg; break;
            case 'c': options->connections = (unsigned)number_of(name, optarg, 1, 999); break;
            case 's': measurement->seconds = number_of(name, optarg, 0.1, 3600); break;
            case 'w': measurement->warm_up_seconds = number_of(name, optarg, 0, 3600); break;
            case 'o': options->client.timeout = (uint64_t)(number_of(name, optarg, 1, 3600) * 1e9); break;
            case 'u':
                if (measurement->process_count == maximum_processes) fail("--cpu-of: at most %d processes", maximum_processes);
                measurement->processes[measurement->process_count++] = (int)number_of(name, optarg, 1, 1 << 30);
                break;
            case 'n': parse_session_steps(options, optarg); break;
            case 'm': options->streams = (unsigned)number_of(name, optarg, 1, 1000000); break;
            case 'r': options->other_port = (uint16_t)number_of(name, optarg, 1, 65535); break;
            case 'l': options->slice = (unsigned)number_of(name, optarg, 1, 10000000); break;
            case 'q': options->pairs = (unsigned)number_of(name, optarg, 1, 100000); break;
            case 'h': fputs(usage, stdout); exit(0);
            default: fputs(usage, stderr); exit(2);
        }
    }
}

int main(int count, char **arguments) {
    Options options = {
        .client = {.timeout = 10000000000},
        .endpoint = {.path = "/mcp", .tool = "echo"},
        .measurement = {.warm_up_seconds = 1, .seconds = 5},
        .connections = 64,
        .session_steps = {1000},
        .session_step_count = 1,
        .streams = 10000,
        .slice = 2000,
        .pairs = 40,
    };
    parse_options(&options, count, arguments);
    if (optind != count - 1 || options.client.port == 0) {
        fputs(usage, stderr);
        return 2;
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    const char *mode = arguments[optind];
    if (strcmp(mode, "call") == 0) mode_call(&options);
    else if (strcmp(mode, "get") == 0) mode_get(&options);
    else if (strcmp(mode, "sessions") == 0) mode_sessions(&options);
    else if (strcmp(mode, "compare") == 0) mode_compare(&options);
    else if (strcmp(mode, "hold") == 0) mode_hold(&options);
    else {
        fprintf(stderr, "mcp-bench-load: there is no mode %s\n%s", mode, usage);
        return 2;
    }
    return 0;
}
