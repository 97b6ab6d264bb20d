// The limit for publishing: whole messages encoded beforehand and blasted at the socket, 64 KB or one message at a
// time, whichever is more. Nothing that encodes each message can do it for less. TCP only, one channel.

#include "common.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

enum { BATCH = 64 * 1024 };

static const char *const client = "blast";

static uint8_t *putFrame(uint8_t *at, uint8_t type, const void *payload, size_t size) {
    at[0] = type;
    at[1] = 0;
    at[2] = 1; // the channel
    for (int i = 0; i < 4; i++) at[3 + i] = (uint8_t)(size >> (24 - 8 * i));
    memcpy(at + 7, payload, size);
    at[7 + size] = 0xCE;
    return at + 8 + size;
}

// One message as the wire has it.
static amqp_bytes_t encode(const Options *o) {
    uint8_t method[1024] = {0, 60, 0, 40}, header[256] = {0, 60};
    amqp_basic_publish_t arguments = {.exchange = amqp_cstring_bytes(o->exchange),
                                      .routing_key = amqp_cstring_bytes(o->routingKey)};
    amqp_basic_properties_t properties = messageProperties(o);
    int methodSize = amqp_encode_method(AMQP_BASIC_PUBLISH_METHOD, &arguments,
                                        (amqp_bytes_t){sizeof method - 4, method + 4});
    int propertiesSize = amqp_encode_properties(AMQP_BASIC_CLASS, &properties,
                                                (amqp_bytes_t){sizeof header - 12, header + 12});
    check(methodSize, "basic.publish");
    check(propertiesSize, "properties");
    for (int i = 0; i < 8; i++) header[4 + i] = (uint8_t)((uint64_t)o->size >> (56 - 8 * i));

    amqp_bytes_t body = messageBody(o);
    size_t most = FRAME_MAX - 8;
    amqp_bytes_t message = amqp_bytes_malloc(2048 + body.len + 8 * (body.len / most + 1));
    if (!message.bytes) quit(1, "no memory for a message");
    uint8_t *at = putFrame(message.bytes, AMQP_FRAME_METHOD, method, 4 + (size_t)methodSize);
    at = putFrame(at, AMQP_FRAME_HEADER, header, 12 + (size_t)propertiesSize);
    for (size_t sent = 0, n; sent < body.len; sent += n) {
        n = body.len - sent < most ? body.len - sent : most;
        at = putFrame(at, AMQP_FRAME_BODY, (uint8_t *)body.bytes + sent, n);
    }
    message.len = (size_t)(at - (uint8_t *)message.bytes);
    amqp_bytes_free(body);
    return message;
}

static void blast(int socket, const uint8_t *bytes, size_t size) {
    while (size > 0) {
        ssize_t n = send(socket, bytes, size, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) quit(1, "send: %s", strerror(errno));
        if (n > 0) bytes += n, size -= (size_t)n;
    }
}

int main(int argc, char **argv) {
    Options o = parseOptions(argc, argv);
    if (strcmp(o.mode, "publish") != 0) quit(EXIT_UNSUPPORTED, "no mode %s here", o.mode);
    if (o.work > 0 || o.headers > 0 || o.rate > 0) quit(EXIT_UNSUPPORTED, "no work, headers or pace here");
    if (o.channels > 1 || o.connections > 1) quit(EXIT_UNSUPPORTED, "one channel only");
    if (strncmp(o.uri, "amqps:", 6) == 0) quit(EXIT_UNSUPPORTED, "no TLS here");
    amqp_connection_state_t connection = connectTo(&o);
    if (amqp_get_frame_max(connection) != FRAME_MAX) quit(1, "the broker wants another frame_max");
    openChannel(connection, 1);
    declareQueue(connection, 1, &o, false);

    amqp_bytes_t message = encode(&o);
    long perBatch = BATCH / (long)message.len + 1;
    uint8_t *batch = malloc((size_t)perBatch * message.len);
    if (!batch) quit(1, "no memory for a batch");
    for (long i = 0; i < perBatch; i++) memcpy(batch + (size_t)i * message.len, message.bytes, message.len);

    // rabbitmq-c leaves its socket non-blocking.
    int socket = amqp_get_sockfd(connection), flags = fcntl(socket, F_GETFL);
    Reading start;
    long sent = 0;
    for (int measured = 0; measured < 2; measured++) {
        fcntl(socket, F_SETFL, flags & ~O_NONBLOCK);
        start = readClocks();
        sent = 0;
        for (long left = measured ? o.messages : o.warmup, n; left > 0; left -= n) {
            n = left < perBatch ? left : perBatch;
            blast(socket, batch, (size_t)n * message.len);
            sent += n;
            if (measured && o.seconds > 0 && now() - start.seconds >= o.seconds) break;
        }
        fcntl(socket, F_SETFL, flags);
        declareQueue(connection, 1, &o, true);
    }
    report(client, &o, sent, start, NULL);

    deleteQueue(connection, &o);
    closeConnection(connection);
    amqp_bytes_free(message);
    free(batch);
    return 0;
}
