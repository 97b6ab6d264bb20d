import Foundation
import Glibc
import RabbitMQ
import TestSupport
import Testing

@Suite("Reference: connections", .timeLimit(.minutes(1)))
struct ConnectionRows {
    @Test(
        "row 1: connect takes host, port, user, password and virtual host, with the reference's defaults",
        .needsPlainPort
    )
    func connect() async throws {
        let defaults = ConnectionConfiguration()
        #expect(defaults.host == "localhost")
        #expect(defaults.port == 5672)
        #expect(defaults.virtualHost == "/")
        let connection = try await Connection.connect(
            host: TestBroker.host,
            port: TestBroker.plainPort,
            username: TestBroker.username,
            password: TestBroker.password,
            virtualHost: TestBroker.plainConfiguration.virtualHost
        )
        #expect(connection.serverProperties["product"]?.stringValue == "RabbitMQ")
        #expect(try await connection.answers())
        #expect(connection.frameMax == 131_072)
        #expect(connection.channelMax == 2047)
        await connection.close()
    }

    @Test("row 1: the broker knows the client's capabilities, name and properties", .needsRabbitmqctl)
    func clientProperties() async throws {
        var configuration = try TestBroker.configuration
        let name = TestBroker.uniqueName("connection")
        configuration.connectionName = name
        configuration.clientProperties = ["team": "billing", "capabilities": ["extra": true]]
        try await Connection.withConnection(configuration) { _ in
            let listed = try await Subprocess.rabbitmqctl("-q", "list_connections", "client_properties")
            let own = try #require(listed.split(separator: "\n").first { $0.contains(name) })
            for property in ["\"consumer_cancel_notify\",true", "\"extra\",true", "\"rabbitmq-swift\"", "billing"] {
                #expect(own.contains(property), "\(own)")
            }
        }
    }

    @Test("row 1: wrong credentials and an unknown virtual host are told apart, with the broker's text")
    func refused() async throws {
        var configuration = try TestBroker.configuration
        configuration.credentials = .plain(username: "guest", password: "wrong")
        let denied = await expectError(.authenticationFailed) { try await Connection.connect(configuration) }
        #expect(denied?.replyCode == .accessRefused)
        #expect(denied?.replyText?.contains("ACCESS_REFUSED") == true)
        configuration = try TestBroker.configuration
        configuration.virtualHost = "no such host"
        let unknown = await expectError(.notAllowed) { try await Connection.connect(configuration) }
        #expect(unknown?.replyCode == .notAllowed)
        #expect(unknown?.replyText?.contains("no such host") == true)
    }

    @Test("row 1: a port where nobody listens, and a peer that never speaks, end within the timeout")
    func unreachable() async throws {
        try await TCPProxy.run { proxy in
            proxy.pause()
            var configuration = try TestBroker.configuration(through: proxy)
            configuration.connectTimeout = .milliseconds(300)
            await expectError(.timedOut) { try await Connection.connect(configuration) }
            proxy.stop()
            try await eventually("the proxy has gone") {
                do {
                    _ = try await Connection.connect(configuration)
                } catch AMQPError.Code.connectionFailed {
                    return true
                } catch is AMQPError {}
                return false
            }
        }
    }

    @Test("row 1: an already connected socket is taken over, with TCP_NODELAY on", .needsPlainPort)
    func connectedSocket() async throws {
        let descriptor = try TCPProxy.connectedSocket(port: TestBroker.plainPort)
        var configuration = try TestBroker.configuration
        configuration.tls = nil
        configuration.port = 1
        configuration.connectedSocket = descriptor
        let connection = try await Connection.connect(configuration)
        var noDelay: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        #expect(getsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &noDelay, &length) == 0)
        #expect(noDelay == 1)
        #expect(try await connection.answers())
        await connection.close()
    }

    @Test("row 2: the handler for the connection's end is called with the error when the transport is lost")
    func onClose() async throws {
        try await TCPProxy.run { proxy in
            let errors = Collected<AMQPError>()
            let connection = try await Connection.connect(TestBroker.configuration(through: proxy)) { errors.add($0) }
            proxy.cut()
            try await eventually("the handler was called") { errors.count > 0 }
            #expect(errors.all.map(\.code) == [.connectionLost])
            await connection.close()
            #expect(errors.count == 1)
        }
    }

    @Test("row 2: the handler is not called when the application closes")
    func onCloseByApplication() async throws {
        let errors = Collected<AMQPError>()
        let connection = try await Connection.connect(TestBroker.configuration) { errors.add($0) }
        let other = try await Connection.connect(TestBroker.configuration)
        await connection.close()
        // Whatever the handler would be called by has had its turn after some round trips.
        for _ in 0..<5 { #expect(try await other.answers()) }
        await other.close()
        #expect(errors.count == 0)
    }

    @Test("row 1: a URI that ends with a slash names the empty virtual host, which the error explains")
    func finalSlash() async throws {
        let place = "\(try TestBroker.host):\(try TestBroker.plainPort)"
        let error = await expectError(.notAllowed) {
            try await Connection.connect(ConnectionConfiguration(uri: "amqp://guest:guest@\(place)/"))
        }
        #expect(error?.message.contains("leave the final slash out") == true, "\(String(describing: error))")
        let configuration = try ConnectionConfiguration(uri: "amqp://guest:guest@\(place)")
        try await Connection.withConnection(configuration) { _ in }
    }

    @Test("row 3: one call gives a connection and a channel, and closes what it opened if it fails")
    func connectAndOpenChannel() async throws {
        let (connection, channel) = try await Connection.connectAndOpenChannel(TestBroker.configuration)
        #expect(channel.connection === connection)
        #expect(channel.number == 1)
        #expect(try await !channel.declareQueue(exclusive: true).name.isEmpty)
        await connection.close()
        await expectError(.connectionClosed) { try await channel.declareQueue(exclusive: true) }
    }

    @Test("row 4: closed gives the reason: closed by the application")
    func closedByApplication() async throws {
        let connection = try await Connection.connect(TestBroker.configuration)
        #expect(connection.closeReason == nil)
        async let reason = connection.closed
        await connection.close()
        #expect(try await reason.kind == .closedByApplication)
        #expect(try await reason.replyCode == nil)
        #expect(connection.closeReason?.kind == .closedByApplication)
    }

    @Test("row 4: closed gives the reason: closed by the server, with code and text")
    func closedByServer() async throws {
        let errors = Collected<AMQPError>()
        let connection = try await Connection.connect(TestBroker.configuration) { errors.add($0) }
        async let reason = connection.closed
        let channel = try await connection.openChannel()
        let error = await expectError(.connectionClosed) { try await channel.setQos(prefetchSize: 1) }
        #expect(error?.replyCode == .notImplemented)
        #expect(try await reason.kind == .closedByServer)
        #expect(try await reason.replyCode == .notImplemented)
        #expect(try await reason.replyText?.contains("prefetch_size") == true)
        #expect(try await reason.error.method == MethodID(classID: 60, methodID: 10))
        try await eventually("the handler was called") { errors.count == 1 }
    }

    @Test("row 4: closed gives the reason: the connection was lost; a task that is cancelled stops waiting")
    func lost() async throws {
        try await TCPProxy.run { proxy in
            let connection = try await Connection.connect(TestBroker.configuration(through: proxy))
            let impatient = Task { try await connection.closed }
            impatient.cancel()
            await #expect(throws: CancellationError.self) { try await impatient.value }
            #expect(connection.closeReason == nil)
            async let reason = connection.closed
            proxy.cut()
            #expect(try await reason.kind == .lost)
            #expect(try await reason.replyCode == nil)
        }
    }

    @Test("row 5: channels can be opened concurrently, up to channelMax, and their numbers are used again")
    func openConcurrently() async throws {
        var configuration = try TestBroker.configuration
        configuration.channelMax = 40
        try await Connection.withConnection(configuration) { connection in
            let channels = try await withThrowingTaskGroup(of: Channel.self) { group in
                for _ in 0..<40 { group.addTask { try await connection.openChannel() } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(channels.map(\.number)) == Set(1...40))
            await expectError(.tooManyChannels) { try await connection.openChannel() }
            await channels[7].close()
            let again = try await connection.openChannel()
            #expect(again.number == channels[7].number)
        }
    }

    @Test("row 5: a channel's number is free at once when its end is known, whoever closed it")
    func numberIsFree() async throws {
        var configuration = try TestBroker.configuration
        configuration.channelMax = 1
        let missing = TestBroker.uniqueName("missing")
        try await Connection.withConnection(configuration) { connection in
            for _ in 0..<300 {
                let closed = try await connection.openChannel()
                await closed.close()
                let refused = try await connection.openChannel()
                await expectError(.notFound) { try await refused.declareQueue(missing, passive: true) }
            }
        }
    }

    @Test("row 5: after the close, opening a channel throws the stored error")
    func openAfterClose() async throws {
        let connection = try await Connection.connect(TestBroker.configuration)
        await connection.close()
        await expectError(.connectionClosed) { try await connection.openChannel() }
        let closing = try await Connection.connect(TestBroker.configuration)
        let channel = try await closing.openChannel()
        await expectError(.connectionClosed) { try await channel.setQos(prefetchSize: 1) }
        let error = await expectError(.connectionClosed) { try await closing.openChannel() }
        #expect(error?.replyCode == .notImplemented)
    }
}
