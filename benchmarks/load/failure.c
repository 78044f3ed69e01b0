#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void fail(const char *format, ...) {
    va_list arguments;
    fputs("mcp-bench-load: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

void *grow(void *old, unsigned long count, unsigned long size) {
    void *new = reallocarray(old, count, size);
    if (!new) fail("no memory for %lu elements of %lu bytes", count, size);
    return new;
}
