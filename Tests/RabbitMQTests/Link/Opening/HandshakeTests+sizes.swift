import Testing

@testable import RabbitMQ

/// Credentials and frames that are too large or too small for the peer.
extension HandshakeTests {
    /// A handshake whose broker is such a RabbitMQ, that has sent credentials of so many bytes.
    private func handshake(with version: String?, credentials: Int, tells: Bool = true) -> Handshake {
        var start = Self.start
        start.serverProperties = tells ? Self.tells : [:]
        if let version { start.serverProperties.merge(["product": "RabbitMQ", "version": .string(version)]) { $1 } }
        var wishes = Self.wishes(clientProperties: tells ? Self.tells : [:])
        wishes.response = [UInt8](repeating: 65, count: credentials)
        var handshake = Handshake(wishes)
        _ = handshake.receive(.connectionStart(start))
        return handshake
    }

    @Test(
        arguments: [
            ("3.10.8", 4096, "RabbitMQ 3.10.8 takes 4096"), ("4.0.5", 9000, "RabbitMQ 4.0.5 takes 4096"),
            ("4.1.0", 8192, "RabbitMQ 4.1.0 takes 8192 bytes, unless its setting initial_frame_max says more"),
            ("4.3.6", 65_536, "RabbitMQ 4.3.6 takes 8192 bytes, unless"),
            ("5.0.0", 10_000, "RabbitMQ 5.0.0 takes 8192"),
            (nil, 5000, "a broker takes 4096 bytes, unless"), ("x", 5000, "a broker takes 4096 bytes, unless"),
        ] as [(String?, Int, String)]
    )
    func `a peer that goes away on large credentials probably takes none so large`(
        version: String?,
        credentials: Int,
        says: String
    ) {
        let lost = AMQPError(.connectionLost, "lost")
        let error = handshake(with: version, credentials: credentials).lost(lost)
        #expect(error.message.contains(says), "\(error)")
        #expect((error.underlying as? AMQPError)?.code == .connectionLost)
        // For earlier ones that is sure. With later ones the setting may allow it, and then the connection was lost.
        let isEarlier = ["3.10.8", "4.0.5"].contains(version)
        #expect(error.code == (isEarlier ? .authenticationFailed : .connectionLost))
        #expect(
            handshake(with: version, credentials: credentials, tells: false).lost(lost).code == .authenticationFailed
        )
    }

    @Test(arguments: [("3.10.8", 3900), ("4.3.6", 8000), (nil, 3900)] as [(String?, Int)])
    func `small credentials are not blamed`(version: String?, credentials: Int) {
        let error = handshake(with: version, credentials: credentials).lost(AMQPError(.connectionLost, "lost"))
        #expect(error.message == "lost")
    }

    @Test func `credentials that fit no frame are not sent`() {
        var wishes = Self.wishes(frameMax: 8192)
        wishes.response = [UInt8](repeating: 65, count: 8192)
        var handshake = Handshake(wishes)
        guard case .failed(let error) = handshake.receive(.connectionStart(Self.start)) else {
            Issue.record("they are sent")
            return
        }
        #expect(error.code == .invalidArgument)
        #expect(error.message.contains("8192 at the most"), "\(error)")
    }

    @Test(arguments: [("4.1.0", 4096), ("4.3.6", 8191), ("10.0.0", 4096)] as [(String, UInt32)])
    func `a RabbitMQ that is known to refuse small frames is not asked to take them`(version: String, frameMax: UInt32)
    {
        var start = Self.start
        start.serverProperties = ["product": "RabbitMQ", "version": .string(version)]
        var handshake = Handshake(Self.wishes(frameMax: frameMax))
        _ = handshake.receive(.connectionStart(start))
        guard case .failed(let error) = handshake.receive(tune(0, 131_072, 0)) else {
            Issue.record("it is told")
            return
        }
        #expect(error.code == .invalidArgument)
        #expect(error.message.contains("RabbitMQ \(version) refuses frames of \(frameMax)"), "\(error)")
        #expect(error.message.contains("8192"), "\(error)")
    }

    @Test func `a peer that goes away on being told of small frames probably refuses them`() {
        for (frameMax, isBlamed) in [(4096, true), (8191, true), (8192, false)] as [(UInt32, Bool)] {
            var handshake = Handshake(Self.wishes(frameMax: frameMax))
            _ = handshake.receive(.connectionStart(Self.start))
            _ = handshake.receive(tune(0, 131_072, 0))
            let error = handshake.lost(AMQPError(.connectionLost, "lost"))
            #expect(error.code == .connectionLost)
            #expect(error.message.contains("RabbitMQ 4.1 and later refuse less than 8192") == isBlamed, "\(error)")
        }
    }
}
