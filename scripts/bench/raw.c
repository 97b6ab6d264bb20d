// rabbitmq-c as its own examples use it: one amqp_basic_publish, amqp_consume_message, amqp_basic_ack per message,
// and amqp_simple_wait_frame for confirms. What a program gets without doing anything clever.

#include "common.h"

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

    Reading start;
    for (int measured = 0; measured < 2; measured++) {
        start = readClocks();
        long count = measured ? options.messages : options.warmup;
        for (long i = 0, c = 0; i < count; i++, c = c + 1 == total ? 0 : c + 1) {
            if (confirms) {
                while (channels[c].published - channels[c].settled >= (uint64_t)options.window) {
                    waitForConfirm(&channels[c - c % perConnection], channels[c].connection);
                }
            }
            publish(&channels[c], &properties, body);
            work();
        }
        for (long c = 0; c < total; c++) {
            if (!confirms) declareQueue(channels[c].connection, channels[c].number, &options, true);
            while (confirms && channels[c].settled < channels[c].published) {
                waitForConfirm(&channels[c - c % perConnection], channels[c].connection);
            }
        }
    }
    report(client, &options, start, NULL);

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
    for (; there < needed; there++) publish(&filler, &properties, body);
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
    for (long i = 0; i < needed; i++) {
        if (i == options.warmup && i > 0) start = readClocks();
        amqp_envelope_t envelope;
        amqp_maybe_release_buffers(connection);
        checkReply(amqp_consume_message(connection, &envelope, NULL, 0), "consume");
        if (envelope.message.body.len != (size_t)options.size) quit(1, "a body of %zu bytes", envelope.message.body.len);
        work();
        if (acks) check(amqp_basic_ack(connection, envelope.channel, envelope.delivery_tag, false), "basic.ack");
        amqp_destroy_envelope(&envelope);
    }
    report(client, &options, start, NULL);
    closeConnection(connection); // and with its last consumer the queue goes
}

static void runPingPong(void) {
    amqp_connection_state_t connection = connectTo(&options);
    Channel channel = {.connection = connection, .number = 1};
    openChannel(connection, 1);
    declareQueue(connection, 1, &options, false);
    subscribe(connection, 1, false);
    amqp_basic_properties_t properties = messageProperties(&options);
    amqp_bytes_t body = messageBody(&options);
    double *latencies = calloc((size_t)options.messages, sizeof *latencies);
    Reading start = readClocks();
    for (long i = -options.warmup; i < options.messages; i++) {
        if (i == 0) start = readClocks();
        amqp_envelope_t envelope;
        double sent = now();
        publish(&channel, &properties, body);
        amqp_maybe_release_buffers(connection);
        checkReply(amqp_consume_message(connection, &envelope, NULL, 0), "consume");
        if (i >= 0) latencies[i] = now() - sent;
        amqp_destroy_envelope(&envelope);
    }
    report(client, &options, start, latencies);
    closeConnection(connection);
    amqp_bytes_free(body);
    free(latencies);
}

// Publishes, and waits for the confirm before the next.
static void runConfirm(void) {
    if (options.tasks > 1) quit(EXIT_UNSUPPORTED, "publishes from one task only");
    Channel channel = {.connection = connectTo(&options), .number = 1, .done = calloc((size_t)options.window, sizeof(bool))};
    openChannel(channel.connection, 1);
    amqp_confirm_select(channel.connection, 1);
    checkReply(amqp_get_rpc_reply(channel.connection), "confirm.select");
    declareQueue(channel.connection, 1, &options, false);
    amqp_basic_properties_t properties = messageProperties(&options);
    amqp_bytes_t body = messageBody(&options);
    double *latencies = calloc((size_t)options.messages, sizeof *latencies);
    Reading start = readClocks();
    for (long i = -options.warmup; i < options.messages; i++) {
        if (i == 0) start = readClocks();
        double sent = now();
        publish(&channel, &properties, body);
        while (channel.settled < channel.published) waitForConfirm(&channel, channel.connection);
        if (i >= 0) latencies[i] = now() - sent;
    }
    report(client, &options, start, latencies);
    deleteQueue(channel.connection, &options);
    closeConnection(channel.connection);
    amqp_bytes_free(body);
    free(channel.done);
    free(latencies);
}

// Asks for a message, acknowledges it, and asks for the next.
static void runGet(void) {
    amqp_connection_state_t connection = connectTo(&options);
    openChannel(connection, 1);
    fill(connection, options.warmup + options.messages);
    double *latencies = calloc((size_t)options.messages, sizeof *latencies);
    Reading start = readClocks();
    for (long i = -options.warmup; i < options.messages; i++) {
        if (i == 0) start = readClocks();
        double asked = now();
        amqp_maybe_release_buffers(connection);
        amqp_rpc_reply_t reply = amqp_basic_get(connection, 1, amqp_cstring_bytes(options.queue), false);
        checkReply(reply, "basic.get");
        if (reply.reply.id != AMQP_BASIC_GET_OK_METHOD) quit(1, "the queue is empty too early");
        uint64_t tag = ((amqp_basic_get_ok_t *)reply.reply.decoded)->delivery_tag;
        amqp_message_t message;
        checkReply(amqp_read_message(connection, 1, &message, 0), "message");
        check(amqp_basic_ack(connection, 1, tag, false), "basic.ack");
        amqp_destroy_message(&message);
        if (i >= 0) latencies[i] = now() - asked;
    }
    report(client, &options, start, latencies);
    deleteQueue(connection, &options);
    closeConnection(connection);
    free(latencies);
}

static void runConnect(void) {
    double *latencies = calloc((size_t)options.messages, sizeof *latencies);
    Reading start = readClocks();
    for (long i = -options.warmup; i < options.messages; i++) {
        if (i == 0) start = readClocks();
        double began = now();
        amqp_connection_state_t connection = connectTo(&options);
        openChannel(connection, 1);
        checkReply(amqp_channel_close(connection, 1, AMQP_REPLY_SUCCESS), "channel.close");
        checkReply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS), "connection.close");
        check(amqp_destroy_connection(connection), "close");
        if (i >= 0) latencies[i] = now() - began;
    }
    report(client, &options, start, latencies);
    free(latencies);
}

int main(int argc, char **argv) {
    options = parseOptions(argc, argv);
    prepareWork(&options);
    if (strcmp(options.mode, "publish") == 0) runPublish(false);
    else if (strcmp(options.mode, "publish-confirm") == 0) runPublish(true);
    else if (strcmp(options.mode, "consume") == 0) runConsume(false);
    else if (strcmp(options.mode, "consume-ack") == 0) runConsume(true);
    else if (strcmp(options.mode, "ping-pong") == 0) runPingPong();
    else if (strcmp(options.mode, "connect") == 0) runConnect();
    else if (strcmp(options.mode, "confirm") == 0) runConfirm();
    else if (strcmp(options.mode, "get") == 0) runGet();
    else quit(EXIT_UNSUPPORTED, "no mode %s here", options.mode);
    return 0;
}
