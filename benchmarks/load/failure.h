// A measurement with one wrong answer is none: every failure ends the process with exit code 1 and says what was seen.
#ifndef MCP_BENCH_LOAD_FAILURE_H
#define MCP_BENCH_LOAD_FAILURE_H

__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);
// Memory for `count` elements that replaces `old`, or the end of the process.
void *grow(void *old, unsigned long count, unsigned long size);

#endif
