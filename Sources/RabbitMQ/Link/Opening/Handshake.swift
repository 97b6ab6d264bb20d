/// The opening of a connection (AMQP 0-9-1, section 2.2.4), as a value: methods in, actions out.
struct Handshake {
    enum Action: Equatable {
        case send(ClientMethod)
        case agree(ConnectionParameters, [ClientMethod])
        case opened
        /// The broker refused; it waits for close-ok.
        case refused(AMQPError)
        case failed(AMQPError)

        static func == (left: Action, right: Action) -> Bool {
            switch (left, right) {
            case (.send(let a), .send(let b)): a == b
            case (.agree(let a, let m), .agree(let b, let n)): a == b && m == n
            case (.opened, .opened): true
            case (.refused(let a), .refused(let b)), (.failed(let a), .failed(let b)): a.code == b.code
            default: false
            }
        }
    }

    struct Wishes {
        var mechanism: String
        var response: [UInt8]
        var virtualHost: String
        var channelMax: UInt16
        var frameMax: UInt32
        var heartbeat: UInt16
        var clientProperties: FieldTable
    }

    private enum Step {
        case awaitsStart, awaitsTune, awaitsOpenOk, ended
    }

    private let wishes: Wishes
    private var step = Step.awaitsStart
    private var serverProperties: FieldTable = [:]
    /// What was told in connection.tune-ok.
    private var toldFrameMax: UInt32?

    /// Before the peers agree on the size of frames, a peer need not take larger ones (AMQP 0-9-1, constant
    /// frame-min-size).
    private static let leastFrameMax = 4096
    /// What RabbitMQ takes in its place from 4.1 on.
    private static let laterLeastFrameMax = 8192

    /// The eight bytes with which a client begins.
    static let protocolHeader: [UInt8] = Array("AMQP".utf8) + [0, 0, 9, 1]

    init(_ wishes: Wishes) { self.wishes = wishes }

    mutating func receive(_ method: ServerMethod) -> Action {
        switch (step, method) {
        case (.awaitsStart, .connectionStart(let start)): return receive(start)
        case (.awaitsTune, .connectionTune(let tune)): return receive(tune)
        case (.awaitsTune, .connectionSecure):
            return fail(.unsupported, "the broker wants more than one step of \(wishes.mechanism)")
        case (.awaitsOpenOk, .connectionOpenOk):
            step = .ended
            return .opened
        case (_, .connectionClose(let close)):
            defer { step = .ended }
            return .refused(refusal(close))
        default:
            return fail(.protocolViolation, "the broker broke the order of the handshake")
        }
    }

    /// What it means that the peer went away in the midst of the handshake.
    func lost(_ error: AMQPError) -> AMQPError {
        switch step {
        case .awaitsTune: lostAtLogin(error)
        case .awaitsStart:
            AMQPError(.connectionLost, "the peer closed the connection before it spoke AMQP", underlying: error)
        case .awaitsOpenOk:
            if let toldFrameMax, toldFrameMax < Self.laterLeastFrameMax {
                AMQPError(
                    .connectionLost,
                    "the broker closed the connection on being told that frames have \(toldFrameMax) bytes (frameMax): "
                        + "RabbitMQ 4.1 and later refuse less than \(Self.laterLeastFrameMax)",
                    underlying: error
                )
            } else {
                error
            }
        case .ended: error
        }
    }

    private func lostAtLogin(_ error: AMQPError) -> AMQPError {
        let what = "the broker closed the connection on receiving the credentials"
        let version = ServerVersion(serverProperties)
        let isLater = version?.takesLargerFrames
        let taken = isLater == true ? Self.laterLeastFrameMax : Self.leastFrameMax
        if let size = startOkSize, size > taken {
            let who = version.map { "RabbitMQ \($0)" } ?? "a broker"
            let says = isLater == false ? "" : ", unless its setting initial_frame_max says more"
            return AMQPError(
                // That setting is for later ones only.
                isLater == false || !isRefusalTold ? .authenticationFailed : .connectionLost,
                "\(what), which take \(size) bytes: until frame sizes are agreed on, \(who) takes \(taken) bytes\(says)",
                underlying: error
            )
        }
        // A broker that doesn't know the capability just closes the socket.
        return isRefusalTold ? error : AMQPError(.authenticationFailed, what, underlying: error)
    }

    /// The size of the frame with the credentials; nil if it can't be sent at all.
    private var startOkSize: Int? {
        guard let properties = try? TableCheck.encodedSize(of: wishes.clientProperties) else { return nil }
        // Frame and method, mechanism, response, locale (AMQP 0-9-1, section 1.4.2.2).
        return 8 + 4 + properties + 1 + wishes.mechanism.utf8.count + 4 + wishes.response.count + 1 + "en_US".utf8.count
    }

    /// Whether bad credentials are always answered with a close: both sides know `authentication_failure_close`.
    ///
    /// RabbitMQ: [Authentication failure notifications](https://www.rabbitmq.com/docs/auth-notification).
    private var isRefusalTold: Bool {
        [serverProperties, wishes.clientProperties].allSatisfy { properties in
            properties["capabilities"]?.tableValue?["authentication_failure_close"]?.boolValue == true
        }
    }

    private mutating func fail(_ code: AMQPError.Code, _ message: String) -> Action {
        step = .ended
        return .failed(AMQPError(code, message))
    }

    private mutating func receive(_ start: ServerMethod.Start) -> Action {
        guard start.versionMajor == 0, start.versionMinor == 9 else {
            return fail(.unsupported, "the broker speaks AMQP \(start.versionMajor)-\(start.versionMinor), not 0-9-1")
        }
        guard start.mechanisms.contains(wishes.mechanism) else {
            return fail(
                .authenticationFailed,
                "the broker offers \(start.mechanisms.joined(separator: ", ").printable()), not \(wishes.mechanism)"
            )
        }
        serverProperties = start.serverProperties
        if let size = startOkSize, size > wishes.frameMax {
            return fail(
                .invalidArgument,
                "the credentials and the client properties take \(size) bytes, and a frame has \(wishes.frameMax) at the most"
            )
        }
        step = .awaitsTune
        return .send(
            .connectionStartOk(
                ClientMethod.StartOk(
                    clientProperties: wishes.clientProperties,
                    mechanism: wishes.mechanism,
                    response: wishes.response
                )
            )
        )
    }

    private mutating func receive(_ tune: ServerMethod.Tune) -> Action {
        let channelMax = Self.lower(tune.channelMax, wishes.channelMax)
        let frameMax = Self.lower(tune.frameMax, wishes.frameMax)
        guard frameMax >= Self.leastFrameMax else {
            return fail(
                .protocolViolation,
                "the broker wants frames of \(frameMax) bytes; \(Self.leastFrameMax) are the least there are"
            )
        }
        if frameMax < Self.laterLeastFrameMax, let version = ServerVersion(serverProperties),
            version.takesLargerFrames
        {
            // It would say nothing, and hang up after a while.
            return fail(
                .invalidArgument,
                "RabbitMQ \(version) refuses frames of \(frameMax) bytes (frameMax): from RabbitMQ 4.1 on, "
                    + "\(Self.laterLeastFrameMax) are the least"
            )
        }
        // A client that wants no heartbeats gets none; one that does gets them from a broker that has no wish.
        let heartbeat = wishes.heartbeat == 0 ? 0 : Self.lower(tune.heartbeat, wishes.heartbeat)
        step = .awaitsOpenOk
        toldFrameMax = frameMax
        let parameters = ConnectionParameters(
            channelMax: channelMax == 0 ? .max : channelMax,
            frameMax: Int(frameMax),
            heartbeat: heartbeat,
            serverProperties: serverProperties
        )
        return .agree(
            parameters,
            [
                .connectionTuneOk(channelMax: channelMax, frameMax: frameMax, heartbeat: heartbeat),
                .connectionOpen(virtualHost: wishes.virtualHost),
            ]
        )
    }

    /// The lower of two limits, of which zero is none.
    private static func lower<T: FixedWidthInteger>(_ a: T, _ b: T) -> T {
        if a == 0 { return b }
        return b == 0 ? a : min(a, b)
    }

    private func refusal(_ close: ServerMethod.Close) -> AMQPError {
        let error = AMQPError(
            replyCode: close.replyCode,
            replyText: close.replyText,
            classID: close.classID,
            methodID: close.methodID,
            closedConnection: true
        )
        if case .awaitsOpenOk = step, wishes.virtualHost.isEmpty, !error.isRetryable {
            return AMQPError(
                error.code,
                "\(error.message); the virtual host has the empty name, which a URI means that ends with '/': leave "
                    + "the final slash out for the virtual host '/', or write it as /%2f",
                replyCode: error.replyCode,
                replyText: close.replyText,
                method: error.method
            )
        }
        guard case .awaitsTune = step, error.replyCode == .accessRefused else { return error }
        return AMQPError(
            .authenticationFailed,
            error.message,
            replyCode: ReplyCode(rawValue: close.replyCode),
            replyText: close.replyText
        )
    }
}
