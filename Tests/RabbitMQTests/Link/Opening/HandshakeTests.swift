import Testing

@testable import RabbitMQ

@Suite("the opening of a connection")
struct HandshakeTests {
    static let start = ServerMethod.Start(
        versionMajor: 0,
        versionMinor: 9,
        serverProperties: ["product": "a broker"],
        mechanisms: ["AMQPLAIN", "PLAIN"]
    )

    /// What both sides announce who know how to tell that credentials are bad.
    static let tells: FieldTable = ["capabilities": ["authentication_failure_close": true]]

    static func wishes(
        channelMax: UInt16 = 2047,
        frameMax: UInt32 = 131_072,
        heartbeat: UInt16 = 60,
        clientProperties: FieldTable = ["product": "a client"],
        virtualHost: String = "/v"
    ) -> Handshake.Wishes {
        Handshake.Wishes(
            mechanism: "PLAIN",
            response: [0, 65, 0, 66],
            virtualHost: virtualHost,
            channelMax: channelMax,
            frameMax: frameMax,
            heartbeat: heartbeat,
            clientProperties: clientProperties
        )
    }

    private static let close = ServerMethod.Close(replyCode: 403, replyText: "no", classID: 0, methodID: 0)

    /// A handshake that waits for start (0), tune (1) or open-ok (2), or has ended (3).
    private func handshake(at step: Int) -> Handshake {
        var handshake = Handshake(Self.wishes())
        if step > 0 { _ = handshake.receive(.connectionStart(Self.start)) }
        if step > 1 { _ = handshake.receive(tune(2047, 131_072, 60)) }
        if step > 2 { _ = handshake.receive(.connectionOpenOk) }
        return handshake
    }

    func tune(_ channelMax: UInt16, _ frameMax: UInt32, _ heartbeat: UInt16) -> ServerMethod {
        .connectionTune(ServerMethod.Tune(channelMax: channelMax, frameMax: frameMax, heartbeat: heartbeat))
    }

    @Test func `step by step`() {
        var handshake = Handshake(Self.wishes())
        let startOk = ClientMethod.StartOk(
            clientProperties: ["product": "a client"],
            mechanism: "PLAIN",
            response: [0, 65, 0, 66]
        )
        #expect(handshake.receive(.connectionStart(Self.start)) == .send(.connectionStartOk(startOk)))
        let parameters = ConnectionParameters(
            channelMax: 100,
            frameMax: 8192,
            heartbeat: 30,
            serverProperties: ["product": "a broker"]
        )
        #expect(
            handshake.receive(tune(100, 8192, 30))
                == .agree(
                    parameters,
                    [
                        .connectionTuneOk(channelMax: 100, frameMax: 8192, heartbeat: 30),
                        .connectionOpen(virtualHost: "/v"),
                    ]
                )
        )
        #expect(handshake.receive(.connectionOpenOk) == .opened)
    }

    /// Server's, client's, agreed on and told; zero is no limit.
    @Test(
        arguments: [
            (100, 2047, 100), (4000, 2047, 2047), (0, 2047, 2047), (100, 0, 100), (0, 0, 0), (1, 1, 1),
        ] as [(UInt16, UInt16, UInt16)]
    )
    func `the lower number of channels counts, and zero is none`(server: UInt16, client: UInt16, agreed: UInt16) {
        var handshake = Handshake(Self.wishes(channelMax: client))
        _ = handshake.receive(.connectionStart(Self.start))
        guard case .agree(let parameters, let methods) = handshake.receive(tune(server, 131_072, 0)) else {
            Issue.record("no agreement")
            return
        }
        #expect(parameters.channelMax == (agreed == 0 ? .max : agreed))
        #expect(methods.first == .connectionTuneOk(channelMax: agreed, frameMax: 131_072, heartbeat: 60))
    }

    @Test(
        arguments: [(4096, 131_072, 4096), (0, 131_072, 131_072), (1 << 20, 8192, 8192)] as [(UInt32, UInt32, UInt32)]
    )
    func `the lower frame size counts`(server: UInt32, client: UInt32, agreed: UInt32) {
        var handshake = Handshake(Self.wishes(frameMax: client))
        _ = handshake.receive(.connectionStart(Self.start))
        guard case .agree(let parameters, _) = handshake.receive(tune(0, server, 0)) else {
            Issue.record("no agreement")
            return
        }
        #expect(parameters.frameMax == Int(agreed))
    }

    @Test(arguments: [1, 4095] as [UInt32])
    func `a frame size below 4096 is refused`(frameMax: UInt32) {
        var handshake = handshake(at: 1)
        #expect(handshake.receive(tune(0, frameMax, 0)) == .failed(AMQPError(.protocolViolation, "")))
        #expect(handshake.receive(.connectionOpenOk) == .failed(AMQPError(.protocolViolation, "")))
    }

    @Test(arguments: [(60, 0, 0), (0, 60, 60), (10, 60, 10), (60, 10, 10), (0, 0, 0)] as [(UInt16, UInt16, UInt16)])
    func `the shorter heartbeat counts, and a client that wants none gets none`(
        server: UInt16,
        client: UInt16,
        agreed: UInt16
    ) {
        var handshake = Handshake(Self.wishes(heartbeat: client))
        _ = handshake.receive(.connectionStart(Self.start))
        guard case .agree(let parameters, _) = handshake.receive(tune(0, 0, server)) else {
            Issue.record("no agreement")
            return
        }
        #expect(parameters.heartbeat == agreed)
    }

    @Test func `what comes out of order fails, at every step`() {
        let methods: [ServerMethod] = [
            .connectionStart(Self.start), tune(1, 4096, 1), .connectionOpenOk, .connectionCloseOk, .channelOpenOk,
            .connectionBlocked(reason: "x"), .basicGetEmpty,
        ]
        for step in 0...3 {
            for (index, method) in methods.enumerated() where index != step || step > 2 {
                var handshake = handshake(at: step)
                #expect(
                    handshake.receive(method) == .failed(AMQPError(.protocolViolation, "")),
                    "\(method) at \(step)"
                )
            }
        }
    }

    @Test(arguments: [0, 1, 2, 3])
    func `a refusal is taken at every step, and means bad credentials after they were sent`(step: Int) {
        var handshake = handshake(at: step)
        guard case .refused(let error) = handshake.receive(.connectionClose(Self.close)) else {
            Issue.record("no refusal")
            return
        }
        #expect(error.code == (step == 1 ? .authenticationFailed : .accessRefused))
        #expect(error.replyCode == .accessRefused)
        #expect(error.replyText == "no")
    }

    @Test(arguments: [320, 501, 530, 541] as [UInt16])
    func `a close for another reason than bad credentials keeps its code after they were sent`(code: UInt16) {
        var handshake = handshake(at: 1)
        let close = ServerMethod.Close(replyCode: code, replyText: "no", classID: 0, methodID: 0)
        guard case .refused(let error) = handshake.receive(.connectionClose(close)) else {
            Issue.record("no refusal")
            return
        }
        #expect(error.code == AMQPError.Code(replyCode: ReplyCode(rawValue: code)))
        #expect(error.replyCode?.rawValue == code)
    }

    @Test(arguments: ["", "v"])
    func `a virtual host of the empty name that is refused is explained`(virtualHost: String) {
        var handshake = Handshake(Self.wishes(virtualHost: virtualHost))
        _ = handshake.receive(.connectionStart(Self.start))
        _ = handshake.receive(tune(2047, 131_072, 60))
        let text = "NOT_ALLOWED - vhost \(virtualHost) not found"
        let close = ServerMethod.Close(replyCode: 530, replyText: text, classID: 10, methodID: 40)
        guard case .refused(let error) = handshake.receive(.connectionClose(close)) else {
            Issue.record("no refusal")
            return
        }
        #expect(error.code == .notAllowed)
        #expect(error.replyText == text)
        #expect(error.method?.name == "connection.open")
        #expect(error.message.hasPrefix(text))
        #expect(error.message.contains("leave the final slash out") == virtualHost.isEmpty)
        #expect(error.isConnectionFatal && !error.isRetryable && !error.isRecoverable)
    }

    @Test func `a peer that goes away and can't tell of bad credentials is understood by what it was told last`() {
        let lost = AMQPError(.connectionLost, "lost")
        #expect(handshake(at: 0).lost(lost).code == .connectionLost)
        #expect(handshake(at: 1).lost(lost).code == .authenticationFailed)
        #expect(handshake(at: 2).lost(lost).code == .connectionLost)
    }

    @Test(arguments: [true, false], [true, false])
    func `a peer that goes away has not refused if both could tell`(server: Bool, client: Bool) {
        var start = Self.start
        if server { start.serverProperties = Self.tells }
        var handshake = Handshake(client ? Self.wishes(clientProperties: Self.tells) : Self.wishes())
        _ = handshake.receive(.connectionStart(start))
        let error = handshake.lost(AMQPError(.connectionLost, "lost"))
        #expect(error.code == (server && client ? .connectionLost : .authenticationFailed))
        #expect(error.isRetryable == (server && client))
    }

    @Test func `another version, no common mechanism, and a second step fail`() {
        var handshake = Handshake(Self.wishes())
        var start = Self.start
        start.versionMinor = 8
        #expect(handshake.receive(.connectionStart(start)) == .failed(AMQPError(.unsupported, "")))
        handshake = Handshake(Self.wishes())
        start = Self.start
        start.mechanisms = ["EXTERNAL", "plain"]
        #expect(handshake.receive(.connectionStart(start)) == .failed(AMQPError(.authenticationFailed, "")))
        handshake = self.handshake(at: 1)
        #expect(handshake.receive(.connectionSecure([1])) == .failed(AMQPError(.unsupported, "")))
    }
}
