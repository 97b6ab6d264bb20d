import Dispatch
import TestSupport
import Testing

@testable import RabbitMQ

/// The steps of the opening, from the peer's side.
enum OpeningStep: Int, CaseIterable, Sendable {
    case connected, headerSeen, startSent, startOkSeen, tuneSent, tuneOkSeen, openSeen

    /// Plays up to this step.
    func play(_ peer: ScriptedPeer, properties: [UInt8] = []) async throws {
        for step in Self.allCases where step.rawValue <= rawValue {
            switch step {
            case .connected: break
            case .headerSeen: try await peer.expectProtocolHeader()
            case .startSent: try await peer.sendStart(properties: properties)
            case .startOkSeen: try await peer.expect(.connectionStartOk, channel: 0)
            case .tuneSent: try await peer.sendTune()
            case .tuneOkSeen: try await peer.expect(.connectionTuneOk, channel: 0)
            case .openSeen: try await peer.expect(.connectionOpen, channel: 0)
            }
        }
    }
}

@Suite("opening a connection to a peer that does not play along", .timeLimit(.minutes(1)))
struct OpeningTests {
    /// Connects while the peer plays its part, and gives what is thrown.
    private func failure(
        configure: (inout ConnectionConfiguration) -> Void = { _ in },
        _ script: (ScriptedPeer) async throws -> Void
    ) async throws -> AMQPError {
        let peer = try ScriptedPeer()
        defer { peer.hangUp() }
        var configuration = peer.configuration
        configure(&configuration)
        let connecting = Task { [configuration] in try await Connection.connect(configuration) }
        try await script(peer)
        let error = try await thrownError(within: .seconds(20)) { try await connecting.value }
        try await peer.expectEnd()
        return error
    }

    @Test(arguments: OpeningStep.allCases)
    func `a peer that hangs up fails connecting with connectionLost, or authenticationFailed at the login`(
        step: OpeningStep
    ) async throws {
        let error = try await failure { peer in
            try await step.play(peer)
            peer.hangUp()
        }
        // A broker that can't tell of bad credentials hangs up on them.
        let isLogin = [.startOkSeen, .tuneSent].contains(step)
        let isEither = [.startSent, .tuneSent].contains(step)
        #expect(
            error.code == (isLogin ? .authenticationFailed : .connectionLost)
                || isEither && [.connectionLost, .authenticationFailed].contains(error.code)
        )
    }

    @Test(arguments: OpeningStep.allCases)
    func `a peer that hangs up, and would have told of bad credentials, fails connecting with connectionLost`(
        step: OpeningStep
    ) async throws {
        let error = try await failure { peer in
            try await step.play(peer, properties: ScriptedPeer.authenticationFailureClose)
            peer.hangUp()
        }
        #expect(error.code == .connectionLost)
        #expect(error.isRetryable)
    }

    @Test(arguments: OpeningStep.allCases)
    func `a peer that falls silent fails connecting with timedOut`(step: OpeningStep) async throws {
        let error = try await failure { configuration in
            // Long enough for the peer to play its part on a busy machine.
            configuration.connectTimeout = .seconds(2)
        } _: { peer in
            try await step.play(peer)
        }
        #expect(error.code == .timedOut)
    }

    @Test(arguments: OpeningStep.allCases)
    func `a caller that is cancelled gets a CancellationError and hangs up`(step: OpeningStep) async throws {
        let peer = try ScriptedPeer()
        defer { peer.hangUp() }
        let connecting = Task { [configuration = peer.configuration] in try await Connection.connect(configuration) }
        try await step.play(peer)
        connecting.cancel()
        let result = try await within(.seconds(10), "the end") { await connecting.result }
        #expect(throws: CancellationError.self) { try result.get() }
        try await peer.expectEnd()
    }

    @Test(arguments: [.startOkSeen, .tuneOkSeen, .openSeen] as [OpeningStep], [true, false])
    func `a refusal keeps code and text, though the peer hangs up at once`(step: OpeningStep, hangsUp: Bool)
        async throws
    {
        for _ in 0..<10 {
            let error = try await failure { peer in
                try await step.play(peer)
                try await peer.sendClose(
                    .connectionClose,
                    channel: 0,
                    code: step == .startOkSeen ? 403 : 530,
                    text: "NOT_ALLOWED - vhost x"
                )
                if hangsUp {
                    peer.hangUp()
                } else {
                    while try await peer.next("close-ok").method != .connectionCloseOk {}
                }
            }
            #expect(error.code == (step == .startOkSeen ? .authenticationFailed : .notAllowed))
            #expect(error.replyText == "NOT_ALLOWED - vhost x")
            #expect(error.replyCode == (step == .startOkSeen ? .accessRefused : .notAllowed))
        }
    }

    @Test func `a refusal is heard although writing fails before it was read`() async throws {
        let peer = try ScriptedPeer()
        defer { peer.hangUp() }
        let link = Link(configuration: peer.configuration)
        let opened = OneShot<ConnectionParameters>()
        let wishes = Handshake.Wishes(
            mechanism: "PLAIN",
            response: Array("\0guest\0guest".utf8),
            virtualHost: "/",
            channelMax: 0,
            frameMax: 131_072,
            heartbeat: 0,
            clientProperties: [:]
        )
        await link.logIn(over: try Socket.adopt(descriptor: peer.clientSocket), Handshake(wishes), opened)
        try await OpeningStep.startOkSeen.play(peer)
        await link.stopReading()
        try await peer.sendClose(.connectionClose, channel: 0, code: 403, text: "ACCESS_REFUSED")
        peer.hangUp()
        link.onQueue { link in
            try? link.outbox.send(.connectionCloseOk, channel: 0)
            link.flush()
        }
        let error = try await thrownError { try await opened.value() }
        #expect(error.code == .authenticationFailed)
        #expect(error.replyText == "ACCESS_REFUSED")
        #expect(error.replyCode == .accessRefused)
    }

    @Test(
        arguments: [
            Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), Array("AMQP".utf8) + [0, 1, 0, 0],
            Array("SSH-2.0-OpenSSH_9.2\r\n".utf8), [0x15, 3, 1, 0, 2, 2, 70, 0], [UInt8](repeating: 0, count: 64),
            [1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF], PeerFrame.body(channel: 0, [1]).bytes,
            PeerFrame.header(channel: 0, bodySize: 1).bytes, PeerFrame.method(.channelOpenOk, channel: 1).bytes,
            PeerFrame.method(.connectionOpenOk, channel: 0).bytes, PeerFrame.method(.basicDeliver, channel: 0).bytes,
            PeerFrame(type: 1, channel: 0, payload: [0, 10]).bytes,
            PeerFrame.method(.connectionStart, channel: 0) { $0.raw([0, 9, 0, 0]) }.bytes,
            PeerFrame.method(.connectionStart, channel: 0) { $0.raw([0, 9, 0xFF, 0xFF, 0xFF, 0xFF]) }.bytes,
        ]
    )
    func `a peer that speaks something else fails connecting with protocolViolation`(bytes: [UInt8]) async throws {
        let error = try await failure { peer in
            try await peer.expectProtocolHeader()
            try await peer.send(bytes)
        }
        #expect(error.code == .protocolViolation)
    }

    @Test(arguments: [true, false])
    func `danger: 26,000 levels in connection.start, before login, fail connecting with protocolViolation`(
        inArrays: Bool
    ) async throws {
        let properties = deepEntries(levels: inArrays ? 26_000 : 21_000, inArrays: inArrays)
        let error = try await failure { peer in
            try await peer.expectProtocolHeader()
            try await peer.sendStart(properties: properties)
        }
        #expect(error.code == .protocolViolation)
    }

    @Test func `danger: credentials with a NUL go nowhere`() async throws {
        for credentials in [
            ConnectionConfiguration.Credentials.plain(username: "guest", password: "guest\u{0}x"),
            ConnectionConfiguration.Credentials.plain(username: "guest\u{0}", password: "guest"),
        ] {
            let error = try await failure {
                $0.credentials = credentials
            } _: { _ in
            }
            #expect(error.code == .invalidArgument)
        }
    }

    @Test func `a configuration that is refused closes the socket it was given`() async throws {
        let error = try await failure {
            $0.frameMax = 1
        } _: { _ in
        }
        #expect(error.code == .invalidArgument)
    }

    @Test func `client properties that don't fit a frame are refused`() async throws {
        let error = try await failure { configuration in
            configuration.clientProperties = ["k": .string(String(repeating: "x", count: 140_000))]
        } _: { peer in
            try await peer.expectProtocolHeader()
            try await peer.sendStart()
        }
        #expect(error.code == .invalidArgument)
    }

    @Test func `after an endpoint that takes no small frames the next has its turn`() async throws {
        var properties = PeerWriter()
        for (key, value) in [("product", "RabbitMQ"), ("version", "4.1.0")] {
            properties.shortString(key)
            properties.octet(UInt8(ascii: "S"))
            properties.longString(value)
        }
        let start = PeerFrame.method(.connectionStart, channel: 0) {
            $0.raw([0, 9])
            $0.block(properties.bytes)
            $0.longString("PLAIN")
            $0.longString("en_US")
        }
        let tune = PeerFrame.method(.connectionTune, channel: 0) {
            $0.short(0)
            $0.long(131_072)
            $0.short(0)
        }
        try await RudeListener.run(.answers([start.bytes, tune.bytes])) { late in
            try await ScriptedBroker.run { broker in
                var configuration = broker.configuration
                configuration.frameMax = 4096
                configuration.endpoints.insert(.init(host: "127.0.0.1", port: late.port), at: 0)
                let connection = try await Connection.connect(configuration)
                await connection.close()
                #expect(broker.sessions.count == 1)
                configuration.endpoints.removeLast()
                let error = try await thrownError { [configuration] in try await Connection.connect(configuration) }
                #expect(error.code == .invalidArgument)
            }
        }
    }

    @Test(arguments: [6, 9, 64, 127])
    func `a token of many KB is told before frame sizes are agreed on`(size: Int) async throws {
        let token = String(repeating: "x", count: size * 1024)
        let peer = try ScriptedPeer()
        defer { peer.hangUp() }
        var configuration = peer.configuration
        configuration.credentials = .plain(username: "", password: token)
        async let connection = Connection.connect(configuration)
        try await peer.expectProtocolHeader()
        try await peer.sendStart()
        let startOk = try await peer.expect(.connectionStartOk, channel: 0)
        #expect(startOk.payload.count > token.utf8.count)
        #expect(String(decoding: startOk.payload, as: UTF8.self).contains(token))
        try await peer.sendTune()
        try await peer.expect(.connectionTuneOk, channel: 0)
        try await peer.expect(.connectionOpen, channel: 0)
        try await peer.send(.connectionOpenOk, channel: 0) { $0.shortString("") }
        _ = try await connection
    }

    @Test func `no descriptor, and one that is closed, are refused`() async throws {
        for descriptor in [-1, 1 << 20] as [Int32] {
            var configuration = ConnectionConfiguration()
            configuration.connectedSocket = descriptor
            let error = try await thrownError { [configuration] in try await Connection.connect(configuration) }
            #expect(error.code == .connectionFailed)
        }
    }

    @Test(arguments: [(1.2, 2), (0.001, 1), (2, 2), (0, 0)] as [(Double, UInt16)])
    func `a heartbeat of a part of a second is rounded up, not switched off`(seconds: Double, told: UInt16) async throws
    {
        let peer = try ScriptedPeer()
        defer { peer.hangUp() }
        var configuration = peer.configuration
        configuration.heartbeat = .seconds(seconds)
        let connecting = Task { [configuration] in try await Connection.connect(configuration) }
        try await OpeningStep.tuneSent.play(peer)
        var fields = try await peer.expect(.connectionTuneOk).fields
        _ = (fields.short(), fields.long())
        #expect(fields.short() == told)
        peer.hangUp()
        _ = try await thrownError { try await connecting.value }
    }
}

extension Link {
    /// Has writing come before reading.
    fileprivate func stopReading() {
        _ = reading.pause(if: true)
    }
}
