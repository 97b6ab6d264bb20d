// Counts what the process asks of the system for its sockets, and how often its threads sleep.
#ifndef CALL_COUNTER_H
#define CALL_COUNTER_H

#include <stdint.h>

// Calls of send and sendmsg since the start, whatever they returned.
uint64_t call_count_sends(void);

// Calls of recv.
uint64_t call_count_receives(void);

// How often a thread of the process has gone to sleep by itself: to wait for a socket, a lock, a time or another thread. Each
// time it is woken again, which is what costs.
uint64_t call_count_sleeps(void);

#endif
