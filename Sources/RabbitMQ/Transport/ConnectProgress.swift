internal import Logging
internal import Synchronization

/// How far connecting has come: the deadline strikes on another thread, and has to say what was too slow.
final class ConnectProgress: Sendable {
    enum Step: Sendable {
        case waiting
        case lookingUp(host: String)
        case connecting(place: String)
        case encrypting(place: String)
        case loggingIn
    }

    private let step = Mutex(Step.waiting)
    private let logger: Logger?

    /// - Parameter logger: Is told at the level debug when each step begins, so that its times show which one is slow.
    init(logger: Logger? = nil) { self.logger = logger }

    func reach(_ next: Step) {
        step.withLock { $0 = next }
        switch next {
        case .waiting: break
        case .lookingUp(let host): logger?.debug("looking up a name", metadata: [LogKey.endpoint: "\(host)"])
        case .connecting(let place): logger?.debug("connecting", metadata: [LogKey.endpoint: "\(place)"])
        case .encrypting(let place):
            logger?.debug("doing the TLS handshake", metadata: [LogKey.endpoint: "\(place)"])
        case .loggingIn: logger?.debug("logging in")
        }
    }

    /// Whether there is a connection, over which the link logs in.
    var isLoggingIn: Bool { step.withLock { if case .loggingIn = $0 { true } else { false } } }

    func timedOut(after timeout: Duration) -> AMQPError {
        let prefix = "connecting took longer than \(timeout)"
        switch step.withLock({ $0 }) {
        case .waiting: return AMQPError(.timedOut, prefix)
        case .lookingUp(let host): return AMQPError(.timedOut, "\(prefix): the name \(host) was not found out in time")
        case .connecting(let place): return AMQPError(.timedOut, "\(prefix): \(place) did not answer")
        case .encrypting(let place):
            let failure = TLSFailure.timeout
            return AMQPError(.timedOut, "\(prefix): TLS with \(place): \(failure.message)", underlying: failure)
        case .loggingIn: return AMQPError(.timedOut, "\(prefix): the peer did not finish the AMQP handshake")
        }
    }
}
