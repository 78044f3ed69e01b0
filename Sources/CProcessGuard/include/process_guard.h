#pragma once

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

// The name of the environment variable that marks a process as started (directly or not) by one gateway.
#define PROCESS_GUARD_VARIABLE "MCP_GATEWAY_GUARD"

// Starts a guard: a small process that outlives its parent just long enough to end what the parent had started,
// whatever ended the parent (kill -9 included). Callable in a multi-threaded process: the guard is forked, not
// executed, and uses only system calls.
//
// When the parent is gone the guard waits for processes to stop by themselves (0.5 s), then sends SIGTERM, then
// (1.5 s later) SIGKILL, to every registered process group and to every process whose environment holds
// PROCESS_GUARD_VARIABLE=marker, until none is left or 10 s have passed.
//
// marker: not empty, at most 128 bytes. guard_pid (may be NULL): receives the guard's process id.
// Returns the lifeline, a close-on-exec descriptor: the guard acts when its last copy is closed, and it reads
// end-of-file when the guard has died. On failure returns a negative errno.
int process_guard_start(const char *marker, pid_t *guard_pid);

// Tells the guard of one process group / that the group has ended. The group's leader must not have been reaped.
// Returns 0 or a negative errno (-EPIPE: the guard has died; start another).
int process_guard_add(int lifeline, pid_t group);
int process_guard_remove(int lifeline, pid_t group);

// pipe2(O_CLOEXEC), which Swift cannot see. Returns 0 or a negative errno.
int process_guard_pipe(int descriptors[2]);

// fcntl(F_DUPFD_CLOEXEC), which is variadic in C and so awkward in Swift. Returns the copy or a negative errno.
int process_guard_duplicate(int descriptor);

#ifdef __cplusplus
}
#endif
