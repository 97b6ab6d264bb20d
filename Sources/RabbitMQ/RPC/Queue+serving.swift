#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

extension Queue {
    /// Answers the requests that come to the queue, whose JSON is decoded, with what a handler returns, encoded as JSON.
    ///
    /// ```swift
    /// let server = try await queue.serve { (request: PriceRequest) in
    ///     Price(cents: try await prices.look(up: request.item))
    /// }
    /// ```
    ///
    /// It goes on until ``RPCServer/stop(within:)``, whether or not the result is kept, and begins on the next connection if
    /// this one is lost meanwhile. No more requests are taken from the queue than handlers may run, so that one whose
    /// expiration passes while it waits is dropped by the broker and never run. A request is acknowledged when its reply is
    /// sent: if the server dies before, another one gets it. If the connection is lost while it is run, the broker delivers it
    /// again, and only then is it answered; unless the queue went with the connection (`exclusive`, `autoDelete`). When the
    /// handler throws, the client gets an ``RPCFailure``. The reply has the request's correlation id byte for byte, whether or
    /// not that is text. A request whose `replyTo` is no text can't be answered: it is not run but rejected,
    /// and the queue's dead-letter exchange gets it.
    ///
    /// - Parameters:
    ///   - maxConcurrency: How many handlers may run at a time, from 1 to 65535; 16 by default.
    ///   - options: How the queue is consumed; not without acknowledgement.
    ///   - encoder: The encoder for replies; if nil, one with Foundation's defaults.
    ///   - decoder: The decoder for requests; if nil, one with Foundation's defaults.
    ///   - onError: What the client gets to know of an error that is no ``RPCFailure``; by default its description. An
    ///     ``RPCFailure`` goes to the client as it is.
    ///   - handler: Answers a request.
    /// - Returns: The server.
    /// - Throws: ``AMQPError/Code/invalidArgument``; what ``Connection/openChannel()`` and ``consume(_:)`` throw.
    @discardableResult
    public func serve<Request: Decodable & Sendable, Response: Encodable & Sendable>(
        maxConcurrency: Int = 16,
        options: ConsumerOptions = ConsumerOptions(),
        encoder: JSONEncoder? = nil,
        decoder: JSONDecoder? = nil,
        onError: @escaping @Sendable (any Error) -> RPCFailure = { RPCFailure(describing: $0) },
        handler: @escaping @Sendable (Request) async throws -> Response
    ) async throws -> RPCServer {
        try await serveMessages(maxConcurrency: maxConcurrency, options: options, onError: onError) { message in
            let request: Request
            do {
                request = try message.decode(Request.self, decoder: decoder)
            } catch let error as AMQPError {
                throw RPCFailure(.invalidRequest, error.message)
            }
            return try Message(encoding: try await handler(request), encoder: encoder)
        }
    }

    /// Answers the requests that come to the queue, which a decoder decodes, with what a handler returns, in the format of an
    /// encoder.
    ///
    /// As ``serve(maxConcurrency:options:encoder:decoder:onError:handler:)``, with other formats than JSON.
    ///
    /// - Parameters:
    ///   - decoder: Decodes the requests.
    ///   - encoder: Encodes the replies.
    ///   - maxConcurrency: How many handlers may run at a time, from 1 to 65535; 16 by default.
    ///   - options: How the queue is consumed; not without acknowledgement.
    ///   - onError: What the client gets to know of an error that is no ``RPCFailure``; by default its description. An
    ///     ``RPCFailure`` goes to the client as it is.
    ///   - handler: Answers a request.
    /// - Returns: The server.
    /// - Throws: ``AMQPError/Code/invalidArgument``; what ``Connection/openChannel()`` and ``consume(_:)`` throw.
    @discardableResult
    public func serve<Decoder: MessageDecoder, Encoder: MessageEncoder>(
        decoding decoder: Decoder,
        encoding encoder: Encoder,
        maxConcurrency: Int = 16,
        options: ConsumerOptions = ConsumerOptions(),
        onError: @escaping @Sendable (any Error) -> RPCFailure = { RPCFailure(describing: $0) },
        handler: @escaping @Sendable (Decoder.Value) async throws -> Encoder.Value
    ) async throws -> RPCServer {
        try await serveMessages(maxConcurrency: maxConcurrency, options: options, onError: onError) { message in
            let request: Decoder.Value
            do {
                request = try message.decode(using: decoder)
            } catch let error as AMQPError {
                throw RPCFailure(.invalidRequest, error.message)
            }
            return try Message(encoding: try await handler(request), using: encoder)
        }
    }

    /// Answers the requests that come to the queue with the messages that a handler returns.
    ///
    /// As ``serve(maxConcurrency:options:encoder:decoder:onError:handler:)``, without the coding. The handler must not
    /// settle the requests.
    ///
    /// - Parameters:
    ///   - maxConcurrency: How many handlers may run at a time, from 1 to 65535; 16 by default.
    ///   - options: How the queue is consumed; not without acknowledgement.
    ///   - onError: What the client gets to know of an error that is no ``RPCFailure``; by default its description. An
    ///     ``RPCFailure`` goes to the client as it is.
    ///   - handler: Answers a request. The reply gets the request's correlation id. A request without `replyTo` is not
    ///     answered.
    /// - Returns: The server.
    /// - Throws: ``AMQPError/Code/invalidArgument``; what ``Connection/openChannel()`` and ``consume(_:)`` throw.
    @discardableResult
    public func serveMessages(
        maxConcurrency: Int = 16,
        options: ConsumerOptions = ConsumerOptions(),
        onError: @escaping @Sendable (any Error) -> RPCFailure = { RPCFailure(describing: $0) },
        handler: @escaping @Sendable (IncomingMessage) async throws -> Message
    ) async throws -> RPCServer {
        try requireNotDeleted()
        guard let prefetch = UInt16(exactly: maxConcurrency), prefetch > 0 else {
            throw AMQPError(.invalidArgument, "maxConcurrency is \(maxConcurrency), not from 1 to 65535")
        }
        guard !options.noAck else {
            throw AMQPError(.invalidArgument, "requests are served with acknowledgement only")
        }
        let connection = channel.connection
        // A call on its way when the connection is lost fails, which is no reason not to serve.
        return try await connection.core.repeating {
            // If what follows throws, it is closed when it goes.
            let own = try await connection.openChannel()
            try await own.setQos(prefetchCount: prefetch)
            return try await RPCServer(
                channel: own,
                queue: try own.queue(name),
                options: options,
                maxConcurrency: maxConcurrency,
                desk: RequestDesk(
                    exchange: try own.exchange(""),
                    comesAgain: !exclusive && !autoDelete,
                    onError: onError,
                    handler: handler
                )
            )
        }
    }
}
