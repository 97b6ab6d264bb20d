// What the C peers share: the options of the calling convention, the clock, and the JSON line. See README.md.

#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { EXIT_UNSUPPORTED = 3, EXIT_BAD_USAGE = 64, FRAME_MAX = 131072 };

typedef struct {
    const char *mode, *uri, *queue, *exchange, *routingKey, *ca;
    long messages, size, channels, connections, consumers, window, prefetch, warmup, work, tasks, headers, rate;
    double seconds; // after which the measured part ends; 0 if only messages end it
    bool json, persistent, readHeaders, oneAtATime;
} Options;

__attribute__((noreturn, format(printf, 2, 3)))
static void quit(int status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(status);
}

static Options parseOptions(int argc, char **argv) {
    Options o = {.uri = "amqp://guest:guest@localhost:5672", .queue = "bench", .exchange = "", .messages = 100000,
                 .size = 100, .channels = 1, .connections = 1, .consumers = 1, .window = 1000, .prefetch = 1000, .tasks = 1};
    const char *seconds = NULL;
    const struct { const char *name; const char **text; long *number, least; } known[] = {
        {"--uri", &o.uri, 0, 0},
        {"--queue", &o.queue, 0, 0},
        {"--exchange", &o.exchange, 0, 0},
        {"--routing-key", &o.routingKey, 0, 0},
        {"--ca", &o.ca, 0, 0},
        {"--messages", 0, &o.messages, 1},
        {"--size", 0, &o.size, 0},
        {"--channels", 0, &o.channels, 1},
        {"--connections", 0, &o.connections, 1},
        {"--consumers", 0, &o.consumers, 1},
        {"--window", 0, &o.window, 1},
        {"--prefetch", 0, &o.prefetch, 0},
        {"--warmup", 0, &o.warmup, 0},
        {"--work", 0, &o.work, 0},
        {"--tasks", 0, &o.tasks, 1},
        {"--headers", 0, &o.headers, 0},
        {"--rate", 0, &o.rate, 1},
        {"--seconds", &seconds, 0, 0},
    };
    const struct { const char *name; bool *flag; } flags[] = {
        {"--json", &o.json},
        {"--persistent", &o.persistent},
        {"--read-headers", &o.readHeaders},
        {"--one-at-a-time", &o.oneAtATime},
    };
    const size_t flagCount = sizeof flags / sizeof *flags;
    const size_t count = sizeof known / sizeof *known;
    if (argc < 2 || argv[1][0] == '-') quit(EXIT_BAD_USAGE, "usage: %s MODE [options], see README.md", argv[0]);
    o.mode = argv[1];
    for (int i = 2; i < argc; i++) {
        size_t k = 0, f = 0;
        while (f < flagCount && strcmp(argv[i], flags[f].name) != 0) f++;
        if (f < flagCount) {
            *flags[f].flag = true;
            continue;
        }
        while (k < count && strcmp(argv[i], known[k].name) != 0) k++;
        if (k == count || i + 1 == argc) quit(EXIT_BAD_USAGE, "%s: unknown option or no value", argv[i]);
        const char *value = argv[++i];
        if (known[k].text) {
            *known[k].text = value;
        } else {
            char *end;
            *known[k].number = strtol(value, &end, 10);
            if (*end || *known[k].number < known[k].least) quit(EXIT_BAD_USAGE, "%s %s: bad number", argv[i - 1], value);
        }
    }
    if (!o.routingKey) o.routingKey = o.queue;
    if (seconds && (o.seconds = strtod(seconds, NULL)) <= 0) quit(EXIT_BAD_USAGE, "--seconds %s: bad number", seconds);
    return o;
}

// Library calls. None of them is expected to fail in a benchmark, so the first that does ends it.

static void check(int status, const char *what) {
    if (status < 0) quit(1, "%s: %s", what, amqp_error_string2(status));
}

static void checkReply(amqp_rpc_reply_t reply, const char *what) {
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) check(reply.library_error, what);
    if (reply.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION) quit(1, "%s: no reply", what);
    amqp_bytes_t text = reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD
        ? ((amqp_channel_close_t *)reply.reply.decoded)->reply_text
        : ((amqp_connection_close_t *)reply.reply.decoded)->reply_text;
    quit(1, "%s: %.*s", what, (int)text.len, (char *)text.bytes);
}

static amqp_connection_state_t connectTo(const Options *o) {
    struct amqp_connection_info info;
    char *uri = strdup(o->uri); // taken apart in place; `info` points into it
    check(amqp_parse_url(uri, &info), "--uri");
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket;
    if (info.ssl) {
        socket = amqp_ssl_socket_new(connection);
        if (socket && o->ca) check(amqp_ssl_socket_set_cacert(socket, o->ca), "--ca");
    } else {
        socket = amqp_tcp_socket_new(connection);
    }
    if (!socket) quit(1, "no memory for a socket");
    check(amqp_socket_open(socket, info.host, info.port), "connect");
    checkReply(amqp_login(connection, info.vhost, 0, FRAME_MAX, 0, AMQP_SASL_METHOD_PLAIN, info.user, info.password), "login");
    free(uri);
    return connection;
}

static void openChannel(amqp_connection_state_t connection, int channel) {
    amqp_channel_open(connection, (amqp_channel_t)channel);
    checkReply(amqp_get_rpc_reply(connection), "channel.open");
}

static void closeConnection(amqp_connection_state_t connection) {
    amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
    check(amqp_destroy_connection(connection), "close");
}

// Returns how many messages the queue holds. A passive one is also the call that shows that the broker has taken
// everything sent before it on the channel.
static long declareQueue(amqp_connection_state_t connection, int channel, const Options *o, bool passive) {
    amqp_queue_declare_ok_t *ok = amqp_queue_declare(connection, (amqp_channel_t)channel, amqp_cstring_bytes(o->queue),
                                                     passive, false, false, true, amqp_empty_table);
    checkReply(amqp_get_rpc_reply(connection), "queue.declare");
    long count = ok->message_count;
    amqp_maybe_release_buffers(connection);
    return count;
}

static void deleteQueue(amqp_connection_state_t connection, const Options *o) {
    amqp_queue_delete(connection, 1, amqp_cstring_bytes(o->queue), false, false);
    checkReply(amqp_get_rpc_reply(connection), "queue.delete");
}

static amqp_basic_properties_t messageProperties(const Options *o) {
    return (amqp_basic_properties_t){
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_TIMESTAMP_FLAG,
        .content_type = amqp_cstring_bytes("application/octet-stream"),
        .delivery_mode = o->persistent ? 2 : 1,
        .timestamp = (uint64_t)time(NULL),
    };
}

// Headers of about `--headers` bytes: texts of 32 bytes, and a number that is another in each message.
enum { MOST_HEADERS = 128, TEXT_MOST = 64 };
typedef struct {
    amqp_table_entry_t entries[MOST_HEADERS];
    char names[MOST_HEADERS][16];
    char text[TEXT_MOST];
} Headers;

// Builds the table of a message anew, as a program does.
static amqp_table_t buildHeaders(const Options *o, Headers *headers, long number) {
    long count = o->headers / 46 - 1 > 0 ? o->headers / 46 - 1 : 0;
    if (count >= MOST_HEADERS) quit(EXIT_UNSUPPORTED, "%ld bytes of headers are too many", o->headers);
    memset(headers->text, 'h', 32);
    headers->text[32] = 0;
    for (long i = 0; i < count; i++) {
        snprintf(headers->names[i], sizeof headers->names[i], "x-head%ld", i + 10);
        headers->entries[i] = (amqp_table_entry_t){
            .key = amqp_cstring_bytes(headers->names[i]),
            .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(headers->text)},
        };
    }
    headers->entries[count] = (amqp_table_entry_t){
        .key = amqp_cstring_bytes("x-number"), .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = number}};
    return (amqp_table_t){.num_entries = (int)count + 1, .entries = headers->entries};
}

// Looks for the number in a message's headers, as a program does that reads one of them.
static void readHeaders(const amqp_basic_properties_t *properties) {
    if (properties->_flags & AMQP_BASIC_HEADERS_FLAG) {
        for (int i = 0; i < properties->headers.num_entries; i++) {
            amqp_bytes_t key = properties->headers.entries[i].key;
            if (key.len == 8 && memcmp(key.bytes, "x-number", 8) == 0) return;
        }
    }
    quit(1, "a message came without headers");
}

static amqp_bytes_t messageBody(const Options *o) {
    amqp_bytes_t body = amqp_bytes_malloc((size_t)o->size);
    if (o->size > 0 && !body.bytes) quit(1, "no memory for a body");
    if (o->size > 0) memset(body.bytes, 'x', body.len);
    return body;
}

// The measured part.

typedef struct {
    double seconds, cpu;
    double memory; // of the process now, in MB
    long threads;
} Reading;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double cpuSeconds(const struct rusage *u) {
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) + 1e-6 * (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec);
}

// What a program computes between two messages: always the same number of steps, so that what others do to the
// processor meanwhile does not count as its own work.

static volatile uint64_t workSink;
static long workSteps;

__attribute__((noinline)) static void compute(long steps) {
    uint64_t value = workSink;
    for (long i = 0; i < steps; i++) {
        value = value * 6364136223846793005ULL + 1442695040888963407ULL;
        __asm__ volatile("" : "+r"(value));
    }
    workSink = value;
}

static double threadSeconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Finds how many steps take so many microseconds.
static void prepareWork(const Options *o) {
    if (o->work <= 0) return;
    compute(2000000);
    double start = threadSeconds();
    compute(2000000);
    workSteps = (long)(2e6 * (double)o->work / (1e6 * (threadSeconds() - start)));
    if (workSteps < 1) workSteps = 1;
}

static void work(void) {
    if (workSteps > 0) compute(workSteps);
}

// How much CPU time it takes, as measured now.
static double workSeconds(void) {
    if (workSteps == 0) return 0;
    long count = 20000000 / workSteps + 1;
    double start = threadSeconds();
    for (long i = 0; i < count; i++) work();
    return (threadSeconds() - start) / (double)count;
}

// What the system says of the process: resident memory and threads.
static void readStatus(Reading *reading) {
    FILE *file = fopen("/proc/self/status", "r");
    if (!file) return;
    char line[256];
    long kilobytes = 0;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "VmRSS: %ld", &kilobytes) == 1) reading->memory = (double)kilobytes / 1024;
        sscanf(line, "Threads: %ld", &reading->threads);
    }
    fclose(file);
}

static Reading readClocks(void) {
    struct rusage u;
    Reading reading = {0};
    readStatus(&reading);
    getrusage(RUSAGE_SELF, &u);
    reading.seconds = now();
    reading.cpu = cpuSeconds(&u);
    return reading;
}

// As readClocks, where what follows is not to be measured.
static Reading readEnd(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    Reading reading = {.seconds = now(), .cpu = cpuSeconds(&u)};
    readStatus(&reading);
    return reading;
}

// Whether the time for the measured part is over. With little to do between two looks, every 64th message is enough:
// `done` is how many there are.
static bool isOver(const Options *o, Reading start, long done) {
    if (o->seconds <= 0) return false;
    if (done % 64 != 0 && o->work <= 100 && o->size <= 65536 && o->rate == 0) return false;
    return now() - start.seconds >= o->seconds;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct { double p50, p99, p999, max; } Latency; // microseconds

// What was measured: of so many messages, from `start` to `end`.
static void printReport(const char *client, const Options *o, long messages, Reading start, Reading end,
                        const Latency *latency) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    double seconds = end.seconds - start.seconds, n = (double)messages;
    double cpu = end.cpu - start.cpu - n * workSeconds();
    if (!o->json) {
        printf("%s %s: %ld x %ld bytes, %.0f/s, %.3f us CPU each", client, o->mode, messages, o->size, n / seconds,
               1e6 * cpu / n);
    } else {
        printf("{\"client\":\"%s\",\"mode\":\"%s\",\"messages\":%ld,\"size\":%ld,\"seconds\":%.6f,\"rate\":%.1f,"
               "\"cpu_seconds\":%.6f,\"cpu_us_per_message\":%.4f,\"peak_rss_mb\":%.1f,\"rss_mb\":%.2f,"
               "\"base_rss_mb\":%.2f,\"threads\":%ld,\"base_threads\":%ld",
               client, o->mode, messages, o->size, seconds, n / seconds, cpu, 1e6 * cpu / n,
               (double)u.ru_maxrss / 1024, end.memory, start.memory, end.threads, start.threads);
    }
    if (latency) {
        printf(o->json ? ",\"latency_us\":{\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}"
                       : ", latency p50 %.1f us, p99 %.1f, p99.9 %.1f, max %.1f",
               latency->p50, latency->p99, latency->p999, latency->max);
    }
    puts(o->json ? "}" : "");
    fflush(stdout);
}

// `latencies`, in seconds, one per message, may be null.
static void report(const char *client, const Options *o, long messages, Reading start, double *latencies) {
    Reading end = readEnd();
    if (messages < 1) quit(1, "not one message in %.3f s", o->seconds);
    Latency latency;
    if (latencies) {
        double last = (double)(messages - 1);
        qsort(latencies, (size_t)messages, sizeof *latencies, ascending);
#define PERCENTILE(p) (1e6 * latencies[(long)((p) * last)])
        latency = (Latency){PERCENTILE(0.5), PERCENTILE(0.99), PERCENTILE(0.999), PERCENTILE(1.0)};
    }
    printReport(client, o, messages, start, end, latencies ? &latency : NULL);
}

#endif
