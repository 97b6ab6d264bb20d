import Testing

@testable import RabbitMQ

@Suite struct BrokerFaultTests {
    /// Texts of RabbitMQ 3.8 to 4.3; whether to try the same call again, and whether to open anew and go on.
    static let texts: [(UInt16, String, Bool, Bool)] = [
        (404, "NOT_FOUND - home node 'rabbit@b' of durable queue 'q' in vhost '/' is down or inaccessible", true, true),
        (404, "NOT_FOUND - queue 'q' in vhost '/' process is stopped by supervisor", true, true),
        (404, "NOT_FOUND - queue 'q' in vhost '/' has crashed and failed to restart", true, true),
        (404, "NOT_FOUND - failed to perform operation on queue 'q' in vhost '/' due to timeout", true, true),
        (
            404,
            "NOT_FOUND - failed to perform operation on queue 'q' in vhost '/': its leader <1.2.3> may be stopping or "
                + "being demoted", true, true
        ),
        (404, "NOT_FOUND - no queue 'q' in vhost '/'", false, false),
        (404, "NOT_FOUND - no exchange 'e' in vhost '/'", false, false),
        (404, "NOT_FOUND - no previously declared queue", false, false),
        (404, "NOT_FOUND - no queue 'home node 'x' is down or inaccessible' in vhost '/'", false, false),
        (404, "NOT_FOUND - no queue 'q has crashed and failed to restart", false, false),
        (404, "", false, false),
        (530, "NOT_ALLOWED - connection refused: node connection limit (10) is reached", true, true),
        (
            530, "NOT_ALLOWED - access to vhost 'v' refused for user 'u': connection limit (2) is reached", true, true
        ),
        (530, "NOT_ALLOWED - connection refused for user 'u': user connection limit (2) is reached", true, true),
        (
            530,
            "NOT_ALLOWED - access to vhost 'v' refused for user 'u': connection limit cannot be queried, timeout", true,
            true
        ),
        (
            530,
            "NOT_ALLOWED - access to vhost 'v' refused for user 'u', backend rabbit_auth_backend_http returned an "
                + "error: {failed_connect,[]}", true, true
        ),
        (
            530,
            "NOT_ALLOWED - number of channels opened on node 'rabbit@b' has reached the maximum allowed limit of 9",
            true, true
        ),
        (
            530, "NOT_ALLOWED - number of channels opened for user 'u' has reached the maximum allowed user limit of 9",
            true, true
        ),
        (530, "NOT_ALLOWED - New secret was refused by one of the backends", false, true),
        (530, "NOT_ALLOWED - Secret update failed", false, true),
        (530, "NOT_ALLOWED - access to vhost 'v' refused for user 'u'", false, false),
        (530, "NOT_ALLOWED - vhost connection limit (2) is reached not found", false, false),
        (530, "NOT_ALLOWED - vhost v not found", false, false),
        (530, "NOT_ALLOWED - attempt to reuse consumer tag 't'", false, false),
        (530, "NOT_ALLOWED - reached maximum (5) of consumers per channel", false, false),
        (
            403,
            "ACCESS_REFUSED - read access to queue 'q' in vhost '/' refused for user 'u', backend "
                + "rabbit_auth_backend_http returned an error: timeout", true, true
        ),
        (403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use", true, true),
        (403, "ACCESS_REFUSED - read access to queue 'q' in vhost '/' refused for user 'u'", false, false),
        (403, "ACCESS_REFUSED - queue name 'amq.x' contains reserved prefix 'amq.*'", false, false),
        (
            405,
            "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally "
                + "declared on another connection or the exclusive property value does not match that of the original "
                + "declaration.", true, true
        ),
        (405, "RESOURCE_LOCKED", true, true),
        (405, "RESOURCE_LOCKED - Cannot delete protected queue 'q' in vhost '/'.", false, false),
        (
            405,
            "RESOURCE_LOCKED - cannot obtain access to locked queue 'q' in vhost '/'. basic.get operations are not "
                + "supported by quorum queues with single active consumer", false, false
        ),
        (
            406,
            "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 10000 ms. This "
                + "timeout value can be configured, see consumers doc guide to learn more", true, true
        ),
        (
            406, "PRECONDITION_FAILED - cannot declare queue 'q': queue limit in vhost '/' (1) is reached", true, true
        ),
        (406, "PRECONDITION_FAILED - cannot declare queue 'q': queue limit in cluster (1) is reached", true, true),
        (
            406, "PRECONDITION_FAILED - cannot declare exchange 'e' in vhost '/': exchange limit of 9 is reached", true,
            true
        ),
        (
            406,
            "PRECONDITION_FAILED - stream queue 's' in vhost '/' does not have a running replica on the local node",
            true, true
        ),
        (
            406, "PRECONDITION_FAILED - consumer prefetch count is not set for stream queue 's' in vhost '/'", false,
            false
        ),
        (
            406,
            "PRECONDITION_FAILED - inequivalent arg 'x' for queue 'does not have a running replica on the local node'",
            false, false
        ),
        (406, "PRECONDITION_FAILED - unknown delivery tag 7", false, true),
        (406, "PRECONDITION_FAILED - queue 'q' in vhost '/' in use", false, false),
        (406, "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/'", false, false),
        (541, "INTERNAL_ERROR", true, true),
        (541, "INTERNAL_ERROR - access to vhost 'v' refused for user 'u': vhost 'v' is down", true, true),
        (541, "INTERNAL_ERROR - timed out consuming from quorum queue 'q' in vhost '/': {q,'rabbit@b'}", true, true),
        (541, "INTERNAL_ERROR - Could not add binding due to timeout", true, true),
        (541, "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.\nBy default, this", false, false),
        (
            541,
            "INTERNAL_ERROR - Cannot declare a queue 'queue 'q' in vhost '/'' of type 'rabbit_stream_queue' on node "
                + "'rabbit@b': the corresponding feature flag is disabled", false, false
        ),
        (506, "RESOURCE_ERROR - Stream coordinator unavailable for queue 'q' in vhost '/'", true, true),
        (506, "RESOURCE_ERROR - queue 'q' in vhost '/' does not have a running local replica", true, true),
        (320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'", true, true),
        (320, "CONNECTION_FORCED - Node was put into maintenance mode", true, true),
        (501, "FRAME_ERROR", false, true), (504, "CHANNEL_ERROR - expected 'channel.open'", false, true),
        (505, "UNEXPECTED_FRAME", false, true), (502, "SYNTAX_ERROR", false, false),
        (503, "COMMAND_INVALID - unknown exchange type 'x'", false, false),
        (540, "NOT_IMPLEMENTED - immediate=true", false, false), (312, "NO_ROUTE", false, false),
        (311, "CONTENT_TOO_LARGE", true, true), (599, "anything is reached", false, false),
    ]

    @Test(arguments: texts)
    func `the broker's text says whether to try again and whether to go on`(
        code: UInt16,
        text: String,
        retry: Bool,
        goOn: Bool
    ) {
        for closed in [false, true] {
            let error = AMQPError(
                replyCode: code,
                replyText: text,
                classID: 50,
                methodID: 10,
                closedConnection: closed
            )
            #expect(error.isRetryable == retry)
            #expect(error.isRecoverable == goOn)
        }
        let ended = AMQPError(
            .connectionClosed,
            "the broker closed the connection: \(text)",
            replyCode: ReplyCode(rawValue: code),
            replyText: text
        )
        #expect(ended.isRetryable == retry)
        #expect(ended.isRecoverable == goOn)
        let stale = AMQPError(.staleDelivery, "x", underlying: ended)
        #expect(stale.isRetryable == retry)
        #expect(stale.isRecoverable == goOn)
    }

    @Test(
        arguments: [
            (404, "NOT_FOUND - home node 'rabbit@b' of durable queue '", true),
            (404, "NOT_FOUND - failed to perform operation on queue '", true),
            (404, "NOT_FOUND - no queue '", false),
            (406, "PRECONDITION_FAILED - stream queue '", true),
            (406, "PRECONDITION_FAILED - inequivalent arg 'durable' for queue '", false),
            (530, "NOT_ALLOWED - connection refused for user '", true),
            (530, "NOT_ALLOWED - access to vhost '", false),
        ] as [(UInt16, String, Bool)]
    )
    func `a text that is cut behind a long name is told by its beginning`(code: UInt16, start: String, retry: Bool) {
        let text = String((start + String(repeating: "n", count: 255)).prefix(252)) + "..."
        #expect(AMQPError(replyCode: code, replyText: text, classID: 0, methodID: 0).isRetryable == retry)
    }

    @Test func `a text without the code's name is read too`() {
        let text = "home node 'a' of durable queue 'q' in vhost '/' is down or inaccessible"
        #expect(BrokerFault(code: .notFound, text: text) == .passing)
        #expect(BrokerFault(code: .notFound, text: "no queue 'q' in vhost '/'") == nil)
    }

    @Test func `wrong credentials are neither tried again nor a reason to go on`() {
        let text = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the log."
        let error = AMQPError(.authenticationFailed, text, replyCode: .accessRefused, replyText: text)
        #expect(!error.isRetryable)
        #expect(!error.isRecoverable)
    }

    @Test(
        arguments: [
            (.consumerCancelled, true), (.connectionLost, true), (.outcomeUnknown, true), (.nacked, true),
            (.protocolViolation, true), (.connectionClosed, false), (.channelClosed, false), (.deleted, false),
            (.undeliverable, false), (.alreadySettled, false), (.decodingFailed, false), (.invalidMessage, false),
            (.topologyConflict, false), (.tlsFailed, false), (.unsupported, false), (.staleDelivery, false),
        ] as [(AMQPError.Code, Bool)]
    )
    func `what the library finds is worth going on for or is not`(code: AMQPError.Code, goOn: Bool) {
        #expect(AMQPError(code, "x").isRecoverable == goOn)
    }

    @Test(arguments: AMQPError.Code.Kind.allCases)
    func `what is worth another try is worth going on for`(kind: AMQPError.Code.Kind) {
        let error = AMQPError(AMQPError.Code(kind), "x")
        #expect(!error.isRetryable || error.isRecoverable)
    }

    @Test func `a provider of credentials that gives none may give some the next time`() {
        struct Unavailable: Error {}
        let error = AMQPError(.authenticationFailed, "none", underlying: Unavailable())
        #expect(error.isRetryable && error.isRecoverable)
        // A broker that closes the connection on getting them.
        let closed = AMQPError(.authenticationFailed, "x", underlying: AMQPError(.connectionLost, "x"))
        #expect(!closed.isRetryable && !closed.isRecoverable)
        #expect(!AMQPError(.authenticationFailed, "no common mechanism").isRecoverable)
    }

    @Test func `several endpoints are worth another try if one is`() {
        let full = AMQPError(
            replyCode: 530,
            replyText: "NOT_ALLOWED - connection refused: node connection limit (10) is reached",
            classID: 10,
            methodID: 40,
            closedConnection: true
        )
        let endpoint = ConnectionConfiguration.Endpoint(host: "a")
        let error = EndpointFailures(failures: [(endpoint, full), (endpoint, full)]).error
        #expect(error.code == .notAllowed)
        #expect(error.isRetryable)
        #expect(error.isRecoverable)
        let bad = AMQPError(.tlsFailed, "x")
        #expect(!EndpointFailures(failures: [(endpoint, bad), (endpoint, bad)]).error.isRecoverable)
        #expect(EndpointFailures(failures: [(endpoint, bad), (endpoint, full)]).error.isRetryable)
    }
}
