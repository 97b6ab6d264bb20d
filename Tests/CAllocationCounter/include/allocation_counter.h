// Counts what the process allocates from the heap.
#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdint.h>

// How many times memory was allocated (malloc, calloc, realloc, aligned allocation) since the start.
uint64_t allocation_count(void);

#endif
