#define _GNU_SOURCE
#include "process_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int process_guard_duplicate(int descriptor) {
    int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
    return copy >= 0 ? copy : -errno;
}

#if !defined(__linux__)

// The guard reads /proc; elsewhere the gateway goes on without one.
int process_guard_start(const char *marker, pid_t *guard_pid) { (void)marker; (void)guard_pid; return -ENOSYS; }
int process_guard_add(int lifeline, pid_t group) { (void)lifeline; (void)group; return -ENOSYS; }
int process_guard_remove(int lifeline, pid_t group) { (void)lifeline; (void)group; return -ENOSYS; }

int process_guard_pipe(int descriptors[2]) {
    if (pipe(descriptors) != 0) { return -errno; }
    fcntl(descriptors[0], F_SETFD, FD_CLOEXEC);
    fcntl(descriptors[1], F_SETFD, FD_CLOEXEC);
    return 0;
}

#else

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

int process_guard_pipe(int descriptors[2]) {
    return pipe2(descriptors, O_CLOEXEC) == 0 ? 0 : -errno;
}

enum {
    MAX_GROUPS = 8192,          // more than that are found by the marker alone
    MAX_MARKER = 128,
    SCAN_INTERVAL_MS = 50,
    OWN_EXIT_MS = 500,          // time for children to stop because their stdin ended
    TERMINATE_MS = 1500,        // time after SIGTERM
    TOTAL_MS = 10000,
};

// MARK: - In the guard. Only system calls and the static memory below: locks of the parent's other threads may be held
// forever in this copy of its memory.

struct group {
    pid_t id;
    int confirmed;              // known to be ours still, not a group that got the same number later
    unsigned long long started; // start time of its leader, 0 when unknown
};

static struct group groups[MAX_GROUPS];
static int group_count;
static char needle[sizeof(PROCESS_GUARD_VARIABLE) + MAX_MARKER + 2];
static size_t needle_length; // with the terminating zero, which is part of the match
static char directory_buffer[32768];
static char file_buffer[16384];

static long long now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (long long)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void pause_ms(int milliseconds) {
    struct timespec time = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
    nanosleep(&time, NULL);
}

// "/proc/<pid>/<name>" without stdio.
static void proc_path(char *path, pid_t pid, const char *name) {
    char digits[16];
    int count = 0;
    do {
        digits[count++] = (char)('0' + pid % 10);
        pid /= 10;
    } while (pid > 0);
    memcpy(path, "/proc/", 6);
    path += 6;
    while (count > 0) { *path++ = digits[--count]; }
    *path++ = '/';
    while ((*path++ = *name++) != 0) {}
}

struct process_status {
    char state;
    pid_t group;
    unsigned long long started;
    unsigned long fields[53]; // by number in proc(5); only 4 and up
};

// Reads /proc/<pid>/stat. Returns 0 when there is no such process.
static int read_status(pid_t pid, struct process_status *status) {
    char path[48];
    proc_path(path, pid, "stat");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) { return 0; }
    ssize_t length = read(file, file_buffer, sizeof(file_buffer) - 1);
    close(file);
    if (length <= 0) { return 0; }
    // The command name, field 2, is in parentheses and may hold any byte: start after the last parenthesis.
    ssize_t position = length - 1;
    while (position > 0 && file_buffer[position] != ')') { position--; }
    if (position + 2 >= length) { return 0; }
    status->state = file_buffer[position + 2];
    position += 3;
    memset(status->fields, 0, sizeof(status->fields));
    for (int field = 4; field < 53 && position < length; field++) {
        while (position < length && file_buffer[position] == ' ') { position++; }
        int negative = position < length && file_buffer[position] == '-';
        if (negative) { position++; }
        unsigned long value = 0;
        while (position < length && file_buffer[position] >= '0' && file_buffer[position] <= '9') {
            value = value * 10 + (unsigned long)(file_buffer[position++] - '0');
        }
        status->fields[field] = negative ? -value : value;
    }
    status->group = (pid_t)status->fields[5];
    status->started = status->fields[22];
    return 1;
}

// Whether /proc/<pid>/environ holds the marker as a whole variable.
static int has_marker(pid_t pid) {
    char path[48];
    proc_path(path, pid, "environ");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) { return 0; }
    size_t kept = 1;
    file_buffer[0] = 0; // so that the first variable, too, follows a zero
    int found = 0;
    while (!found) {
        ssize_t length = read(file, file_buffer + kept, sizeof(file_buffer) - kept);
        if (length <= 0) { break; }
        size_t end = kept + (size_t)length;
        for (size_t start = 0; start + needle_length + 1 <= end; start++) {
            if (file_buffer[start] == 0 && memcmp(file_buffer + start + 1, needle, needle_length) == 0) {
                found = 1;
                break;
            }
        }
        kept = end < needle_length ? end : needle_length;
        memmove(file_buffer, file_buffer + end - kept, kept);
    }
    close(file);
    return found;
}

static struct group *find_group(pid_t id) {
    for (int index = 0; index < group_count; index++) {
        if (groups[index].id == id) { return &groups[index]; }
    }
    return NULL;
}

static void record(int32_t message) {
    if (message > 1) {
        struct group *group = find_group(message);
        if (group == NULL && group_count < MAX_GROUPS) { group = &groups[group_count++]; }
        if (group == NULL) { return; }
        struct process_status status;
        group->id = message;
        group->confirmed = 0;
        group->started = read_status(message, &status) ? status.started : 0;
    } else if (message < -1) {
        struct group *group = find_group(-message);
        if (group != NULL) { *group = groups[--group_count]; }
    }
}

// One look at every process: sends `signal` (0: none) to what is ours and returns how many of ours are alive.
static int sweep(int signal, pid_t self) {
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0) { return 0; }
    int alive = 0;
    for (;;) {
        long length = syscall(SYS_getdents64, proc, directory_buffer, sizeof(directory_buffer));
        if (length <= 0) { break; }
        for (long offset = 0; offset < length;) {
            // struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name
            unsigned short record_length;
            memcpy(&record_length, directory_buffer + offset + 16, sizeof(record_length));
            const char *name = directory_buffer + offset + 19;
            offset += record_length;
            long number = 0;
            while (*name >= '0' && *name <= '9') { number = number * 10 + (*name++ - '0'); }
            if (*name != 0 || number <= 1 || number == self) { continue; }
            pid_t pid = (pid_t)number;
            struct process_status status;
            if (!read_status(pid, &status) || status.state == 'Z' || status.state == 'X') { continue; }
            struct group *group = find_group(status.group);
            int ours = has_marker(pid);
            // A leader that overwrote its environment (setproctitle) is known by its start time.
            if (group != NULL && (ours || (pid == group->id && status.started == group->started && group->started != 0))) {
                group->confirmed = 1;
            }
            ours = ours || (group != NULL && group->confirmed);
            if (!ours) { continue; }
            alive++;
            if (signal != 0) {
                kill(pid, signal);
                if (signal == SIGTERM) { kill(pid, SIGCONT); } // a stopped process would not see it
            }
        }
    }
    close(proc);
    // The whole group at once, so that no member forks away between two looks.
    for (int index = 0; signal != 0 && index < group_count; index++) {
        if (groups[index].confirmed) { kill(-groups[index].id, signal); }
    }
    return alive;
}

// The parent is gone: ends what it left behind.
static void clean_up(pid_t self) {
    long long start = now_ms();
    int terminated = 0, empty_sweeps = 0;
    for (;;) {
        long long elapsed = now_ms() - start;
        if (elapsed >= TOTAL_MS) { return; }
        int signal = 0;
        if (elapsed >= OWN_EXIT_MS + TERMINATE_MS) {
            signal = SIGKILL;
        } else if (elapsed >= OWN_EXIT_MS && !terminated) {
            signal = SIGTERM;
            terminated = 1;
        }
        empty_sweeps = sweep(signal, self) == 0 ? empty_sweeps + 1 : 0;
        // A child between fork and exec has no marker yet: do not believe the first empty sweeps.
        if (empty_sweeps >= 2 && elapsed >= OWN_EXIT_MS / 2) { return; }
        pause_ms(SCAN_INTERVAL_MS);
    }
}

// Replaces the inherited command line and clears the inherited environment: the guard must not look like a second
// gateway to a person or a script, keep its secrets, or be taken for a child by the guard of an outer gateway.
static void rename_self(pid_t self) {
    static const char name[] = "mcp-gw-guard";
    prctl(PR_SET_NAME, name, 0, 0, 0);
    struct process_status status;
    if (!read_status(self, &status)) { return; }
    char *arguments = (char *)status.fields[48], *arguments_end = (char *)status.fields[49];
    if (arguments != NULL && arguments_end > arguments) {
        size_t room = (size_t)(arguments_end - arguments);
        memset(arguments, 0, room);
        memcpy(arguments, name, room - 1 < sizeof(name) - 1 ? room - 1 : sizeof(name) - 1);
    }
    char *environment = (char *)status.fields[50], *environment_end = (char *)status.fields[51];
    if (environment != NULL && environment_end > environment) {
        memset(environment, 0, (size_t)(environment_end - environment));
    }
}

static void close_from(unsigned first) {
#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, ~0U, 0) == 0) { return; }
#endif
    for (unsigned descriptor = first; descriptor < 65536; descriptor++) { close((int)descriptor); }
}

static void guard_main(int lifeline) {
    // All signals are blocked here (see process_guard_start); ignoring these three besides costs nothing.
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    // The only descriptor kept: the guard must not hold the gateway's sockets, pipes or standard output open.
    if (lifeline != 0 && dup2(lifeline, 0) < 0) { _exit(1); }
    close_from(1);
    if (chdir("/") != 0) { /* stays where it is; only a busy mount could notice */ }
    pid_t self = (pid_t)syscall(SYS_getpid);
    rename_self(self);

    int32_t message = (int32_t)self;
    if (send(0, &message, sizeof(message), MSG_NOSIGNAL) != sizeof(message)) { _exit(1); }
    for (;;) {
        ssize_t length = recv(0, &message, sizeof(message), 0);
        if (length == sizeof(message)) {
            record(message);
        } else if (length == 0 || (length < 0 && errno != EINTR)) {
            clean_up(self);
            _exit(0);
        }
    }
}

// MARK: - In the gateway.

// fork() without the handlers of pthread_atfork, which may take locks.
static pid_t raw_fork(void) {
#if defined(__s390__) || defined(__s390x__)
    return (pid_t)syscall(SYS_clone, 0, SIGCHLD, 0, 0, 0);
#else
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
}

int process_guard_start(const char *marker, pid_t *guard_pid) {
    size_t length = strlen(marker);
    if (length == 0 || length > MAX_MARKER) { return -EINVAL; }
    memcpy(needle, PROCESS_GUARD_VARIABLE "=", sizeof(PROCESS_GUARD_VARIABLE));
    memcpy(needle + sizeof(PROCESS_GUARD_VARIABLE), marker, length + 1);
    needle_length = sizeof(PROCESS_GUARD_VARIABLE) + length + 1;

    int ends[2];
    // Records stay whole, a dead guard is an error and not a signal, and both ends notice the other's end.
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) { return -errno; }

    // No handler of the gateway may run in the guard.
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid_t intermediate = raw_fork();
    int fork_error = errno;
    if (intermediate == 0) {
        // The guard is a grandchild: whoever inherits it reaps it, so it is never a zombie of a living gateway.
        syscall(SYS_setsid);
        pid_t guard = raw_fork();
        if (guard == 0) { guard_main(ends[1]); }
        _exit(guard > 0 ? 0 : 1);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    close(ends[1]);
    if (intermediate < 0) {
        close(ends[0]);
        return -fork_error;
    }
    int wait_status = 0;
    while (waitpid(intermediate, &wait_status, 0) < 0 && errno == EINTR) {}

    // The guard says that it is ready; end-of-file if it could not be forked.
    int32_t message = 0;
    ssize_t received;
    do {
        received = recv(ends[0], &message, sizeof(message), 0);
    } while (received < 0 && errno == EINTR);
    if (received != sizeof(message)) {
        close(ends[0]);
        return -EAGAIN;
    }
    if (guard_pid != NULL) { *guard_pid = (pid_t)message; }
    return ends[0];
}

static int tell(int lifeline, int32_t message) {
    for (;;) {
        if (send(lifeline, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(message)) { return 0; }
        if (errno != EINTR) { return errno == ECONNRESET ? -EPIPE : -errno; }
    }
}

int process_guard_add(int lifeline, pid_t group) {
    return tell(lifeline, (int32_t)group);
}

int process_guard_remove(int lifeline, pid_t group) {
    return tell(lifeline, -(int32_t)group);
}

#endif
