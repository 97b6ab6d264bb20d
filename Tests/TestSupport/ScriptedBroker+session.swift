internal import Synchronization

extension ScriptedBroker {
    /// One connection.
    public final class Session: Sendable {
        public struct Published: Sendable, Equatable {
            public let channel: UInt16
            public let routingKey: String
            public let body: [UInt8]
            public var text: String { String(decoding: body, as: UTF8.self) }
        }

        public struct Settled: Sendable, Equatable {
            public let channel: UInt16
            public let method: PeerMethod
            public let tag: UInt64

            public init(channel: UInt16, method: PeerMethod, tag: UInt64) {
                self.channel = channel
                self.method = method
                self.tag = tag
            }
        }

        public struct Consumer: Sendable, Equatable {
            public let channel: UInt16
            public let tag: String
            public let queue: String
            /// All of the method, with what it was asked for.
            public let frame: PeerFrame
        }

        private struct State {
            var frames: [PeerFrame] = []
            var published: [Published] = []
            var settled: [Settled] = []
            var consumers: [Consumer] = []
            var numbers: [UInt16: UInt64] = [:]
            var confirming: Set<UInt16> = []
            var begun: (channel: UInt16, routingKey: String, size: Int, body: [UInt8])?
            var refusals: [Refusal]
            var isReady = false
        }

        public let peer: ScriptedPeer
        private let script: Script
        private let state: Mutex<State>
        private static let names = Mutex(0)

        init(_ peer: ScriptedPeer, _ script: Script) {
            self.peer = peer
            self.script = script
            state = Mutex(State(refusals: script.refusals))
        }

        /// All frames that came, but heartbeats.
        public var frames: [PeerFrame] { state.withLock { $0.frames } }
        public var methods: [PeerMethod] { frames.compactMap(\.method) }
        public var published: [Published] { state.withLock { $0.published } }
        public var settled: [Settled] { state.withLock { $0.settled } }
        /// Those that were begun and not cancelled.
        public var consumers: [Consumer] { state.withLock { $0.consumers } }

        func play() async {
            do {
                try await peer.expectProtocolHeader()
                try await peer.sendStart(properties: script.tune.serverProperties)
                var count = 0
                while true {
                    let frame: PeerFrame
                    do {
                        frame = try await peer.next()
                    } catch is PeerError where !peer.isEnded {
                        continue
                    }
                    count += 1
                    state.withLock { $0.frames.append(frame) }
                    let isLast = count == script.cutAtFrame
                    if count >= script.stopsAtFrame ?? .max { continue }
                    if !isLast || script.answersLast { try await answer(frame) }
                    if isLast {
                        script.resets ? peer.reset() : peer.hangUp()
                        return
                    }
                }
            } catch {
                // The client has left, or was cut off.
            }
        }

        /// Has it refuse something from now on, once.
        public func refuse(_ refusals: Refusal...) { state.withLock { $0.refusals += refusals } }

        /// Breaks the connection.
        public func cut(resets: Bool = false) { resets ? peer.reset() : peer.hangUp() }

        /// Closes the connection with a reason that passes, as a node does that is stopped.
        public func close() async throws {
            try await peer.send(.connectionClose, channel: 0) {
                $0.short(320)
                $0.shortString("CONNECTION_FORCED - the node is stopped")
                $0.short(0)
                $0.short(0)
            }
        }

        private func answer(_ frame: PeerFrame) async throws {
            if frame.type != PeerFrame.Kind.method { return try await receiveContent(frame) }
            guard let method = frame.method else { return }
            if let refusal = takeRefusal(of: frame, method) {
                if refusal.code == 0 { return }
                let close = refusal.closesConnection ? PeerMethod.connectionClose : .channelClose
                try await peer.sendClose(
                    close,
                    channel: refusal.closesConnection ? 0 : frame.channel,
                    code: refusal.code,
                    text: refusal.text,
                    cause: method
                )
                if refusal.closesConnection {
                    try await peer.expect(.connectionCloseOk)
                    peer.hangUp()
                }
                return
            }
            if script.silent.contains(method) { return }
            try await answer(method, frame)
        }

        private func takeRefusal(of frame: PeerFrame, _ method: PeerMethod) -> Refusal? {
            let text = String(decoding: frame.payload, as: UTF8.self)
            return state.withLock { state in
                let index = state.refusals.firstIndex {
                    $0.method == method && ($0.name.isEmpty || text.contains($0.name))
                }
                return index.map { state.refusals.remove(at: $0) }
            }
        }

        private func answer(_ method: PeerMethod, _ frame: PeerFrame) async throws {
            let channel = frame.channel
            var fields = frame.fields
            switch method {
            case .connectionStartOk: try await peer.sendTune(script.tune)
            case .connectionOpen: try await peer.send(.connectionOpenOk, channel: 0) { $0.shortString("") }
            case .connectionClose:
                try await peer.send(.connectionCloseOk, channel: 0)
            case .channelOpen: try await peer.send(.channelOpenOk, channel: channel) { $0.longString("") }
            case .queueDeclare:
                _ = fields.short()
                var name = fields.shortString()
                if name.isEmpty {
                    name = Self.names.withLock { count in
                        count += 1
                        return "amq.gen-\(count)"
                    }
                }
                try await peer.send(.queueDeclareOk, channel: channel) {
                    $0.shortString(name)
                    $0.long(0)
                    $0.long(0)
                }
            case .queueDelete: try await peer.send(.queueDeleteOk, channel: channel) { $0.long(0) }
            case .basicConsume:
                _ = fields.short()
                let (queue, tag) = (fields.shortString(), fields.shortString())
                state.withLock {
                    $0.consumers.append(Consumer(channel: channel, tag: tag, queue: queue, frame: frame))
                }
                try await peer.send(.basicConsumeOk, channel: channel) { $0.shortString(tag) }
            case .basicCancel:
                let tag = fields.shortString()
                state.withLock { $0.consumers.removeAll { $0.channel == channel && $0.tag == tag } }
                try await peer.send(.basicCancelOk, channel: channel) { $0.shortString(tag) }
            case .basicPublish: beginContent(channel, fields)
            case .basicAck, .basicNack, .basicReject:
                let settled = Settled(channel: channel, method: method, tag: fields.longLong())
                state.withLock { $0.settled.append(settled) }
            case .basicGet: try await peer.send(.basicGetEmpty, channel: channel) { $0.shortString("") }
            default:
                if method == Self.confirmSelect { state.withLock { _ = $0.confirming.insert(channel) } }
                if let answer = Self.plainAnswers[method] { try await peer.send(answer, channel: channel) }
            }
        }

        private static let confirmSelect = PeerMethod(85, 10)

        private static let plainAnswers: [PeerMethod: PeerMethod] = [
            .channelClose: .channelCloseOk, .exchangeDeclare: .exchangeDeclareOk, .exchangeDelete: .exchangeDeleteOk,
            PeerMethod(40, 30): PeerMethod(40, 31), .queueBind: .queueBindOk, .queueUnbind: .queueUnbindOk,
            .basicQos: .basicQosOk, confirmSelect: .confirmSelectOk, PeerMethod(90, 10): PeerMethod(90, 11),
            PeerMethod(90, 20): PeerMethod(90, 21), PeerMethod(90, 30): PeerMethod(90, 31),
        ]

        private func beginContent(_ channel: UInt16, _ fields: PeerReader) {
            var fields = fields
            _ = fields.short()
            _ = fields.shortString()
            let key = fields.shortString()
            state.withLock { $0.begun = (channel, key, -1, []) }
        }

        private func receiveContent(_ frame: PeerFrame) async throws {
            let confirm = state.withLock { state -> UInt64? in
                guard var begun = state.begun else { return nil }
                if frame.type == PeerFrame.Kind.header {
                    var reader = PeerReader(frame.payload)
                    _ = reader.long()
                    begun.size = Int(reader.longLong())
                } else {
                    begun.body += frame.payload
                }
                state.begun = begun
                guard begun.body.count == begun.size else { return nil }
                state.begun = nil
                state.published.append(
                    Published(channel: begun.channel, routingKey: begun.routingKey, body: begun.body)
                )
                guard state.confirming.contains(begun.channel) else { return nil }
                state.numbers[begun.channel, default: 0] += 1
                return script.confirms ? state.numbers[begun.channel] : nil
            }
            guard let confirm else { return }
            try await peer.send(.basicAck, channel: frame.channel) {
                $0.longLong(confirm)
                $0.octet(0)
            }
        }

        /// Confirms all messages so far on a channel.
        public func confirmAll(channel: UInt16 = 1) async throws {
            let last = state.withLock { $0.numbers[channel] ?? 0 }
            try await peer.send(.basicAck, channel: channel) {
                $0.longLong(last)
                $0.octet(1)
            }
        }

        /// Delivers a message to a consumer.
        public func deliver(_ text: String, tag: UInt64, consumer: String, channel: UInt16 = 1) async throws {
            let frames = PeerFrame.delivery(Array(text.utf8), tag: tag, consumer: consumer, channel: channel)
            try await peer.send(frames)
        }

        /// Cancels a consumer, as a broker does whose queue is gone.
        public func cancel(consumer: String, channel: UInt16 = 1) async throws {
            state.withLock { $0.consumers.removeAll { $0.channel == channel && $0.tag == consumer } }
            try await peer.send(.basicCancel, channel: channel) {
                $0.shortString(consumer)
                $0.octet(1)
            }
        }
    }
}
