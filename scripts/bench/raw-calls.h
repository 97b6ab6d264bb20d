// The modes of raw.c in which each message, or call, is timed. Included there, in the middle.

// How many were timed, and when the measured part began. `each` has room for all of them.
typedef struct {
    double *each;
    long count;
    Reading start;
} Times;

static Times makeTimes(void) {
    Times times = {.each = calloc((size_t)options.messages, sizeof *times.each)};
    if (!times.each) quit(1, "no memory for %ld times", options.messages);
    times.start = readClocks();
    return times;
}

// Number `i` begins, from the negative ones of the warm-up on. Whether it may.
static bool mayBegin(Times *times, long i) {
    if (i == 0) times->start = readClocks();
    return i < options.messages && (i <= 0 || !isOver(&options, times->start, i));
}

static void add(Times *times, long i, double began) {
    if (i >= 0) times->each[times->count++] = now() - began;
}

static void reportTimes(Times *times) {
    report(client, &options, times->count, times->start, times->each);
    free(times->each);
}

static void runPingPong(void) {
    amqp_connection_state_t connection = connectTo(&options);
    Channel channel = {.connection = connection, .number = 1};
    openChannel(connection, 1);
    declareQueue(connection, 1, &options, false);
    subscribe(connection, 1, false);
    amqp_basic_properties_t properties = messageProperties(&options);
    amqp_bytes_t body = messageBody(&options);
    Times times = makeTimes();
    for (long i = -options.warmup; mayBegin(&times, i); i++) {
        amqp_envelope_t envelope;
        double sent = now();
        publish(&channel, &properties, body);
        amqp_maybe_release_buffers(connection);
        checkReply(amqp_consume_message(connection, &envelope, NULL, 0), "consume");
        add(&times, i, sent);
        amqp_destroy_envelope(&envelope);
    }
    reportTimes(&times);
    closeConnection(connection);
    amqp_bytes_free(body);
}

// Publishes, and waits for the confirm before the next. Where others have `--tasks` that do so, one thread has as many
// messages on their way.
static void runConfirm(void) {
    options.window = options.tasks;
    Channel channel = {.connection = connectTo(&options), .number = 1};
    channel.done = calloc((size_t)options.window, sizeof *channel.done);
    openChannel(channel.connection, 1);
    amqp_confirm_select(channel.connection, 1);
    checkReply(amqp_get_rpc_reply(channel.connection), "confirm.select");
    declareQueue(channel.connection, 1, &options, false);
    amqp_basic_properties_t properties = messageProperties(&options);
    amqp_bytes_t body = messageBody(&options);
    double *sentAt = calloc((size_t)options.window, sizeof *sentAt);
    if (!channel.done || !sentAt) quit(1, "no memory for %ld tasks", options.tasks);
    Times times = makeTimes();
    for (int measured = 0; measured < 2; measured++) {
        long count = measured ? options.messages : options.warmup, sent = 0, settled = 0;
        bool over = false;
        if (measured) times.start = readClocks();
        while (settled < sent || (sent < count && !over)) {
            if (sent < count && !over && sent - settled < options.window) {
                sentAt[(channel.published + 1) % (uint64_t)options.window] = now();
                publish(&channel, &properties, body);
                sent++;
                over = measured && isOver(&options, times.start, sent);
                continue;
            }
            uint64_t tag = channel.settled + 1;
            waitForConfirm(&channel, channel.connection);
            for (; tag <= channel.settled; tag++, settled++) {
                add(&times, measured ? settled : -1, sentAt[tag % (uint64_t)options.window]);
            }
        }
    }
    reportTimes(&times);
    deleteQueue(channel.connection, &options);
    closeConnection(channel.connection);
    amqp_bytes_free(body);
    free(channel.done);
    free(sentAt);
}

// Asks for a message, acknowledges it, and asks for the next.
static void runGet(void) {
    amqp_connection_state_t connection = connectTo(&options);
    openChannel(connection, 1);
    fill(connection, options.warmup + options.messages);
    Times times = makeTimes();
    for (long i = -options.warmup; mayBegin(&times, i); i++) {
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
        add(&times, i, asked);
    }
    reportTimes(&times);
    deleteQueue(connection, &options);
    closeConnection(connection);
}

// Asks whether the queue is there, again and again: a round trip without a message.
static void runDeclare(void) {
    amqp_connection_state_t connection = connectTo(&options);
    openChannel(connection, 1);
    declareQueue(connection, 1, &options, false);
    Times times = makeTimes();
    for (long i = -options.warmup; mayBegin(&times, i); i++) {
        double asked = now();
        declareQueue(connection, 1, &options, true);
        add(&times, i, asked);
    }
    reportTimes(&times);
    deleteQueue(connection, &options);
    closeConnection(connection);
}

// Answers a request with what it holds.
static void serve(Channel *server, const amqp_envelope_t *request) {
    const amqp_basic_properties_t *asked = &request->message.properties;
    amqp_basic_properties_t properties = messageProperties(&options);
    properties._flags |= AMQP_BASIC_CORRELATION_ID_FLAG;
    properties.correlation_id = asked->correlation_id;
    check(amqp_basic_publish(server->connection, server->number, amqp_empty_bytes, asked->reply_to, false, false,
                             &properties, request->message.body),
          "reply");
    check(amqp_basic_ack(server->connection, server->number, request->delivery_tag, false), "basic.ack");
}

// Calls a server on the same connection, with as many calls on their way as there are `--tasks`. By hand: a channel
// serves, another calls, and the reply comes directly.
static void runRPC(void) {
    amqp_connection_state_t connection = connectTo(&options);
    Channel server = {.connection = connection, .number = 1}, caller = {.connection = connection, .number = 2};
    openChannel(connection, 1);
    openChannel(connection, 2);
    declareQueue(connection, 1, &options, false);
    subscribe(connection, 1, true);
    amqp_basic_consume(connection, 2, amqp_cstring_bytes("amq.rabbitmq.reply-to"), amqp_empty_bytes, false, true, false,
                       amqp_empty_table);
    checkReply(amqp_get_rpc_reply(connection), "basic.consume");
    options.exchange = "";
    options.routingKey = options.queue;
    amqp_basic_properties_t properties = messageProperties(&options);
    properties._flags |= AMQP_BASIC_REPLY_TO_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG;
    properties.reply_to = amqp_cstring_bytes("amq.rabbitmq.reply-to");
    amqp_bytes_t body = messageBody(&options);
    double *sentAt = calloc((size_t)options.tasks, sizeof *sentAt);
    if (!sentAt) quit(1, "no memory for %ld tasks", options.tasks);
    char id[32];
    Times times = makeTimes();
    for (int measured = 0; measured < 2; measured++) {
        long count = measured ? options.messages : options.warmup, sent = 0, answered = 0;
        bool over = false;
        if (measured) times.start = readClocks();
        while (answered < sent || (sent < count && !over)) {
            if (sent < count && !over && sent - answered < options.tasks) {
                snprintf(id, sizeof id, "%ld", sent);
                properties.correlation_id = amqp_cstring_bytes(id);
                sentAt[sent % options.tasks] = now();
                publish(&caller, &properties, body);
                sent++;
                over = measured && isOver(&options, times.start, sent);
                continue;
            }
            amqp_envelope_t envelope;
            amqp_maybe_release_buffers(connection);
            checkReply(amqp_consume_message(connection, &envelope, NULL, 0), "consume");
            if (envelope.channel == 1) {
                serve(&server, &envelope);
            } else {
                amqp_bytes_t text = envelope.message.properties.correlation_id;
                snprintf(id, sizeof id, "%.*s", (int)text.len, (char *)text.bytes);
                if (strtol(id, NULL, 10) != answered) quit(1, "a reply to call %s where %ld is next", id, answered);
                add(&times, measured ? answered : -1, sentAt[answered % options.tasks]);
                answered++;
            }
            amqp_destroy_envelope(&envelope);
        }
    }
    reportTimes(&times);
    closeConnection(connection); // and with its consumer the queue goes
    amqp_bytes_free(body);
    free(sentAt);
}

static void runConnect(void) {
    Times times = makeTimes();
    for (long i = -options.warmup; mayBegin(&times, i); i++) {
        double began = now();
        amqp_connection_state_t connection = connectTo(&options);
        openChannel(connection, 1);
        checkReply(amqp_channel_close(connection, 1, AMQP_REPLY_SUCCESS), "channel.close");
        checkReply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS), "connection.close");
        check(amqp_destroy_connection(connection), "close");
        add(&times, i, began);
    }
    reportTimes(&times);
}

// Connections, each with a channel, that do nothing.
static void runIdle(void) {
    amqp_connection_state_t *all = calloc((size_t)options.connections, sizeof(amqp_connection_state_t));
    if (!all) quit(1, "no memory for the connections");
    Reading before = readClocks();
    for (long i = 0; i < options.connections; i++) {
        all[i] = connectTo(&options);
        openChannel(all[i], 1);
    }
    long seconds = options.seconds >= 1 ? (long)options.seconds : 3;
    sleep(1);
    Reading start = readClocks();
    sleep((unsigned)seconds);
    Reading end = readEnd();
    start.memory = before.memory;
    start.threads = before.threads;
    printReport(client, &options, options.connections * seconds, start, end, NULL);
    for (long i = 0; i < options.connections; i++) closeConnection(all[i]);
    free(all);
}

// Of the stamps that it has seen, the null broker says after how many microseconds so many of 1,000 were there.
static double askDelay(amqp_connection_state_t connection, int part) {
    char name[32];
    snprintf(name, sizeof name, "null.delay.%d", part);
    Options other = options;
    other.queue = name;
    return (double)declareQueue(connection, 1, &other, true) / 1000;
}

// How long after it is published, while the program computes on, the last byte of a message is with the null broker.
static void runDelay(void) {
    if (options.size < 16) quit(EXIT_UNSUPPORTED, "a body of 16 bytes at least");
    Channel channel = {.connection = connectTo(&options), .number = 1};
    openChannel(channel.connection, 1);
    declareQueue(channel.connection, 1, &options, false);
    amqp_basic_properties_t properties = messageProperties(&options);
    amqp_bytes_t body = messageBody(&options);
    Reading start = readClocks();
    long sent = 0;
    for (long i = -options.warmup; i < options.messages; i++) {
        if (i == 0) {
            start = readClocks();
            memcpy(body.bytes, "bench at", 8);
        }
        if (i >= 0) {
            uint64_t stamp = (uint64_t)(1e9 * now());
            for (int k = 0; k < 8; k++) ((uint8_t *)body.bytes)[8 + k] = (uint8_t)(stamp >> (56 - 8 * k));
        }
        publish(&channel, &properties, body);
        work();
        if (i < 0) continue;
        sent++;
        if (isOver(&options, start, sent)) break;
    }
    declareQueue(channel.connection, 1, &options, true);
    Reading end = readEnd();
    Latency latency = {askDelay(channel.connection, 500), askDelay(channel.connection, 990),
                       askDelay(channel.connection, 999), askDelay(channel.connection, 1000)};
    if (latency.max <= 0) quit(1, "the null broker has seen no stamp");
    printReport(client, &options, sent, start, end, &latency);
    closeConnection(channel.connection);
    amqp_bytes_free(body);
}
