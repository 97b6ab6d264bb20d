// Takes the place of the C library's calls in the executable it is linked into, and passes them on to the system.
#define _GNU_SOURCE
#include "call_counter.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static _Atomic uint64_t sends;
static _Atomic uint64_t receives;

uint64_t call_count_sends(void) { return atomic_load(&sends); }

uint64_t call_count_receives(void) { return atomic_load(&receives); }

uint64_t call_count_sleeps(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_nvcsw : 0;
}

// The sanitizers have calls of their own in these places; sleeps alone are counted then.
#if !__has_feature(thread_sanitizer) && !__has_feature(address_sanitizer)

struct msghdr;

static void note(_Atomic uint64_t *count) { atomic_fetch_add_explicit(count, 1, memory_order_relaxed); }

ssize_t send(int socket, const void *bytes, size_t count, int flags) {
    note(&sends);
    return syscall(SYS_sendto, socket, bytes, count, flags, NULL, (size_t)0);
}

ssize_t sendmsg(int socket, const struct msghdr *message, int flags) {
    note(&sends);
    return syscall(SYS_sendmsg, socket, message, flags);
}

ssize_t recv(int socket, void *bytes, size_t count, int flags) {
    note(&receives);
    return syscall(SYS_recvfrom, socket, bytes, count, flags, NULL, NULL);
}

#endif
