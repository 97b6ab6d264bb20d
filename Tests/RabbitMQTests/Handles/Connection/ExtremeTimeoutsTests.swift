import TestSupport
import Testing

@testable import RabbitMQ

/// A duration may be anything: each means something, and none traps.
@Suite("timeouts beyond all measure", .timeLimit(.minutes(1)))
struct ExtremeTimeoutsTests {
    static let long: [Duration] = [
        .seconds(30 * 86_400), .milliseconds(Int64(Int32.max) + 1), .seconds(Int64.max), .seconds(Int64.max) * 8,
        Duration(_high: .max, low: .max),
    ]
    static let none: [Duration] = [.zero, .nanoseconds(-1), .seconds(Int64.min), Duration(_high: .min, low: 0)]

    @Test(arguments: long)
    func `a configuration's may be as long as one likes`(timeout: Duration) async throws {
        try await ScriptedPeer.withChannel { configuration in
            configuration.connectTimeout = timeout
            configuration.callTimeout = timeout
            configuration.closeTimeout = timeout
            configuration.publishTimeout = timeout
            configuration.consumerTimeout = timeout
        } _: { peer, connection, channel in
            async let selecting: Void = channel.selectConfirms()
            try await peer.expect(PeerMethod(85, 10))
            try await peer.send(.confirmSelectOk)
            try await selecting
            let exchange = try await channel.declareExchange("")
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let receipt = try await exchange.publish(Message("x"), routingKey: "q")
            try await connection.flush()
            _ = try await peer.expectPublish()
            try await peer.sendAck(1)
            try await receipt.confirmed(timeout: timeout)
            try await channel.waitForConfirms(timeout: timeout)
            try await connection.flush(timeout: timeout)
            try await peer.send(PeerFrame.delivery([1], tag: 1, consumer: deliveries.consumer.tag))
            var batches = deliveries.batches(count: 1, within: timeout).makeAsyncIterator()
            #expect(try await batches.next()?.count == 1)
            async let closingChannel: Void = channel.close()
            while try await peer.next().method != .channelClose {}
            try await peer.send(.channelCloseOk)
            await closingChannel
            async let closing: Void = connection.close()
            try await peer.expectClose()
            await closing
        }
    }

    @Test(arguments: long)
    func `connecting over TCP may take as long as one likes`(timeout: Duration) async throws {
        try await RudeListener.run(.closes) { listener in
            var configuration = ConnectionConfiguration(host: "localhost", port: listener.port)
            configuration.endpoints = [ConnectionConfiguration.Endpoint(host: "127.0.0.1", port: listener.port)]
            configuration.connectTimeout = timeout
            let error = try await thrownError { [configuration] in try await Connection.connect(configuration) }
            #expect(error.code == .connectionLost)
        }
    }

    @Test(arguments: none)
    func `a configuration's that leaves no time is refused`(timeout: Duration) async throws {
        let paths: [any WritableKeyPath<ConnectionConfiguration, Duration> & Sendable] = [
            \.connectTimeout, \.callTimeout, \.closeTimeout, \.publishTimeout,
        ]
        for path in paths {
            var configuration = ConnectionConfiguration()
            configuration[keyPath: path] = timeout
            let error = try await thrownError { [configuration] in try await Connection.connect(configuration) }
            #expect(error.code == .invalidArgument)
        }
    }

    @Test(arguments: long.dropFirst(2) + none.dropFirst())
    func `a heartbeat that can't be told is refused`(heartbeat: Duration) async throws {
        var configuration = ConnectionConfiguration()
        configuration.heartbeat = heartbeat
        let error = try await thrownError { [configuration] in try await Connection.connect(configuration) }
        #expect(error.code == .invalidArgument)
    }

    @Test(arguments: none)
    func `a call's that leaves no time gives up at once, if there is something to wait for`(timeout: Duration)
        async throws
    {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            async let selecting: Void = channel.selectConfirms()
            try await peer.expect(PeerMethod(85, 10))
            try await peer.send(.confirmSelectOk)
            try await selecting
            let exchange = try await channel.declareExchange("")
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let receipt = try await exchange.publish(Message("x"), routingKey: "q")
            _ = try await peer.expectPublish()
            #expect(try await thrownError { try await receipt.confirmed(timeout: timeout) }.code == .timedOut)
            #expect(try await thrownError { try await channel.waitForConfirms(timeout: timeout) }.code == .timedOut)
            try await peer.sendAck(1)
            try await receipt.confirmed()
            try await receipt.confirmed(timeout: timeout)
            try await channel.waitForConfirms(timeout: timeout)
            // All is written.
            try await connection.flush(timeout: timeout)
            try await peer.send(PeerFrame.delivery([1], tag: 1, consumer: deliveries.consumer.tag))
            var batches = deliveries.batches(count: 10, within: timeout).makeAsyncIterator()
            #expect(try await batches.next()?.count == 1)
        }
    }
}
