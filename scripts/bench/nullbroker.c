// A broker that does next to nothing, so that the client is the limit.
//
// It speaks AMQP 0-9-1 on loopback: accepts any login, answers every declaration, discards what is published,
// confirms it if asked (one `multiple` acknowledgement per batch read), and to a consumer sends the same pre-encoded
// message for as long as the socket takes it. The prefetch of a consumer that acknowledges is kept, but filled up only
// once half of it is free, so that messages go in batches. Every queue claims 2^31 - 1 messages.
// A body that begins with STAMP and 8 bytes of CLOCK_MONOTONIC, in nanoseconds, says when it was published: declaring
// the queue "null.delay.N" answers with so many messages as were nanoseconds until N of 1,000 such bodies were here.
// One thread per connection. SIGTERM or SIGINT ends it; the totals go to stderr.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CHANNEL_MAX = 2047,
    FRAME_MAX = 131072,
    READ_BUFFER = 256 * 1024, // two of the largest frames
    WRITE_BATCH = 128 * 1024,
    SETTLE_MS = 20, // of silence after a consumer came or went, before it delivers: a client may start or end several
    QUEUE_LENGTH = INT32_MAX,
    STAMP_SIZE = 8,
    MOST_DELAYS = 1000000, // that are kept, of a connection
};
static const char STAMP[] = "bench at", DELAY_QUEUE[] = "null.delay.";

#define METHOD(class, method) ((uint32_t)(class) << 16 | (method))

static size_t bodySize = 100, headerSize = 0;
static atomic_ullong connections, published, publishedBytes, delivered, settled, confirmed;

// Bytes that grow. There is no way to go on without memory, so running out of it ends the process.
typedef struct {
    uint8_t *bytes;
    size_t count, capacity;
} Buffer;

static uint8_t *grow(Buffer *b, size_t n) {
    if (b->count + n > b->capacity) {
        b->capacity = 2 * (b->count + n);
        b->bytes = realloc(b->bytes, b->capacity);
        if (!b->bytes) abort();
    }
    b->count += n;
    return b->bytes + b->count - n;
}

static void store(uint8_t *at, uint64_t value, int width) {
    for (int i = width - 1; i >= 0; i--, value >>= 8) at[i] = (uint8_t)value;
}
static uint64_t load(const uint8_t *at, int width) {
    uint64_t value = 0;
    for (int i = 0; i < width; i++) value = value << 8 | at[i];
    return value;
}
static void put(Buffer *b, uint64_t value, int width) { store(grow(b, width), value, width); }
static void putBytes(Buffer *b, const void *bytes, size_t n) { if (n) memcpy(grow(b, n), bytes, n); }
static void putShort(Buffer *b, const char *s) { put(b, strlen(s), 1); putBytes(b, s, strlen(s)); }
static void putLong(Buffer *b, const char *s) { put(b, strlen(s), 4); putBytes(b, s, strlen(s)); }

static size_t beginFrame(Buffer *b, int type, uint16_t channel) {
    put(b, type, 1);
    put(b, channel, 2);
    put(b, 0, 4);
    return b->count;
}
static size_t beginMethod(Buffer *b, uint16_t channel, uint32_t method) {
    size_t start = beginFrame(b, 1, channel);
    put(b, method, 4);
    return start;
}
static void endFrame(Buffer *b, size_t start) {
    store(b->bytes + start - 4, b->count - start, 4);
    put(b, 0xCE, 1);
}

typedef struct {
    uint64_t bodyLeft;  // of the message that is arriving
    uint64_t published; // messages arrived, as confirms count them
    uint64_t delivered; // the last delivery tag
    uint64_t settled;   // deliveries settled, if they are in order
    uint64_t prefetch, acking; // of each consumer, and how many of them acknowledge
    bool confirms, toConfirm, full;
} Channel;

typedef struct {
    uint16_t channel;
    bool acks;
    size_t tagOffset; // of the delivery tag in the message
    size_t numberOffset; // of what is another in each message's headers; 0 without headers
    Buffer message;   // method, header and body frames
    char tag[256];
} Consumer;

typedef struct {
    int socket;
    size_t frameMax;
    bool greeted, closing, settling;
    Channel channels[CHANNEL_MAX + 1];
    uint16_t toConfirm[CHANNEL_MAX + 1];
    size_t toConfirmCount;
    Consumer *consumers;
    size_t consumerCount, nextConsumer, consumersMade;
    // The rest of a body frame that has not arrived yet.
    size_t skip, skipSize;
    uint16_t skipChannel;
    Buffer out;
    size_t sent; // of `out`
    uint8_t in[READ_BUFFER];
    size_t inCount;
    unsigned long long published, publishedBytes, settled; // since they were last added to the totals
    uint32_t *delays; // nanoseconds, of bodies with a stamp
    size_t delayCount;
} Connection;

static bool refuse(const char *why, unsigned long detail) {
    fprintf(stderr, "nullbroker: %s (%lu), connection dropped\n", why, detail);
    return false;
}

// The arguments of a method. Reading past the end gives zeros and sets `bad`.
typedef struct {
    const uint8_t *at, *end;
    bool bad;
} Arguments;

static uint64_t take(Arguments *a, int width) {
    if (a->end - a->at < width) {
        a->bad = true;
        return 0;
    }
    a->at += width;
    return load(a->at - width, width);
}
static void takeShort(Arguments *a, char into[256]) {
    size_t n = take(a, 1);
    if ((size_t)(a->end - a->at) < n) {
        a->bad = true;
        n = 0;
    }
    memcpy(into, a->at, n);
    into[n] = 0;
    a->at += n;
}

// Headers of about the size that is asked for, as the peers publish them: texts of 32 bytes, and a number, whose place
// this returns, that has to be another in each message. Clients may keep tables that they have decoded.
static size_t putHeaders(Buffer *m) {
    put(m, 0, 4);
    size_t start = m->count;
    for (size_t i = 0; i + 1 < headerSize / 46; i++) {
        char name[16], text[128];
        snprintf(name, sizeof name, "x-head%02zu", 10 + i % 90);
        size_t length = 32 + i / 90;
        memset(text, 'h', length);
        text[length] = 0;
        putShort(m, name);
        put(m, 'S', 1);
        putLong(m, text);
    }
    putShort(m, "x-number");
    put(m, 'l', 1);
    size_t number = m->count;
    put(m, 0, 8);
    store(m->bytes + start - 4, m->count - start, 4);
    return number;
}

// The header and the body frames of a message. Returns where the number in its headers is; 0 without headers.
static size_t putContent(Connection *c, Buffer *m, uint16_t channel) {
    size_t start = beginFrame(m, 2, channel), number = 0;
    put(m, 60, 2);
    put(m, 0, 2);
    put(m, bodySize, 8);
    // content type, headers, delivery mode, timestamp
    put(m, 1 << 15 | (headerSize > 0) << 13 | 1 << 12 | 1 << 6, 2);
    putShort(m, "application/octet-stream");
    if (headerSize > 0) number = putHeaders(m);
    put(m, 1, 1);
    put(m, 1700000000, 8);
    endFrame(m, start);
    for (size_t left = bodySize, most = c->frameMax - 8, n; left > 0; left -= n) {
        n = left < most ? left : most;
        start = beginFrame(m, 3, channel);
        memset(grow(m, n), 'x', n);
        endFrame(m, start);
    }
    return number;
}

static void addConsumer(Connection *c, uint16_t channel, bool acks, const char *queue, const char *tag) {
    c->consumers = realloc(c->consumers, (c->consumerCount + 1) * sizeof *c->consumers);
    if (!c->consumers) abort();
    Consumer *consumer = &c->consumers[c->consumerCount++];
    *consumer = (Consumer){.channel = channel, .acks = acks};
    c->channels[channel].acking += acks;
    snprintf(consumer->tag, sizeof consumer->tag, "%s", tag);

    Buffer *m = &consumer->message;
    size_t start = beginMethod(m, channel, METHOD(60, 60));
    putShort(m, tag);
    consumer->tagOffset = m->count;
    put(m, 0, 8);
    put(m, 0, 1); // not redelivered
    putShort(m, "");
    putShort(m, queue);
    endFrame(m, start);
    consumer->numberOffset = putContent(c, m, channel);
}

static uint64_t nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

// A whole body frame that may begin with a stamp.
static void readStamp(Connection *c, const uint8_t *body, size_t size) {
    if (size < STAMP_SIZE + 8 || memcmp(body, STAMP, STAMP_SIZE) != 0) return;
    uint64_t delay = nanoseconds() - load(body + STAMP_SIZE, 8);
    if (!c->delays) c->delays = malloc(MOST_DELAYS * sizeof *c->delays);
    if (!c->delays) abort();
    if (c->delayCount < MOST_DELAYS) c->delays[c->delayCount++] = delay < INT32_MAX ? (uint32_t)delay : INT32_MAX;
}

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

// How many messages a queue of this name claims.
static uint64_t queueLength(Connection *c, const char *name) {
    size_t prefix = sizeof DELAY_QUEUE - 1;
    if (strncmp(name, DELAY_QUEUE, prefix) != 0) return QUEUE_LENGTH;
    size_t part = strtoul(name + prefix, NULL, 10);
    if (c->delayCount == 0 || part > 1000) return 0;
    qsort(c->delays, c->delayCount, sizeof *c->delays, ascending);
    return c->delays[(c->delayCount - 1) * part / 1000];
}

// Removes the consumer of that tag, or every one if `tag` is null, on the channel, or on every one if it is 0.
static void removeConsumers(Connection *c, uint16_t channel, const char *tag) {
    size_t kept = 0;
    for (size_t i = 0; i < c->consumerCount; i++) {
        Consumer *one = &c->consumers[i];
        if ((channel == 0 || one->channel == channel) && (!tag || strcmp(one->tag, tag) == 0)) {
            free(one->message.bytes);
            c->channels[one->channel].acking -= one->acks;
        } else {
            if (kept != i) c->consumers[kept] = *one;
            kept++;
        }
    }
    c->consumerCount = kept;
    c->nextConsumer = 0;
}

// An answer without arguments: every such method is one above the one it answers.
static void answer(Connection *c, uint16_t channel, uint32_t method) {
    endFrame(&c->out, beginMethod(&c->out, channel, method + 1));
}

static void sendStart(Connection *c) {
    static const char *capabilities[] = {
        "publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify",
        "connection.blocked", "consumer_priorities", "authentication_failure_close", "per_consumer_qos",
    };
    Buffer *b = &c->out;
    size_t start = beginMethod(b, 0, METHOD(10, 10));
    put(b, 0, 1);
    put(b, 9, 1);
    put(b, 0, 4);
    size_t table = b->count;
    putShort(b, "product");
    put(b, 'S', 1);
    putLong(b, "nullbroker");
    putShort(b, "capabilities");
    put(b, 'F', 1);
    put(b, 0, 4);
    size_t inner = b->count;
    for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++) {
        putShort(b, capabilities[i]);
        put(b, 't', 1);
        put(b, 1, 1);
    }
    store(b->bytes + inner - 4, b->count - inner, 4);
    store(b->bytes + table - 4, b->count - table, 4);
    putLong(b, "PLAIN AMQPLAIN EXTERNAL");
    putLong(b, "en_US");
    endFrame(b, start);
}

static bool handleMethod(Connection *c, uint16_t channel, const uint8_t *payload, size_t size) {
    Arguments a = {payload, payload + size, false};
    uint32_t method = (uint32_t)take(&a, 4);
    Channel *ch = &c->channels[channel];
    Buffer *b = &c->out;
    char name[256], other[256];
    size_t start;
    switch (method) {
    case METHOD(60, 40): // basic.publish: the content header says how much follows
        return true;
    case METHOD(60, 80):    // basic.ack
    case METHOD(60, 90):    // basic.reject, which has no `multiple`
    case METHOD(60, 120): { // basic.nack
        uint64_t tag = take(&a, 8), before = ch->settled;
        bool multiple = (take(&a, 1) & 1) && method != METHOD(60, 90);
        if (a.bad || tag > ch->delivered) return refuse("acknowledgement of an unknown delivery", tag);
        ch->settled = !multiple ? before + 1 : tag == 0 ? ch->delivered : tag > before ? tag : before;
        c->settled += ch->settled - before;
        return true;
    }
    case METHOD(60, 100): // basic.recover-async
    case METHOD(10, 51):  // connection.close-ok
    case METHOD(20, 41):  // channel.close-ok
    case METHOD(20, 21):  // channel.flow-ok
        return true;
    case METHOD(10, 11): // connection.start-ok
        start = beginMethod(b, 0, METHOD(10, 30));
        put(b, CHANNEL_MAX, 2);
        put(b, FRAME_MAX, 4);
        put(b, 0, 2); // no heartbeat
        endFrame(b, start);
        return true;
    case METHOD(10, 31): // connection.tune-ok
        take(&a, 2);
        c->frameMax = take(&a, 4);
        if (c->frameMax == 0) c->frameMax = FRAME_MAX;
        if (c->frameMax < 4096 || c->frameMax > FRAME_MAX) return refuse("bad frame_max", c->frameMax);
        return true;
    case METHOD(10, 40): // connection.open
        start = beginMethod(b, 0, METHOD(10, 41));
        putShort(b, "");
        endFrame(b, start);
        return true;
    case METHOD(10, 50): // connection.close
        removeConsumers(c, 0, NULL);
        answer(c, 0, method);
        c->closing = true;
        return true;
    case METHOD(20, 10): // channel.open
        *ch = (Channel){0};
        start = beginMethod(b, channel, METHOD(20, 11));
        putLong(b, "");
        endFrame(b, start);
        return true;
    case METHOD(20, 40): // channel.close
        removeConsumers(c, channel, NULL);
        answer(c, channel, method);
        return true;
    case METHOD(50, 10): // queue.declare
        take(&a, 2);
        takeShort(&a, name);
        if (take(&a, 1) & 16) return true; // no-wait, here and below
        start = beginMethod(b, channel, METHOD(50, 11));
        putShort(b, name[0] ? name : "null.generated");
        put(b, queueLength(c, name), 4);
        put(b, 0, 4);
        endFrame(b, start);
        return true;
    case METHOD(50, 30): // queue.purge
    case METHOD(50, 40): // queue.delete
        take(&a, 2);
        takeShort(&a, name);
        if (take(&a, 1) & (method == METHOD(50, 30) ? 1 : 4)) return true;
        start = beginMethod(b, channel, method + 1);
        put(b, 0, 4);
        endFrame(b, start);
        return true;
    case METHOD(40, 10): // exchange.declare
        take(&a, 2);
        takeShort(&a, name);
        takeShort(&a, other);
        if (!(take(&a, 1) & 16)) answer(c, channel, method);
        return true;
    case METHOD(40, 20): // exchange.delete
        take(&a, 2);
        takeShort(&a, name);
        if (!(take(&a, 1) & 2)) answer(c, channel, method);
        return true;
    case METHOD(50, 20): // queue.bind
    case METHOD(40, 30): // exchange.bind
    case METHOD(40, 40): // exchange.unbind
        take(&a, 2);
        takeShort(&a, name);
        takeShort(&a, name);
        takeShort(&a, name);
        if (take(&a, 1) & 1) return true;
        answer(c, channel, method == METHOD(40, 40) ? METHOD(40, 50) : method); // its answer is 51
        return true;
    case METHOD(60, 20): // basic.consume
        take(&a, 2);
        takeShort(&a, other);
        takeShort(&a, name);
        uint64_t flags = take(&a, 1);
        if (a.bad) return refuse("bad basic.consume", size);
        if (!name[0]) snprintf(name, sizeof name, "null.ctag-%zu", ++c->consumersMade);
        if (!(flags & 8)) {
            start = beginMethod(b, channel, METHOD(60, 21));
            putShort(b, name);
            endFrame(b, start);
        }
        addConsumer(c, channel, !(flags & 2), other, name);
        c->settling = true;
        return true;
    case METHOD(60, 70): // basic.get
        take(&a, 2);
        takeShort(&a, name);
        if (a.bad) return refuse("bad basic.get", size);
        if (take(&a, 1) & 1) ch->settled++;
        start = beginMethod(b, channel, METHOD(60, 71));
        put(b, ++ch->delivered, 8);
        put(b, 0, 1); // not redelivered
        putShort(b, "");
        putShort(b, name);
        put(b, 1, 4);
        endFrame(b, start);
        size_t number = putContent(c, b, channel);
        if (number > 0) store(b->bytes + number, ch->delivered, 8);
        return true;
    case METHOD(60, 30): // basic.cancel
        takeShort(&a, name);
        removeConsumers(c, channel, name);
        c->settling = true;
        if (take(&a, 1) & 1) return true;
        start = beginMethod(b, channel, METHOD(60, 31));
        putShort(b, name);
        endFrame(b, start);
        return true;
    case METHOD(60, 10): // basic.qos
        take(&a, 4);
        ch->prefetch = take(&a, 2);
        answer(c, channel, method);
        return true;
    case METHOD(85, 10): // confirm.select
        ch->confirms = true;
        if (!(take(&a, 1) & 1)) answer(c, channel, method);
        return true;
    case METHOD(10, 70):  // connection.update-secret
    case METHOD(50, 50):  // queue.unbind
    case METHOD(60, 110): // basic.recover
        answer(c, channel, method);
        return true;
    default:
        return refuse("method not known here", method);
    }
}

static void messageArrived(Connection *c, uint16_t channel) {
    Channel *ch = &c->channels[channel];
    ch->published++;
    c->published++;
    if (ch->confirms && !ch->toConfirm) {
        ch->toConfirm = true;
        c->toConfirm[c->toConfirmCount++] = channel;
    }
}

static bool bodyArrived(Connection *c, uint16_t channel, size_t size) {
    Channel *ch = &c->channels[channel];
    if (size > ch->bodyLeft) return refuse("body longer than its header says", size);
    ch->bodyLeft -= size;
    c->publishedBytes += size;
    if (ch->bodyLeft == 0) messageArrived(c, channel);
    return true;
}

// Takes what arrived apart; what is left is the start of a frame, moved to the front of `in`.
static bool parse(Connection *c) {
    size_t at = 0, n = c->inCount;
    if (c->skip > 0) {
        at = c->skip < n ? c->skip : n;
        c->skip -= at;
        if (c->skip > 0) {
            c->inCount = 0;
            return true;
        }
        if (c->in[at - 1] != 0xCE) return refuse("no frame end", c->in[at - 1]);
        if (!bodyArrived(c, c->skipChannel, c->skipSize)) return false;
    }
    if (!c->greeted) {
        if (n < 8) return true;
        if (memcmp(c->in, "AMQP\0\0\x09\x01", 8) != 0) return refuse("not AMQP 0-9-1", c->in[0]);
        c->greeted = true;
        sendStart(c);
        at = 8;
    }
    while (n - at >= 7) {
        const uint8_t *frame = c->in + at;
        uint16_t channel = (uint16_t)(frame[1] << 8 | frame[2]);
        size_t size = (size_t)frame[3] << 24 | frame[4] << 16 | frame[5] << 8 | frame[6];
        if (channel > CHANNEL_MAX || size > c->frameMax - 8) return refuse("bad frame", size);
        bool whole = size + 8 <= n - at;
        if (whole && frame[size + 7] != 0xCE) return refuse("no frame end", frame[size + 7]);
        if (frame[0] == 3) {
            if (!whole) {
                c->skip = size + 8 - (n - at);
                c->skipSize = size;
                c->skipChannel = channel;
                at = n;
                break;
            }
            readStamp(c, frame + 7, size);
            if (!bodyArrived(c, channel, size)) return false;
        } else if (!whole) {
            break;
        } else if (frame[0] == 2) {
            if (size < 14) return refuse("bad content header", size);
            c->channels[channel].bodyLeft = load(frame + 11, 8);
            if (c->channels[channel].bodyLeft == 0) messageArrived(c, channel);
        } else if (frame[0] == 1) {
            if (!handleMethod(c, channel, frame + 7, size)) return false;
        } else if (frame[0] == 8) {
            endFrame(&c->out, beginFrame(&c->out, 8, 0)); // a heartbeat for a heartbeat
        } else {
            return refuse("unknown frame type", frame[0]);
        }
        at += size + 8;
    }
    c->inCount = n - at;
    memmove(c->in, c->in + at, c->inCount);
    return true;
}

// One acknowledgement for each channel that published in this batch, which a batch's size bounds.
static void confirm(Connection *c) {
    for (size_t i = 0; i < c->toConfirmCount; i++) {
        uint16_t channel = c->toConfirm[i];
        Channel *ch = &c->channels[channel];
        size_t start = beginMethod(&c->out, channel, METHOD(60, 80));
        put(&c->out, ch->published, 8);
        put(&c->out, 1, 1); // multiple
        endFrame(&c->out, start);
        ch->toConfirm = false;
        confirmed++;
    }
    c->toConfirmCount = 0;
}

static bool mayDeliver(Channel *ch, const Consumer *to) {
    if (!to->acks) {
        ch->settled++;
        return true;
    }
    uint64_t most = ch->prefetch * ch->acking, unsettled = ch->delivered - ch->settled;
    ch->full = most > 0 && unsettled >= (ch->full ? most - most / 2 : most);
    return !ch->full;
}

// Returns whether there was anything to deliver.
static bool deliver(Connection *c) {
    unsigned long long count = 0;
    for (size_t refused = 0; refused < c->consumerCount && c->out.count < WRITE_BATCH;) {
        Consumer *one = &c->consumers[c->nextConsumer];
        Channel *ch = &c->channels[one->channel];
        if (++c->nextConsumer == c->consumerCount) c->nextConsumer = 0;
        if (!mayDeliver(ch, one)) {
            refused++;
            continue;
        }
        refused = 0;
        uint8_t *at = grow(&c->out, one->message.count);
        memcpy(at, one->message.bytes, one->message.count);
        store(at + one->tagOffset, ++ch->delivered, 8);
        if (one->numberOffset > 0) store(at + one->numberOffset, ch->delivered, 8);
        count++;
    }
    delivered += count;
    return count > 0;
}

static void addTotals(Connection *c) {
    published += c->published;
    publishedBytes += c->publishedBytes;
    settled += c->settled;
    c->published = c->publishedBytes = c->settled = 0;
}

static void serve(Connection *c) {
    for (;;) {
        bool idle = false; // nothing to do until something arrives
        if (c->sent == c->out.count) {
            c->sent = c->out.count = 0;
            idle = c->settling || !deliver(c);
        }
        bool pending = c->sent < c->out.count;
        if (pending) {
            ssize_t n = send(c->socket, c->out.bytes + c->sent, c->out.count - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN && errno != EINTR) return;
            if (n > 0) c->sent += (size_t)n;
            pending = c->sent < c->out.count;
        }
        if (pending) {
            struct pollfd p = {.fd = c->socket, .events = POLLIN | POLLOUT};
            if (poll(&p, 1, -1) < 0 && errno != EINTR) return;
        } else if (c->closing) {
            return;
        } else if (c->settling) {
            struct pollfd p = {.fd = c->socket, .events = POLLIN};
            c->settling = poll(&p, 1, SETTLE_MS) != 0;
            idle = c->settling;
        }
        ssize_t n = recv(c->socket, c->in + c->inCount, READ_BUFFER - c->inCount, idle ? 0 : MSG_DONTWAIT);
        if (n == 0) return;
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR) return;
            continue;
        }
        c->inCount += (size_t)n;
        bool fine = parse(c);
        confirm(c);
        addTotals(c);
        if (!fine) return;
    }
}

static void *run(void *argument) {
    Connection *c = argument;
    connections++;
    serve(c);
    // Lets the client read the close-ok before a reset could overtake it.
    shutdown(c->socket, SHUT_WR);
    struct timeval second = {.tv_sec = 1};
    setsockopt(c->socket, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    while (recv(c->socket, c->in, READ_BUFFER, 0) > 0) {}
    close(c->socket);
    removeConsumers(c, 0, NULL);
    free(c->consumers);
    free(c->out.bytes);
    free(c->delays);
    free(c);
    return NULL;
}

static volatile sig_atomic_t ended;
static void end(int number) { (void)number, ended = 1; }

static int usage(FILE *to, int status) {
    fputs("usage: nullbroker [--port N] [--size BYTES] [--headers BYTES] [--port-file FILE]\n"
          "  --port       on 127.0.0.1; 0, the default, takes a free one\n"
          "  --size       body bytes of what it delivers; 100 unless told\n"
          "  --headers    about as many bytes of headers in what it delivers; none unless told, at most 4000\n"
          "  --port-file  where to write the port, once it listens\n", to);
    return status;
}

int main(int argc, char **argv) {
    int port = 0;
    const char *portFile = NULL;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--help") == 0) return usage(stdout, 0);
        if (!value) return usage(stderr, 64);
        if (strcmp(argv[i], "--port") == 0) port = atoi(value);
        else if (strcmp(argv[i], "--size") == 0) bodySize = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--headers") == 0) headerSize = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--port-file") == 0) portFile = value;
        else return usage(stderr, 64);
        i++;
    }
    if (headerSize > 4000) return usage(stderr, 64); // header frames of the least frame_max

    // Only main takes the signals, and only while it waits for a connection.
    sigset_t ends, none;
    sigemptyset(&none);
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1024) != 0
        || getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        fprintf(stderr, "nullbroker: cannot listen on port %d: %s\n", port, strerror(errno));
        return 1;
    }
    port = ntohs(address.sin_port);
    if (portFile) {
        FILE *file = fopen(portFile, "w");
        if (!file || fprintf(file, "%d\n", port) < 0 || fclose(file) != 0) {
            fprintf(stderr, "nullbroker: cannot write %s: %s\n", portFile, strerror(errno));
            return 1;
        }
    }
    printf("ready %d\n", port);
    fflush(stdout);

    while (!ended) {
        struct pollfd p = {.fd = listener, .events = POLLIN};
        if (ppoll(&p, 1, NULL, &none) <= 0) continue;
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0) continue;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        Connection *c = calloc(1, sizeof *c);
        pthread_t thread;
        if (!c) abort();
        c->socket = client;
        c->frameMax = FRAME_MAX;
        if (pthread_create(&thread, NULL, run, c) != 0) {
            close(client);
            free(c);
            continue;
        }
        pthread_detach(thread);
    }
    fprintf(stderr, "nullbroker: %llu connections, %llu published (%llu bytes), %llu confirms sent, "
            "%llu delivered, %llu settled\n", (unsigned long long)connections, (unsigned long long)published,
            (unsigned long long)publishedBytes, (unsigned long long)confirmed, (unsigned long long)delivered,
            (unsigned long long)settled);
    return 0;
}
