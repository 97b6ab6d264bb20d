// rabbitmq-c as its own examples use it: one amqp_basic_publish, amqp_consume_message, amqp_basic_ack per message,
// and amqp_simple_wait_frame for confirms. What a program gets without doing anything clever.

#include "common.h"
#include <unistd.h>

static const char *const client = "rabbitmq-c";
static Options options;

// What was published on one channel: message `settled` and all before it are confirmed, and of those after it the ones
// whose place in `done`, a ring of the window's size, says so.
typedef struct {
    amqp_connection_state_t connection;
    amqp_channel_t number;
    uint64_t published, settled;
    bool *done;
} Channel;

static void publish(Channel *channel, const amqp_basic_properties_t *properties, amqp_bytes_t body) {
    check(amqp_basic_publish(channel->connection, channel->number, amqp_cstring_bytes(options.exchange),
                             amqp_cstring_bytes(options.routingKey), false, false, properties, body),
          "basic.publish");
    channel->published++;
}

// Waits for one frame; `channels` are those of this connection.
static void waitForConfirm(Channel *channels, amqp_connection_state_t connection) {
    amqp_frame_t frame;
    amqp_maybe_release_buffers(connection);
    check(amqp_simple_wait_frame(connection, &frame), "confirm");
    if (frame.frame_type != AMQP_FRAME_METHOD) return;
    if (frame.payload.method.id != AMQP_BASIC_ACK_METHOD) quit(1, "not a confirm: method %x", frame.payload.method.id);
    amqp_basic_ack_t *ack = frame.payload.method.decoded;
    Channel *channel = &channels[frame.channel - 1];
    uint64_t window = (uint64_t)options.window;
    if (ack->delivery_tag > channel->published) quit(1, "confirm of a message never sent");
    while (ack->multiple && channel->settled < ack->delivery_tag) channel->done[++channel->settled % window] = false;
    if (!ack->multiple) channel->done[ack->delivery_tag % window] = true;
    while (channel->settled < channel->published && channel->done[(channel->settled + 1) % window]) {
        channel->done[++channel->settled % window] = false;
    }
}

// Waits until message number `i` of `start` is due; `--rate` is how many a second, of all channels together.
static void waitForTurn(Reading start, long i) {
    if (options.rate == 0) return;
    double rest = start.seconds + (double)i / (double)options.rate - now();
    if (rest <= 0) return;
    struct timespec t = {.tv_sec = (time_t)rest, .tv_nsec = (long)(1e9 * (rest - (double)(time_t)rest))};
    nanosleep(&t, NULL);
}

static void runPublish(bool confirms) {
    long perConnection = options.channels, total = options.connections * perConnection;
    Channel *channels = calloc((size_t)total, sizeof *channels);
    for (long i = 0; i < total; i++) {
        long first = i - i % perConnection;
        channels[i].connection = i == first ? connectTo(&options) : channels[first].connection;
        channels[i].number = (amqp_channel_t)(i % perConnection + 1);
        openChannel(channels[i].connection, channels[i].number);
        if (confirms) {
            channels[i].done = calloc((size_t)options.window, sizeof *channels[i].done);
            amqp_confirm_select(channels[i].connection, channels[i].number);
            checkReply(amqp_get_rpc_reply(channels[i].connection), "confirm.select");
        }
    }
    declareQueue(channels[0].connection, 1, &options, false);
    amqp_basic_properties_t properties = messageProperties(&options);
    amqp_bytes_t body = messageBody(&options);
    Headers headers;
    if (options.headers > 0) properties._flags |= AMQP_BASIC_HEADERS_FLAG;

    Reading start;
    long sent = 0;
    for (int measured = 0; measured < 2; measured++) {
        start = readClocks();
        long count = measured ? options.messages : options.warmup;
        sent = 0;
        for (long c = 0; sent < count; c = c + 1 == total ? 0 : c + 1) {
            if (measured) waitForTurn(start, sent);
            if (confirms) {
                while (channels[c].published - channels[c].settled >= (uint64_t)options.window) {
                    waitForConfirm(&channels[c - c % perConnection], channels[c].connection);
                }
            }
            if (options.headers > 0) properties.headers = buildHeaders(&options, &headers, sent);
            publish(&channels[c], &properties, body);
            work();
            sent++;
            if (measured && isOver(&options, start, sent)) break;
        }
        for (long c = 0; c < total; c++) {
            if (!confirms) declareQueue(channels[c].connection, channels[c].number, &options, true);
            while (confirms && channels[c].settled < channels[c].published) {
                waitForConfirm(&channels[c - c % perConnection], channels[c].connection);
            }
        }
    }
    report(client, &options, sent, start, NULL);

    deleteQueue(channels[0].connection, &options);
    for (long c = 0; c < total; c += perConnection) closeConnection(channels[c].connection);
    for (long c = 0; c < total; c++) free(channels[c].done);
    amqp_bytes_free(body);
    free(channels);
}

// Declares the queue, and publishes what it lacks.
static void fill(amqp_connection_state_t connection, long needed) {
    long there = declareQueue(connection, 1, &options, false);
    amqp_basic_properties_t properties = messageProperties(&options);
    amqp_bytes_t body = messageBody(&options);
    Channel filler = {.connection = connection, .number = 1};
    options.exchange = "";
    options.routingKey = options.queue;
    Headers headers;
    if (options.headers > 0) properties._flags |= AMQP_BASIC_HEADERS_FLAG;
    for (; there < needed; there++) {
        if (options.headers > 0) properties.headers = buildHeaders(&options, &headers, there);
        publish(&filler, &properties, body);
    }
    declareQueue(connection, 1, &options, true);
    amqp_bytes_free(body);
}

static void subscribe(amqp_connection_state_t connection, int channel, bool acks) {
    amqp_basic_consume(connection, (amqp_channel_t)channel, amqp_cstring_bytes(options.queue), amqp_empty_bytes, false,
                       !acks, false, amqp_empty_table);
    checkReply(amqp_get_rpc_reply(connection), "basic.consume");
}

static void runConsume(bool acks) {
    if (options.connections > 1) quit(EXIT_UNSUPPORTED, "consumes on one connection only");
    amqp_connection_state_t connection = connectTo(&options);
    for (int c = 1; c <= options.channels; c++) {
        openChannel(connection, c);
        if (!acks || options.prefetch == 0) continue;
        amqp_basic_qos(connection, (amqp_channel_t)c, 0, (uint16_t)options.prefetch, false);
        checkReply(amqp_get_rpc_reply(connection), "basic.qos");
    }
    long needed = options.warmup + options.messages;
    fill(connection, needed);

    Reading start = readClocks();
    for (long i = 0; i < options.consumers; i++) subscribe(connection, (int)(i % options.channels) + 1, acks);
    long taken = 0;
    while (taken < needed) {
        if (taken == options.warmup && taken > 0) start = readClocks();
        amqp_envelope_t envelope;
        amqp_maybe_release_buffers(connection);
        checkReply(amqp_consume_message(connection, &envelope, NULL, 0), "consume");
        if (envelope.message.body.len != (size_t)options.size) quit(1, "a body of %zu bytes", envelope.message.body.len);
        if (options.readHeaders) readHeaders(&envelope.message.properties);
        work();
        if (acks) check(amqp_basic_ack(connection, envelope.channel, envelope.delivery_tag, false), "basic.ack");
        amqp_destroy_envelope(&envelope);
        taken++;
        if (taken > options.warmup && isOver(&options, start, taken - options.warmup)) break;
    }
    report(client, &options, taken - options.warmup, start, NULL);
    closeConnection(connection); // and with its last consumer the queue goes
}

#include "raw-calls.h"

int main(int argc, char **argv) {
    options = parseOptions(argc, argv);
    prepareWork(&options);
    const char *mode = options.mode;
    if (options.oneAtATime && strcmp(mode, "publish-confirm") == 0) mode = "confirm";
    else if (options.oneAtATime && strncmp(mode, "publish", 7) == 0) quit(EXIT_UNSUPPORTED, "nothing to wait for");
    if (strcmp(mode, "publish") == 0) runPublish(false);
    else if (strcmp(mode, "publish-confirm") == 0) runPublish(true);
    else if (strcmp(mode, "consume") == 0) runConsume(false);
    else if (strcmp(mode, "consume-ack") == 0) runConsume(true);
    else if (strcmp(mode, "handle") == 0) runConsume(true); // one thread: one at a time, whatever --tasks says
    else if (strcmp(mode, "ping-pong") == 0) runPingPong();
    else if (strcmp(mode, "connect") == 0) runConnect();
    else if (strcmp(mode, "confirm") == 0) runConfirm();
    else if (strcmp(mode, "get") == 0) runGet();
    else if (strcmp(mode, "declare") == 0) runDeclare();
    else if (strcmp(mode, "rpc") == 0) runRPC();
    else if (strcmp(mode, "idle") == 0) runIdle();
    else if (strcmp(mode, "delay") == 0) runDelay();
    else quit(EXIT_UNSUPPORTED, "no mode %s here", mode); // codable: C has nothing that encodes values
    return 0;
}
