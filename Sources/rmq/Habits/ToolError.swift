#if Tool
internal import ArgumentParser
internal import RabbitMQ

/// Why a command could not do what it was asked to: what happened, and what to do about it.
struct ToolError: Error, CustomStringConvertible {
    let message: String
    let cure: String?

    init(_ message: String, cure: String? = nil) {
        self.message = message
        self.cure = cure
    }

    var description: String { cure.map { "\(message)\n\($0)" } ?? message }
}

extension ExitCode {
    /// There was nothing to take: the queue was empty, or nothing came in time.
    static let nothing = ExitCode(3)
    /// The broker lacks something of a topology.
    static let incomplete = ExitCode(2)
}

/// How commands end that fail.
enum Complaint {
    /// Says once what is wrong, with the cure where one is known, and ends the process.
    static func end(_ error: any Error) -> Never {
        switch error {
        case let error as AMQPError:
            Terminal.complain("Error: \(error)")
            if let cure = Cure.of(error) { Terminal.complain(cure) }
            RMQ.exit(withError: isOverArguments(error) ? ExitCode.validationFailure : ExitCode.failure)
        case is ToolError, is PerfError:
            Terminal.complain("Error: \(error)")
            RMQ.exit(withError: ExitCode.failure)
        case let error as ValidationError:
            // Of a command that runs: those of its arguments are told with its usage before, as another type.
            Terminal.complain("Error: \(error.message)")
            RMQ.exit(withError: ExitCode.validationFailure)
        case is BrokenOutput:
            // Whoever reads has had enough, as `head` does.
            RMQ.exit(withError: ExitCode(141))
        default: RMQ.exit(withError: error)
        }
    }

    /// Whether the library has refused what was typed: to try again with the same is in vain.
    static func isOverArguments(_ error: AMQPError) -> Bool {
        let codes: [AMQPError.Code] = [
            .invalidArgument, .invalidName, .invalidExchangeName, .invalidMessage, .invalidURI,
        ]
        return error.replyCode == nil && codes.contains(error.code)
    }
}
#endif
